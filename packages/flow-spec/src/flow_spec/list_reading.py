"""Reading the lists of a `foreach` that are not in the flow file from disk (rule 10.3).

What the lines of a file are is the matter of `lists`.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from flow_spec.errors import ListError
from flow_spec.lists import LINES, MOST_VALUES, values_of_lines
from flow_spec.placeholders import filled

MAX_BYTES = 4 * 1024 * 1024


def read_list(origin: str, text: str, names: Mapping[str, str], below: str) -> Sequence[str]:
    """Return the values of a list.

    Args:
        origin: `LINES` or `GLOB`.
        text: The path of a file or the pattern of file names, as it is written.
        names: What the names in it stand for.
        below: The directory where a relative path starts.

    Raises:
        ListError: It cannot be read, or has too many values.
    """
    path = filled(text, names)
    return read_lines(path, below) if origin == LINES else file_names(path, below)


def read_lines(path: str, below: str) -> Sequence[str]:
    """Return the lines of a regular file.

    Raises:
        ListError: It is missing, something else, too large, or no text.
    """
    try:
        # Not waiting: an ordinary open would block on a pipe that nobody writes to.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(Path(below) / path, flags)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ListError("is not a regular file")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        place = "" if below == "." or Path(path).is_absolute() else f" in {below}"
        raise ListError(f"cannot be read{place}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ListError(f"is larger than {MAX_BYTES // 1024**2} MiB")
    return values_of_lines(data)


def file_names(pattern: str, below: str) -> Sequence[str]:
    """Return the sorted names of the files and folders that match a pattern; there may be none.

    Raises:
        ListError: There are more than a flow can have steps.
    """
    import glob  # few flows have a pattern

    found = glob.iglob(pattern, root_dir=below, recursive=True)  # noqa: PTH207 - as a shell does
    names = list(islice(found, MOST_VALUES + 1))
    if len(names) > MOST_VALUES:
        raise ListError(f"matches more than {MOST_VALUES:,} names, the most steps of a flow")
    return sorted(names)
