"""`resume`: a recorded run whose runner is gone gets a new one, or all such runs do (rule 9.8)."""

from typing import NamedTuple

from flow_store import Run, StoreError
from orchesjob_client import OrchesjobError
from orchesjob_flow.commands.advance import show_background, show_foreground
from orchesjob_flow.errors import FlowError, NotResumed
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.runs import UNFINISHED, RunHandle, Snapshot, find_runs
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.runner.background import ensure_runner
from orchesjob_flow.runner.foreground import drive_or_wait
from orchesjob_flow.views.run_json import print_json


class Resumed(NamedTuple):
    """A run that had no runner, with the process id of its new one, or why it has none."""

    run_key: str
    pid: int | None
    error: str | None


def resume(handle: RunHandle, *, detach: bool, progress: str) -> int:
    """Resume a run; with `detach`, leave it to a background process."""
    if detach:
        return show_background(handle, resume_detached(handle))

    def advance() -> Run:
        with handle.open() as store:
            return drive_or_wait(handle, store)

    return show_foreground(handle, progress, advance)


def resume_all(settings: Settings) -> int:
    """Give a background runner to every run that has not ended and has none; print these runs.

    A run that cannot be resumed does not keep the others from it.

    Raises:
        NotResumed: There was at least one such run.
    """
    unfinished = find_runs(settings, statuses=UNFINISHED)
    abandoned = [listed.run.run_key for listed in unfinished if listed.is_abandoned]
    resumed = [resume_one(RunHandle(run_key, settings)) for run_key in reversed(abandoned)]
    print_json({"resumed": [one._asdict() for one in resumed]})
    if errors := {one.run_key: one.error for one in resumed if one.error is not None}:
        raise NotResumed(errors)
    return DONE


def resume_one(handle: RunHandle) -> Resumed:
    """Give a run a background runner; return what is wrong instead of raising it."""
    try:
        runner = resume_detached(handle).runner
    except (FlowError, StoreError, OrchesjobError) as error:
        return Resumed(handle.run_key, None, str(error))
    return Resumed(handle.run_key, None if runner is None else runner.pid, None)


def resume_detached(handle: RunHandle) -> Snapshot:
    """Leave a recorded run to a background process, unless a process advances it already."""
    with handle.open() as store:
        return ensure_runner(handle, store)
