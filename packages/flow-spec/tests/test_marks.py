"""Which characters of a flow file a problem is about (rule 6.11)."""

import pytest

from flow_spec import FlowFileError, parse_flow

HEAD = "flow_id: f\nsteps:\n"
STEP = "  - id: a\n    command: [x]\n"


def marked(text: str, format_: str = "yaml") -> list[tuple[int, str, str]]:
    """Return the line and the marked characters of each problem, and what stands before them."""
    with pytest.raises(FlowFileError) as caught:
        parse_flow(text, format="json" if format_ == "json" else "yaml")
    marks = [problem.mark for problem in caught.value.problems]
    lines = text.split("\n")
    assert all(mark is None or mark.text == lines[mark.line - 1] for mark in marks)
    return [
        (
            mark.line,
            mark.text[: mark.column - 1],
            mark.text[mark.column - 1 : mark.column - 1 + mark.length],
        )
        for mark in marks
        if mark is not None
    ]


@pytest.mark.parametrize(
    ("line", "before", "word"),
    [
        pytest.param("    comand: x", "    ", "comand", id="a key"),
        pytest.param("    retries: many times # or so", "    retries: ", "many times", id="plain"),
        pytest.param(r'    retries: "a\"b"', "    retries: ", r'"a\"b"', id="double quotes"),
        pytest.param("    env: [1, 2]", "    env: ", "[", id="a list"),
        pytest.param("    when: b", "    when: ", "b", id="an unknown step"),
        pytest.param("    when: 'x@y || c'", "    when: '", "x@y", id="a copy in quotes"),
        pytest.param(
            "    when: c.failed && failed",
            "    when: c.failed && ",
            "failed",
            id="a name like a predicate",
        ),
        pytest.param("    when: c && (c | c)", "    when: c && (c ", "|", id="within a condition"),
        pytest.param("    when: c ||", "    when: c ||", "", id="behind the end"),
    ],
)
def test_a_line(line: str, before: str, word: str) -> None:
    """The marked characters are those that are wrong, also within a condition."""
    (found,) = marked(f"{HEAD}{STEP}{line}\n  - id: c\n    command: [x]\n")
    assert found == (5, before, word)


@pytest.mark.parametrize(
    ("condition", "line", "before", "word"),
    [
        pytest.param("|\n      c &&\n      no\n", 7, "      ", "no", id="literal"),
        pytest.param(">-\n      c &&\n      (c || c c)\n", 7, "      (c || c ", "c", id="folded"),
        pytest.param("c &&\n      c no\n", 6, "      c ", "no", id="plain on two lines"),
        pytest.param("'c &&\n\n      no'\n", 7, "      ", "no", id="quoted, with an empty line"),
        pytest.param('"c && \\x6eo"\n', 5, "    when: ", '"c && \\x6eo"', id="with an escape"),
    ],
)
def test_a_condition_of_several_lines(condition: str, line: int, before: str, word: str) -> None:
    """A part is found where the file has broken the value; with escapes, all of it is marked."""
    found = marked(f"{HEAD}{STEP}    when: {condition}  - id: c\n    command: [x]\n")
    assert found == [(line, before, word)]


def test_no_yaml() -> None:
    """A mistake in the syntax is marked where the reader has noticed it; at the end, nothing is."""
    assert marked(f"{HEAD}\t- id: a\n") == [(3, "", "\t")]
    assert marked('{"flow_id": "f",\n "steps" []}', "json") == [(2, ' "steps" ', "[")]
