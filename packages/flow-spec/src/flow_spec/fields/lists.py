"""The lists of a `foreach` that a file or a folder gives (rule 10.3).

Reading a flow file reads no list from disk. Whoever runs the flow passes a `ListReader` for that;
`read_list` does it from the file system.
"""

import stat
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import attrs

from flow_spec.documents.source import opened
from flow_spec.errors import ListError
from flow_spec.fields.template_names import filled

LINES, GLOB = "lines", "glob"
"""The keys that stand in place of a list."""

MOST_VALUES = 10_000
"""Values in a list; no flow has more steps."""


@attrs.frozen
class ValueList:
    """The values of a name, and their origin if it is not the flow file.

    `origin` is `LINES` or `GLOB`, and `text` the path or pattern. `values` are those that were
    there when the run was recorded.
    """

    name: str
    values: tuple[str, ...]
    origin: str | None = None
    text: str | None = None

    @property
    def as_written(self) -> object:
        """What the flow file says: values from elsewhere may change in the meantime."""
        return self.values if self.origin is None else (self.origin, self.text)


@attrs.frozen
class PathParams:
    """The values of the parameters in the path of a list, or what is wrong with them.

    `are_known` is false if the parameters themselves are reported as wrong.
    """

    values: Mapping[str, str] = attrs.Factory(dict)
    flaws: Mapping[str, str] = attrs.Factory(dict)
    are_known: bool = True


type ListReader = Callable[[str, str, Mapping[str, str]], Sequence[str]]
"""Returns the lines of a file, or the file names that match a pattern.

Its arguments are `LINES` or `GLOB`, the path or pattern as written, and the values of the
parameters, which the path may name.
"""


def not_read(_origin: str, _text: str, _params: Mapping[str, str]) -> Sequence[str]:
    """Refuse to read any list; only a flow that is about to run needs them."""
    raise ListError("is read where a run is recorded, and only there")


def values_of_lines(data: bytes) -> tuple[str, ...]:
    """Return the lines of a file, without blank ones.

    Raises:
        ListError: It is not UTF-8 text, or has more lines than a flow may have steps.
    """
    if (offset := data.find(0)) >= 0:
        raise ListError(f"is no text: it has a NUL byte in line {_line_at(data, offset)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, line = error.object[error.start], _line_at(error.object, error.start)
        raise ListError(
            f"is no UTF-8 text: byte 0x{byte:02x} in line {line}; save it as UTF-8"
        ) from None
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    values = tuple(line for line in lines if line.strip())
    if len(values) > MOST_VALUES:
        raise ListError(f"has {len(values):,} lines; a flow can have at most {MOST_VALUES:,} steps")
    return values


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


MAX_BYTES = 4 * 1024 * 1024


def read_list(origin: str, text: str, names: Mapping[str, str], below: str) -> Sequence[str]:
    """Return the values of a list.

    Args:
        origin: `LINES` or `GLOB`.
        text: The path of a file or the pattern of file names, as written.
        names: The values of the names in it.
        below: The directory where a relative path starts.

    Raises:
        ListError: It cannot be read, or has too many values.
    """
    path = filled(text, names)
    return read_lines(path, below) if origin == LINES else file_names(path, below)


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
    if len(data) > MAX_BYTES:
        raise ListError(f"is larger than {MAX_BYTES // 1024**2} MiB")
    return values_of_lines(data)


def file_names(pattern: str, below: str) -> Sequence[str]:
    """Return the sorted names of the files and folders that match a pattern, perhaps none.

    Raises:
        ListError: There are more than a flow can have steps.
    """
    import glob  # few flows have a pattern

    found = glob.iglob(pattern, root_dir=below, recursive=True)  # noqa: PTH207 - as a shell does
    names = list(islice(found, MOST_VALUES + 1))
    if len(names) > MOST_VALUES:
        raise ListError(f"matches more than {MOST_VALUES:,} names, the most steps of a flow")
    return sorted(names)
