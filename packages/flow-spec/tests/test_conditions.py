"""Section 3 as far as a flow file goes: outcomes, calls, waits, cycles, and how `when` is read."""

import textwrap
from collections.abc import Callable

import pytest

from flow_spec import FlowSpec, StepEnds, StepSpec, UnknownStepError, differences, parse_flow
from flow_spec.fields.predicates import PREDICATES

# Section 3 as far as a flow file goes: outcomes, foreign words, waits and cycles.

type Complaints = Callable[..., list[str]]
type Steps = Callable[..., FlowSpec]

A, B, C = (f"{{id: {name}, command: [x]}}" for name in "ABC")


def test_a_step_may_be_called_like_a_foreign_word(steps: Steps) -> None:
    """Only an unknown step is questioned: `always` may be one (rule 3.3)."""
    flow = steps(
        "{id: always, command: [x]}",
        "{id: S, command: [x], when: always || !and}",
        "{id: and, command: [x]}",
    )
    assert flow.step("S").waits_for == ("always", "and")


SUGGESTIONS = [("dwonload", "download"), ("Download", "download"), ("load_data", "load-data")]


@pytest.mark.parametrize(("name", "meant"), SUGGESTIONS)
@pytest.mark.parametrize("field", ["when: {}.failed", "depends_on: [{}]"])
def test_an_unknown_step_names_the_one_that_was_meant(
    complaints: Complaints, name: str, meant: str, field: str
) -> None:
    """An unknown id is an error with a did-you-mean (rule 2.6)."""
    known = "{id: download, command: [x]}, {id: load-data, command: [x]}"
    step = f"{{id: S, command: [x], {field.format(name)}}}"
    (line,) = complaints(f"flow_id: f\nsteps: [{known}, {step}]")
    assert line.endswith(f': unknown step "{name}"; did you mean "{meant}"?')


def test_a_step_that_failed_validation_is_still_known(complaints: Complaints) -> None:
    """A reference to a step with a mistake is no second mistake (rule 2.7)."""
    lines = complaints("flow_id: f\nsteps: [{id: a b}, {id: S, command: [x], depends_on: [a b]}]")
    assert len(lines) == 2


WAITS = [
    ("{id: S, command: [x]}", None, ()),
    ("{id: S, command: [x], depends_on: [A, B]}", "A && B", ("A", "B")),
    ("{id: S, command: [x], when: !A || B.failed || A}", "!A || B.failed || A", ("A", "B")),
    ("{id: S, command: [x], when: C, depends_on: [B, C, A]}", "C", ("B", "C", "A")),
]


@pytest.mark.parametrize(("mapping", "condition", "waits_for"), WAITS)
def test_what_a_step_waits_for_and_asks(
    steps: Steps, mapping: str, condition: str | None, waits_for: tuple[str, ...]
) -> None:
    """With `when`, `depends_on` only adds waits; without, it is a success chain (rules 3.4-3.6)."""
    step = steps(A, B, C, mapping).step("S")
    assert (None if step.condition is None else str(step.condition)) == condition
    assert step.waits_for == waits_for
    assert step.condition is step.condition


CYCLES = [
    (["A: when: A"], "A -> A"),
    (["A: depends_on: [C]", "B: when: !A", "C: when: B.failed"], "A -> C -> B -> A"),
    (["S: when: B", "A: when: B", "B: when: A"], "A -> B -> A"),
    (["S:", "B: when: A", "A: depends_on: [S], when: B"], "B -> A -> B"),
    (["Z: when: Y", "Y: when: X", "X: when: Y"], "Y -> X -> Y"),
]


@pytest.mark.parametrize(("lines", "cycle"), CYCLES)
def test_a_cycle_is_told_from_its_first_step_along_its_dependencies(
    complaints: Complaints, lines: list[str], cycle: str
) -> None:
    """The message begins with the first step of the file that lies on the cycle (rule 3.6)."""
    parts = (line.split(":", 1) for line in lines)
    mappings = [f"{{id: {name}, command: [x],{rest}}}" for name, rest in parts]
    (line,) = complaints("\n".join(["flow_id: f", "steps:", *(f"- {m}" for m in mappings)]))
    index = [line.split(":")[0] for line in lines].index(cycle.split(" ", maxsplit=1)[0])
    first = cycle.split(maxsplit=1)[0]
    fact = f"dependency cycle detected: {cycle}; remove "
    if cycle.count(first) == cycle.count("-") + 1:
        fact = f"step {first} waits for itself; remove {first} from depends_on: or when: of {first}"
    assert line.startswith(f"f:{index + 3}:")
    assert line.split(": ", 1)[1].startswith(f"steps[{index}]: {fact}")


def test_a_cycle_is_looked_for_only_in_an_otherwise_valid_flow(complaints: Complaints) -> None:
    """Other mistakes could make up a cycle that is not there (rule 3.6)."""
    text = "flow_id: f\nsteps: [{id: A, command: [x], when: B}, {id: B, command: [], when: A}]"
    (line,) = complaints(text)
    assert "cycle" not in line


def test_a_cycle_of_thousands_of_steps_is_found(complaints: Complaints) -> None:
    """The search does not recurse (rule 3.6)."""
    size = 5000
    steps = [
        f'{{"id": "s{i}", "command": ["x"], "when": "s{(i + 1) % size}"}}' for i in range(size)
    ]
    (line,) = complaints(f'{{"flow_id": "f", "steps": [{", ".join(steps)}]}}', "json")
    assert line.startswith("f:1:35: steps[0]: dependency cycle detected: s0 -> s1 -> s2 -> ")
    assert " -> s4999 -> s0; remove s1 from depends_on: or when: of s0" in line


def test_a_step_is_found_by_its_id(steps: Steps) -> None:
    flow = steps("{id: download, command: [x]}")
    assert flow.step("download") is flow.steps[0]
    with pytest.raises(UnknownStepError) as caught:
        flow.step("Download")
    assert str(caught.value) == 'flow "demo" has no step "Download"; did you mean "download"?'
    assert caught.value.details == {"help": 'did you mean "download"?'}
    assert isinstance(caught.value, LookupError)
    with pytest.raises(UnknownStepError, match=r"the steps are download$") as caught:
        flow.step("zzz")
    assert caught.value.details == {"help": "the steps are download"}
    many = steps(*(f"{{id: s{number}, command: [x]}}" for number in range(7)))
    with pytest.raises(UnknownStepError, match=r'^flow "demo" has no step "zzz"$') as caught:
        many.step("zzz")
    assert caught.value.details == {}


# Conditions over all of a step's `depends_on`: `any(failed)` and its kin (rule 3.7).

WRITTEN_OUT = [
    ("any({p})", "A.{p} || B.{p}"),
    ("all({p})", "A.{p} && B.{p}"),
    ("none({p})", "!(A.{p} || B.{p})"),
    ("C||( any ( {p}\t) && !all({p}))", "C || ((A.{p} || B.{p}) && !(A.{p} && B.{p}))"),
]


@pytest.mark.parametrize("predicate", PREDICATES)
@pytest.mark.parametrize(("when", "meaning"), WRITTEN_OUT)
def test_a_call_is_what_it_stands_for(
    steps: Steps, when: str, meaning: str, predicate: str
) -> None:
    """`any`, `all` and `none` are the `||`, the `&&` and the negated `||` (rule 3.7)."""
    depends_on = "depends_on: [A, B]"
    short, written = (
        steps(A, B, C, f'{{id: S, command: [x], when: "{text}", {depends_on}}}').step("S")
        for text in (when.format(p=predicate), meaning.format(p=predicate))
    )
    assert short.condition == written.condition
    assert short.waits_for == written.waits_for


WRONG = [
    ("any(error)", "there is no 'any(error)'; write 'any(failed)'"),
    ("every(success)", "write 'all(succeeded)'"),
    ("any(failed) && none(always)", "write 'none(finished)'"),
    ("any(failed) && failure()", "write when: any(failed), and depends_on:"),
    ("exists(A)", "a condition cannot ask for values; write only_if:"),
]


@pytest.mark.parametrize(("when", "sentence"), WRONG)
def test_a_wrong_call_is_answered_with_the_right_one(
    complaints: Complaints, when: str, sentence: str
) -> None:
    """Each mistake is answered with what to write instead (rules 2.7 and 3.7)."""
    step = f"{{id: S, command: [x], when: '{when}', depends_on: [A]}}"
    assert sentence in complaints(f"flow_id: f\nsteps: [{A}, {step}]")[0]


@pytest.mark.parametrize("depends_on", ["", ", depends_on: []"])
def test_a_call_without_depends_on_is_refused(complaints: Complaints, depends_on: str) -> None:
    """There is nothing that it could ask (rule 3.7)."""
    step = f"{{id: S, command: [x], when: A && any(failed){depends_on}}}"
    message, shown, under = complaints(f"flow_id: f\nsteps: [{A}, {step}]")
    fact = "'any(failed)' asks about the steps in depends_on, and there are none"
    assert message.endswith(f"{fact}; add depends_on: with the steps to ask")
    assert (shown, under) == ("    A && any(failed)", "         ^^^^^^^^^^^")


def test_an_unknown_step_is_reported_once(complaints: Complaints) -> None:
    """A call does not report the mistakes of `depends_on` again (rule 2.7)."""
    step = "{id: S, command: [x], when: all(skipped) && N, depends_on: [A, M, a b, 1]}"
    lines = complaints(f"flow_id: f\nsteps: [{A}, {step}]")
    assert [line.split(": ", 2)[1:] for line in lines] == [
        ["steps[1].when", 'unknown step "N"; the steps are A'],
        ["steps[1].depends_on[1]", 'unknown step "M"; the steps are A'],
        ["steps[1].depends_on[2]", 'unknown step "a b"; the steps are A'],
        ["steps[1].depends_on[3]", 'unknown step "1"; the steps are A'],
    ]


def test_the_order_of_depends_on_makes_no_difference() -> None:
    """The same steps in another order are the same condition, other steps another (rule 4.4)."""

    def flow(*depends_on: str) -> FlowSpec:
        others = tuple(StepSpec(name, ("x",)) for name in "ABC")
        return FlowSpec("f", (*others, StepSpec("S", ("x",), "any(failed)", depends_on)))

    assert differences(flow("A", "B"), flow("B", "A")) == ()
    assert len(differences(flow("A", "B"), flow("A", "C"))) == 1


def test_a_condition_that_explodes_is_refused(complaints: Complaints) -> None:
    """A few kilobytes must not stand for millions of operands (rule 2.8)."""
    file = f"flow_id: f\nsteps: [{A}, {{id: S, command: [x], when: {{}}, depends_on: [A]}}]"
    most = " || ".join(["any(failed)"] * 15)
    assert complaints(file.replace("{}", most)) == []
    message, *_ = complaints(file.replace("{}", f"{most} && any(failed)"))
    assert "more than 15 calls in one condition" in message


# Rule 2.4: `when` is written bare, and only `when`.

IN_A_BLOCK = [
    ("when: ! A", "! A"),
    ("when: !A || !B", "!A || !B"),
    ("when: (A && B) || !C  # comment", "(A && B) || !C"),
    ("when: 'A && !B'", "A && !B"),
    ('when: "!A"', "!A"),
    ("'when': !A", "!A"),
    ("when:\n  !A", "!A"),
    ("when:\n  # why\n  !A || !B", "!A || !B"),
    ("when: # why\n  !A", "!A"),
    ("when: !A ||\n  !B ||\n  !C", "!A || !B || !C"),
    ("when: !A\n\n  || !B", "!A\n|| !B"),
    ("when: >\n  !A ||\n  !B", "!A ||\n!B\n"),
    ("when: |\n  !A\n  || !B", "!A\n|| !B\n"),
    ("? when\n: !A", "!A"),
    ("? when\n:\n  !A", "!A"),
]

IN_A_MAPPING = [
    ("{id: S, when: !A && !(B || C), command: [x]}", "!A && !(B || C)"),
    ("{id: S, command: [x], when: !A }", "!A"),
    ('{"id": S, "when": !A, "command": [x]}', "!A"),
    ("{id: S, command: [x], when:\n    !A\n    || !B}", "!A || !B"),
    ("{id: S, ? when : !A, command: [x]}", "!A"),
    ("{\n  id: S,\n  when: !A,  # comment\n  command: [x]\n  }", "!A"),
    ("when: !A\n  id: S\n  command: [x]", "!A"),  # the first key of a mapping in block style
]

OTHERS = "".join(f"- {{id: {name}, command: [x]}}\n" for name in "ABC")


def _folded(text: str | None) -> str:
    assert text is not None
    return text.replace("||\n!", "|| !").strip()


@pytest.mark.parametrize(("line", "when"), IN_A_BLOCK)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_block_style_reads_as_written(line: str, when: str, newline: str) -> None:
    """In block style a bare `when` is the text after the colon, as YAML folds it (rule 2.4)."""
    step = textwrap.indent(f"id: S\n{line}\ncommand: [x]", "  ")
    text = f"flow_id: f\nsteps:\n{OTHERS}-{step[1:]}\n"
    read = parse_flow(text.replace("\n", newline)).step("S").when
    assert _folded(read) == _folded(when)


@pytest.mark.parametrize(("mapping", "when"), IN_A_MAPPING)
def test_flow_style_reads_as_written(mapping: str, when: str) -> None:
    """In flow style a bare `when` ends at the comma or the closing brace (rule 2.4)."""
    text = f"flow_id: f\nsteps:\n{OTHERS}- {mapping}\n"
    assert parse_flow(text).step("S").when == when


def test_a_block_scalar_that_contains_when_is_left_alone() -> None:
    """The file's text is never rewritten: `when: !x` inside a block scalar stays (rule 2.4)."""
    script = "when: !x\n  deeper: !y && z # no comment\n"
    block = textwrap.indent(script, "    ")
    text = f"flow_id: f\nsteps:\n- id: S\n  command:\n  - |\n{block}"
    assert parse_flow(text).step("S").command == (script,)


def test_the_item_after_a_when_may_have_no_tag(complaints: Complaints) -> None:
    """Only the value of `when` is read as text; YAML's rules hold for the next (rule 2.4)."""
    text = "flow_id: f\nsteps:\n- {id: A, command: [x]}\n- {id: S, when: !A, command: [!x ]}\n"
    (line,) = complaints(text)
    assert line.startswith("f:4:31: steps[1].command[0]: YAML tags such as !x are not supported")


TAGS = [
    ("flow_id: !x demo", "flow_id", "!x"),
    ("flow_id: !!str demo", "flow_id", "!!str"),
    ("!k flow_id: demo", None, "!k"),
]


@pytest.mark.parametrize(("line", "path", "tag"), TAGS)
def test_a_tag_elsewhere_is_an_error(
    complaints: Complaints, line: str, path: str | None, tag: str
) -> None:
    """A tag on anything but `when` is an error that says so (rules 2.4 and 2.8)."""
    lines = complaints(f"{line}\nsteps: [{{id: A, command: [x]}}]")
    where = f"{path}: " if path else ""
    assert any(f"{where}YAML tags such as {tag} are not supported" in line for line in lines)


SPECIALS = [
    ("when: &A", "steps[0].when: is empty: &A begins a YAML anchor; put text that begins with &"),
    ("when: && A", "put it in quotes, or write script:"),
    ("when: &x !A", "put text that begins with ! in quotes"),
    ('when: ""', "steps[0].when: "),
    ("when: !", "steps[0].when: expected a name"),
]


@pytest.mark.parametrize(("line", "message"), SPECIALS)
def test_what_yaml_cannot_read_bare_gets_advice(
    complaints: Complaints, line: str, message: str
) -> None:
    """Where YAML takes a bare expression for something else, the error says to quote it (2.4)."""
    lines = complaints(f"flow_id: f\nsteps:\n- id: A\n  {line}\n  command: [x]\n")
    assert message in lines[0]


# What a run leaves out that is made for some steps (rule 6.14).

UNTIL = parse_flow("""
flow_id: f
steps:
  - {id: fetch, command: [x]}
  - foreach: {SHOP: [berlin, paris]}
    steps:
      - {id: load, when: fetch, command: [x]}
      - {id: check, when: load.finished, command: [x]}
  - {id: rollback, when: load.failed && !publish, command: [x]}
  - {id: publish, depends_on: [check], when: any(passed), command: [x]}
  - {id: alone, command: [x]}
finally:
  - {id: alert, when: any(failed), command: [x]}
  - {id: tidy, when: load@paris, command: [x]}
""")
ALL = [step.id for step in UNTIL.steps]


@pytest.mark.parametrize(
    ("until", "kept"),
    [
        ([], ALL),
        (["load@berlin"], ["fetch", "load@berlin"]),
        (["check@paris"], ["fetch", "load@paris", "check@paris"]),
        (["alone", "load@paris"], ["fetch", "load@paris", "alone"]),
        (["publish"], [one for one in ALL if one not in ("rollback", "alone")]),
        (["rollback"], [one for one in ALL if one != "alone"]),
        (["tidy"], ["fetch", "load@paris"]),
    ],
)
def test_what_is_left_out(until: list[str], kept: list[str]) -> None:
    """The named steps are kept, and what they wait for, directly or not; `finally` always is."""
    flow = UNTIL.with_until(until)
    assert [one for one in ALL if one not in flow.left_out] == kept
    assert set(flow.left_out) <= set(ALL)
    assert flow.until == tuple(sorted(until))
    assert FlowSpec.from_json(flow.to_json()) == flow


@pytest.mark.parametrize(("until", "passed"), [([], True), (["skipped"], False)])
def test_what_is_left_out_has_not_passed(until: list[str], passed: bool) -> None:
    """A step that is skipped after an optional one has passed, but not one that is left out."""
    flow = parse_flow("""
flow_id: f
steps:
  - {id: skipped, only_if: [x], command: [x]}
  - {id: after, when: skipped, command: [x]}
finally:
  - {id: asks, when: after.passed, command: [x]}
""").with_until(until)
    fates = {"skipped": ("SKIPPED", True), "after": ("SKIPPED", False)}
    condition = flow.step("asks").condition
    assert condition is not None
    assert condition.evaluate(StepEnds(flow, fates.get).value) is passed


def test_it_is_part_of_the_definition() -> None:
    """A run of other steps is another run, however often and in which order they are named."""
    some, more, same = map(
        UNTIL.with_until, (["load"], ["load", "alone", "load"], ["alone", "load"])
    )
    assert differences(UNTIL, some) == ('until was not set and is now "load"',)
    assert differences(some, more) == ('until was "load" and is now "alone, load"',)
    assert differences(more, same) == ()
