"""Writing a report into a file: whoever opens it finds the old one or the new one, never a part."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from orchesjob_flow.errors import NoReportOfOurs, ReportNotWritten

GENERATOR = b'<meta name="generator" content="orchesjob-flow '
"""What the head of each page says that this program has written."""
HEAD = 4096


def write_file(path: Path, text: str, mode: int | None = None) -> None:
    """Write a text to a file, in place of what is there; a link stays one.

    A pipe or a device, such as /dev/stdout, is written to. A file gets this `mode`, or what the
    umask leaves of the usual one.

    Raises:
        ReportNotWritten: It cannot be written; what was there is unchanged.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            replace(Path(os.path.realpath(path)), data, mode)
    except OSError as error:
        raise ReportNotWritten(path, error.strerror or str(error)) from error


def refuse_missing_folders(files: Iterable[str]) -> None:
    """Refuse files that cannot be written later because there is no folder for them.

    Raises:
        ReportNotWritten: It names the first such file.
    """
    for file in files:
        path = Path(file)
        if path.is_dir() or not path.parent.is_dir():
            what = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise ReportNotWritten(path, what)


def refuse_other_files(path: Path) -> None:
    """Refuse to replace what is no report, under a name that nobody has asked for.

    Raises:
        NoReportOfOurs: It is something else, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            is_ours = GENERATOR in file.read(HEAD)
    except FileNotFoundError:
        return
    except OSError:
        is_ours = False
    if not is_ours:
        raise NoReportOfOurs(path)


def replace(path: Path, data: bytes, mode: int | None) -> None:
    """Write a file beside the path, and then put it there in one step."""
    beside = path.with_name(f".{path.name[:200]}.{os.getpid()}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
