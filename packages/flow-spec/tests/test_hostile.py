"""Rules 2.1 and 2.8: whatever the file is, the answer is an error within a second or is right."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flow_spec import FlowFileError, FlowSpec, differences, load_flow, parse_flow

type Complaints = Callable[..., list[str]]

FLOW = "flow_id: f\nsteps:\n- id: A\n  command: [x]\n"


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer; the bounds are several times what was measured.

    What counts is the time of this process: other programs may have the machine meanwhile.
    """
    begun = time.process_time()
    yield
    assert time.process_time() - begun < seconds


def bomb(levels: int = 30) -> str:
    lines = ["flow_id: f", "x-0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"x-{level}: &a{level} [{aliases}]")
    return "\n".join([*lines, f"steps: *a{levels - 1}"])


DEEP = "nested more than 100 levels deep"
MANY = "more than 200,000 values"

DOCUMENTS = [
    ("alias bomb", bomb(), "yaml", MANY),
    (
        "alias of itself",
        FLOW + "x-a: &a [*a]",
        "yaml",
        "the alias *a refers to a value that contains it",
    ),
    ("brackets in x-", FLOW + "x-a: " + "[" * 5000 + "]" * 5000, "yaml", DEEP),
    ("braces", "{a: " * 100_000, "yaml", DEEP),
    ("indentation", "".join(" " * n + "a:\n" for n in range(1000)), "yaml", DEEP),
    ("second document", FLOW + "---\n" + FLOW, "yaml", "a second document begins here"),
    ("no document", "", "yaml", "the file is empty"),
    ("directive", "%YAML 2.0\n---\na", "yaml", "found incompatible YAML document"),
    ("control character", "a: \x1b[2J", "yaml", "the character U+001B is not allowed in YAML"),
    ("brackets", "[" * 100_000, "json", DEEP),
    ("many values", "[" + "0," * 1_000_000 + "0]", "json", MANY),
    ("many pairs", "{" + '"a":0,' * 500_000 + '"a":0}', "json", MANY),
    ("unfinished text", '{"' + '\\"' * 1_000_000, "json", "not valid JSON: Unterminated string"),
    ("NaN", '{"a": NaN}', "json", "not valid JSON: NaN is not a JSON number"),
]


@pytest.mark.parametrize(
    ("text", "format_", "message"),
    [case[1:] for case in DOCUMENTS],
    ids=[f"{case[2]}-{case[0]}" for case in DOCUMENTS],
)
def test_a_hostile_document_is_refused_at_once(
    complaints: Complaints, text: str, format_: str, message: str
) -> None:
    """Depth, number of values and syntax are checked before they can hurt (rule 2.8)."""
    with within(5):
        lines = complaints(text, format_)
    assert message in lines[0]
    assert all(len(line) < 500 and line.isprintable() for line in lines)


LONG = "x-a: &a " + "y" * 100_000 + "\nflow_id: f\nsteps:\n- id: a\n  "
FOREIGN = [
    ("keys of one word", LONG + "\n  ".join(f"r{'-' * i}un: x" for i in range(500))),
    ("jobs", "\n".join(f"k{i}: {{script: x}}" for i in range(5000))),
    ("a long condition", f"{LONG}command: [x]\n  when: {'b == ' * 20_000}c"),
]
"""Words of other tools, far too many, or far too long."""


@pytest.mark.parametrize("text", [case[1] for case in FOREIGN], ids=[case[0] for case in FOREIGN])
def test_no_advice_is_long(complaints: Complaints, text: str) -> None:
    """A line of an error stays short, and looking for advice takes seconds at most (rule 2.8)."""
    with within(10):
        lines = complaints(text)
    assert lines
    assert all(len(line) < 700 for line in lines)


BYTES = [
    (b"\x00" * 1000, "f:1: is not UTF-8 text: a NUL byte in line 1; save it as UTF-8"),
    (b"flow_id: caf\xe9\n", "f:1: is not UTF-8 text: byte 0xe9 in line 1"),
    (b"\xef\xbb\xbfa: \xff", "f:1: is not UTF-8 text: byte 0xff in line 1"),
    (FLOW.encode("utf-16"), "f: is UTF-16 (or UTF-32) text; save it as UTF-8"),
    (b"a" * (4 * 1024 * 1024 + 1), "f: is larger than 4 MiB, the most that is read"),
]


@pytest.mark.parametrize(("data", "message"), BYTES, ids=range(len(BYTES)))
@pytest.mark.parametrize("format_", ["yaml", "json"])
def test_bytes_that_are_no_text_are_refused(
    complaints: Complaints, data: bytes, message: str, format_: str
) -> None:
    """Binary data and other encodings are reported with the offending byte (rules 2.1, 2.8)."""
    (line,) = complaints(data, format_)
    assert line.startswith(message)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encode", [str.encode, str])
def test_mark_and_line_ends_do_not_matter(
    mark: str, newline: str, encode: Callable[[str], bytes | str]
) -> None:
    """A byte-order mark and CRLF are accepted in both formats (rule 2.1)."""
    json_ = '{"flow_id": "f",\n"steps": [{"id": "A", "command": ["x"]}]}\n'
    for text, format_ in ((FLOW, "yaml"), (json_, "json")):
        data = encode(mark + text.replace("\n", newline))
        assert parse_flow(data, format=format_).to_json() == parse_flow(FLOW).to_json()  # type: ignore[arg-type]


def test_a_syntax_error_shows_its_place(complaints: Complaints) -> None:
    """An error of the reader of YAML or JSON has line, column and a caret (rule 2.7)."""
    message, _, caret = complaints("flow_id: 日本 x: b\n")
    assert message.startswith("f:1:10: not valid YAML: ")
    assert caret == " " * 13 + "^"
    message, *below = complaints('{"flow_id": "f",\n "steps": oops}', "json")
    assert message.startswith("f:2:11: not valid JSON: Expecting value; ")
    assert below == ['     "steps": oops}', "              ^"]


def test_the_excerpt_of_a_long_line_is_cut(complaints: Complaints) -> None:
    """A long line is cut around the caret (rule 2.7)."""
    _, line, caret = complaints('flow_id: "' + "x" * 10_000 + '" y')
    assert len(line) < 100
    assert line[caret.index("^")] == "y"


@pytest.mark.heavy
def test_thousands_of_mistakes_are_reported_in_time(complaints: Complaints) -> None:
    """Suggestions have a budget: a file full of mistakes costs seconds at most (rule 2.8)."""
    steps = [f'{{"id": "step-{i}", "command": ["x"], "when": "stop-{i}"}}' for i in range(4000)]
    with within(60):
        lines = complaints(f'{{"flow_id": "f", "steps": [{",".join(steps)}]}}', "json")
    assert len(lines) == 4000
    assert lines[0].endswith('unknown step "stop-0"; did you mean "step-90"?')


DEEP_CONDITIONS = [
    "!" * 20_000 + "A",
    "(" * 20_000 + "A" + ")" * 20_000,
    "(A && " * 20_000 + "A" + ")" * 20_000,
    " && ".join(["A"] * 20_000),
    " || ".join(["!A"] * 20_000),
]


@pytest.mark.parametrize("when", DEEP_CONDITIONS, ids=range(len(DEEP_CONDITIONS)))
@pytest.mark.parametrize("quote", ["", "'"])
def test_a_condition_may_be_as_deep_or_long_as_it_likes(when: str, quote: str) -> None:
    """20,000 levels or operands are simply right (rule 2.8)."""
    with within(10):
        flow = parse_flow(f"{FLOW}- id: B\n  command: [x]\n  when: {quote}{when}{quote}\n")
        assert flow.step("B").waits_for == ("A",)
        assert FlowSpec.from_json(flow.to_json()).step("B").waits_for == ("A",)
        assert differences(flow, flow) == ()


@pytest.mark.parametrize("name", ["f.yaml", "f.yml", "F.YAML", "f.json"])
def test_the_name_of_a_file_says_its_format(tmp_path: Path, name: str) -> None:
    """It is YAML or JSON (rule 2.1)."""
    path = tmp_path / name
    path.write_text(parse_flow(FLOW).to_json() if name == "f.json" else FLOW)
    assert load_flow(path) == load_flow(str(path)) == parse_flow(FLOW)


def complaint_about(path: Path | str) -> str:
    with within(5), pytest.raises(FlowFileError) as caught:
        load_flow(path)
    (problem,) = caught.value.problems
    assert caught.value.source == str(path)
    return problem.message


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A directory, a pipe, a device, a missing or a wrongly named file is an error (rule 2.8)."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    (tmp_path / "notes.txt").write_text(FLOW)
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.yaml"))
    messages = {
        tmp_path: "is a directory; give the path of a YAML or JSON file",
        pipe: "is a pipe; give the path of a YAML or JSON file",
        tmp_path / "socket.yaml": "is a socket; give the path of a YAML or JSON file",
        Path("/dev/zero"): "is a device; give the path of a YAML or JSON file",
        tmp_path / "none.yaml": "no such file; check the path",
        tmp_path / "notes.txt": (
            "the name must end in .yaml, .yml or .json; rename the file if it holds a flow; "
            "`orchesjob-flow example` prints one"
        ),
        tmp_path / "notes.txt" / "f.yaml": "cannot be read: Not a directory",
        tmp_path / "loop.yaml": "cannot be read: Too many levels of symbolic links",
        Path("a\0b.yaml"): "cannot be read: the path contains a NUL character",
    }
    assert {path: complaint_about(path) for path in messages} == messages


def test_what_the_caller_has_opened_is_read(tmp_path: Path) -> None:
    """A pipe as a shell's `<(...)` makes it is read to its end, YAML or JSON (rule 2.1)."""
    for text in (FLOW, f"\n {parse_flow(FLOW).to_json()}"):
        reader, writer = os.pipe()
        os.write(writer, text.encode())
        os.close(writer)
        assert load_flow(f"/dev/fd/{reader}") == parse_flow(FLOW)
        os.close(reader)
    with (tmp_path / "flow").open("w+") as file:
        file.write(FLOW)
        file.flush()
        file.seek(0)
        assert load_flow(f"/proc/self/fd/{file.fileno()}") == parse_flow(FLOW)
    assert complaint_about("/dev/fd/987") == "is not open; give the path of a YAML or JSON file"


def test_an_opened_pipe_is_bounded() -> None:
    """A pipe without end is no flow, and is not read for ever (rule 2.8)."""
    words = [sys.executable, "-c", "while True: print('y' * 1000)"]
    endless = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert endless.stdout is not None
    with endless, endless.stdout:
        message = complaint_about(f"/dev/fd/{endless.stdout.fileno()}")
        endless.kill()
    assert message == "is larger than 4 MiB, the most that is read"


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    """A file of terabytes costs no more than one of 4 MiB (rule 2.8)."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert complaint_about(path) == "is larger than 4 MiB, the most that is read"


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """Missing permission is an error that says what to do (rule 2.8)."""
    path = tmp_path / "f.yaml"
    path.write_text(FLOW)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything
        assert load_flow(path) == parse_flow(FLOW)
    else:
        assert complaint_about(path) == "permission denied; make the file readable for this user"
