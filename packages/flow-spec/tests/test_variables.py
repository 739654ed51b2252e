"""Variables: the maps `env` (rule 9.12), and files of them (rule 10.4)."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flow_spec import (
    EnvFile,
    EnvFileError,
    FlowSpec,
    FlowSpecError,
    differences,
    flaw_of_setting,
    parse_flow,
    read_env_files,
)
from flow_spec.fields.env import MAX_ENV_FILE_BYTES, FileVariables, parse_env_file, read_env_file
from flow_spec.fields.records import ListedFile

# The map `env` of a flow and of a step: names and texts for a process (rule 9.12).

type Complaints = Callable[..., list[str]]

STEPS = "steps: [{id: A, command: [x]}]"


OWN = "must not begin with ORCHESJOB_, which orchesjob and this program use"
SPELLED = "must be made of A-Z, a-z, 0-9 and _, and not begin with a digit"
BREAKING = "would also change how orchesjob itself starts; set it inside the command: "
WRONG_NAMES = [
    ("[A=1]", "env: must be a mapping of names to texts, such as {LANG: C}; got a list"),
    ("{1A: x}", f'env["1A"]: {SPELLED}, got "1A"'),
    ('{"": x}', f'env[""]: {SPELLED}, got ""'),
    ("{ORCHESJOB_HOME: /x}", f"env.ORCHESJOB_HOME: {OWN}"),
    ("{PYTHONHOME: /x}", f"env.PYTHONHOME: {BREAKING}[env, PYTHONHOME=VALUE, PROGRAM]"),
    ("{LD_PRELOAD: x.so}", f"env.LD_PRELOAD: {BREAKING}[env, LD_PRELOAD=VALUE, PROGRAM]"),
    ("{A: }", 'env.A: is empty; write A: "" for empty text'),
    ('{A: "\\0"}', "env.A: must not contain the character U+0000"),
]


@pytest.mark.parametrize(("env", "message"), WRONG_NAMES)
def test_what_no_process_can_be_given_is_an_error(
    complaints: Complaints, env: str, message: str
) -> None:
    """A bad name and a bad value are reported where they stand (rules 2.6 and 9.12)."""
    (line,) = complaints(f"flow_id: f\nenv: {env}\n{STEPS}")
    assert line.startswith("f:2:")
    assert f": {message}" in line
    (line,) = complaints(f"flow_id: f\nsteps:\n- id: A\n  command: [x]\n  env: {env}")
    assert f": steps[0].{message.replace('line 2', 'line 5')}" in line


def test_names_that_break_nothing() -> None:
    """What leaves orchesjob's own start as it is may be set."""
    for name in ("PYTHON_VERSION", "PYTHONUNBUFFERED", "LDFLAGS", "MY_LD_"):
        assert flaw_of_setting(name, "1") is None


def test_a_name_shares_the_space_of_its_value() -> None:
    """Linux passes no more than 128 KiB in one variable, its name and the NUL included."""
    most = 128 * 1024 - 1 - len("NAME=")
    assert flaw_of_setting("NAME", "x" * most) is None
    assert "131,066 bytes" in str(flaw_of_setting("NAME", "x" * (most + 1)))


@pytest.mark.parametrize("path", ['""', "[a]", '"a\\nb"', "x" * 4097])
def test_no_directory(complaints: Complaints, path: str) -> None:
    """`working_dir` is printable text of 1 to 4096 characters (rule 9.12)."""
    (line,) = complaints(f"flow_id: f\nworking_dir: {path}\n{STEPS}")
    assert line.startswith("f:2:14: working_dir: must")


# Rule 10.4: files of variables, which outrank which, and messages that tell no secret.

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
WRONG_LINES = [
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


@pytest.mark.parametrize(("text", "line", "flaw"), WRONG_LINES)
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


# Reading files of variables from disk: what is no file, too large, or never comes (rule 10.4).


def test_files_on_top_of_each_other(tmp_path: Path) -> None:
    """Later files lie over earlier ones, and nothing over what the flow sets itself."""
    (tmp_path / "one").write_text("A=1\nB=1\nC=1\n", encoding="utf-8")
    (tmp_path / "two").symlink_to("real")
    (tmp_path / "real").write_text("B=2\nC=2\n", encoding="utf-8")
    outranked = frozenset("C")
    files = [EnvFile("one", outranked), EnvFile(str(tmp_path / "two"), outranked)]
    assert read_env_files(files, str(tmp_path)) == ({"A": "1", "B": "2"}, ())


def test_a_file_that_is_not_required(tmp_path: Path) -> None:
    """A missing one sets nothing; one that is there must be right, and readable (rule 10.4)."""
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "wrong").write_text("A\n", encoding="utf-8")
    (tmp_path / "right").write_text("A=1\n", encoding="utf-8")

    def read(name: str) -> FileVariables:
        return read_env_files([EnvFile(name, frozenset(), is_required=False)], str(tmp_path))

    assert read("none") == read("none/x") == read("link") == ({}, ())
    assert read("right") == ({"A": "1"}, ())
    for name in ("wrong", ".", "wrong/x"):
        with pytest.raises(EnvFileError):
            read(name)


def test_a_dispensable_file(tmp_path: Path) -> None:
    """Whatever is wrong with it, the others are read, and it is returned (rule 10.4)."""
    (tmp_path / "wrong").write_text("A\n", encoding="utf-8")
    (tmp_path / "right").write_text("A=1\n", encoding="utf-8")
    names = ("none", "wrong", ".", "right")
    files = [EnvFile(name, frozenset(), is_dispensable=True) for name in names]
    variables, unread = read_env_files(files, str(tmp_path))
    assert (variables, [file for file, _ in unread]) == ({"A": "1"}, files[:3])
    flaws = [error.flaw.partition(",")[0] for _, error in unread]
    assert flaws == [
        "cannot be read: No such file or directory",
        "must be NAME=VALUE",
        "is neither a regular file nor a pipe",
    ]


def refusal(path: Path, **options: float) -> str:
    with pytest.raises(EnvFileError) as caught:
        read_env_file(str(path), **options)
    assert str(caught.value).startswith(f"env_file {path}: ")
    return caught.value.flaw


def test_what_is_not_read(tmp_path: Path) -> None:
    none = tmp_path / "none"
    assert refusal(none) == "cannot be read: No such file or directory"
    assert refusal(tmp_path) == "is neither a regular file nor a pipe"
    assert refusal(Path("/dev/zero")) == "is neither a regular file nor a pipe"
    assert refusal(none / "x") == "cannot be read: No such file or directory"


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    """A file of terabytes costs no more than one of a megabyte."""
    path = tmp_path / "x.env"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(path) == "is larger than 1 MiB"
    path.write_bytes(b"#" * (MAX_ENV_FILE_BYTES - 4) + b"\nA=1")
    assert read_env_file(str(path)) == {"A": "1"}


def test_a_pipe(tmp_path: Path) -> None:
    """Somebody may write the variables at the moment when they are needed."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = "A=1\n" + "#" * 200_000 + "\nB=2\n"  # more than a pipe holds
    writer = threading.Thread(
        target=lambda: path.write_text(content, encoding="utf-8"), daemon=True
    )
    writer.start()
    assert read_env_file(str(path)) == {"A": "1", "B": "2"}
    writer.join()


@pytest.mark.parametrize("is_open", [False, True])
def test_a_pipe_that_nobody_fills(tmp_path: Path, *, is_open: bool) -> None:
    """A pipe without a writer, or with one that never ends, is waited for some seconds."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR) if is_open else None
    if writer is not None:
        os.write(writer, b"A=1\n")
    error = "is a pipe that nobody has filled and closed for 0.05 s"
    assert refusal(path, pipe_sec=0.05) == error
    if writer is not None:
        os.close(writer)
