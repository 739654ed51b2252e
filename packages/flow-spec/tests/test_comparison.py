"""What is stored of a flow, and which changes of a file change what it does (rule 4.4)."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from flow_spec import (
    Concurrency,
    FlowFileError,
    FlowSpec,
    FlowSpecError,
    OnConflict,
    Param,
    StepSpec,
    StoredFlowError,
    differences,
    parse_flow,
)

# Rule 4.4: which changes of a file change what the flow does, and how they are named.

YAML = """\
flow_id: f  # a comment
x-mine: {a: b}
steps:
- id: A
  command: [x, 1]
  description: first
- id: B
  when: !A || A.skipped
  command: [y]
  retries: 2
  retry_delay_sec: 1.5
- id: C
  depends_on: [A, B]
  command: [z, "2"]
"""

JSON = """\
{"steps": [
  {"command": ["z", "2"], "depends_on": ["B", "A"], "id": "C", "strict": true, "retries": 0},
  {"id": "B", "when": "(!A)||(A.skipped)", "command": ["y"], "retries": 2,
   "retry_delay_sec": 15e-1},
  {"id": "A", "command": ["x", "1"], "description": "another", "retry_delay_sec": 0,
   "depends_on": []}
], "flow_id": "f"}
"""


def test_layout_and_format_make_no_difference() -> None:
    """Comments, order, descriptions, written-out defaults and format mean nothing (rule 4.4)."""
    yaml, json_ = parse_flow(YAML), parse_flow(JSON, format="json")
    assert yaml != json_
    assert differences(yaml, json_) == ()
    assert differences(json_, yaml) == ()


def test_a_chain_may_be_spelled_as_a_condition() -> None:
    """`depends_on: [A, B]` means `when: A && B` (rules 3.5 and 4.4)."""
    old = YAML.replace("depends_on: [A, B]", "when: A && B")
    assert differences(parse_flow(old), parse_flow(YAML)) == ()


def test_what_a_step_waits_for_is_compared() -> None:
    """The same condition may be decided later, when a step has ended that it does not ask (3.6)."""
    old, new = (
        parse_flow(YAML.replace("depends_on: [A, B]", f"when: A\n  depends_on: {listed}"))
        for listed in ("[A]", "[A, B]")
    )
    (sentence,) = differences(old, new)
    assert sentence == (
        'step "C": start was when "A" with depends_on "A" and is now when "A" with depends_on '
        '"A, B"'
    )


DIFFERENCES = [
    ("flow_id: f", "flow_id: g", 'flow_id was "f" and is now "g"'),
    ("[x, 1]", "[x, 2]", 'step "A": command[1] was "1" and is now "2"'),
    ("[x, 1]", "[x, 1, '']", 'step "A": command[2] was not set and is now ""'),
    ("[y]", "[y]\n  only_if: [z]", 'step "B": only_if[0] was not set and is now "z"'),
    (
        "depends_on: [A, B]",
        "depends_on: [A, B]\n  when: A",
        'step "C": start was depends_on "A, B" and is now when "A" with depends_on "A, B"',
    ),
    (
        "depends_on: [A, B]",
        "strict: true",
        'step "C": start was depends_on "A, B" and is now unconditional',
    ),
    ("  retries: 2\n", "", 'step "B": retries was 2 and is now 0'),
    ("  retries: 2", "  retries: 2\n  strict: false", 'step "B": strict was true and is now false'),
    ("flow_id: f", "flow_id: f\nworking_dir: /x", 'working_dir was not set and is now "/x"'),
    ("flow_id: f", "flow_id: f\nenv: {A: secret}", "env.A was not set and is now"),
    ('- id: C\n  depends_on: [A, B]\n  command: [z, "2"]\n', "", 'step "C" was removed'),
    ("- id: C", "- {id: D, command: [x]}\n- id: C", 'step "D" was added'),
]


@pytest.mark.parametrize(("before", "after", "sentence"), DIFFERENCES)
def test_what_changes_the_meaning_is_named(before: str, after: str, sentence: str) -> None:
    """Each difference in meaning is one sentence that names it (rule 4.4)."""
    old, new = parse_flow(YAML), parse_flow(YAML.replace(before, after))
    assert differences(old, new) == (sentence,)
    assert len(differences(new, old)) == 1


def test_a_variable_is_named_and_its_value_is_not() -> None:
    """What is in `env` may be secret; the order in which it is given means nothing (rule 4.4)."""
    text = "flow_id: f\nenv: {%s}\nsteps: [{id: A, command: [x]}]"
    old, same, other = (
        parse_flow(text % env)
        for env in ("A: 1, B: hush, C: 3", "C: 3, B: hush, A: 1", "B: new, C: 3")
    )
    assert old == same
    assert differences(old, other) == ("env.A is no longer set", "env.B has a different value")


# The group of which one run is under way at a time, as a flow file says it (rule 10.7).

STEPS = "steps: [{id: a, command: [x]}]"


def read(concurrency: str | None) -> FlowSpec:
    said = "" if concurrency is None else f"concurrency: {concurrency}\n"
    return parse_flow(f"flow_id: f\n{said}{STEPS}\n")


@pytest.mark.parametrize(
    ("text", "group", "on_conflict"),
    [
        ("{}", "f", OnConflict.WAIT),
        ("{group: the warehouse, on_conflict: fail}", "the warehouse", OnConflict.FAIL),
        ("{group: 2026-05-07, on_conflict: 'wait', x-why: no}", "2026-05-07", OnConflict.WAIT),
    ],
)
def test_what_it_says(text: str, group: str, on_conflict: OnConflict) -> None:
    """The group is the flow's id unless it is named, and a run waits unless the file says else."""
    flow = read(text)
    assert flow.concurrency is not None
    assert (flow.group, flow.concurrency.on_conflict) == (group, on_conflict)
    assert FlowSpec.from_json(flow.to_json()) == flow


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "wait",
            (
                '2:14: concurrency: must be a mapping, got "wait"; write {group: NAME}, whose runs '
                "take turns, or {on_conflict: wait}; max_parallel: limits the steps of a run"
            ),
        ),
        ("{group: ''}", "2:22: concurrency.group: must have 1 to 255 characters, got none"),
        (
            "{on_conflict: Skip}",
            (
                '2:28: concurrency.on_conflict: must be wait, skip, fail or replace, got "Skip"; '
                'did you mean "skip"?'
            ),
        ),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    """A mistake is told with its place, and what was probably meant (rules 2.6 and 2.7)."""
    with pytest.raises(FlowFileError) as caught:
        read(text)
    (found,) = caught.value.problems
    assert f"{found.line}:{found.column}: {found}" == problem


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        ("{}", "{group: f, on_conflict: wait}", ()),
        (
            None,
            "{}",
            (
                'concurrency.group was not set and is now "f"',
                'concurrency.on_conflict was not set and is now "wait"',
            ),
        ),
        ("{}", "{on_conflict: skip}", ('concurrency.on_conflict was "wait" and is now "skip"',)),
    ],
)
def test_differences(before: str | None, after: str | None, sentences: tuple[str, ...]) -> None:
    """It is part of what a flow means; a default that is written out is not (rule 4.4)."""
    assert differences(read(before), read(after)) == sentences


# The stored form: what a flow means, kept as text and read back without a flow file's reader.

WITHIN = '{"flow_id":"f","steps":[{"id":"A","command":["x"],%s}]}'
# Databases and caches hold such texts. The stored form of a flow must not change.
STORED = [
    WITHIN.replace(",%s", ""),
    WITHIN % (
        '"when":"!B || any(failed)","depends_on":["B","C"],"only_if":["test","-e","flag"],'
        '"retries":3,"retry_delay_sec":1.5,"retry_backoff":2.0,"retry_max_delay_sec":900.0,'
        '"env":{"LANG":"C","SHOP":""},"working_dir":"load","timeout_sec":0.1,'
        '"success_exit_codes":[0,3],"skip_exit_codes":[4],"retry_exit_codes":[75],'
        '"allow_failure":true,"strict":false,"start_timeout_sec":30.0,'
        '"description":"two\\nlines","allow_warnings":["no-effect"],'
        '"x-airflow":{"pool_slots":"2","queue":"\\"q\\""}'
    ),
    (
        '{"flow_id":"f","steps":[{"id":"A","command":["x"]}],"env":{"A":"1","B":"x=y"},'
        '"working_dir":"/srv/shop","max_parallel":4,"timeout_sec":14400.0,"finally":[{"id":"B",'
        '"command":["y"],"when":"A.cancelled","timeout_sec":600.0,"x-waits-for":["A"]}]}'
    ),
    # Text stays as readable as JSON allows.
    WITHIN.replace("x", "\\u001b[0m\u2028").replace('"f"', '"日次 \\"取込\\""').replace(",%s", ""),
    # A float is written as one, and an int given for a float as an int.
    WITHIN % '"retry_delay_sec":60,"retry_backoff":2.0',
    # What equals a default is left out, what is merely empty is not.
    WITHIN % '"when":"","success_exit_codes":[]',
]  # fmt: skip


@pytest.mark.parametrize("text", STORED, ids=range(len(STORED)))
def test_the_stored_form_is_this_text(text: str) -> None:
    """It is compact JSON without defaults, and rebuilds the flow, types included."""
    flow = FlowSpec.from_json(text)
    assert flow.to_json() == text
    assert hash(flow) == hash(FlowSpec.from_json(text))


def test_a_flow_made_in_python_is_stored_without_its_defaults() -> None:
    """A value that equals the default is not written, whether it was given or not."""
    step = StepSpec("A", ("x",), retry_delay_sec=0, retry_backoff=1, retries=2)
    text = FlowSpec("f", (step,)).to_json()
    assert text == WITHIN % '"retries":2'
    assert FlowSpec.from_json(text) == FlowSpec("f", (step,))


UNFIT = [
    ('{"flow_id":"f"}', "steps: is missing"),
    ('{"flow_id":"f","steps":"AB"}', "steps: must be list, got str"),
    ('{"flow_id":"f","steps":[{"id":"A"}]}', "steps[0].command: is missing"),
    ('{"flow_id":"f","steps":[],"later":1}', 'unknown key "later"'),
    (WITHIN % '"later":1,"b":2', 'steps[0]: unknown key "b", "later"'),
    (WITHIN % '"when":true', "steps[0].when: must be str, got bool"),
    (WITHIN % '"depends_on":["A",5]', "steps[0].depends_on[1]: must be str, got int"),
    (WITHIN % '"retries":"3"', "steps[0].retries: must be int, got str"),
    (WITHIN % '"timeout_sec":false', "steps[0].timeout_sec: must be float, got bool"),
    (WITHIN % '"strict":1', "steps[0].strict: must be bool, got int"),
    (WITHIN % '"retry_exit_codes":[1,"2"]', "steps[0].retry_exit_codes[1]: must be int"),
    (WITHIN % '"env":[["A","1"]]', "steps[0].env: must be dict, got list"),
    (WITHIN % '"env":{"A":1}', "steps[0].env['A']: must be str, got int"),
    (
        read("{on_conflict: skip}").to_json().replace('"skip"', '"skid"'),
        "concurrency.on_conflict: 'skid' is not",
    ),
    ("", "Expecting value: line 1 column 1 (char 0)"),
    ("[" * 100_000, "maximum recursion depth exceeded"),
]


@pytest.mark.parametrize(("text", "reason"), UNFIT, ids=range(len(UNFIT)))
def test_a_text_that_is_no_stored_flow_is_refused(text: str, reason: str) -> None:
    """A damaged stored form is one kind of error, which names what does not fit; no coercion."""
    with pytest.raises(StoredFlowError) as caught:
        FlowSpec.from_json(text)
    assert caught.value.reason.startswith(reason)
    assert str(caught.value).startswith(f"the stored definition cannot be read: {reason}")
    assert isinstance(caught.value, FlowSpecError)
    assert isinstance(caught.value, ValueError)


FILES = {
    "names": """
        params: {SHOP: berlin, DAY: {pattern: '[0-9-]+', description: the day}, N: ''}
        env: {B: '${{ SHOP }}', A: '$${{ x }}'}
        concurrency: {group: 'shop-${{ SHOP }}', on_conflict: skip}
        steps:
          - {id: a, command: [x, '${{ DAY }}', '${{RUN_KEY}}', 'no', '~', "a\\nb"]}
          - {id: b, script: 'echo "${{ DAY }}"', produces: ['${{ DAY }}/*', {path: m, empty: true}]}
        """,
    "no names": "steps: [{id: a, command: [x, '${{ Y }}', '$${{ Z }}']}]",
    "foreach": """
        params: {DIR: data}
        max_parallel: 3
        steps:
          - {id: first, command: [x]}
          - foreach: {SHOP: [paris, berlin], F: {glob: '${{ DIR }}/*', allow_empty: true}}
            max_parallel: 2
            steps:
              - {id: a, command: [x, '${{ SHOP }}'], depends_on: [first], env: {E: '${{ F }}'}}
              - {id: b, script: "load\\n  --all\\n", when: a.passed}
          - {id: mid, command: [x], when: all(passed), depends_on: [a, b]}
          - {id: c, foreach: [{Z: 1, B: 2}, {B: '${{ Z }}'}], command: [y, '${{ Z }}']}
          - {id: d, foreach: {split: '${{ DIR }},b', at: ','}, command: [y]}
          - {id: last, command: [x], depends_on: [c], x-airflow: {pool: p, retries: 2, on: null}}
        """,
    "defaults and finally": """
        defaults: {retries: 3, timeout_sec: 1h, env: {A: a}, env_file: common.env}
        env_file: [e, {path: f, required: false}]
        steps:
          - {id: a, command: [x], retries: 0, env: {B: b}}
          - {id: b, script: "true", shell: [sh, -c], allow_warnings: [no-effect]}
        finally:
          - {id: own, command: [x], timeout_sec: 5, when: a.cancelled}
          - {id: none, command: [x], when: any(failed)}
          - {id: all, command: [x], depends_on: [b]}
        """,
}  # fmt: skip


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_a_file_that_is_written_holds_the_same_flow(text: str) -> None:
    """`to_data` is what `parse_flow` reads back, whatever the file could say."""

    def read(text: str) -> FlowSpec:
        return parse_flow(text, read_list=lambda *_: ("v1", "v2"))

    flow = read("flow_id: f\n" + textwrap.dedent(text))
    again = read(yaml.safe_dump(flow.to_data(), sort_keys=False))
    values = {"FLOW_DIR": "d", "RUN_DIR": "r", "RUN_KEY": "k"}
    given = {param.name: param.default or "1" for param in flow.params}
    whole, whole_again = (one.with_params(given).filled(values) for one in (flow, again))
    assert whole_again == whole
    assert again.to_data() == flow.to_data()
    assert flow.to_data().keys() <= {*flow_keys()}


def flow_keys() -> list[str]:
    from flow_spec import json_schema

    return [*json_schema()["properties"]]


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({"id": "a b"}, "steps[0].id: must be made of"),
        ({"retries": -1}, "steps[0].retries: must be an integer >= 0"),
        ({"when": "x &&"}, "steps[0].when: expected a name"),
        ({"when": "other"}, "steps[0].when: "),
        ({"command": "make all"}, "steps[0].command: must be a list"),
        ({"command": ("x", "${{ NO }}")}, 'steps[0].command[1]: unknown name "NO"'),
        ({"timeout_sec": float("inf")}, "Infinity is not"),
    ],
)
def test_a_flow_made_in_python_is_checked_as_a_file(fields: dict[str, Any], flaw: str) -> None:
    """Its constructors check nothing; `to_data` does, without positions of a file nobody wrote."""
    step = StepSpec(**{"id": "a", "command": ("x",)} | fields)
    with pytest.raises(FlowFileError) as caught:
        FlowSpec("f", (step,), params=(Param("DAY"),)).to_data()
    assert str(caught.value).startswith(f"<flow>: {flaw}") or flaw in str(caught.value)
    assert {problem.line for problem in caught.value.problems} == {None}


def test_a_flow_made_in_python_names_its_values() -> None:
    """`${{ NAME }}` in its words is a name, as in a file; what is no data is a `TypeError`."""
    step = StepSpec("a", ("x", "${{ DAY }}"))
    flow = FlowSpec("f", (step,), params=(Param("DAY"),), concurrency=Concurrency())
    read = parse_flow(yaml.safe_dump(flow.to_data()))
    values = {"FLOW_DIR": "", "RUN_DIR": "", "RUN_KEY": ""}
    assert read.with_params({"DAY": "mon"}).filled(values).step("a").command == ("x", "mon")
    path: Any = Path("x")
    with pytest.raises(TypeError, match="cannot hold PosixPath"):
        FlowSpec("f", (StepSpec("a", (path,)),)).to_data()
