"""`resume`: a recorded run whose runner is gone gets a new one, or all such runs do (rule 9.8)."""

from collections.abc import Sequence
from typing import NamedTuple

from flow_store import FlowStore, Run, RunSummary, StoreError
from orchesjob_client import OrchesjobError
from orchesjob_flow.clock import now
from orchesjob_flow.commands.advance import show_background, show_foreground
from orchesjob_flow.errors import FlowError, NotResumed
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.parent import is_over
from orchesjob_flow.home.runs import UNFINISHED, RunHandle, Snapshot, find_runs
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.runner.background import ensure_runner
from orchesjob_flow.runner.foreground import drive_or_wait
from orchesjob_flow.views.run_json import parent_json, print_json


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

    A run that cannot be resumed does not keep the others from it. One that belongs to an attempt
    that is over is left to whoever comes after that, unless it is to be cancelled (rule 5.8a).

    Raises:
        NotResumed: There was at least one such run.
    """
    unfinished = find_runs(settings, statuses=UNFINISHED)
    abandoned = [listed.run for listed in reversed(unfinished) if listed.is_abandoned]
    left = runs_to_leave(settings, abandoned)
    resumed = [resume_one(RunHandle(run.run_key, settings)) for run in abandoned if run not in left]
    print_json(
        {
            "resumed": [one._asdict() for one in resumed],
            "left": [{"run_key": run.run_key, "parent": parent_json(run.parent)} for run in left],
        }
    )
    if errors := {one.run_key: one.error for one in resumed if one.error is not None}:
        raise NotResumed(errors)
    return DONE


def runs_to_leave(settings: Settings, runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Return those of some runs whose parents' attempts are over, and that are not cancelled."""
    inner = [run for run in runs if run.parent is not None and run.cancel is None]
    if not inner:
        return []
    boot = now().boot
    with FlowStore.open_readonly(settings.home.database) as store:
        return [run for run in inner if run.parent is not None and is_over(store, run.parent, boot)]


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
