"""A run and a list of runs as tables for people (rules 6.5 and 9.5).

On a terminal a table is at most as wide as the screen (rule 6.11). A result is never cut: first the
least important columns are left out, then cells are wrapped. A live table also fits the height of
the screen: it shows the most urgent steps and counts the rest (rule 6.6).
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from flow_store import Run, RunSummary, Step, StepStatus, reported_job, was_found
from orchesjob_flow.errors import line_about
from orchesjob_flow.home import Listed, Snapshot
from orchesjob_flow.reasons import (
    FOUND,
    allowed_words,
    base_name,
    before_words,
    clock_time,
    count_by_urgency,
    counts_text,
    finally_words,
    found_steps,
    giving_up_words,
    in_order,
    is_allowed,
    is_at_gate,
    is_in_finally,
    is_left_out,
    is_running_finally,
    latest_attempt,
    listed,
    note_of,
    reasons,
    shape_of,
    shown_key,
    silence_words,
    times_of,
    urgency,
    waiting_words,
)
from orchesjob_flow.views.terminal import (
    NARROWEST,
    cut,
    duration_text,
    status_text,
    stdout,
    visible,
    width,
    wrapped,
    write_lines,
)

type Table = Sequence[Sequence[str]]
"""The rows of a table; the first holds the names of the columns."""

LONG_CELL = 100
"""A longer cell does not widen its column."""
COLUMNS = ("Step", "Status", "Attempt", "Elapsed", "orchesjob", "Run key", "Error")
SCREEN_COLUMNS = ("Step", "Status", "Attempt", "Elapsed", "Error")
"""The columns on a terminal; the others are for programs, which find them in the JSON too."""
VALUE, MOST_PARAMS = 60, 20
"""The columns that the value of a parameter gets, and how many parameters are named."""
LONGEST_VALUES = 40
INSIDE = "- "
RUN_COLUMNS = ("Status", "Run key", "Flow", "Steps", "Failed", "Started", "Elapsed", "Runner")
AGE = "Age"
"""The column of a terminal that says how long ago a run was started."""
BETWEEN = 2
"""The blanks between two columns."""
DISPENSABLE = ("Attempt", "Elapsed")
DISPENSABLE_OF_RUNS = ("Started", "Failed", "Elapsed", "Steps", "Flow", "Age")
ALWAYS_SHOWN = ("Status", "Run key", "Flow", "Steps", AGE)
"""The columns of a list that stay although nothing is in them."""
INDENT = "  "
NOT_NEEDED = "not needed: nothing failed"
UNDECIDED = ("PENDING", "DELAYED", "SKIPPED")
"""The statuses that need a reason although they have no error."""
LONG_COLUMNS = ("Step", "Error")
COMFORT = 30
"""The width that these two together get before other columns are shown."""
LESS_URGENT = ("Started: ", "Params: ", "Until: ", "Inside: ")
"""The lines of the header that a low screen leaves out; the others are cut there."""
NAMES = 2
"""The lines that the names of the columns take, with the line below them."""
OF_FAILURES = ("failed", "cancelled")
"""The predicates that are true only of a failure."""
FEW = 4
"""The header is shortened until a screen shows so many steps."""


def collapse_copies(run: Run, steps: Sequence[Step], room: int) -> Sequence[Sequence[Step]]:
    """Return the steps of each row: all copies of a step, unless each has its row (rule 10.3)."""
    if len(steps) <= room:
        return [[step] for step in steps]
    copies = shape_of(run.definition).copies
    rows: dict[str, list[Step]] = {}
    for step in steps:
        name = base_name(step.step_id)
        rows.setdefault(name if name in copies else step.step_id, []).append(step)
    return [*rows.values()]


def print_table(snapshot: Snapshot) -> None:
    """Print a run as it is now."""
    terminal = stdout()
    if (columns := terminal.columns) is None:
        write_lines([run_table(snapshot, time.time(), colour=None)])
    else:
        write_lines(whole_table(snapshot, time.time(), columns, colour=terminal.colour))


def print_runs(listed: Sequence[Listed]) -> None:
    """Print the runs as they are now, or say that there are none."""
    terminal = stdout()
    if not listed:
        write_lines(["no runs found"])
    elif (columns := terminal.columns) is None:
        write_lines([runs_table(listed, time.time(), colour=None)])
    else:
        write_lines(runs_in(columns, run_rows(listed, time.time(), colour=terminal.colour)))


def run_table(snapshot: Snapshot, wall: float, *, colour: bool | None) -> str:
    """Draw a run as it is at the Unix time `wall`; columns are padded to their display width."""
    run, stale = snapshot.run, snapshot.stale
    rows = [
        step_row(run, step, None if step.position in stale else wall, colour=colour)
        for step in in_order(run)
    ]
    head = header(snapshot, wall, colour=colour)
    return "\n".join([*head, "", *draw_table([COLUMNS, *rows])])


def whole_table(
    snapshot: Snapshot, wall: float, columns: int, *, colour: bool | None
) -> Sequence[str]:
    """Draw a run with all its steps and their reasons in so many columns.

    Many copies of a step that have all SUCCEEDED share a row.
    """
    run, stale = snapshot.run, snapshot.stale
    head = [
        line
        for one in header(snapshot, wall, colour=colour)
        for line in wrapped(one, columns, indent=INDENT)
    ]
    why, steps = reasons(run, stale), in_order(run)
    alike = {
        row[0].position: row
        for row in collapse_copies(run, steps, 0)
        if len(row) > FEW and all(step.status is StepStatus.SUCCEEDED for step in row)
    }
    shown_with = {step.position for row in alike.values() for step in row[1:]}
    idle = set() if colour is None else steps_for_failures(run)
    together = idle if len(idle) > 1 else set()
    rows = []
    for step in steps:
        if step.position in together or step.position in shown_with:
            continue
        if step.position in alike:
            rows.append(copies_row(alike[step.position], wall, colour=colour))
            continue
        is_stale = step.position in stale
        row = screen_row(run, step, None if is_stale else wall, colour=colour)
        if (step.status in UNDECIDED or is_stale) and not row[-1]:
            is_idle = step.position in idle
            row = (*row[:-1], NOT_NEEDED if is_idle else visible(why[step.position]))
        rows.append(row)
    heads = (*SCREEN_COLUMNS[:-1], "Why")
    lines = [*head, "", *steps_in(columns, [heads, *rows])]
    if together:
        names = ", ".join(visible(run.steps[position].step_id) for position in sorted(together))
        skipped = status_text(StepStatus.SKIPPED, colour=colour)
        lines += wrapped(f"{names} {skipped}, {NOT_NEEDED}", columns, indent="  ")
    return lines


def steps_for_failures(run: Run) -> set[int]:
    """Return the SKIPPED steps, by position, that only a failure would have started.

    There was none: no step has FAILED or was CANCELLED.
    """
    if not {StepStatus.FAILED, StepStatus.CANCELLED}.isdisjoint(step.status for step in run.steps):
        return set()
    names = names_for_failures(run.definition)
    return {
        step.position
        for step in run.steps
        if step.status is StepStatus.SKIPPED
        and not step.has_begun
        and not is_left_out(run, step)
        and base_name(step.step_id) in names
    }


def names_for_failures(definition: str) -> set[str]:
    """Return the names of the steps whose `when` asks about failures only.

    Only the table of a terminal needs them, so `shape_of` leaves them out.
    """
    from flow_conditions import operands_in

    flow = json.loads(definition)
    blocks = (block["steps"] for block in flow.get("blocks", ()))
    found = set()
    for step in chain(flow["steps"], flow.get("finally", ()), *blocks):
        when = step.get("when") or ""
        asked = [one.predicate for one in operands_in(when, OF_FAILURES)]
        is_denied = "!" in when or "none(" in when
        if asked and not is_denied and all(predicate in OF_FAILURES for predicate in asked):
            found.add(step["id"])
    return found


def header(snapshot: Snapshot, wall: float, *, colour: bool | None) -> Iterator[str]:
    """Yield the lines above the table, about the run."""
    run = snapshot.run
    clock = None if snapshot.is_abandoned else wall
    statuses = [step.status for step in run.steps]
    done = sum(status.is_terminal for status in statuses)
    running, failed = statuses.count(StepStatus.RUNNING), statuses.count(StepStatus.FAILED)
    allowed = allowed_words(sum(is_allowed(run, step) for step in run.steps))
    yield f"Flow: {visible(run.flow_id)}  Run: {visible(run.run_key)}"
    yield (
        f"Status: {status_text(run.status, colour=colour)}  "
        f"Steps: {done}/{len(statuses)} done, {running} running, {failed} failed{allowed}"
    )
    yield (
        f"Started: {clock_time(run.started_at)}  Finished: {clock_time(run.finished_at)}  "
        f"Elapsed: {elapsed(run.started_at, run.finished_at, clock)}"
    )
    if found := found_steps(run):
        names = listed([step.step_id for step in run.steps if step.position in found])
        yield f"Recovered: the outcome of {names} was {FOUND}; the run is older than this record"
    if run.params:
        yield f"Params: {params_words(run.params)}"
    if until := shape_of(run.definition).until:
        yield f"Until: {visible(', '.join(until))}"
    if run.parent is not None:
        outer, step_id, number = run.parent
        yield f"Inside: {visible(outer)}, step {visible(step_id)}, attempt {number}"
    if run.error is not None:
        yield f"Error: {visible(run.error)}"
    if run.status.is_terminal:
        return
    if is_running_finally(run):
        hint = "" if run.cancel is None else " (a second `orchesjob-flow cancel` ends that too)"
        yield f"Ending: {visible(finally_words(run, snapshot.stale))}{hint}"
    elif run.cancel is not None:
        by = "" if run.cancel.successor is None else f" by {visible(run.cancel.successor)}"
        yield f"Cancel: requested {clock_time(run.cancel.requested_at)}{by}, not carried out yet"
    if (waiting := waiting_words(run)) is not None:
        yield f"Waits: {visible(waiting.removeprefix('waits '))}"
    if (words := giving_up_words(snapshot)) is not None:
        yield f"Gave up: {visible(words)}"
    if snapshot.runner is None:
        is_cancelled = run.cancel is not None and not is_running_finally(run)
        command, does = ("cancel", "carries it out") if is_cancelled else ("resume", "continues it")
        line = line_about(run.run_key, command)
        yield f"Runner: none, {silence_words(run)} - `{visible(line)}` {does}"


def params_words(params: Mapping[str, str]) -> str:
    """Write the first parameters of a run, with long values cut."""
    shown = [f"{name}={cut(visible(value), VALUE)}" for name, value in params.items()]
    more = len(shown) - MOST_PARAMS
    return "  ".join([*shown[:MOST_PARAMS], *([f"... and {more} more"] if more > 0 else [])])


def step_row(run: Run, step: Step, wall: float | None, *, colour: bool | None) -> tuple[str, ...]:
    """Draw one step; `wall` is that of `elapsed`."""
    attempt = latest_attempt(run, step)
    began, ended = step.started_at, step.finished_at
    job = None if attempt is None else reported_job(run, attempt)
    if attempt is not None:
        ended = attempt.finished_at
        if began is not None and was_found(run, attempt):
            began, ended, _ = times_of(run, attempt, job or {})
    return (
        step_cell(run, step),
        status_text(step.status, colour=colour) + " (allowed)" * is_allowed(run, step),
        f"{step.attempt_no}/{step.max_retries}{' only_if' if is_at_gate(run, step) else ''}",
        "-" if began is None else elapsed(began, ended, wall),
        "-" if job is None else visible(str(job.get("status"))),
        visible(shown_key(run.run_key, step)),
        _error_cell(run, step),
    )


def screen_row(run: Run, step: Step, wall: float | None, *, colour: bool | None) -> tuple[str, ...]:
    """Draw one step for a terminal, without what is for programs."""
    name, status, _, took, *_, error = step_row(run, step, wall, colour=colour)
    number, retry = str(step.attempt_no or "-"), step.failures
    if step.attempt_no > step.max_retries + 1 and retry and step.max_retries:
        retry -= step.status in (StepStatus.FAILED, StepStatus.DELAYED)  # it was no retry yet
        number += f", retry {retry} of {step.max_retries}" if retry else ""
    return name, status, f"{number} only_if" if is_at_gate(run, step) else number, took, error


def copies_row(
    copies: Sequence[Step], wall: float | None, *, colour: bool | None
) -> tuple[str, ...]:
    """Draw all copies of a step in one row, with the number in each status (rule 10.3)."""
    counts = count_by_urgency(step.status for step in copies)
    begun = [step.started_at for step in copies if step.started_at is not None]
    ended = [step.finished_at for step in copies if step.finished_at is not None]
    last = max(ended) if len(ended) == len(copies) else None
    return (
        f"{visible(base_name(copies[0].step_id))} ({len(copies)} copies)",
        status_text(next(iter(counts)), colour=colour),
        "-",
        elapsed(min(begun), last, wall) if begun else "-",
        counts_text(counts),
    )


def step_cell(run: Run, step: Step) -> str:
    """Name a step; mark a step of `finally`, and add the values of a copy (10.1 and 10.3).

    Values that are part of the copy's id are not repeated.
    """
    name = visible(step.step_id)
    if is_in_finally(run, step):
        return f"finally: {name}"
    values = shape_of(run.definition).values.get(step.step_id, {})
    if step.step_id.partition("@")[2] == "@".join(values.values()):
        return name
    return f"{name} ({cut(visible(', '.join(values.values())), LONGEST_VALUES)})"


def _error_cell(run: Run, step: Step) -> str:
    settlement = run.settled.get(step.position)
    if settlement is None:
        return visible("; ".join(filter(None, (step.error, note_of(run, step)))))
    return visible(f"settled by {settlement.by}: {settlement.reason}")


def elapsed(start: float, end: float | None, wall: float | None) -> str:
    """Write the time between two moments; `end` is None if it still goes on at the time `wall`.

    What still goes on has no fractions of a second. Where `wall` is None, nobody knows whether it
    still goes on (rule 6.4).

    >>> elapsed(1.0, 3.4, 9.0), elapsed(1.0, None, 4.2), elapsed(1.0, None, None)
    ('2.4 s', '3 s', '-')
    """
    if end is not None:
        return duration_text(end - start)
    return "-" if wall is None else duration_text(int(wall - start))


def runs_table(listed: Sequence[Listed], wall: float, *, colour: bool | None) -> str:
    """Draw the runs as they are at the Unix time `wall`, each inner run below its outer run."""
    return "\n".join(draw_table([RUN_COLUMNS, *run_rows(listed, wall, colour=colour)]))


def run_rows(
    listed: Sequence[Listed], wall: float, *, colour: bool | None
) -> list[tuple[str, ...]]:
    """Draw each run, the inner ones below the outer."""
    return [run_row(one, level, wall, colour=colour) for level, one in nested(listed)]


def nested(listed: Sequence[Listed]) -> Iterator[tuple[int, Listed]]:
    """Return the runs with their levels: after each run the runs that its steps started.

    A run whose outer run is not in the list is at the top level.
    """
    keys = {one.run.run_key for one in listed}
    inner: dict[str | None, list[Listed]] = {}
    for one in listed:
        parent = None if one.run.parent is None else one.run.parent.run_key
        inner.setdefault(parent if parent in keys else None, []).append(one)

    def below(outer: str | None, level: int) -> Iterator[tuple[int, Listed]]:
        for one in inner.get(outer, ()):
            yield level, one
            yield from below(one.run.run_key, level + 1)

    return below(None, 0)


def run_row(listed: Listed, level: int, wall: float, *, colour: bool | None) -> tuple[str, ...]:
    """Draw one run; a run inside another is indented. On a terminal its age is the last cell."""
    run = listed.run
    clock = None if listed.is_abandoned else wall
    return (
        f"{status_text(run.status, colour=colour)}{_beside_status(run)}",
        f"{INSIDE * level}{visible(run.run_key)}",
        visible(run.flow_id),
        f"{run.done}/{run.total}",
        f"{run.steps.get(StepStatus.FAILED) or '-'}{allowed_words(run.allowed)}",
        clock_time(run.started_at),
        elapsed(run.started_at, run.finished_at, clock),
        _runner_cell(listed),
        *([] if colour is None else [duration_text(int(wall - run.started_at))]),
    )


def _beside_status(run: RunSummary) -> str:
    if run.queue is not None:
        return f" ({visible(before_words(run))})"
    tidying = run.finally_after is not None and not run.status.is_terminal
    return " (finally)" if tidying else ""


def _runner_cell(listed: Listed) -> str:
    if listed.run.status.is_terminal:
        return "-"
    if listed.runner is None:
        return "none" if listed.run.gave_up is None else "gave up"
    return f"pid {listed.runner.pid or '?'}"


def draw_table(table: Table) -> list[str]:
    r"""Draw a table whose first row holds the names of the columns, with a line below it.

    A cell may have several lines. One that is very long moves the cells after it, in its own line
    only: padding all other lines to its length would take rows times length of memory.

    >>> print(*draw_table([("Step", "Runs"), ("a", "at once"), ("b", "when a,\nor c")]), sep="\n")
    Step  Runs
    ----  -------
    a     at once
    b     when a,
          or c
    """
    heads, *rows = table
    widths = [
        max(
            width(head),
            *(taken for cell in cells if (taken := max(map(width, cell.split("\n")))) <= LONG_CELL),
            0,
        )
        for head, *cells in zip(heads, *rows, strict=True)
    ]

    def line_of(cells: Sequence[str]) -> str:
        padded = (
            cell + " " * (room - width(cell)) for cell, room in zip(cells, widths, strict=True)
        )
        return (" " * BETWEEN).join(padded).rstrip()

    lines = [line_of(heads), line_of(["-" * room for room in widths])]
    for row in rows:
        lines += map(line_of, zip_longest(*(cell.split("\n") for cell in row), fillvalue=""))
    return lines


def broken(cell: str, columns: int) -> str:
    """Break a cell into lines of so many columns."""
    return "\n".join(wrapped(cell, columns))


def fit(  # noqa: PLR0913 - what may go, what may shrink, and how
    table: Table,
    columns: int | None,
    dispensable: Sequence[str],
    flexible: Sequence[str],
    *,
    least: float = math.inf,
    shorten: Callable[[str, int], str] = broken,
) -> Table:
    """Make a table fit into so many columns: leave out dispensable ones, then shorten cells.

    Only cells of the flexible columns are shortened. A dispensable column goes while these would
    together get less than they need, and less than `least`. None does not limit the columns.
    """
    if columns is None:
        return table
    kept: list[Sequence[str]] = [*zip(*table, strict=True)]
    leaving = iter(dispensable)
    while True:
        widths = {column[0]: max(map(width, column)) for column in kept}
        needed = sum(widths[one] for one in flexible)
        room = columns - (sum(widths.values()) - needed) - BETWEEN * (len(kept) - 1)
        name = None if room >= min(needed, least) else next(leaving, None)
        if name is None:
            break
        kept = [column for column in kept if column[0] != name]
    limits, left = {}, max(room, NARROWEST)
    for one in flexible:  # of two that need more, each gets half
        needed -= widths[one]
        limits[one] = min(widths[one], max(left - needed, left // 2))
        left -= limits[one]
    shortened = [
        (head, *(shorten(cell, limits[head]) for cell in cells))
        if head in limits
        else (head, *cells)
        for head, *cells in kept
    ]
    return [*zip(*shortened, strict=True)]


def steps_in(columns: int | None, table: Table) -> Sequence[str]:
    """Draw the steps; where there is little room, long names and reasons take several lines."""
    flexible = ("Step", table[0][-1])
    return draw_table(fit(table, columns, DISPENSABLE, flexible, least=COMFORT))


def runs_in(columns: int, rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """Draw the runs; where there is little room, long keys are wrapped.

    Columns that are empty for all of them are left out.
    """
    filled = [
        column
        for column in zip((*RUN_COLUMNS, AGE), *rows, strict=True)
        if column[0] in ALWAYS_SHOWN or any(cell != "-" for cell in column[1:])
    ]
    # The age, which is drawn last in each row, is read beside the flow.
    filled.insert(3, filled.pop())
    return draw_table(fit([*zip(*filled, strict=True)], columns, DISPENSABLE_OF_RUNS, ["Run key"]))


def fit_live_table(
    snapshot: Snapshot, wall: float, size: tuple[int, int], *, colour: bool | None
) -> list[str]:
    """Draw a run in so many columns and lines, cut to the most urgent part."""
    columns, lines = size
    run, stale = snapshot.run, snapshot.stale
    head = above_the_steps([*header(snapshot, wall, colour=colour)], size, len(run.steps))
    names = 0 if head[-1] else NAMES
    room = lines - len(head) - names
    rows_shown, rest = _most_urgent(collapse_copies(run, in_order(run), room), room)
    clock = None if snapshot.is_abandoned else wall
    rows = [
        copies_row(row, clock, colour=colour)
        if row[1:]
        else screen_row(run, row[0], None if row[0].position in stale else wall, colour=colour)
        for row in rows_shown
    ]
    table = fit(
        [SCREEN_COLUMNS, *rows], columns, DISPENSABLE, LONG_COLUMNS, least=COMFORT, shorten=cut
    )
    shown = [*head, *draw_table(table)[NAMES - names :], *rest]
    return [cut(line, columns) for line in shown][:lines]


def above_the_steps(head: Sequence[str], size: tuple[int, int], steps: int) -> Sequence[str]:
    """Choose the lines of the header that leave room for a few of so many steps.

    The last one is empty if the names of the columns have room below it.
    """
    columns, lines = size
    room = lines - min(steps, FEW)
    urgent = [line for line in head if not line.startswith(LESS_URGENT)]
    for chosen in (head, urgent):
        whole = [part for line in chosen for part in wrapped(line, columns, indent=INDENT)]
        if len(whole) + 1 + NAMES <= room:
            return [*whole, ""]
    return urgent[: max(1, room)]


def _most_urgent(
    rows: Sequence[Sequence[Step]], room: int
) -> tuple[Sequence[Sequence[Step]], list[str]]:
    if len(rows) <= room:
        return rows, []
    ordered = sorted(rows, key=lambda row: min(urgency(step.status) for step in row))
    first, others = ordered[: max(0, room - 1)], ordered[max(0, room - 1) :]
    counts = count_by_urgency(step.status for step in chain.from_iterable(others))
    return first, [f"... and {counts.total()} more: {counts_text(counts)}"]
