"""Rule 2.4: `when` is written bare, and only `when`."""

import textwrap
from collections.abc import Callable

import pytest

from flow_spec import parse_flow

type Complaints = Callable[..., list[str]]

BLOCK = [
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

FLOW = [
    ("{id: S, when: !A && !(B || C), command: [x]}", "!A && !(B || C)"),
    ("{id: S, command: [x], when: !A }", "!A"),
    ('{"id": S, "when": !A, "command": [x]}', "!A"),
    ("{id: S, command: [x], when:\n    !A\n    || !B}", "!A || !B"),
    ("{id: S, ? when : !A, command: [x]}", "!A"),
    ("{\n  id: S,\n  when: !A,  # comment\n  command: [x]\n  }", "!A"),
]

OTHERS = "".join(f"- {{id: {name}, command: [x]}}\n" for name in "ABC")


def _folded(text: str | None) -> str:
    assert text is not None
    return text.replace("||\n!", "|| !").strip()


@pytest.mark.parametrize(("line", "when"), BLOCK)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_block_style_reads_as_written(line: str, when: str, newline: str) -> None:
    """In block style a bare `when` is the text after the colon, as YAML folds it (rule 2.4)."""
    step = textwrap.indent(f"id: S\n{line}\ncommand: [x]", "  ")
    text = f"flow_id: f\nsteps:\n{OTHERS}-{step[1:]}\n"
    read = parse_flow(text.replace("\n", newline)).step("S").when
    assert _folded(read) == _folded(when)


@pytest.mark.parametrize(("mapping", "when"), FLOW)
def test_flow_style_reads_as_written(mapping: str, when: str) -> None:
    """In flow style a bare `when` ends at the comma or the closing brace (rule 2.4)."""
    text = f"flow_id: f\nsteps:\n{OTHERS}- {mapping}\n"
    assert parse_flow(text).step("S").when == when


def test_when_may_be_the_first_key_of_a_step() -> None:
    """`- when: !A` opens the mapping of a step (rule 2.4)."""
    text = f"flow_id: f\nsteps:\n{OTHERS}- when: !A\n  id: S\n  command: [x]\n"
    assert parse_flow(text).step("S").when == "!A"


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
