"""Files that grow are read on, from their ends, and in turn (rule 9.6)."""

import os
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchesjob_flow.views.step_output import (
    BLOCK_BYTES,
    BLOCKS_AT_A_LOOK,
    LONGEST_CHARACTER,
    LONGEST_LINE,
    OutputFile,
    Printer,
    Source,
)


def read(file: OutputFile) -> bytes:
    return b"".join(file.read())


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe under the name of an output file is not opened, as that may take for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # so that whoever opens it all the same is not kept waiting
    file = OutputFile(path)
    assert file.skip_to_last(3) == 0
    with pytest.raises(FileNotFoundError):
        read(file)
    os.close(writer)


@pytest.mark.parametrize("replace", [True, False])
def test_rotation(tmp_path: Path, replace: bool) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"a long first line\n")
    file = OutputFile(path)
    read(file)
    if replace:
        (tmp_path / "new").write_bytes(b"second, which is even longer than the first\n")
        (tmp_path / "new").rename(path)
    else:
        path.write_bytes(b"second\n")
    assert read(file).startswith(b"second")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"a",
        b"a\n",
        b"a\nb",
        b"a\nb\n",
        b"\n\n\n",
        b"x" * (BLOCK_BYTES + 5) + b"\nb\n",
        (b"line of some length\n" * BLOCK_BYTES)[: 3 * BLOCK_BYTES + 7],
        b"\n" * (2 * BLOCK_BYTES),
        b"\xff\x00\n\xfe",
    ],
)
@pytest.mark.parametrize("lines", [0, 1, 2, 3, 100, BLOCK_BYTES + 1])
def test_last_lines(tmp_path: Path, content: bytes, lines: int) -> None:
    path = tmp_path / "out"
    path.write_bytes(content)
    file = OutputFile(path)
    file.skip_to_last(lines)
    every = [line + b"\n" for line in content.split(b"\n")]
    every[-1] = every[-1][:-1]  # what follows the last line's end
    every = [line for line in every if line]
    assert read(file) == b"".join(every[len(every) - min(lines, len(every)) :])


@pytest.mark.parametrize(
    ("content", "left_out", "kept"),
    [
        (b"", 0, b""),
        (b"0123456789", 0, b"0123456789"),
        (b"one\nx\n0123456789\n", 3, b"123456789\n"),
        (b"0123456789\n\xc3\xa4 23456789", 11 + 2, b" 23456789"),
        ("\u65e5".encode() * 4, 3, "\u65e5".encode() * 3),
        (b"\x80" * 12, 2 + LONGEST_CHARACTER, b"\x80" * (10 - LONGEST_CHARACTER)),
    ],
)
def test_last_bytes(tmp_path: Path, content: bytes, left_out: int, kept: bytes) -> None:
    """Of the last lines no more is read than the last bytes, from where a character begins."""
    path = tmp_path / "out"
    path.write_bytes(content)
    file = OutputFile(path)
    assert (file.skip_to_last(2, 10), read(file)) == (left_out, kept)


def test_two_gigabytes(tmp_path: Path) -> None:
    """The end of a file of any size is found at once, in the memory of a few blocks."""
    path = tmp_path / "out"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 2 << 30)  # sparse: it takes no room
        file.seek(0, os.SEEK_END)
        file.write(b"\nfirst\nsecond\n")
    tracemalloc.start()
    output = OutputFile(path)
    output.skip_to_last(2)
    assert read(output) == b"first\nsecond\n"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * BLOCK_BYTES


class Output(dict[Source, Path]):
    """Files of the first attempts of some steps, each with one line, and what is shown of them."""

    def __init__(self, folder: Path, steps: int) -> None:
        for number in range(steps):
            path = folder / f"{number}"
            path.write_text("first\n")
            self[Source(f"s{number}", 1, "stdout")] = path
        self.shown: list[str] = []
        prefixes = {source.step_id: f"{source.step_id} " for source in self}
        self.printer = Printer(
            prefixes, None, terminal=False, write=lambda block: self.shown.append(block.decode())
        )

    def add(self, text: str) -> None:
        self.shown.clear()
        for path in self.values():
            with path.open("a") as file:
                file.write(f"{text}\n")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path, 300)


def test_the_last_look(output: Output) -> None:
    """At the end all files are read once more, in the order of the steps."""
    output.printer.follow(output, growing=set())
    output.printer.show()
    output.printer.show()
    output.add("later")
    output.printer.show(last=True)
    assert output.shown == [f"{source.step_id} later\n" for source in output]


def test_each_file_has_its_turn(tmp_path: Path) -> None:
    """Of a large file only a part is read at a look, and the caller learns that there is more."""
    output = Output(tmp_path, 2)
    large = next(iter(output.values()))
    large.write_bytes(b"0123456\n" * (BLOCKS_AT_A_LOOK * BLOCK_BYTES // 4))
    output.printer.follow(output, growing=set(output))
    assert output.printer.show()
    assert output.shown.pop() == "s1 first\n"
    shown = len("".join(output.shown))
    assert shown == (BLOCKS_AT_A_LOOK * BLOCK_BYTES // 8) * len("s0 0123456\n")
    while output.printer.show():
        pass
    assert len("".join(output.shown)) == 2 * shown


def test_an_end_without_a_line_break(output: Output) -> None:
    """What an attempt printed last is shown when it ends, even in the middle of a line."""
    output.printer.follow(output, growing=set(output))
    output.printer.show()
    first = next(iter(output))
    output[first].write_text("first\nno end")
    output.shown.clear()
    output.printer.show()
    assert output.shown == []
    output.printer.follow({}, growing=set(output) - {first})
    output.printer.show()
    assert "".join(output.shown) == "s0 no end\n"


PIECES = (
    *(b"\n", b"\n\n", b"line\n", b"no end", b"\r", b"\xff\x00"),
    *("\u65e5".encode(), b"x" * (LONGEST_LINE + 1)),
)
"""What a process writes at once."""


@given(
    looks=st.lists(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(PIECES)), max_size=5)),
    ends=st.lists(st.integers(0, 8), min_size=3, max_size=3),
)
def test_lines_are_never_mixed(looks: list[list[tuple[int, bytes]]], ends: list[int]) -> None:
    """However files grow, each line written is of one file, and each file is written whole.

    Each file grows until the look that `ends` says.
    """
    with TemporaryDirectory() as folder:
        output = {Source(f"s{n}", 1, "stdout"): Path(folder, str(n)) for n in range(3)}
        sources = list(output)
        written = dict.fromkeys(output, b"")
        shown: list[bytes] = []
        names = {source.step_id: f"{source.step_id}:" for source in output}
        printer = Printer(names, None, terminal=False, write=shown.append)
        for path in output.values():
            path.touch()
        for look, pieces in enumerate(looks):
            growing = {source for source, end in zip(sources, ends, strict=True) if look < end}
            for place, piece in pieces:
                if (source := sources[place]) in growing:
                    written[source] += piece
                    with output[source].open("ab") as file:
                        file.write(piece)
            printer.follow(output, growing)
            printer.show()
        printer.follow(output, set())
        printer.show(last=True)
    *lines, rest = b"".join(shown).split(b"\n")
    assert rest == b""
    own = {
        source: [line[3:] for line in lines if line[:2] == source.step_id.encode()]
        for source in output
    }
    assert sum(map(len, own.values())) == len(lines)
    for source, content in written.items():
        assert b"".join(own[source]) == content.replace(b"\n", b"")
        assert len(own[source]) >= len(content.removesuffix(b"\n").split(b"\n")) - (not content)
        if len(content) < LONGEST_LINE:
            assert own[source] == (content.removesuffix(b"\n").split(b"\n") if content else [])
