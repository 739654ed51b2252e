"""`resume`: a recorded run whose runner is gone gets a new one, or all such runs do (rule 9.8)."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import click

from flow_store import Run, RunStatus, RunSummary, StoreError
from orchesjob_client import OrchesjobError
from orchesjob_flow.cli.options import (
    CommandOnRun,
    Misused,
    declare_run_key,
    detach_option,
    follow_option,
    format_option,
    progress_option,
    refuse_detach,
    takes_course,
)
from orchesjob_flow.clock import now
from orchesjob_flow.errors import (
    DONE,
    NOT_SUCCEEDED,
    FlowError,
    NotDetached,
    NotReady,
    NotResumed,
    line_about,
)
from orchesjob_flow.home import UNFINISHED_STATUSES, RunHandle, Settings, find_runs, request_cancel
from orchesjob_flow.home.orchesjob_home import InnerFate, fates_of
from orchesjob_flow.launch.recording import bring_to_end
from orchesjob_flow.reasons import describe_given_up
from orchesjob_flow.runner import hook
from orchesjob_flow.runner.assembly import drive_or_wait
from orchesjob_flow.runner.background import Begun, await_runner, begin_runner
from orchesjob_flow.views.results import ended_words, parent_json
from orchesjob_flow.views.terminal import (
    Course,
    OutputFormat,
    as_json,
    print_json,
    print_lines,
    status_line,
    visible,
    warn,
)


@click.command(cls=CommandOnRun)
@declare_run_key("Name of the run.", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Every run that has not ended and has no runner, each in the background.",
)
@takes_course(detach_option, follow_option, progress_option, format_option)
@click.pass_obj
def resume(settings: Settings, handle: RunHandle | None, every: bool, course: Course) -> int:
    """Resume a run, or all runs, whose runner is gone. No flow file is needed.

    With --all in a crontab line that runs each minute, no run is left without a runner.

    \b
    Example:
      orchesjob-flow resume nightly-2026-05-07 -d
      orchesjob-flow resume --all
    """  # noqa: D301 - click reads \b
    if every is (handle is not None):
        raise Misused(
            "give either a run or --all",
            "orchesjob-flow resume KEY  # - is the newest run; every run without a runner: --all",
        )
    if every and course.follow:
        raise Misused(
            "--all and --follow are both given, and --all resumes runs in the background",
            "leave out --follow; to see one of them: orchesjob-flow watch --follow KEY",
        )
    if handle is None:
        refuse_detach(course._replace(detach=True))
        return resume_all(settings, course.output_format)

    def advance() -> Run:
        with handle.open() as store:
            _tell_ended(handle.load(store))
            return drive_or_wait(handle, store)

    return bring_to_end(handle, course, partial(begin, handle), advance)


def _tell_ended(run: Run) -> None:
    if run.status.is_terminal:
        line = line_about(run.run_key, "retry")
        instead = "" if run.status is RunStatus.SUCCEEDED else f"; `{line}` repeats what failed"
        warn(f"{ended_words(run)}, so there is nothing to resume{instead}")


class Resumed(NamedTuple):
    """A run that had no runner, with the process id of its new runner, and the error, if any."""

    run_key: str
    pid: int | None
    error: str | None


def resume_all(settings: Settings, output_format: OutputFormat) -> int:
    """Give a background runner to every run that has not ended and has none; print these runs.

    A run that cannot be resumed does not stop the others. A run inside an attempt that is over is
    left to the next attempt, unless it is to be cancelled; it is cancelled if no next attempt can
    come (rule 5.8a). Runs on which a runner gave up, and which no runner advances, are named on
    stderr (rule 5.7).

    Raises:
        NotResumed: A run has no runner, for another reason.
    """
    unfinished = find_runs(settings, statuses=UNFINISHED_STATUSES)
    abandoned = [listed.run for listed in reversed(unfinished) if listed.is_abandoned]
    fates = fates_of(settings, abandoned, now().boot)
    left = [run for run in abandoned if fates.get(run.run_key) is InnerFate.IS_LEFT]
    handles = [RunHandle(run.run_key, settings) for run in abandoned if run not in left]
    with status_line() as say:
        begun: list[tuple[RunHandle, Begun | Exception]] = []
        for handle in handles:  # all, before any is waited for
            say(f"{len(begun)} of {len(handles)} runs have a new runner")
            ends = fates.get(handle.run_key) is InnerFate.ENDS
            try:
                begun.append((handle, begin(handle, cancels=ends)))
            except (FlowError, StoreError, OrchesjobError) as error:
                begun.append((handle, error))
        resumed: list[Resumed] = []
        for handle, runner in begun:
            say(f"{len(resumed)} of {len(handles)} runs go on; waiting for {handle.run_key}")
            resumed.append(await_one(handle, runner))
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "resumed": [as_json(one) for one in resumed],
                "left": [{"run_key": run.run_key, "parent": parent_json(run)} for run in left],
            }
        )
    else:
        print_lines(_resumed_lines(resumed, left))
    hook.call_all_due(settings)
    given_up = _find_given_up(settings)
    troubled = [one for one in resumed if one.error is not None and one.run_key not in given_up]
    said = [*given_up.values(), *(str(one.error) for one in troubled if one.pid is not None)]
    for message in said:
        warn(message)
    if errors := {one.run_key: str(one.error) for one in troubled if one.pid is None}:
        raise NotResumed(errors)
    return NOT_SUCCEEDED if said else DONE


def _resumed_lines(resumed: Sequence[Resumed], left: Sequence[RunSummary]) -> list[str]:
    lines = [
        f"{one.run_key}  {'not resumed' if one.pid is None else f'pid {one.pid}'}"
        for one in resumed
        if one.pid is not None or one.error is not None
    ]
    lines += [f"{run.run_key}  left alone: it belongs to an attempt that has ended" for run in left]
    return list(map(visible, lines)) or ["every run that has not ended has its runner"]


def begin(handle: RunHandle, *, cancels: bool = False) -> Begun:
    """Find the process that advances a recorded run, or start one; first, perhaps, cancel it."""
    with handle.open() as store:
        if cancels:
            warn(f"run {handle.run_key!r} is cancelled: the step that started it has ended")
            request_cancel(handle, store, now().wall)
        _tell_ended(handle.load(store))
        return begin_runner(handle, store)


def await_one(handle: RunHandle, begun: Begun | Exception) -> Resumed:
    """Wait until one of many runs is advanced; return its runner or the error."""
    if isinstance(begun, Exception):
        return Resumed(handle.run_key, None, str(begun))
    try:
        runner = await_runner(handle, begun).runner
    except NotReady as error:
        return Resumed(handle.run_key, error.pid, str(error))
    except NotDetached as error:
        return Resumed(handle.run_key, None, f"{error.cause} ({error.log})")
    except (FlowError, StoreError) as error:
        return Resumed(handle.run_key, None, str(error))
    return Resumed(handle.run_key, None if runner is None else runner.pid, None)


def _find_given_up(settings: Settings) -> dict[str, str]:
    return {
        found.run.run_key: text
        for found in find_runs(settings, statuses=UNFINISHED_STATUSES)
        if (text := describe_given_up(found)) is not None
    }
