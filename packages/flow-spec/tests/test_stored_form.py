"""Rule 4.4 and the stored form: what a flow means, kept as text and compared."""

import json
import subprocess
import sys

import pytest

from flow_spec import FlowSpec, FlowSpecError, StoredFlowError, parse_flow

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
    assert yaml.differences(json_) == ()
    assert json_.differences(yaml) == ()


def test_a_chain_may_be_spelled_as_a_condition() -> None:
    """`depends_on: [A, B]` means `when: A && B` (rules 3.5 and 4.4)."""
    old = YAML.replace("depends_on: [A, B]", "when: A && B")
    assert parse_flow(old).differences(parse_flow(YAML)) == ()


DIFFERENCES = [
    ("flow_id: f", "flow_id: g", 'flow_id was "f" and is now "g"'),
    ("[x, 1]", "[x, 2]", 'step "A": command[1] was "1" and is now "2"'),
    ("[x, 1]", "[x, 1, '']", 'step "A": command[2] was not set and is now ""'),
    ("[x, 1]", "[x]", 'step "A": command[1] was "1" and is now not set'),
    (
        "!A ||",
        "A ||",
        'step "B": start was when "!A || A.skipped" and is now when "A || A.skipped"',
    ),
    (
        "depends_on: [A, B]",
        "depends_on: [A]",
        'step "C": start was depends_on "A, B" and is now depends_on "A"',
    ),
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
    ("retries: 2", "retries: 3", 'step "B": retries was 2 and is now 3'),
    ("  retries: 2\n", "", 'step "B": retries was 2 and is now 0'),
    ("sec: 1.5", "sec: 2", 'step "B": retry_delay_sec was 1.5 and is now 2'),
    (
        "  retries: 2",
        "  retries: 2\n  timeout_sec: 9",
        'step "B": timeout_sec was not set and is now 9',
    ),
    ("  retries: 2", "  retries: 2\n  strict: false", 'step "B": strict was true and is now false'),
    ("flow_id: f", "flow_id: f\nworking_dir: /x", 'working_dir was not set and is now "/x"'),
    ("flow_id: f", "flow_id: f\nenv: {A: secret}", "env.A was not set and is now"),
    ("  retries: 2", "  env: {X: 1}\n  retries: 2", 'step "B": env.X was not set and is now'),
    (
        "- id: C",
        "- {id: D, command: [x]}\n- id: C",
        'step "D" was added',
    ),
]


@pytest.mark.parametrize(("before", "after", "sentence"), DIFFERENCES)
def test_what_changes_the_meaning_is_named(before: str, after: str, sentence: str) -> None:
    """Each difference in meaning is one sentence that names it (rule 4.4)."""
    old, new = parse_flow(YAML), parse_flow(YAML.replace(before, after))
    assert old.differences(new) == (sentence,)
    assert len(new.differences(old)) == 1


def test_a_variable_is_named_and_its_value_is_not() -> None:
    """What is in `env` may be secret; the order in which it is given means nothing (rule 4.4)."""
    text = "flow_id: f\nenv: {%s}\nsteps: [{id: A, command: [x]}]"
    old, same, other = (
        parse_flow(text % env)
        for env in ("A: 1, B: hush, C: 3", "C: 3, B: hush, A: 1", "B: new, C: 3")
    )
    assert old == same
    assert old.differences(other) == ("env.A is not set any more", "env.B has another value")


def test_variables_are_laid_over_those_of_the_flow() -> None:
    """`with_env` replaces and adds, and leaves the flow as it was (rule 9.12)."""
    flow = parse_flow("flow_id: f\nenv: {A: 1, B: 2}\nsteps: [{id: A, command: [x]}]")
    assert flow.with_env({"C": "3", "A": "0"}).env == (("A", "0"), ("B", "2"), ("C", "3"))
    assert flow.env == (("A", "1"), ("B", "2"))
    assert flow.with_env({}) == flow


def test_a_removed_step_is_named() -> None:
    """A step that is gone is a difference (rule 4.4)."""
    old = parse_flow(YAML)
    new = parse_flow(YAML[: YAML.index("- id: C")])
    assert old.differences(new) == ('step "C" was removed',)


def test_the_stored_form_is_compact_json_without_defaults() -> None:
    """The stored form has the meaning and the description, and nothing at its default."""
    assert json.loads(parse_flow(YAML).to_json()) == {
        "flow_id": "f",
        "steps": [
            {"id": "A", "command": ["x", "1"], "description": "first"},
            {
                "id": "B",
                "command": ["y"],
                "when": "!A || A.skipped",
                "retries": 2,
                "retry_delay_sec": 1.5,
            },
            {"id": "C", "command": ["z", "2"], "depends_on": ["A", "B"]},
        ],
    }
    assert " \n" not in parse_flow(YAML).to_json()


def test_the_stored_form_rebuilds_the_flow() -> None:
    """`from_json` undoes `to_json`, types included."""
    flow = parse_flow(YAML)
    again = FlowSpec.from_json(flow.to_json())
    assert again == flow
    assert hash(again) == hash(flow)
    assert again.step("C").waits_for == ("A", "B")


BROKEN = [
    "",
    "nonsense",
    "[]",
    "{}",
    "null",
    '{"flow_id": "f"}',
    '{"flow_id": "f", "steps": 5}',
    '{"flow_id": "f", "steps": [5]}',
    '{"flow_id": "f", "steps": [{"id": "A"}]}',
    '{"flow_id": "f", "steps": [{"id": "A", "command": ["x"], "from_the_future": 1}]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_text_that_is_no_stored_flow_is_refused(text: str) -> None:
    """A damaged stored form is one kind of error, and never a traceback from below."""
    with pytest.raises(StoredFlowError, match=r"^the stored definition cannot be") as caught:
        FlowSpec.from_json(text)
    assert isinstance(caught.value, FlowSpecError)
    assert isinstance(caught.value, ValueError)


def test_a_stored_flow_is_read_without_the_readers_of_files() -> None:
    """Importing the package and rebuilding a flow import neither PyYAML nor cattrs."""
    stored = parse_flow(YAML).to_json()
    program = (
        "import sys, flow_spec\n"
        "flow = flow_spec.FlowSpec.from_json(sys.argv[1])\n"
        "flow.step('B').condition\n"
        "print(sorted({'yaml', 'cattrs', 'graphlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, stored], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
