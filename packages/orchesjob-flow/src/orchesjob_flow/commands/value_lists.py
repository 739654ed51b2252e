"""When the lists of a `foreach` are read that are not in the flow file, and where (rule 10.3).

That happens where a run is recorded, and where one looks what would be. A run that is recorded has
its lists, whatever the files say later.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import flow_spec
from flow_spec import FlowSpec, ListReader
from flow_store import Run
from orchesjob_flow.commands.flow_files import flow_dir_of
from orchesjob_flow.home.runs import RunHandle, patiently


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
    names = {**params, "FLOW_DIR": flow_dir_of(flow_file)}
    return flow_spec.read_list(origin, text, names, below)
