"""The lists of a `foreach` that a file or a folder gives: what is asked for, and what it says.

Nothing is read from disk here: whoever reads a flow file that is to run passes a `ListReader`
(rule 10.3), for which `list_reading` has what reads them.
"""

from collections.abc import Callable, Mapping, Sequence

import attrs

from flow_spec.errors import ListError

LINES, GLOB = "lines", "glob"
"""The words that stand in the place of a list."""

MOST_VALUES = 10_000
"""Values in a list: no flow has more steps."""


@attrs.frozen
class ValueList:
    """The values of a name, and where they come from if they are not in the flow file.

    `origin` is one of the two words, and `text` the path of a file of lines, or the pattern of file
    names; `values` are those that were there when the run was recorded.
    """

    name: str
    values: tuple[str, ...]
    origin: str | None = None
    text: str | None = None

    @property
    def as_written(self) -> object:
        """What a flow file says of it: what is read from elsewhere may change meanwhile."""
        return self.values if self.origin is None else (self.origin, self.text)


@attrs.frozen
class PathParams:
    """What the parameters in the path of a list stand for, or what is wrong with their values.

    `are_known` is false where what is wrong is said of the parameters themselves.
    """

    values: Mapping[str, str] = attrs.Factory(dict)
    flaws: Mapping[str, str] = attrs.Factory(dict)
    are_known: bool = True


type ListReader = Callable[[str, str, Mapping[str, str]], Sequence[str]]
"""Returns the values that the lines of a file are, or the file names that match a pattern.

It is told which of both is meant, the path or pattern as it is written, and the values of the
parameters, which may be named there.
"""


def not_read(_origin: str, _text: str, _params: Mapping[str, str]) -> Sequence[str]:
    """Refuse to read any list: it is meant for a flow that is to run."""
    raise ListError("is read where a run is recorded, and only there")


def values_of_lines(data: bytes) -> tuple[str, ...]:
    """Return the lines of a file, but for blank ones.

    Raises:
        ListError: it is no text in UTF-8, or has more lines than a flow may have steps.
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
