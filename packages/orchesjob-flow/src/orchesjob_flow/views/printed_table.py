"""A run, or many in a list, as a result: as the rule has it in a file, whole on a terminal.

On a terminal no line is wider than that, and nothing is cut that tells what happened and why
(rule 6.11): the columns that matter least go first, then cells are broken into lines.
"""

import time
from collections.abc import Iterator, Sequence

from orchesjob_flow.home.runs import Listed, Snapshot
from orchesjob_flow.views.definition import in_order
from orchesjob_flow.views.reasons import reasons
from orchesjob_flow.views.runs_table import RUN_COLUMNS, run_rows, runs_table
from orchesjob_flow.views.streams import write_result
from orchesjob_flow.views.table import (
    SCREEN_COLUMNS,
    header,
    run_table,
    screen_row,
    simple_table,
)
from orchesjob_flow.views.terminal import stdout
from orchesjob_flow.views.text import visible, width
from orchesjob_flow.views.wrapping import wrapped

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
    table = without(table, DISPENSABLE, columns, last=LEAST_WHY)
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
    last: int | None = None,
) -> list[Sequence[str]]:
    """Leave out columns that matter less, one after the other, until the rest has room.

    Of the last column, `last` columns are enough: its cells can be broken into lines.
    """
    kept = [list(column) for column in zip(*table, strict=True)]
    for name in dispensable:
        widths = [max(map(width, column)) for column in kept]
        if last is not None:
            widths[-1] = min(widths[-1], last)
        if sum(widths) + BETWEEN * (len(widths) - 1) <= columns:
            break
        kept = [column for column in kept if column[0] != name]
    return [list(row) for row in zip(*kept, strict=True)]


def widths_of(table: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is."""
    return [max(map(width, column)) for column in zip(*table, strict=True)]
