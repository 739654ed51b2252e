"""From a path or bytes to the text of a flow file, or of another file that a flow names.

Reading neither blocks nor takes more than a limit, whatever the path is: a directory, a pipe, a
disk image (rule 2.8). Opening never blocks, and nothing is read before the caller has seen the kind
of the file. Reading waits only for what the caller has opened: the standard input, and the pipe
that a shell makes of `<(...)`.
"""

import codecs
import errno
import math
import os
import re
import select
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import attrs

from flow_spec.errors import Advised, DocumentError, ListError


class OpenFile(NamedTuple):
    """A file that is open for reading: its descriptor, and its kind, such as `stat.S_IFREG`."""

    descriptor: int
    kind: int

    def read(self, most_bytes: int, *, pipe_sec: float = math.inf) -> bytes:
        """Return the content up to `most_bytes`; wait for that of a pipe for `pipe_sec`.

        Raises:
            BlockingIOError: It is a file of the kernel, such as /proc/kmsg, that holds nothing now.
            TimeoutError: A pipe was not filled and closed in time; `errno` is None.
            OSError: It cannot be read.
        """
        parts: list[bytes] = []
        deadline = time.monotonic() + pipe_sec
        while most_bytes > 0:
            if self.kind in (stat.S_IFIFO, stat.S_IFSOCK):
                self._await_content(deadline)
            part = os.read(self.descriptor, most_bytes)
            if not part:
                break
            parts.append(part)
            most_bytes -= len(part)
        return b"".join(parts)

    def _await_content(self, deadline: float) -> None:
        ready = select.poll()
        ready.register(self.descriptor, select.POLLIN)
        left_sec = deadline - time.monotonic()
        if not ready.poll(None if left_sec == math.inf else max(0.0, left_sec) * 1000):
            raise TimeoutError


@contextmanager
def opened(file: str | os.PathLike[str] | int) -> Iterator[OpenFile]:
    """Open a path, or a descriptor that the caller has opened, without waiting for anything.

    Raises:
        OSError: It cannot be opened.
    """
    if isinstance(file, int):
        descriptor = os.dup(file)
    else:
        # An ordinary open would block on a pipe that nobody writes to.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield OpenFile(descriptor, stat.S_IFMT(os.fstat(descriptor).st_mode))
    finally:
        os.close(descriptor)


MAX_BYTES = 4 * 1024 * 1024

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


_OPENED = re.compile(r"-|/dev/stdin|(?:/dev|/proc/self)/fd/(?P<number>[0-9]{1,9})")
_READABLE = frozenset({stat.S_IFREG})
_READABLE_IF_OPENED = frozenset({stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK})


def opened_by_caller(path: Path) -> int | None:
    """Return the descriptor that a path names: `-` and `/dev/stdin` are 0; None if it is a file."""
    found = _OPENED.fullmatch(str(path))
    return None if found is None else int(found["number"] or 0)


def is_opened_by_caller(path: str | os.PathLike[str]) -> bool:
    """Whether a path is `-` or the like, which has no name and no folder."""
    return opened_by_caller(Path(path)) is not None


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file, or of a pipe that the caller has opened.

    Raises:
        DocumentError: The file is missing, of another kind, or not readable.
    """
    if "\0" in str(path):
        raise DocumentError("cannot be read: the path contains a NUL character")
    descriptor = opened_by_caller(path)
    allowed = _READABLE if descriptor is None else _READABLE_IF_OPENED
    try:
        with opened(path if descriptor is None else descriptor) as file:
            if file.kind not in allowed:
                raise _not_a_file(file.kind)
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DocumentError(Advised("no such file", "check the path")) from None
    except PermissionError:
        raise DocumentError("permission denied; make the file readable for this user") from None
    except OSError as error:
        if error.errno == errno.EBADF:
            raise DocumentError("is not open; give the path of a YAML or JSON file") from None
        if error.errno == errno.ENXIO:  # a socket, or a device without anything behind it
            raise _not_a_file(stat.S_IFMT(path.stat().st_mode)) from None
        raise DocumentError(f"cannot be read: {error.strerror}") from None


def _not_a_file(kind: int) -> DocumentError:
    return DocumentError(
        f"is {_KINDS.get(kind, 'not a regular file')}; give the path of a YAML or JSON file"
    )


def decode(data: bytes | str) -> str:
    """Return the text without a byte-order mark (rule 2.1).

    Raises:
        DocumentError: It has more than `MAX_BYTES`, or is not UTF-8; names the wrong byte.
    """
    if len(data) > MAX_BYTES:
        raise DocumentError(f"is larger than {MAX_BYTES // 1024**2} MiB, the most that is read")
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DocumentError("is UTF-16 (or UTF-32) text; save it as UTF-8")
    if (offset := data.find(0)) >= 0:
        raise _not_text(data, offset, "a NUL byte")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        offset = error.start + len(data) - len(error.object)
        raise _not_text(data, offset, f"byte 0x{data[offset]:02x}") from None


def _not_text(data: bytes, offset: int, what: str) -> DocumentError:
    line = data.count(b"\n", 0, offset) + 1
    return DocumentError(f"is not UTF-8 text: {what} in line {line}; save it as UTF-8", line)


MOST_VALUES = 10_000
"""Values in a list; no flow has more steps."""


def read_lines(path: str, below: str) -> Sequence[str]:
    """Return the lines of a regular file.

    Raises:
        ListError: It is missing, not a regular file, too large, or not text.
    """
    try:
        with opened(Path(below) / path) as file:
            # Of a directory, the error of reading it says what it is.
            if file.kind not in (stat.S_IFREG, stat.S_IFDIR):
                raise ListError("is not a regular file")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        place = "" if below == "." or Path(path).is_absolute() else f" in {below}"
        raise ListError(f"cannot be read{place}: {error.strerror}") from None
    return values_of_lines(data)


MOST_FOLDERS = 50_000
"""Folders that the search for a pattern may list."""
ANY_FOLDERS = "**"
_MAGIC = re.compile(r"[*?[]")


def quoted_in_pattern(text: str) -> str:
    """Return the pattern that matches this text alone."""
    return _MAGIC.sub(r"[\g<0>]", text)


def file_names(pattern: str, below: str) -> Sequence[str]:
    """Return the sorted names of the files and folders that match a pattern, perhaps none.

    Raises:
        ListError: There are more than a flow can have steps, or it lists too many folders.
    """
    names = {*islice(names_matching(pattern, below), MOST_VALUES + 1)}
    if len(names) > MOST_VALUES:
        raise ListError(f"matches more than {MOST_VALUES:,} names, the most steps of a flow")
    return sorted(names)


def names_matching(pattern: str, below: str) -> Iterator[str]:
    """Yield the names of the files and folders that match a pattern, each once.

    The names are those of Python's `glob` with `recursive`. But `glob` looks into a folder once for
    each way to divide its path among several `**`; this, once for each part of the pattern. And
    `**` follows no link to a folder around the link.

    Raises:
        ListError: The search lists too many folders.
    """
    parts = pattern.split("/")
    fixed = next((n for n, part in enumerate(parts[:-1]) if _MAGIC.search(part)), len(parts) - 1)
    named = [part for part in parts[fixed:] if part] or [""]
    folders = {"/".join(parts[:fixed]).rstrip("/") + "/"} if fixed else {""}
    search = _Search(below)
    for part, after in pairwise(named):
        if not part == after == ANY_FOLDERS:
            found = {f"{name}/" for name, is_folder in search.matches(folders, part) if is_folder}
            folders = folders | found if part == ANY_FOLDERS else found
    slash = "/" if pattern.endswith("/") and named[-1] else ""
    last = search.matches(folders, named[-1])
    yield from (f"{name}{slash}" for name, is_folder in last if is_folder or not slash)
    if named[-1] == ANY_FOLDERS:
        yield from (folder for folder in folders if folder and search.is_folder(folder))


@attrs.define
class _Search:
    """A search in the folder `below`, which may list only so many folders.

    The names of folders are "" or have a slash at the end.
    """

    below: str
    listed: int = 0

    def matches(self, folders: Iterable[str], part: str) -> Iterator[tuple[str, bool]]:
        """Yield what a part of a pattern matches in some folders, and whether it is a folder."""
        if part == ANY_FOLDERS:
            yield from self._all_below(folders)
        elif _MAGIC.search(part):
            for folder in folders:
                for entry, is_folder in self._entries(folder):
                    is_seen = not entry.name.startswith(".") or part.startswith(".")
                    if is_seen and fnmatchcase(entry.name, part):
                        yield f"{folder}{entry.name}", is_folder
        else:
            for name in (f"{folder}{part}" for folder in folders):
                if os.path.lexists(self._path(name)):
                    yield name, self.is_folder(name)

    def _all_below(self, folders: Iterable[str]) -> Iterator[tuple[str, bool]]:
        seen = set(folders)
        left = [*seen]
        while left:
            folder = left.pop()
            for entry, is_folder in self._entries(folder):
                name = f"{folder}{entry.name}"
                leads_up = is_folder and entry.is_symlink() and self._leads_up(name)
                if entry.name.startswith(".") or leads_up:
                    continue
                yield name, is_folder
                if is_folder and f"{name}/" not in seen:
                    seen.add(f"{name}/")
                    left.append(f"{name}/")

    def is_folder(self, name: str) -> bool:
        """Whether a name is that of a folder, or of a link to one."""
        return os.path.isdir(self._path(name))  # noqa: PTH112 - keeps slashes at the end

    def _entries(self, folder: str) -> Iterator[tuple[os.DirEntry[str], bool]]:
        self.listed += 1
        if self.listed > MOST_FOLDERS:
            raise ListError(
                f"looks into more than {MOST_FOLDERS:,} folders; begin it with a smaller folder"
            )
        try:
            with os.scandir(self._path(folder)) as entries:
                for entry in entries:
                    is_link = entry.is_symlink()
                    yield entry, os.path.isdir(entry) if is_link else entry.is_dir()  # noqa: PTH112
        except (OSError, ValueError):
            return

    def _leads_up(self, name: str) -> bool:
        """Whether a link leads to a folder around it, in which it would be found again."""
        link = Path(self._path(name))
        return link.parent.resolve().is_relative_to(link.resolve())

    def _path(self, name: str) -> str:
        return os.path.join(self.below, name)  # noqa: PTH118 - keeps slashes at the end


def values_of_lines(data: bytes) -> tuple[str, ...]:
    """Return the lines of a file, without blank ones.

    Raises:
        ListError: It is too large, or not UTF-8 text, or has more lines than a flow may have steps.
    """
    try:
        text = decode(data)
    except DocumentError as error:
        raise ListError(str(error.message)) from None
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    values = tuple(line for line in lines if line.strip())
    if len(values) > MOST_VALUES:
        raise ListError(f"has {len(values):,} lines; a flow can have at most {MOST_VALUES:,} steps")
    return values
