"""The runs of a list as a table for people (rule 9.5)."""

from collections.abc import Iterator, Sequence

from flow_store import RunSummary, StepStatus
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Listed
from orchesjob_flow.views.group_words import before_words
from orchesjob_flow.views.table import duration, marked, short_duration, simple_table
from orchesjob_flow.views.text import clock_time, visible

INSIDE = "- "  # blanks alone would be stripped
RUN_COLUMNS = ("Status", "Run key", "Flow", "Steps", "Failed", "Started", "Elapsed", "Runner")


def runs_table(listed: Sequence[Listed], wall: float, *, colour: bool) -> str:
    """Draw the runs as they are at the Unix time `wall`, each inner run under its outer one."""
    return "\n".join(simple_table([RUN_COLUMNS, *run_rows(listed, wall, colour=colour)]))


def run_rows(
    listed: Sequence[Listed], wall: float, *, colour: bool, exact: bool = False
) -> list[tuple[str, ...]]:
    """Draw each run; with `exact`, short times with tenths of a second."""
    written = short_duration if exact else duration
    return [
        run_row(run, runner, level, written(run.started_at, run.finished_at, wall), colour=colour)
        for level, (run, runner) in nested(listed)
    ]


def nested(listed: Sequence[Listed]) -> Iterator[tuple[int, Listed]]:
    """Yield the runs with their levels: after each run those that its steps have started.

    A run whose outer one is not in the list is not inside another there.
    """
    keys = {one.run.run_key for one in listed}
    inner: dict[str | None, list[Listed]] = {}
    for one in listed:
        parent = None if one.run.parent is None else one.run.parent.run_key
        inner.setdefault(parent if parent in keys else None, []).append(one)
    waiting = [(0, one) for one in reversed(inner.get(None, []))]
    while waiting:
        level, one = waiting.pop()
        yield level, one
        waiting += [(level + 1, other) for other in reversed(inner.get(one.run.run_key, []))]


def run_row(
    run: RunSummary, runner: Holder | None, level: int, elapsed: str, *, colour: bool
) -> tuple[str, ...]:
    """Draw one run; what is inside another is set in."""
    return (
        f"{marked(run.status, colour=colour)}{beside_status(run)}",
        f"{INSIDE * level}{visible(run.run_key)}",
        visible(run.flow_id),
        f"{run.done}/{run.total}",
        str(run.steps.get(StepStatus.FAILED) or "-"),
        clock_time(run.started_at),
        elapsed,
        runner_cell(run, runner),
    )


def beside_status(run: RunSummary) -> str:
    """Say what the status of a run leaves open: its `finally` runs, or it waits for its group."""
    if run.queue is not None:
        return f" ({visible(before_words(run))})"
    tidying = run.finally_after is not None and not run.status.is_terminal
    return " (finally)" if tidying else ""


def runner_cell(run: RunSummary, runner: Holder | None) -> str:
    """Say who advances a run that has not ended."""
    if run.status.is_terminal:
        return "-"
    if runner is None:
        return "none" if run.gave_up is None else "gave up"
    return f"pid {runner.pid or '?'}"
