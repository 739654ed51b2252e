"""Fitting tables to the width of a terminal (rule 6.11) and, redrawn, to its height (rule 6.6).

A result is never cut: the least important columns go first, then cells are broken into lines. A
live table never has more lines than the screen: it shows the most urgent steps and counts the rest.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from flow_store import Run, Step
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Listed, Snapshot
from orchesjob_flow.views.definition import Fold, count_statuses, counted, folded, in_order, urgency
from orchesjob_flow.views.reasons import reasons
from orchesjob_flow.views.streams import stdout, wrapped, write_result
from orchesjob_flow.views.table import (
    RUN_COLUMNS,
    SCREEN_COLUMNS,
    header,
    marked,
    run_rows,
    run_table,
    runs_table,
    screen_row,
    short_duration,
    simple_table,
)
from orchesjob_flow.views.text import cut, visible, width

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
