"""The key `foreach`: steps that are repeated for each of some values (rule 10.3)."""

import json
import time
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_conditions import Name
from flow_spec import (
    End,
    FlowFileError,
    FlowSpec,
    ListError,
    UnknownStepError,
    differences,
    filled,
    holds_of_copies,
    parse_flow,
)
from flow_spec.documents.source import values_of_lines

SHOPS = """
flow_id: f
steps:
  - {id: prepare, command: [p]}
  - foreach: {SHOP: [berlin, paris]}
    max_parallel: 1
    steps:
      - {id: load, depends_on: [prepare], command: [l]}
      - {id: check, when: load && !prepare.failed, command: [c], env: {LEVEL: high}}
  - {id: report, depends_on: [check], command: [r]}
  - {id: alert, when: "check.failed || load@paris.skipped", command: [a]}
"""


def flow_of(foreach: str, steps: str = "[{id: a, command: [x]}]") -> FlowSpec:
    """Read a flow of one block, whose lists may be files."""

    def read(origin: str, text: str, _params: Mapping[str, str]) -> Sequence[str]:
        if text == "missing":
            raise ListError("cannot be read")
        return [] if text == "none" else [f"{origin} of {text}", "two"]

    text = f"flow_id: f\nsteps:\n  - foreach: {foreach}\n    steps: {steps}\n"
    return parse_flow(text, read_list=read)


def refusal(read: Callable[[], FlowSpec]) -> str:
    with pytest.raises(FlowFileError) as caught:
        read()
    (problem,) = caught.value.problems
    return str(problem)


def ids(flow: FlowSpec) -> list[str]:
    return [step.id for step in flow.steps]


def test_each_copy_is_a_step() -> None:
    """In their place, one copy after the other; inside, a name means the same copy's step."""
    flow = parse_flow(SHOPS)
    assert ids(flow) == [
        "prepare",
        "load@berlin",
        "check@berlin",
        "load@paris",
        "check@paris",
        "report",
        "alert",
    ]
    check = flow.step("check@paris")
    assert (check.when, check.env) == (
        "load@paris && !prepare.failed",
        (("LEVEL", "high"), ("SHOP", "paris")),
    )
    assert flow.step("load@berlin").depends_on == ("prepare",)
    assert flow.step("report").waits_for == ("check",)
    assert flow.step("alert").waits_for == ("check", "load@paris")
    assert flow.values_of("check@paris") == {"SHOP": "paris"}
    assert flow.values_of("report") == {}
    ranks = [{step.id for step in rank} for rank in flow.ranks]
    assert ranks[1:3] == [{"load@berlin", "load@paris"}, {"check@berlin", "check@paris"}]
    written = [[step.id for step in rank] for rank in flow.as_written.ranks]
    assert written == [["prepare"], ["load"], ["check"], ["report", "alert"]]
    assert FlowSpec.from_json(flow.to_json()) == flow
    assert flow.to_json().count('"command":["c"]') == 1


@pytest.mark.parametrize(
    ("foreach", "expected"),
    [
        ("{X: [1, 2]}", ["a@1", "a@2"]),
        ("{X: [b, b c, d/e]}", ["a@b", "a@2", "a@3"]),
        ("{X: [p, q], Y: [1, 2]}", ["a@p@1", "a@p@2", "a@q@1", "a@q@2"]),
        ("[{GO: '1', OPTS: r}, {GO: '2'}]", ["a@1@r", "a@2"]),
        ("[{X: '1.21'}, {Y: 1.19}]", ["a@1", "a@2"]),
        # Numbers would be taken for the values of others: all are numbered.
        ("{X: [x@y, b]}", ["a@1", "a@b"]),
        (f"{{X: [{'b' * 129}, c]}}", ["a@1", "a@c"]),
        ("{X: {lines: names.txt}}", ["a@1", "a@two"]),
        ("{X: {glob: '*.csv'}, Y: [z]}", ["a@1", "a@two@z"]),
        ("{X: [b], Y: {glob: none}}", []),
    ],
)
def test_ids(foreach: str, expected: list[str]) -> None:
    assert ids(flow_of(foreach)) == expected


def test_what_a_row_leaves_out_is_empty() -> None:
    flow = flow_of("[{GO: '1.21', OPTS: -race}, {GO: '1.19'}]")
    assert [dict(step.env) for step in flow.steps] == [
        {"GO": "1.21", "OPTS": "-race"},
        {"GO": "1.19", "OPTS": ""},
    ]


TEXTS = st.text("ab1 @2-", max_size=3)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20, unique=True))
def test_no_two_copies_have_one_id(rows: list[tuple[str, str]]) -> None:
    """Whatever the values are: equal ids would be one step for the engine."""
    values = json.dumps([{"V": one, "W": other} for one, other in rows])
    assert len(set(ids(flow_of(values)))) == len(rows)


@pytest.mark.parametrize(
    ("foreach", "problem"),
    [
        ("[]", "steps[0].foreach: must not be empty"),
        ("{}", "steps[0].foreach: must be a list, a mapping of names to lists"),
        ("berlin, paris", 'a list of mappings; got "berlin, paris"; write a list such as [a, b]'),
        ("[b, c, b]", 'steps[0].foreach[2]: "b" is listed twice'),
        ("{X: b}", 'X: must be a list of values, such as [berlin, paris]; got "b"; write a list'),
        ("{X: [[b]]}", "steps[0].foreach.X[0]: must be text"),
        ("{1X: [b]}", 'steps[0].foreach["1X"]: must be made of A-Z'),
        (
            "{lines: days.txt, X: [b]}",
            "steps[0].foreach.lines: gives its values no name; write foreach: {N",
        ),
        ("{split: ' '}", "steps[0].foreach.split: must hold a value"),
        ("{X: {split: b c b}}", 'steps[0].foreach.X.split: gives "b" twice'),
        ("{X: {split: b, at: ''}}", "foreach.X.at: must not be empty; leave it out to split at bl"),
        ("{split: '${{ FLOW_DIR }}'}", "${{ FLOW_DIR }} has no value then; only parameters have"),
        ("{X: {lines: a, glob: b}}", "steps[0].foreach.X: must be a list of values, such as"),
        ("{X: {lines: missing}}", 'steps[0].foreach.X.lines: "missing" cannot be read'),
        ("[{X: b}, {X: b}]", "steps[0].foreach[1]: has the same values as steps[0].foreach[0]"),
        ("[{X: b}, c]", "steps[0].foreach[1]: must be a mapping of names to values"),
    ],
)
def test_a_list_that_is_none(foreach: str, problem: str) -> None:
    assert problem in refusal(lambda: flow_of(foreach))


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[{id: a, command: [x], when: b}]", 'steps[0].steps[0].when: unknown step "b"'),
        ("[{id: a, command: [x], when: a@zzz}]", 'step "a" has no copy "zzz"; it has a@p, a@r'),
        ("[{id: a, command: [x], env: {X: y}}]", "steps[0].steps[0].env.X: would hide the value"),
        (
            "[{foreach: {Y: [1]}, steps: [{id: a, command: [x]}]}]",
            "steps[0].steps[0].foreach: a foreach cannot be inside another one; write all lists",
        ),
        ("[{id: a, command: [x], when: a}]", "step a waits for itself"),
        (
            "[{id: a, command: [x], when: b}, {id: b, command: [x], when: a@p}]",
            "dependency cycle detected: a -> b -> a",
        ),
    ],
)
def test_steps_are_checked_once(steps: str, problem: str) -> None:
    """What is wrong with a step is said once, and not of each copy."""
    assert problem in refusal(lambda: flow_of("{X: [p, r]}", steps))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (
            "{foreach: {X: [p]}, steps: [{id: b, command: [x]}], retries: 3}",
            "steps[1].retries: belongs to a step, and this foreach repeats the steps in its own",
        ),
        ("{id: b, command: [x], max_parallel: 2}", "steps[1].max_parallel: bounds the copies"),
        ("{foreach: [p], id: b, command: ['${{ X }}']}", 'unknown name "X"; there is FLOW_DIR, IT'),
        ("{foreach: {X: [p]}, steps: [{id: b, command: [x]}], max_parallel: 0}", "max_parallel"),
        ("{id: b, command: [x], when: a@p}", 'step "a" is in no foreach and has no copies'),
        ("{id: b@p, command: [x]}", "steps[1].id: "),
        ("{foreach: {X: [p]}, stepps: []}", 'stepps: unknown key; did you mean "steps"?'),
    ],
)
def test_what_belongs_elsewhere(item: str, problem: str) -> None:
    """Nothing is silently ignored (rule 2.6), and no id of a file can be that of a copy."""
    text = f"{{flow_id: f, steps: [{{id: a, command: [x]}}, {item}]}}"
    assert problem in refusal(lambda: parse_flow(text))


STEP = (
    "id: load, depends_on: [first], command: [l, '${{ ITEM }}'], env: {LEVEL: '${{ ITEM }}'}, "
    "retries: 2, allow_warnings: [no-effect], x-airflow: {queue: '${{ ITEM }}'}"
)


@pytest.mark.parametrize(
    "foreach",
    [
        "{ITEM: [berlin, paris], DAY: [1, 2]}",
        "[{ITEM: berlin}, {ITEM: paris, DAY: 1}]",
        "{lines: days.txt}",
        "{ITEM: {split: '${{ SHOPS }}', at: ','}}",
    ],
)
def test_a_step_with_a_foreach_is_a_block(foreach: str) -> None:
    """It means the block that repeats this one step, in every part of the flow (rule 10.3)."""
    text = (
        "{flow_id: f, params: {SHOPS: 'a,b'}, defaults: {timeout_sec: 5}, steps: ["
        "{id: first, command: [f]}, ITEM, {id: last, when: 'any(load.failed)', command: [x]}],"
        " finally: [{id: tell, when: any(failed), command: [t]}]}"
    )
    items = (
        f"{{foreach: {foreach}, max_parallel: 2, {STEP}}}",
        f"{{{STEP}, max_parallel: 2, foreach: {foreach}}}",
        f"{{foreach: {foreach}, max_parallel: 2, steps: [{{{STEP}}}]}}",
    )
    one, other, block = (
        parse_flow(
            text.replace("ITEM, {id: last", f"{item}, {{id: last"),
            read_list=lambda origin, text, _: [origin, text],
        )
        for item in items
    )
    assert one == other == block
    assert one.to_json() == block.to_json()


@pytest.mark.parametrize(
    ("source", "params", "values"),
    [
        ("{split: '  a \t b  '}", {}, "a b"),
        ('{split: "a\\nb\\r\\n"}', {}, "a b"),
        ("{split: ' a, b ,,c,', at: ','}", {}, "a b c"),
        ("{split: 'a::b:c', at: '::'}", {}, "a b:c"),
        ("{split: '${{ S }} d ${{T}}', at: ' '}", {"S": "a b", "T": "c"}, "a b d c"),
        ("{split: '${{ S }}'}", {"S": "${{T}} $${{"}, "${{T}} $${{"),
        ("{split: '$${{ S }}', at: ','}", {}, "${{ S }}"),
        ("{split: '${{ S }}'}", {"S": "  "}, ""),
    ],
)
def test_split(source: str, params: dict[str, str], values: str) -> None:
    """A text is split at blanks, or at `at`; values lose the blanks around them (rule 10.3)."""
    text = (
        f"{{flow_id: f, params: {{S: default, T: t}}, steps: [{{foreach: {source}, id: a,"
        " command: [x]}]}"
    )
    (block,) = parse_flow(text, params=params).blocks
    found = [copy.values[0] for copy in block.copies]
    assert found == (values.split() if "{{ S" not in values else [values])


@given(st.lists(st.text("ab,;$", min_size=1, max_size=3), min_size=1, max_size=9, unique=True))
def test_split_is_the_list(values: list[str]) -> None:
    """A text without parameters means the list of its values: no difference, no later change."""
    text = json.dumps({"flow_id": "f", "steps": [{"id": "a", "command": ["x"], "foreach": "LIST"}]})
    lists = (values, {"split": " ".join(values)}, {"split": " | ".join(values), "at": "|"})
    one, *others = (
        parse_flow(text.replace('"LIST"', json.dumps(each)), format="json") for each in lists
    )
    assert all(each == one for each in others)
    assert one.open_lists == []


def test_split_with_parameters() -> None:
    """Its values belong to the run, as those of a file do; another text is another definition."""
    text = (
        "{flow_id: f, params: {S: a b}, steps: [{foreach: {split: '${{ S }}'}, id: a,"
        " command: [x]}]}"
    )
    flow = parse_flow(text)
    assert FlowSpec.from_json(flow.to_json()) == flow
    (one,) = flow.open_lists
    assert (one.values, one.spelled) == (("a", "b"), '{split: "${{ S }}"}')
    assert flow.lists == {}
    assert differences(flow, parse_flow(text, params={"S": "c"})) == ()
    assert differences(flow, parse_flow(text.replace("}'}", "}', at: ','}"))) == (
        'foreach of step "a": ITEM was {split: "${{ S }}"} and is now {split: "${{ S }}", at: ","}',
    )
    assert parse_flow(text, params={"S": ""}).empty_blocks == {'{split: "${{ S }}"}': ("a",)}


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("{S: {}}", "foreach.split: needs the parameter S, which has no value"),
        ("{T: a}", "foreach.split: a list is read before its run begins, and ${{ S }} has no val"),
        ("{ITEM: a, S: b}", "steps[0].foreach: ITEM is a parameter, which every step has under"),
    ],
)
def test_a_wrong_parameter_of_a_text(params: str, problem: str) -> None:
    step = "{foreach: {split: '${{ S }}'}, id: a, command: [x]}"
    text = f"{{flow_id: f, params: {params}, steps: [{step}]}}"
    assert problem in refusal(lambda: parse_flow(text))


def test_finally_asks_about_all_copies() -> None:
    """Without `depends_on` a step of `finally` asks about the steps as they are written (10.1)."""
    flow = parse_flow(f"{SHOPS}finally:\n  - {{id: tell, when: any(failed), command: [t]}}\n")
    assert flow.step("tell").depends_on == ("prepare", "load", "check", "report", "alert")


def test_lines() -> None:
    """Each line is a value as it stands; blank ones, the line's end and a mark are not."""
    data = b"\xef\xbb\xbfa\r\n\r\n  \nb b \r\nlast\n"
    assert values_of_lines(data) == ("a", "b b ", "last")


def test_no_lines() -> None:
    for data, flaw in (b"a\nb\0", "a NUL byte in line 2"), (b"a\n" * 10_001, "has 10,001 lines"):
        with pytest.raises(ListError, match=flaw):
            values_of_lines(data)


ENDS = {
    "S": End("SUCCEEDED", True),
    "F": End("FAILED", False),
    "K": End("SKIPPED", False),
    "C": End("CANCELLED", False),
    "A": End("FAILED", True),  # allowed
    "O": End("SKIPPED", True),  # by its own decision
}


@pytest.mark.parametrize(
    ("asked", "true_of"),
    [
        ("load", ["S"]),
        ("load.failed", ["F", "A", "SF", "FK", "SA"]),
        ("load.skipped", ["", "K", "O", "KO"]),
        ("load.cancelled", ["C", "SC"]),
        ("load.passed", ["", "S", "A", "O", "SA", "SO"]),
        ("load.finished", ["", *"SFKCAO", "SF", "SK", "FK", "SC", "SA", "SO", "KO"]),
        ("any(load)", ["S", "SF", "SK", "SC", "SA", "SO"]),
        ("any(load.failed)", ["F", "A", "SF", "FK", "SA"]),
        ("any(load.finished)", [*"SFKCAO", "SF", "SK", "FK", "SC", "SA", "SO", "KO"]),
        ("all(load.succeeded)", ["S"]),
        ("all(load.skipped)", ["", "K", "O", "KO"]),
        ("all(load.passed)", ["", "S", "A", "O", "SA", "SO"]),
        ("none(load)", ["", *"FKCAO", "FK", "KO"]),
    ],
)
def test_what_is_asked_of_all_copies(asked: str, true_of: list[str]) -> None:
    """A name asks for all SUCCEEDED, any FAILED, all SKIPPED, any CANCELLED, or all passed.

    Without copies `any` is false, `none` true, and `all` what it is of a skipped step (rule 3.7).
    """
    cases = ["", *ENDS, "SF", "SK", "FK", "SC", "SA", "SO", "KO"]
    name = Name.spelled(asked)
    assert [case for case in cases if holds_of_copies(name, [ENDS[one] for one in case])] == true_of


BLOCK = "{foreach: {X: [a, b]}, steps: [{id: load, command: [x]}, {id: check, command: [x]%s}]}"


@pytest.mark.parametrize(
    ("when", "inside", "messages"),
    [
        ("any(load) && none(check.failed)", "", []),
        ("any(A)", "", ["any(A) asks all copies of a step, from outside its foreach; write A.suc"]),
        ("load && none( A.failed )", "", ["none(A.failed) asks all copies of a step, from outsid"]),
        ("any(load@a)", "", ["any(load@a) asks all copies of a step, from outside its foreach; w"]),
        ("any(laod.failed)", "", ['unknown step "laod"; did you mean "load"?']),
        ("load", "all(load)", ["all(load) asks all copies of a step, from outside its foreach; w"]),
    ],
)
def test_who_can_be_called(
    complaints: Callable[..., list[str]], when: str, inside: str, messages: list[str]
) -> None:
    """A call asks a step with copies, from outside of its `foreach` (rule 3.7)."""
    block = BLOCK % (inside and f", when: {inside}")
    step = f"{{id: S, command: [x], when: '{when}', depends_on: [A]}}"
    said = complaints(f"flow_id: f\nsteps: [{{id: A, command: [x]}}, {block}, {step}]")
    for line, message in zip(said, messages, strict=True):
        assert line.partition("when: ")[2].startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "[berlin, paris]",
            "[berlin, rome]",
            'SHOP was ["berlin", "paris"] and is now ["berlin", "',
        ),
        (
            "{SHOP: [berlin, paris]}",
            "[{SHOP: berlin}, {SHOP: rome}, {SHOP: paris}]",
            "its rows were changed",
        ),
        ("max_parallel: 1\n", "x-note: none\n", "max_parallel was 1 and is now not set"),
    ],
)
def test_differences(old: str, new: str, expected: str) -> None:
    """Which list has changed is said once, and of a changed step, not of its copies (rule 4.4)."""
    text = SHOPS.replace(" || load@paris.skipped", "")
    (found,) = differences(parse_flow(text), parse_flow(text.replace(old, new)))
    assert found.startswith(f'foreach of step "load": {expected}')
    changed = parse_flow(text.replace("command: [c]", "command: [d]"))
    assert differences(parse_flow(text), changed) == (
        'step "check": command[0] was "c" and is now "d"',
    )


def test_moved() -> None:
    """A step that is repeated now is another one."""
    plain = parse_flow("{flow_id: f, steps: [{id: a, command: [x]}]}")
    assert differences(plain, flow_of("{X: [p]}")) == ('step "a" was moved into a foreach',)
    assert differences(flow_of("{X: [p]}"), plain) == ('step "a" was moved out of its foreach',)


def test_a_file_that_changes_makes_no_difference() -> None:
    """A run keeps the lines that it was recorded with; another file is another definition."""
    text = "{flow_id: f, steps: [{foreach: {X: {lines: x}}, steps: [{id: a, command: [x]}]}]}"
    one = parse_flow(text, read_list=lambda *_: ["p"])
    other = parse_flow(text, read_list=lambda *_: ["p", "q"])
    assert differences(one, other) == ()
    glob = parse_flow(text.replace("lines", "glob"), read_list=lambda *_: ["p"])
    assert differences(one, glob) == (
        'foreach of step "a": X was {lines: "x"} and is now {glob: "x"}',
    )
    assert one.lists == {("lines", "x"): ("p",)}


def test_named() -> None:
    """The name of all copies means each, that of a copy one; the step itself there is none of."""
    flow = parse_flow(SHOPS)
    assert [step.id for step in flow.named("load")] == ["load@berlin", "load@paris"]
    assert [step.id for step in flow.named("load@paris")] == ["load@paris"]
    with pytest.raises(UnknownStepError, match="load@berlin"):
        flow.step("load")
    with pytest.raises(UnknownStepError, match="check"):
        flow.named("chek")


def test_names_in_words() -> None:
    """The names of a block can be used in the words of its steps, and are filled as text (10.2)."""
    words = "[x, '${{ X }}-${{RUN_KEY}}', '$${{ X }}', '${X}']"
    more = "env: {Y: 'of ${{ X }}'}, working_dir: 'd/${{ X }}'"
    steps = f"[{{id: a, command: {words}, {more}}}]"
    flow = FlowSpec.from_json(flow_of("{X: [p, '${{ RUN_KEY }} $${{ q']}", steps).to_json())
    one, other = flow.filled({"RUN_KEY": "k"}).steps
    assert one.command == ("x", "p-k", "${{ X }}", "${X}")
    assert (dict(one.env), one.working_dir) == ({"X": "p", "Y": "of p"}, "d/p")
    value = "${{ RUN_KEY }} $${{ q"
    assert other.command[1] == f"{value}-k"
    assert dict(other.env) == {"X": value, "Y": f"of {value}"}


def test_parameters_in_the_path_of_a_list() -> None:
    """They have their values when the list is read, which are never read again (rule 10.2)."""
    step = "{foreach: {lines: 'in/${{ DAY }}'}, id: a, command: [x]}"
    text = f"{{flow_id: f, params: {{DAY: {{description: the day}}}}, steps: [{step}]}}"

    def read(_origin: str, path: str, params: Mapping[str, str]) -> Sequence[str]:
        return [filled(path, params)]

    assert "DAY, which has no value (the day)" in refusal(lambda: parse_flow(text, read_list=read))
    flow = parse_flow(text, read_list=read, params={"DAY": "${{ FLOW_DIR }}"})
    assert flow.lists == {("lines", "in/${{ DAY }}"): ("in/${{ FLOW_DIR }}",)}


NAMES = ", ".join(f"N{number}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]" for number in range(20))
MANY = ", ".join(map(str, range(10_001)))
WIDE = ", ".join(f"{{N{number}: 1}}" for number in range(9_000))


@pytest.mark.parametrize(
    ("foreach", "steps", "problem"),
    [
        (f"{{{NAMES}}}", "[{id: a, command: [x]}]", "more than 10,000 steps"),
        (f"[{WIDE}]", "[{id: a, command: [x]}]", "more than 200,000 values"),
        (f"[{MANY}]", "[{id: a, command: [x]}]", "more than 10,000 steps"),
        (
            f"{{X: [{', '.join(map(str, range(5000)))}]}}",
            f"[{{id: a, command: [x]}}, {{id: b, command: [x], when: '{'a && ' * 1000}a'}}]",
            "copies with more than 8 MiB of text",
        ),
    ],
)
def test_hostile(foreach: str, steps: str, problem: str) -> None:
    """A small file cannot ask for more than there may be, and is refused at once (rule 2.8)."""
    began = time.process_time()
    assert problem in refusal(lambda: flow_of(foreach, steps))
    assert time.process_time() - began < 5


def test_a_text_that_repeats_a_long_parameter() -> None:
    """A short text cannot ask for more memory than there may be (rule 2.8)."""
    held, value = "${{S}}" * 2_000, "a " * 10_000
    item = f"{{foreach: {{split: '{held}'}}, id: a, command: [x]}}"
    began = time.process_time()
    with pytest.raises(FlowFileError, match=r"foreach\.split: stands for more than 8 MiB of text"):
        parse_flow(f"{{flow_id: f, params: {{S: '{value}'}}, steps: [{item}]}}")
    assert time.process_time() - began < 5


def test_all_blocks_share_the_bound() -> None:
    """So do the steps beside them (at most 10,000 steps after expansion)."""
    values = ", ".join(map(str, range(4_999)))
    block = "{{foreach: [{0}], id: {1}, command: [x]}}"  # whose list is no text of its copies
    last = "{id: c, command: [x]}, {id: d, command: [x]}"
    blocks = f"{block.format(values, 'a')}, {block.format(values, 'b')}"
    flow = parse_flow(f"{{flow_id: f, steps: [{blocks}, {last}]}}")
    assert len(flow.steps) == 10_000
    with pytest.raises(FlowFileError, match="more than 10,000 steps"):
        parse_flow(f"{{flow_id: f, steps: [{blocks}, {last}, {{id: e, command: [x]}}]}}")


def test_all_blocks_share_the_bound_of_text() -> None:
    """What two blocks stand for together is bounded, too (at most 8 MiB of text)."""
    step = "{foreach: {X: [a, b, c, d]}, steps: [{id: %s, command: [x, %s]}]}"
    word = "y" * 2**17
    half = ", ".join([word[:100_000]] * 10)
    text = "{flow_id: f, steps: [%s]}"
    one, other = (step % (name, half) for name in "ab")
    assert len(parse_flow(text % ", ".join([one, other])).steps) == 8
    with pytest.raises(FlowFileError, match="copies with more than 8 MiB of text"):
        parse_flow(text % ", ".join([one, other, step % ("c", half)]))


def test_many_that_wait_for_many() -> None:
    """Ten thousand steps of which half wait for all others cost what their number says."""
    block = f"{{foreach: {{X: [{', '.join(map(str, range(4_999)))}]}}, id: %s, command: [x]}}"
    steps = f"{block % 'a'}, {block % 'b, when: a'}, {{id: c, command: [x]}}"
    began = time.process_time()
    flow = FlowSpec.from_json(parse_flow(f"{{flow_id: f, steps: [{steps}]}}").to_json())
    assert [len(rank) for rank in flow.ranks] == [5_000, 4_999]
    assert flow.with_until(["b"]).left_out == ("c",)
    assert time.process_time() - began < 8
