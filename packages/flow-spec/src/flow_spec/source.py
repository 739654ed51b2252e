"""From a path or bytes to the text of a flow file; what the text means is read elsewhere.

Whatever a path may turn out to be (a directory, a pipe, a disk image), reading it neither blocks
nor takes more than `MAX_BYTES` (rule 2.8). Only what the caller has opened for it is waited for:
the standard input, and what a shell makes of `<(...)`.
"""

import codecs
import errno
import os
import re
import stat
from itertools import islice
from pathlib import Path

from flow_spec.errors import Advised, DocumentError, quoted

MAX_BYTES = 4 * 1024 * 1024

_SUFFIXES = {".yaml", ".yml", ".json"}
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


_OPENED = re.compile(r"-|/dev/stdin|(?:/dev|/proc/self)/fd/(?P<number>[0-9]{1,9})")
_READABLE = frozenset({stat.S_IFREG})
_MOST_LOOKED_AT, _LIKE = 1_000, 0.7
"""How many files of a folder are compared with a missing one, and how alike their names must be."""
_READABLE_IF_OPENED = frozenset({stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK})


def opened_by_caller(path: Path) -> int | None:
    """Return the descriptor that a path names: `-` and `/dev/stdin` are 0; None if it is a file."""
    found = _OPENED.fullmatch(str(path))
    return None if found is None else int(found["number"] or 0)


def is_opened_by_caller(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is `-` or the like, which has no name and no folder of its own."""
    return opened_by_caller(Path(path)) is not None


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file, or of a pipe that the caller has opened.

    Raises:
        DocumentError: there is none, it is something else, too large, or cannot be read.
    """
    if "\0" in str(path):
        raise DocumentError("cannot be read: the path contains a NUL character")
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
            is_opened = opened_by_caller(path) is not None
            if kind not in (_READABLE_IF_OPENED if is_opened else _READABLE):
                raise _not_a_file(kind)
            # None where a file of the kernel, such as /proc/kmsg, has nothing to give.
            data: bytes | None = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        near = _file_like(path)
        advice = "check the path" if near is None else f"did you mean {quoted(near)}?"
        raise DocumentError(Advised("no such file", advice)) from None
    except IsADirectoryError:
        raise _not_a_file(stat.S_IFDIR) from None
    except PermissionError:
        raise DocumentError("permission denied; make the file readable for this user") from None
    except OSError as error:
        if error.errno == errno.EBADF:
            raise DocumentError("is not open; give the path of a YAML or JSON file") from None
        if error.errno == errno.ENXIO:  # a socket, or a device without anything behind it
            raise _not_a_file(stat.S_IFMT(path.stat().st_mode)) from None
        raise DocumentError(f"cannot be read: {error.strerror}") from None
    if data is None:
        raise DocumentError("cannot be read: there is nothing in it now; give the path of a file")
    return data


def _file_like(path: Path) -> str | None:
    """Return the file beside it that was meant: of the same name, or nearly, with any ending."""
    from difflib import get_close_matches

    try:
        with os.scandir(path.parent) as entries:
            names = sorted(entry.name for entry in islice(entries, _MOST_LOOKED_AT))
    except OSError:
        return None
    # The endings are alike anyway.
    by_stem = {Path(name).stem: name for name in names if Path(name).suffix in _SUFFIXES}
    close = get_close_matches(path.stem, by_stem, n=1, cutoff=_LIKE)
    return by_stem[close[0]] if close else None


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting: an ordinary open would block on a pipe that nobody writes to."""
    descriptor = opened_by_caller(Path(path))
    if descriptor is not None:
        return os.dup(descriptor)
    return os.open(path, flags | os.O_NONBLOCK)


def _not_a_file(kind: int) -> DocumentError:
    return DocumentError(
        f"is {_KINDS.get(kind, 'not a regular file')}; give the path of a YAML or JSON file"
    )


def decode(data: bytes | str) -> str:
    """Return the text, without a byte-order mark. Rule 2.1.

    Raises:
        DocumentError: more than `MAX_BYTES`, or not UTF-8; names the offending byte.
    """
    if len(data) > MAX_BYTES:
        raise DocumentError(f"is larger than {MAX_BYTES // 1024**2} MiB, the limit for a flow file")
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
    return DocumentError(
        f"is not UTF-8 text: {what} at offset {offset:,}; save the file as UTF-8",
        data.count(b"\n", 0, offset) + 1,
    )
