"""Rule 4.4: which changes of a file change what the flow does, and how they are named."""

import pytest

from flow_spec import differences, parse_flow

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
