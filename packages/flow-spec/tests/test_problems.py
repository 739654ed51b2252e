"""Rules 2.6 and 2.7: every problem is reported at once, where it stands."""

import json
from collections.abc import Callable

import pytest

from flow_spec import FlowFileError, FlowSpecError, Problem, parse_flow

# Rules 2.6 and 2.7: nothing is silently ignored, and every problem is reported at once.

type Complaints = Callable[..., list[str]]

LIST = 'must be a list of words, such as ["echo", "hello"]'

FULL_OF_MISTAKES = """\
flow_id: f
stpes: []
steps:
- id: A
  comand: [x]
  command: echo hi
  retries: many
- id: A
  command: [a]
  when: B || C
  depends_on: [laod, A, A]
- id: load
  command: [b]
  when: A && && load
  retries: 1
  retries: 2
"""


def test_every_problem_is_reported_once_in_the_order_of_the_file(complaints: Complaints) -> None:
    """One reading finds everything, sorted by line and column (rule 2.7)."""
    assert complaints(FULL_OF_MISTAKES) == [
        'f:2:1: stpes: unknown key; did you mean "steps"?',
        'f:5:3: steps[0].comand: unknown key; did you mean "command"?',
        (
            f'f:6:12: steps[0].command: {LIST}; got "echo hi"; write its words as a list, or '
            "script: for text that a shell runs"
        ),
        'f:7:12: steps[0].retries: must be an integer >= 0, got "many"',
        (
            'f:8:7: steps[1].id: duplicate id "A": steps[0] on line 4 already has it; '
            "give one of the two steps another id"
        ),
        'f:10:9: steps[1].when: unknown step "B"; the steps are A, load',
        'f:10:9: steps[1].when: unknown step "C"; the steps are A, load',
        'f:11:16: steps[1].depends_on[0]: unknown step "laod"; did you mean "load"?',
        'f:11:25: steps[1].depends_on[2]: "A" is listed twice; remove one of them',
        "f:14:9: steps[2].when: expected a name, '!' or '(', got '&&'",
        "    A && && load",
        "         ^^",
        "f:16:3: steps[2].retries: duplicate key, first given on line 15; remove one of the two",
    ]


def test_json_has_the_same_problems_under_the_same_paths(complaints: Complaints) -> None:
    """A file of JSON is checked, and its mistakes are placed, as one of YAML (rule 2.7)."""
    text = """{"flow_id": "f", "stpes": [], "steps": [
        {"id": "A", "comand": ["x"], "command": "echo hi", "retries": "many"},
        {"id": "A", "command": ["a"], "when": "B", "retries": 1, "retries": 2}]}"""
    assert [line.split(": ")[:2] for line in complaints(text, "json")] == [
        ["f:1:18", "stpes"],
        ["f:2:21", "steps[0].comand"],
        ["f:2:49", "steps[0].command"],
        ["f:2:71", "steps[0].retries"],
        ["f:3:16", "steps[1].id"],
        ["f:3:47", "steps[1].when"],
        ["f:3:66", "steps[1].retries"],
    ]


def test_problems_are_data() -> None:
    """Message, path, line, column and excerpt are attributes; `str` makes text of them."""
    with pytest.raises(FlowFileError) as caught:
        parse_flow("flow_id: f\nsteps: [{id: A, command: [x], when: A.done}]", source="x.yaml")
    assert caught.value.source == "x.yaml"
    (problem,) = caught.value.problems
    assert problem == Problem(
        message="unknown predicate 'done'; write 'finished'; "
        "the predicates are succeeded, failed, skipped, passed, finished",
        path="steps[0].when",
        line=2,
        column=37,
        excerpt="A.done\n  ^^^^",
        help="write 'finished'; the predicates are succeeded, failed, skipped, passed, finished",
    )
    assert problem.fact == "unknown predicate 'done'"
    assert isinstance(caught.value, FlowSpecError)
    assert isinstance(caught.value, ValueError)


MISSING = [
    ("{}", ['f:1:1: a flow needs the key "flow_id"', 'f:1:1: a flow needs the key "steps"']),
    ("flow_id: f\nsteps: []", ["f:2:8: steps: must not be empty: write a list such as "]),
    (
        "flow_id: f\nsteps: [{}]",
        [
            'f:2:9: steps[0]: a step needs the key "id"',
            'f:2:9: steps[0]: a step needs the key "command" or "script"',
        ],
    ),
    ("flow_id: f\nsteps: [A]", ['f:2:9: steps[0]: must be a mapping with id and command, got "A"']),
    ("text", ['f:1:1: must be a mapping with flow_id and steps, got "text"']),
]


@pytest.mark.parametrize(("text", "expected"), MISSING)
def test_what_is_missing_is_named(complaints: Complaints, text: str, expected: list[str]) -> None:
    """Required keys that are absent, and lists that are empty, are errors (rule 2.2)."""
    lines = complaints(text)
    assert len(lines) == len(expected)
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True))


UNKNOWN = [
    ("timeout-sec", 'did you mean "timeout_sec"?'),
    ("dependsOn", 'did you mean "depends_on"?'),
    ("colour", "`orchesjob-flow help flow-files` lists the fields; keys of your own"),
    ('"with space"', "`orchesjob-flow help flow-files` lists the fields"),
]


@pytest.mark.parametrize(("key", "advice"), UNKNOWN)
def test_an_unknown_key_is_an_error(complaints: Complaints, key: str, advice: str) -> None:
    """An unknown key names the known one that was meant, or says how to keep it (rule 2.6)."""
    (line,) = complaints(f"flow_id: f\nsteps:\n- id: A\n  command: [x]\n  {key}: {{}}\n")
    path = key if key.replace("-", "_").isidentifier() else f'["{key.strip('"')}"]'
    joint = "" if path.startswith("[") else "."
    assert line.startswith(f"f:5:3: steps[0]{joint}{path}: unknown key; {advice}")


def test_keys_that_begin_with_x_are_the_authors_own() -> None:
    """`x-` keys are skipped in a flow and in a step, whatever they hold (rule 2.6)."""
    flow = parse_flow(
        "flow_id: f\nx-owner: !custom {team: [a, *no, b]}\n".replace("*no", "1_0")
        + "x-words: &words [echo, hello]\n"
        + "steps:\n- id: A\n  command: *words\n  x-note: {when: !A, id: 7}\n"
    )
    assert flow.step("A").command == ("echo", "hello")


def test_a_key_is_text(complaints: Complaints) -> None:
    """A key that is a list or a mapping is an error (rule 2.6)."""
    (line,) = complaints("flow_id: f\nsteps: [{id: A, command: [x]}]\n? [a]\n: b")
    assert "a key must be text, got a list" in line


def test_a_mistake_in_an_aliased_value_is_reported_where_it_is_used(complaints: Complaints) -> None:
    """The path is that of the use, the position that of the value (rule 2.7)."""
    text = (
        "flow_id: f\nx-r: &r many\nsteps:\n"
        "- {id: A, command: [x], retries: *r}\n- {id: B, command: [x], retries: *r}\n"
    )
    assert complaints(text) == [
        f'f:2:6: steps[{index}].retries: must be an integer >= 0, got "many"' for index in (0, 1)
    ]


IDS = ["-a", "a.b", "a b", "é", "a/b", "a\\n", "", "a:b"]  # fmt: skip


@pytest.mark.parametrize("step_id", IDS)
def test_a_step_id_has_its_alphabet(complaints: Complaints, step_id: str) -> None:
    """An id is `[A-Za-z0-9_][A-Za-z0-9_-]*` (rule 2.3)."""
    (line,) = complaints(f'flow_id: f\nsteps: [{{id: "{step_id}", command: [x]}}]')
    assert line.startswith("f:2:14: steps[0].id: must be made of A-Z, a-z, 0-9, _ and -")


LENGTHS = [
    ("id", 128, "id: must have at most 128 characters, got 129"),
    ("flow_id", 255, "flow_id: must have at most 255 characters, got 256"),
    ("description", 10_000, "description: must have at most 10,000 characters, got 10,001"),
    ("word", 131_071, "command[1]: must be at most 131,071 bytes, the longest argument"),
    ("script", 131_071, "script: must be at most 131,071 bytes, the longest argument"),
]


@pytest.mark.parametrize(("field", "longest", "message"), LENGTHS)
def test_lengths_have_limits(
    complaints: Complaints, field: str, longest: int, message: str
) -> None:
    """The longest text of each kind is accepted and one character more is not (rule 2.3)."""

    def flow(length: int) -> str:
        values = {"id": "A", "flow_id": "f", "description": "d", "word": "w", "script": "s"}
        values[field] = "x" * length
        step: dict[str, object] = {"id": values["id"], "command": ["x", values["word"]]}
        if field == "script":
            step = {"id": "A", "script": values["script"]}
        step["description"] = values["description"]
        return json.dumps({"flow_id": values["flow_id"], "steps": [step]})

    for format_ in ("yaml", "json"):
        assert complaints(flow(longest), format_) == []
        (line,) = complaints(flow(longest + 1), format_)
        assert line.split(": ", 1)[1].removeprefix("steps[0].").startswith(message)


TEXTS = [
    ("flow_id", "\\n", "must be printable, got U+000A"),
    ("flow_id", "\\ud800", "must be printable, got U+D800"),
    ("flow_id", "", "must have 1 to 255 characters, got none"),
    ("word", "a\\u0000b", "must not contain the character U+0000, which no command can be passed"),
    ("word", "\\udc80", "must not contain the surrogate U+DC80, which is not a character"),
    ("description", "\\u0007", "must be printable, got U+0007"),
]


@pytest.mark.parametrize(("field", "escaped", "message"), TEXTS)
@pytest.mark.parametrize("format_", ["yaml", "json"])
def test_text_that_cannot_be_shown_or_passed_is_refused(
    complaints: Complaints, field: str, escaped: str, message: str, format_: str
) -> None:
    """Escapes cannot smuggle in what no terminal, database or command can take (rule 2.3)."""
    step = {"id": "A", "command": ["x", "<word>"], "description": "<description>"}
    text = json.dumps({"flow_id": "<flow_id>", "steps": [step]})
    text = text.replace(f"<{field}>", escaped)
    (line,) = complaints(text, format_)
    assert line.endswith(f": {message}")
    assert line.isprintable()


def test_nothing_in_a_message_disturbs_a_terminal(complaints: Complaints) -> None:
    """Whatever a file holds, and whatever it is called, messages stay printable (rule 2.7)."""
    nasty = "\u001b]0;x\u0007\u202e"
    document = {nasty: 1, "flow_id": "f", "steps": [{"id": nasty, "command": ["x"], "when": nasty}]}
    for line in complaints(json.dumps(document), "json"):
        assert line.isprintable()
    error = FlowFileError("a\nb\x1b.yaml", (Problem("x"),))
    assert str(error) == r"a\nb\x1b.yaml: x"


def test_an_unknown_format_is_the_callers_mistake() -> None:
    """A format is `yaml` or `json`; any other is the caller's mistake, not the file's."""
    with pytest.raises(ValueError, match="is yaml or json, not 'toml'") as caught:
        parse_flow("", format="toml")  # type: ignore[arg-type]
    assert not isinstance(caught.value, FlowFileError)


# Which characters of a flow file a problem is about (rule 6.11).

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
