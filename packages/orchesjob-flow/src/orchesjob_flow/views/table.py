"""A run, or many in a list, as a table for people (rules 6.5 and 9.5)."""

import time
from collections.abc import Iterator, Mapping, Sequence

import tabulate

from flow_store import Attempt, FlowStatus, Run, RunSummary, Step, StepStatus, reported_job
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Listed, Snapshot
from orchesjob_flow.views import terminal
from orchesjob_flow.views.attempt_words import is_at_gate
from orchesjob_flow.views.definition import in_order, is_in_finally, shape_of
from orchesjob_flow.views.finally_words import ending_words, is_tidying
from orchesjob_flow.views.folding import Fold, count_statuses, folded, urgency
from orchesjob_flow.views.giving_up import when_and_why
from orchesjob_flow.views.group_words import before_words, waiting_words
from orchesjob_flow.views.run_json import latest_attempt, shown_key
from orchesjob_flow.views.streams import write_result
from orchesjob_flow.views.text import clock_time, cut, visible, width
from orchesjob_flow.views.waited import counted

MARKS = {
    "PENDING": ".",
    "DELAYED": "~",
    "RUNNING": ">",
    "SUCCEEDED": "OK",
    "FAILED": "NG",
    "SKIPPED": "--",
    "CANCELLED": "!!",
}
COLOURS = {"RUNNING": 36, "SUCCEEDED": 32, "FAILED": 31, "CANCELLED": 33, "DELAYED": 33}
tabulate.MIN_PADDING = 0  # a column is as wide as its widest cell, its head included
INSIDE = "- "  # blanks alone would be stripped
RUN_COLUMNS = ("Status", "Run key", "Flow", "Steps", "Failed", "Started", "Elapsed", "Runner")
COLUMNS = ("Step", "Status", "Attempt", "Elapsed", "orchesjob", "Run key", "Error")
DISPENSABLE = ("Run key", "orchesjob", "Attempt", "Elapsed")
"""The columns that a narrow table leaves out, in this order; the first two repeat others."""
VALUE, MOST_PARAMS = 60, 20
"""The columns that the value of a parameter gets, and how many parameters are named."""
LONGEST_VALUES = 40
COMFORT = 30
"""The columns that Step and Error together get before any other is shown."""


def run_table(run: Run, runner: Holder | None, wall: float, *, colour: bool) -> str:
    """Draw a run as it is at the Unix time `wall`; columns are padded by display width."""
    rows = [step_row(run, step, wall, colour=colour) for step in in_order(run)]
    table = tabulate.tabulate(rows, COLUMNS, tablefmt="simple", disable_numparse=True)
    lines = [*header(run, runner, wall, colour=colour), "", *table.splitlines()]
    return "\n".join(line.rstrip() for line in lines)


def fitted_table(
    run: Run,
    runner: Holder | None,
    wall: float,
    size: tuple[int, int | None],
    *,
    colour: bool,
) -> list[str]:
    """Draw a run in so many columns and lines; with None for the lines, in all that it takes."""
    columns, lines = size
    head = [*header(run, runner, wall, colour=colour), ""]
    heads_and_rule = 2
    room = len(run.steps) if lines is None else lines - len(head) - heads_and_rule
    shown_rows, rest = most_urgent(folded(run, in_order(run), room), room)
    rows = [
        fold_row(row, wall, colour=colour)
        if isinstance(row, Fold)
        else step_row(run, row, wall, colour=colour)
        for row in shown_rows
    ]
    heads, *cells = narrowed([COLUMNS, *rows], columns)
    table = tabulate.tabulate(cells, heads, tablefmt="simple", disable_numparse=True)
    shown = [cut(line.rstrip(), columns) for line in [*head, *table.splitlines(), *rest]]
    return shown[:lines]


def most_urgent(rows: Sequence[Step | Fold], room: int) -> tuple[Sequence[Step | Fold], list[str]]:
    """Choose the steps for `room` lines; if some are left over, the last line counts them."""
    if len(rows) <= room:
        return rows, []
    ordered = sorted(rows, key=lambda row: urgency(row.status))
    first, others = ordered[: max(0, room - 1)], ordered[max(0, room - 1) :]
    counts = count_statuses(others)
    return first, [f"... and {counts.total()} more: {counted(counts)}"]


def narrowed(table: Sequence[Sequence[str]], columns: int) -> list[list[str]]:
    """Make a table fit: leave out columns that are dispensable, then cut the long ones.

    Its first row holds the names of the columns.
    """
    by_name = {str(name): list(cells) for name, *cells in zip(*table, strict=True)}
    widths = {name: max(map(width, [name, *cells])) for name, cells in by_name.items()}
    long = widths["Step"] + widths["Error"]
    for name in DISPENSABLE:
        if room_for_long(widths, columns) >= min(long, COMFORT):
            break
        del by_name[name], widths[name]
    room = max(COMFORT, room_for_long(widths, columns))
    step = min(widths["Step"], max(room - widths["Error"], room // 2))
    for name, limit in (("Step", step), ("Error", room - step)):
        by_name[name] = [cut(cell, limit) for cell in by_name[name]]
    return [list(by_name), *(list(row) for row in zip(*by_name.values(), strict=True))]


def room_for_long(widths: Mapping[str, int], columns: int) -> int:
    """Return how many columns are left for Step and Error, given the widths of all the others."""
    between = 2 * (len(widths) - 1)
    others = sum(widths.values()) - widths["Step"] - widths["Error"]
    return columns - between - others


def header(run: Run, runner: Holder | None, wall: float, *, colour: bool) -> Iterator[str]:
    """Yield the lines above the table: the run itself."""
    statuses = [step.status for step in run.steps]
    done = sum(status.is_terminal for status in statuses)
    running, failed = statuses.count(StepStatus.RUNNING), statuses.count(StepStatus.FAILED)
    yield f"Flow: {visible(run.flow_id)}  Run: {visible(run.run_key)}"
    yield (
        f"Status: {marked(run.status, colour=colour)}  "
        f"Steps: {done}/{len(statuses)} done, {running} running, {failed} failed"
    )
    elapsed = duration(run.started_at, run.finished_at, wall)
    yield (
        f"Started: {clock_time(run.started_at)}  Finished: {clock_time(run.finished_at)}  "
        f"Elapsed: {elapsed}"
    )
    if run.params:
        yield f"Params: {params_words(run.params)}"
    if run.parent is not None:
        outer, step_id, number = run.parent
        yield f"Inside: {visible(outer)}, step {visible(step_id)}, attempt {number}"
    if run.error is not None:
        yield f"Error: {visible(run.error)}"
    if run.status.is_terminal:
        return
    if is_tidying(run):
        hint = "" if run.cancel is None else " (a second `orchesjob-flow cancel` ends that too)"
        yield f"Ending: {visible(ending_words(run))}{hint}"
    elif run.cancel is not None:
        yield f"Cancel: requested {clock_time(run.cancel.requested_at)}, not carried out yet"
    if (waiting := waiting_words(run)) is not None:
        yield f"Waits: {visible(waiting.removeprefix('waits '))}"
    if run.gave_up is not None:
        yield f"Gave up: {visible(when_and_why(run.gave_up, runner))}"
    if runner is None and run.cancel is not None and not is_tidying(run):
        yield "Runner: none - `orchesjob-flow cancel` with the same run key carries it out"
    elif runner is None:
        yield "Runner: none - `orchesjob-flow resume` with the same run key continues it"


def params_words(params: Mapping[str, str]) -> str:
    """Name the first parameters of a run, each value in a few words."""
    shown = [f"{name}={cut(visible(value), VALUE)}" for name, value in params.items()]
    more = len(shown) - MOST_PARAMS
    return "  ".join([*shown[:MOST_PARAMS], *([f"... and {more} more"] if more > 0 else [])])


def step_cell(run: Run, step: Step) -> str:
    """Name a step; one of `finally` is set apart, and a copy has its values (10.1 and 10.3).

    Those that its id holds are not repeated.
    """
    name = visible(step.step_id)
    if is_in_finally(run, step):
        return f"finally: {name}"
    values = shape_of(run.definition).values.get(step.step_id, {})
    if step.step_id.partition("@")[2] == "@".join(values.values()):
        return name
    return f"{name} ({cut(visible(', '.join(values.values())), LONGEST_VALUES)})"


def step_row(run: Run, step: Step, wall: float, *, colour: bool) -> tuple[str, ...]:
    """Draw one step."""
    attempt = latest_attempt(run, step)
    ended = step.finished_at if attempt is None else attempt.finished_at
    return (
        step_cell(run, step),
        marked(step.status, colour=colour),
        f"{step.attempt_no}/{step.max_retries}{' only_if' if is_at_gate(run, step) else ''}",
        "-" if step.started_at is None else duration(step.started_at, ended, wall),
        job_status(run, attempt),
        visible(shown_key(run.run_key, step)),
        visible(step.error or ""),
    )


def fold_row(fold: Fold, wall: float, *, colour: bool) -> tuple[str, ...]:
    """Draw all copies of a step, as many of which are in each status (rule 10.3)."""
    begun = [step.started_at for step in fold.steps if step.started_at is not None]
    ended = [step.finished_at for step in fold.steps if step.finished_at is not None]
    last = max(ended) if len(ended) == len(fold.steps) else None
    return (
        f"{visible(fold.name)} ({len(fold.steps)} copies)",
        marked(fold.status, colour=colour),
        "-",
        duration(min(begun), last, wall) if begun else "-",
        "-",
        "-",
        counted(fold.counts),
    )


def runs_table(listed: Sequence[Listed], wall: float, *, colour: bool) -> str:
    """Draw the runs as they are at the Unix time `wall`, each inner run under its outer one."""
    rows = [
        run_row(run, runner, wall, level, colour=colour) for level, (run, runner) in nested(listed)
    ]
    table = tabulate.tabulate(rows, RUN_COLUMNS, tablefmt="simple", disable_numparse=True)
    return "\n".join(line.rstrip() for line in table.splitlines())


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
    run: RunSummary, runner: Holder | None, wall: float, level: int = 0, *, colour: bool
) -> tuple[str, ...]:
    """Draw one run; what is inside another is set in."""
    return (
        f"{marked(run.status, colour=colour)}{beside_status(run)}",
        f"{INSIDE * level}{visible(run.run_key)}",
        visible(run.flow_id),
        f"{run.done}/{run.total}",
        str(run.steps.get(StepStatus.FAILED) or "-"),
        clock_time(run.started_at),
        duration(run.started_at, run.finished_at, wall),
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


def print_runs(listed: Sequence[Listed]) -> None:
    """Print the runs as they are now, or say that there are none."""
    colour = terminal.stdout().colour
    table = runs_table(listed, time.time(), colour=colour) if listed else "no runs found"
    write_result(f"{table}\n")


def job_status(run: Run, attempt: Attempt | None) -> str:
    """Return the status that orchesjob reported last."""
    job = None if attempt is None else reported_job(run, attempt)
    return "-" if job is None else visible(str(job.get("status")))


def marked(status: FlowStatus | StepStatus, *, colour: bool) -> str:
    """Write a status after its mark, both in its colour."""
    text = f"{MARKS[status.value]} {status.value}"
    code = COLOURS.get(status.value)
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def duration(start: float, end: float | None, wall: float) -> str:
    """Write the time between two moments as hours, minutes and seconds, never negative."""
    seconds = max(0, int((wall if end is None else end) - start))
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def print_table(snapshot: Snapshot) -> None:
    """Print a run as it is now; on a terminal, so that it fits there."""
    stdout = terminal.stdout()
    if not stdout.stream.isatty():
        write_result(f"{run_table(*snapshot, time.time(), colour=False)}\n")
        return
    size = stdout.size().columns, None
    lines = fitted_table(*snapshot, time.time(), size, colour=stdout.colour)
    write_result("".join(f"{line}\n" for line in lines))
