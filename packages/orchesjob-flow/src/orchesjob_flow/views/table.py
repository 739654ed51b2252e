"""A run and a list of runs as tables for people (rules 6.5 and 9.5).

On a terminal a table is no wider than the screen (rule 6.11). A result is never cut: the least
important columns go first, then cells are broken into lines. A live table also fits the height of
the screen: it shows the most urgent steps and counts the rest (rule 6.6).
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

import tabulate

from flow_store import Attempt, FlowStatus, Run, RunSummary, Step, StepStatus, reported_job
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Listed, Snapshot
from orchesjob_flow.views.definition import (
    Fold,
    count_statuses,
    counted,
    folded,
    in_order,
    is_in_finally,
    shape_of,
    urgency,
)
from orchesjob_flow.views.reasons import (
    before_words,
    ending_words,
    is_at_gate,
    is_tidying,
    reasons,
    waiting_words,
    when_and_why,
)
from orchesjob_flow.views.results import latest_attempt, shown_key
from orchesjob_flow.views.terminal import (
    clock_time,
    cut,
    stdout,
    visible,
    width,
    wrapped,
    write_result,
)

LONG = 100
"""A cell of more columns does not make its whole column wide."""


def ragged_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    r"""Yield the lines of a table; what follows a long cell is pushed aside, in its own line only.

    `tabulate` would pad all other lines to its length, which takes as much memory as the product.

    >>> print(*ragged_table(("Step", "Runs"), [("a", "at once"), ("b", "when a")]), sep="\n")
    Step  Runs
    ----  -------
    a     at once
    b     when a
    """
    widths = [
        max(width(head), *(taken for cell in cells if (taken := width(cell)) <= LONG), 0)
        for head, *cells in zip(heads, *rows, strict=True)
    ]
    for row in (heads, ["-" * room for room in widths], *rows):
        cells = (cell + " " * (room - width(cell)) for cell, room in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


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
COLUMNS = ("Step", "Status", "Attempt", "Elapsed", "orchesjob", "Run key", "Error")
SCREEN_COLUMNS = ("Step", "Status", "Attempt", "Elapsed", "Error")
"""On a terminal: the others repeat these, and a program finds them in the JSON."""
VALUE, MOST_PARAMS = 60, 20
"""The columns that the value of a parameter gets, and how many parameters are named."""
LONGEST_VALUES = 40
TENTHS_BELOW_SEC = 10


def run_table(run: Run, runner: Holder | None, wall: float, *, colour: bool) -> str:
    """Draw a run as it is at the Unix time `wall`; columns are padded by display width."""
    rows = [step_row(run, step, wall, colour=colour) for step in in_order(run)]
    lines = [*header(run, runner, wall, colour=colour), "", *simple_table([COLUMNS, *rows])]
    return "\n".join(lines)


def simple_table(table: Sequence[Sequence[str]]) -> list[str]:
    """Draw a table, whose first row holds the names of its columns, with a rule below these."""
    heads, *rows = table
    drawn = tabulate.tabulate(rows, heads, tablefmt="simple", disable_numparse=True)
    return [line.rstrip() for line in drawn.splitlines()]


def header(
    run: Run, runner: Holder | None, wall: float, *, colour: bool, exact: bool = False
) -> Iterator[str]:
    """Yield the lines above the table: the run itself, with `exact` its short time with tenths."""
    statuses = [step.status for step in run.steps]
    done = sum(status.is_terminal for status in statuses)
    running, failed = statuses.count(StepStatus.RUNNING), statuses.count(StepStatus.FAILED)
    yield f"Flow: {visible(run.flow_id)}  Run: {visible(run.run_key)}"
    yield (
        f"Status: {marked(run.status, colour=colour)}  "
        f"Steps: {done}/{len(statuses)} done, {running} running, {failed} failed"
    )
    written = short_duration if exact else duration
    elapsed = written(run.started_at, run.finished_at, wall)
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


def error_cell(run: Run, step: Step) -> str:
    """Say what is wrong with a step, or who has settled it, and why (rule 12.3)."""
    settlement = run.settled.get(step.position)
    if settlement is None:
        return visible(step.error or "")
    return visible(f"settled by {settlement.by}: {settlement.reason}")


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
        error_cell(run, step),
    )


def screen_row(run: Run, step: Step, wall: float, *, colour: bool) -> tuple[str, ...]:
    """Draw one step for a terminal: with the number of its attempt, and short times exactly."""
    name, status, *_, error = step_row(run, step, wall, colour=colour)
    attempt = latest_attempt(run, step)
    ended = step.finished_at if attempt is None else attempt.finished_at
    number = str(step.attempt_no or "-")
    return (
        name,
        status,
        f"{number} only_if" if is_at_gate(run, step) else number,
        "-" if step.started_at is None else short_duration(step.started_at, ended, wall),
        error,
    )


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


def short_duration(start: float, end: float | None, wall: float) -> str:
    """Write a time of less than ten seconds that is over with its tenths, others as `duration`.

    >>> short_duration(1.0, 3.4, 9.0), short_duration(1.0, None, 4.0), short_duration(1.0, 80.0, 0)
    ('2.4 s', '00:00:03', '00:01:19')
    """
    seconds = -1.0 if end is None else end - start
    if 0 <= seconds < TENTHS_BELOW_SEC - 0.05:
        return f"{seconds:.1f} s"
    return duration(start, end, wall)


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


BETWEEN = 2
"""The blanks between two columns."""
LEAST_WHY = 24
"""The columns below which the last cell is written under its row instead."""
DISPENSABLE = ("Attempt", "Elapsed")
DISPENSABLE_OF_RUNS = ("Failed", "Elapsed", "Flow", "Started", "Steps")
FIELDS = "  "
UNDECIDED = ("PENDING", "DELAYED", "SKIPPED")
"""The statuses of which people ask why, without an error."""


def print_table(snapshot: Snapshot) -> None:
    """Print a run as it is now."""
    terminal = stdout()
    if not terminal.stream.isatty():
        write_result(f"{run_table(*snapshot, time.time(), colour=False)}\n")
        return
    lines = whole_table(snapshot, time.time(), terminal.size().columns, colour=terminal.colour)
    write_result("".join(f"{line}\n" for line in lines))


def print_runs(listed: Sequence[Listed]) -> None:
    """Print the runs as they are now, or say that there are none."""
    terminal = stdout()
    if not listed:
        write_result("no runs found\n")
    elif not terminal.stream.isatty():
        write_result(f"{runs_table(listed, time.time(), colour=False)}\n")
    else:
        rows = run_rows(listed, time.time(), colour=terminal.colour, exact=True)
        lines = runs_in(terminal.size().columns, rows)
        write_result("".join(f"{line}\n" for line in lines))


def whole_table(snapshot: Snapshot, wall: float, columns: int, *, colour: bool) -> Sequence[str]:
    """Draw a run with all its steps in so many columns; each says why it stands as it does."""
    run, runner = snapshot
    head = [
        line
        for one in header(run, runner, wall, colour=colour, exact=True)
        for line in fields_in(one, columns)
    ]
    why = reasons(run)
    rows = []
    for step in in_order(run):
        row = screen_row(run, step, wall, colour=colour)
        if step.status in UNDECIDED and not row[-1]:
            row = (*row[:-1], visible(why[step.position]))
        rows.append(row)
    heads = (*SCREEN_COLUMNS[:-1], "Why")
    return [*head, "", *steps_in(columns, [heads, *rows])]


def fields_in(line: str, columns: int) -> Iterator[str]:
    """Yield a line of the head, broken between its fields, and within one that is too long."""
    kept = ""
    for field in line.split(FIELDS):
        if kept and width(f"{kept}{FIELDS}{field}") > columns:
            yield from wrapped(kept, columns, indent=FIELDS)
            kept = field
        else:
            kept = f"{kept}{FIELDS}{field}" if kept else field
    yield from wrapped(kept, columns, indent=FIELDS)


def steps_in(columns: int, table: Sequence[Sequence[str]]) -> Sequence[str]:
    """Draw the steps; where there is little room, the reason is under its step."""
    why = table[0][-1]
    table = without(table, DISPENSABLE, columns, flexible=[why], least=LEAST_WHY)
    widths = widths_of(table)
    before = sum(widths[:-1]) + BETWEEN * len(widths[:-1])
    if before + widths[-1] <= columns:
        return simple_table(table)
    heads, *rows = table
    room = columns - before
    if room >= LEAST_WHY:
        broken = [(*row[:-1], "\n".join(wrapped(row[-1], room))) for row in rows]
        return simple_table([heads, *broken])
    limit = columns - (before - widths[0])
    named = [("\n".join(wrapped(row[0], limit)), *row[1:-1]) for row in rows]
    first, rule, *drawn = simple_table([heads[:-1], *named])
    lines = [first, rule]
    for (cell, *_), row in zip(named, rows, strict=True):
        height = cell.count("\n") + 1
        lines += drawn[:height]
        drawn = drawn[height:]
        lines += [f"  {line}" for line in wrapped(row[-1], columns - BETWEEN) if line]
    return lines


def runs_in(columns: int, rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """Draw the runs; where there is little room, the long keys are broken into lines."""
    return fitted([RUN_COLUMNS, *rows], DISPENSABLE_OF_RUNS, columns, breaks=1)


def fitted(
    table: Sequence[Sequence[str]], dispensable: Sequence[str], columns: int, *, breaks: int
) -> Sequence[str]:
    """Draw a table in so many columns; where that is not enough, one column's cells are broken.

    That is the column at the place `breaks`, before which none is left out.
    """
    heads, *rows = without(table, dispensable, columns)
    widths = widths_of([heads, *rows])
    room = columns - (sum(widths) - widths[breaks]) - BETWEEN * (len(widths) - 1)
    if room >= widths[breaks]:
        return simple_table([heads, *rows])
    broken = [
        (*row[:breaks], "\n".join(wrapped(row[breaks], room)), *row[breaks + 1 :]) for row in rows
    ]
    return simple_table([heads, *broken])


def without(
    table: Sequence[Sequence[str]],
    dispensable: Sequence[str],
    columns: int,
    *,
    flexible: Collection[str] = (),
    least: int = 0,
) -> list[Sequence[str]]:
    """Leave out dispensable columns, one after the other, until the rest fits.

    The flexible columns need only `least` columns of the terminal together, if they would take
    more: their cells can be cut or broken.
    """
    kept = [list(column) for column in zip(*table, strict=True)]
    for name in dispensable:
        fixed, flexed = 0, 0
        for column in kept:
            if column[0] in flexible:
                flexed += max(map(width, column))
            else:
                fixed += max(map(width, column))
        if fixed + min(flexed, least) + BETWEEN * (len(kept) - 1) <= columns:
            break
        kept = [column for column in kept if column[0] != name]
    return [list(row) for row in zip(*kept, strict=True)]


def widths_of(table: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is."""
    return [max(map(width, column)) for column in zip(*table, strict=True)]


LONG_COLUMNS = ("Step", "Error")
COMFORT = 30
"""The columns that these two together get before any other is shown."""
LEAST = 16
"""The columns that they get on the narrowest screen, where what follows them is cut."""
LESS_URGENT = ("Started: ", "Params: ", "Inside: ")
"""The lines of the head that a low screen leaves out."""
NAMES = 2
"""The lines that the names of the columns take, with the rule below them."""
FEW = 4
"""So many steps, or their count, are on a screen before it has lines that matter less."""


def fitted_table(
    run: Run,
    runner: Holder | None,
    wall: float,
    size: tuple[int, int],
    *,
    colour: bool,
) -> list[str]:
    """Draw a run in so many columns and lines, cut to what is most urgent."""
    columns, lines = size
    head, names = above_the_steps(
        [*header(run, runner, wall, colour=colour, exact=True)], size, len(run.steps)
    )
    room = lines - len(head) - names
    shown_rows, rest = most_urgent(folded(run, in_order(run), room), room)
    rows = [
        fold_row(row, wall, colour=colour)
        if isinstance(row, Fold)
        else screen_row(run, row, wall, colour=colour)
        for row in shown_rows
    ]
    table = simple_table(narrowed([SCREEN_COLUMNS, *rows], columns))[NAMES - names :]
    return [cut(line, columns) for line in [*head, *table, *rest]][:lines]


def above_the_steps(
    head: Sequence[str], size: tuple[int, int], steps: int
) -> tuple[Sequence[str], int]:
    """Choose what is above so many steps, if a few of them are to have room: the head and names.

    The names of the columns take two lines, or none.
    """
    columns, lines = size
    few = min(steps, FEW)
    urgent = [line for line in head if not line.startswith(LESS_URGENT)]
    whole, shorter = (
        [*chain.from_iterable(fields_in(line, columns) for line in one)] for one in (head, urgent)
    )
    for chosen, names in (([*whole, ""], NAMES), ([*shorter, ""], NAMES), (shorter, 0)):
        if len(chosen) + names + few <= lines:
            return chosen, names
    return urgent[: max(1, lines - few)], 0


def most_urgent(rows: Sequence[Step | Fold], room: int) -> tuple[Sequence[Step | Fold], list[str]]:
    """Choose the steps for `room` lines; if some are left over, the last line counts them."""
    if len(rows) <= room:
        return rows, []
    ordered = sorted(rows, key=lambda row: urgency(row.status))
    first, others = ordered[: max(0, room - 1)], ordered[max(0, room - 1) :]
    counts = count_statuses(others)
    return first, [f"... and {counts.total()} more: {counted(counts)}"]


def narrowed(table: Sequence[Sequence[str]], columns: int) -> list[list[str]]:
    """Make a table fit: leave out dispensable columns, then cut the cells of Step and Error.

    Its first row holds the names of the columns.
    """
    table = without(table, DISPENSABLE, columns, flexible=LONG_COLUMNS, least=COMFORT)
    widths = dict(zip(table[0], widths_of(table), strict=True))
    others = sum(widths.values()) - widths["Step"] - widths["Error"]
    room = max(LEAST, columns - others - BETWEEN * (len(widths) - 1))
    step = min(widths["Step"], max(room - widths["Error"], room // 2))
    limits = {"Step": step, "Error": room - step}
    return [
        [
            cut(cell, limits[name]) if name in limits and row is not table[0] else cell
            for name, cell in zip(table[0], row, strict=True)
        ]
        for row in table
    ]


def fold_row(fold: Fold, wall: float, *, colour: bool) -> tuple[str, ...]:
    """Draw all copies of a step, as many of which are in each status (rule 10.3)."""
    begun = [step.started_at for step in fold.steps if step.started_at is not None]
    ended = [step.finished_at for step in fold.steps if step.finished_at is not None]
    last = max(ended) if len(ended) == len(fold.steps) else None
    return (
        f"{visible(fold.name)} ({len(fold.steps)} copies)",
        marked(fold.status, colour=colour),
        "-",
        short_duration(min(begun), last, wall) if begun else "-",
        counted(fold.counts),
    )
