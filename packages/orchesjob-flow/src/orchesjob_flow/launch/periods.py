"""`start --every`: a flow runs once in each hour, day, week or month of the caller's clock (4.9).

The lock of the run is taken before anything is looked at. So of several calls at once one starts
the run, and the others find the lock taken.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta

from flow_store import Run, StoreError
from orchesjob_client import OrchesjobError
from orchesjob_flow.clock import now
from orchesjob_flow.errors import DefinitionDiffers, FlowError
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home import Lock, RunHandle, Settings, key_for_flow, patiently
from orchesjob_flow.launch.recording import Recorded, bring_recorded
from orchesjob_flow.views.results import run_exit_code, show_run
from orchesjob_flow.views.terminal import Course, warn

type Start = Callable[[RunHandle, Lock], int]
"""Records a run, whose lock is held, and advances it; returns the exit code."""

PERIODS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""How the name of a period is written; a week has the year and the number of ISO 8601."""


def start_of_period(
    settings: Settings, period: str, asked: Mapping[str, str], course: Course, start: Start
) -> int:
    """Start the run of this period, or resume it; before that, resume that of the period before.

    `asked` is the `flow_id`, with the parameters of the call. Return the exit code. If there is
    nothing to do, a `quiet` course prints nothing.

    Raises:
        DefinitionDiffers: The run belongs to another flow, or has other parameters.
    """
    settings.home.prepare()
    names = names_of_periods(period, now().wall)
    handle, before = (
        RunHandle(key_for_flow(asked["flow_id"], f"-{name}"), settings) for name in names
    )
    code = None
    if before != handle and patiently(settings, before.is_recorded):
        try:
            code = start_or_resume(before, course, start)
        except (FlowError, StoreError, OrchesjobError) as error:
            warn(f"run {before.run_key!r} cannot be resumed: {error}")
    if (done := start_or_resume(handle, course, start)) is not None:
        return max(done, code or DONE)
    if not patiently(settings, handle.is_recorded):
        return DONE  # another call is about to record it
    snapshot = handle.snapshot()
    _refuse_other(snapshot.run, asked)
    if not course.quiet:
        show_run(handle, snapshot, course.output_format)
    return run_exit_code(snapshot.run) if snapshot.run.status.is_terminal else DONE


def names_of_periods(period: str, at: float) -> tuple[str, str]:
    """Return the names of the period of a Unix time, and of the one before, in local time.

    In the hour that a clock repeats, both are the same.
    """
    local = datetime.fromtimestamp(at)  # noqa: DTZ006 - local time, as the caller has it
    before = {
        "hour": datetime.fromtimestamp(at - 3600),  # noqa: DTZ006
        "day": local - timedelta(days=1),
        "week": local - timedelta(weeks=1),
        "month": local.replace(day=1) - timedelta(days=1),
    }[period]
    return local.strftime(PERIODS[period]), before.strftime(PERIODS[period])


def start_or_resume(handle: RunHandle, course: Course, start: Start) -> int | None:
    """Start or resume a run that no process advances; None if it has ended, or one does."""
    lock = handle.lock()
    if lock is None:
        return None
    with closing(lock):
        if not patiently(handle.settings, handle.is_recorded):
            return start(handle, lock)
        if handle.snapshot().run.status.is_terminal:
            return None
        return bring_recorded(handle, course, lambda: Recorded(handle.open(), lock, None))


def _refuse_other(run: Run, asked: Mapping[str, str]) -> None:
    known = {**(run.params or {}), "flow_id": run.flow_id}
    others = [name for name, value in asked.items() if known.get(name) != value]
    if others:
        changes = [f"{name} was {known.get(name)!r} and is {asked[name]!r}" for name in others]
        raise DefinitionDiffers(run.run_key, changes)
