"""The lists of a `foreach` that are not in the flow file: they are read here (rule 10.3).

That happens where a run is recorded, and where one looks what would be. A run that is recorded has
its lists, whatever the files say later. What the lines of a file are is up to `flow_spec`.
"""

import glob
import os
import stat
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from flow_spec import LINES, FlowSpec, ListError, ListReader, filled, values_of_lines
from flow_store import Run
from orchesjob_flow.commands.flow_files import flow_dir_of
from orchesjob_flow.home.runs import RunHandle, patiently

MAX_BYTES = 4 * 1024 * 1024
MOST_NAMES = 10_000
"""File names of one pattern: no flow has more steps."""


def lists_here(flow_file: str) -> ListReader:
    """Return what reads the lists of a flow file whose relative paths start here."""
    return partial(read_list, flow_file=flow_file, below=".")


def lists_to_start(handle: RunHandle, flow_file: str) -> ListReader:
    """Return what reads the lists of a run that is started, and started again perhaps.

    One that is recorded keeps the lists that it has, even where a file is gone.
    """

    def read(origin: str, text: str, params: Mapping[str, str]) -> Sequence[str]:
        if not patiently(handle.settings, handle.is_recorded):
            return read_list(origin, text, params, flow_file, below=".")
        run = recorded_run(handle)
        known = FlowSpec.from_json(run.definition).lists.get((origin, text))
        if known is not None:
            return known
        return read_list(origin, text, params, flow_file, below=run.directory)

    return read


def lists_to_retry(run: Run, flow_file: str) -> ListReader:
    """Return what reads the lists of a flow file that a recorded run is to have from now on."""
    return partial(read_list, flow_file=flow_file, below=run.directory)


def recorded_run(handle: RunHandle) -> Run:
    """Load the run."""
    with handle.open_readonly() as store:
        return handle.load(store)


def read_list(
    origin: str, text: str, params: Mapping[str, str], flow_file: str, below: str
) -> Sequence[str]:
    """Read a list of a flow file whose relative path starts at the directory `below`.

    Raises:
        ListError: It cannot be read, or has too many values.
    """
    path = filled(text, {**params, "FLOW_DIR": flow_dir_of(flow_file)})
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
    found = glob.iglob(pattern, root_dir=below, recursive=True)  # noqa: PTH207 - as a shell does
    names = list(islice(found, MOST_NAMES + 1))
    if len(names) > MOST_NAMES:
        raise ListError(f"matches more than {MOST_NAMES:,} names, the most steps of a flow")
    return sorted(names)
