"""Reading files of variables from disk: what is no file, too large, or never comes (rule 10.4)."""

import os
import threading
from pathlib import Path

import pytest

from flow_spec import EnvFile, EnvFileError, read_env_files
from flow_spec.fields.env import MAX_ENV_FILE_BYTES, FileVariables, read_env_file


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


def test_what_is_no_file(tmp_path: Path) -> None:
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
