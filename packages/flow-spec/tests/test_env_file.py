"""Rule 10.4: files of variables, which outrank which, and messages that tell no secret."""

from collections.abc import Callable

import pytest

from flow_spec import EnvFileError, FlowSpec, FlowSpecError, differences, parse_flow
from flow_spec.fields.env import parse_env_file
from flow_spec.fields.records import ListedFile

type Complaints = Callable[..., list[str]]

CONTENTS = [
    ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ("# a comment\n\n   \n  # another\nA=#1 # 2\n", {"A": "#1 # 2"}),
    ("A=x=y \n_b1= z\nE=", {"A": "x=y ", "_b1": " z", "E": ""}),
    ("A=it's $HOME \\n `x`\n", {"A": "it's $HOME \\n `x`"}),
    ('A=\'\nB="x" y\nC=größe', {"A": "'", "B": '"x" y', "C": "größe"}),
    ("A=1\nA=2", {"A": "2"}),
    ("A=a\u2028b\x0bc", {"A": "a\u2028b\x0bc"}),
]


@pytest.mark.parametrize(("text", "variables"), CONTENTS)
def test_a_value_is_what_follows_the_first_equals_sign(
    text: str, variables: dict[str, str]
) -> None:
    """Nothing is expanded, unquoted or trimmed; blank lines and comments are skipped (10.4)."""
    assert parse_env_file(text.encode(), "x.env") == variables


SECRET = "hunter2"  # noqa: S105 - that of nobody
NO_SETTING = "must be NAME=VALUE, with a name of A-Z, a-z, 0-9 and _, without export"
WRONG = [
    (f"A=1\n\n{SECRET}", 3, NO_SETTING),
    (f"export A={SECRET}", 1, NO_SETTING),
    (f" A={SECRET}", 1, NO_SETTING),
    (f"{SECRET}-A={SECRET}", 1, NO_SETTING),
    (f"LD_{SECRET}=1", 1, "sets a variable that no flow may set"),
    (f'A="{SECRET}"', 1, "has quotes around its value, which would be part of it; write it"),
    (f"A='{SECRET}'\r\n", 1, "has quotes around its value"),
    (f"A=1\nB={SECRET}\0", 2, "must not contain the character U+0000"),
    ("A=" + SECRET * 20_000, 1, "must be at most 131,069 bytes, the longest argument"),
]


@pytest.mark.parametrize(("text", "line", "flaw"), WRONG)
def test_a_message_names_the_line_and_nothing_of_it(text: str, line: int, flaw: str) -> None:
    """What is wrong is said without a character of the file (rule 10.4)."""
    with pytest.raises(EnvFileError) as caught:
        parse_env_file(text.encode(), "/srv/x.env")
    error = caught.value
    assert (error.path, error.line) == ("/srv/x.env", line)
    assert str(error).startswith(f"env_file /srv/x.env:{line}: {flaw}")
    assert SECRET not in f"{error} {error!r} {error.__cause__!r}"
    assert isinstance(error, FlowSpecError)
    assert isinstance(error, ValueError)


def test_bytes_that_are_no_text_are_not_shown() -> None:
    """An error of decoding holds all that it could not decode, and does not get out (10.4)."""
    with pytest.raises(EnvFileError) as caught:
        parse_env_file(b"A=1\nB=hunter2\xff\n", "x.env")
    assert str(caught.value) == "env_file x.env:2: is not UTF-8 text"
    assert caught.value.__suppress_context__


def test_one_file_needs_no_brackets() -> None:
    """A file means a list of it; only paths are stored and compared (rules 4.4 and 10.4)."""
    one = parse_flow("{flow_id: f, env_file: a b, steps: [{id: s, command: [x], env_file: 7}]}")
    many = parse_flow(
        "{flow_id: f, env_file: [a b], steps: [{id: s, command: [x], env_file: [7]}]}"
    )
    assert one == many
    assert (one.env_file, one.steps[0].env_file) == (("a b",), ("7",))
    assert FlowSpec.from_json(one.to_json()) == one
    other = parse_flow("{flow_id: f, env_file: [a b, c], steps: [{id: s, command: [x]}]}")
    assert differences(one, other) == (
        'env_file[1] was not set and is now "c"',
        'step "s": env_file[0] was "7" and is now not set',
    )


@pytest.mark.parametrize(
    ("written", "files"),
    [
        ("{path: a, required: true}", ("a",)),
        ("{path: a, required: false, x-why: b}", (ListedFile("a", required=False),)),
        ("[a, {path: b, required: false}]", ("a", ListedFile("b", required=False))),
    ],
)
def test_a_file_may_be_missing(written: str, files: tuple[str | ListedFile, ...]) -> None:
    """A file is required unless it says otherwise, which is part of the definition (10.4, 4.4)."""
    step = f"{{id: s, command: [x], env_file: {written}}}"
    flow = parse_flow(f"{{flow_id: f, env_file: {written}, steps: [{step}]}}")
    assert flow.env_file == flow.steps[0].env_file == files
    assert FlowSpec.from_json(flow.to_json()) == flow
    assert [file.is_required for file in flow.env_files_of(flow.steps[0])] == [
        isinstance(file, str) for file in (*files, *files)
    ]


NO_FILES = [
    ("{required: false}", '2:11: env_file: a file needs the key "path"'),
    ("[{path: a, require: no}]", "2:22: env_file[0].require: unknown key; did you mean"),
    ("''", "2:11: env_file: must have 1 to 4096 characters, got none"),
    ("[a, '']", "2:15: env_file[1]: must have 1 to 4096 characters, got none"),
    ('"a\\n"', "2:11: env_file: must be printable, got U+000A"),
]


@pytest.mark.parametrize(("files", "start"), NO_FILES)
def test_what_is_no_file(complaints: Complaints, files: str, start: str) -> None:
    """A path is printable text (rules 2.6 and 10.4)."""
    (line,) = complaints(f"flow_id: f\nenv_file: {files}\nsteps: [{{id: A, command: [x]}}]")
    assert line.startswith(f"f:{start}")
