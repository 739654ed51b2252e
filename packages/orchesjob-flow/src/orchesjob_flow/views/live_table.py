"""A run as a table that is drawn again and again, on a screen of any size (rule 6.6).

It never has more lines than the screen: what matters most is shown, and the rest is counted.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

from flow_store import Run, Step
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.views.definition import in_order
from orchesjob_flow.views.folding import Fold, count_statuses, folded, urgency
from orchesjob_flow.views.printed_table import fields_in
from orchesjob_flow.views.table import (
    SCREEN_COLUMNS,
    header,
    marked,
    screen_row,
    short_duration,
    simple_table,
)
from orchesjob_flow.views.text import cut, visible, width
from orchesjob_flow.views.waited import counted

DISPENSABLE = ("Attempt", "Elapsed")
"""The columns that a narrow screen leaves out, in this order."""
COMFORT = 30
"""The columns that Step and Error together get before any other is shown."""
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
    room = max(LEAST, room_for_long(widths, columns))
    step = min(widths["Step"], max(room - widths["Error"], room // 2))
    for name, limit in (("Step", step), ("Error", room - step)):
        by_name[name] = [cut(cell, limit) for cell in by_name[name]]
    return [list(by_name), *(list(row) for row in zip(*by_name.values(), strict=True))]


def room_for_long(widths: Mapping[str, int], columns: int) -> int:
    """Return how many columns are left for Step and Error, given the widths of all the others."""
    between = 2 * (len(widths) - 1)
    others = sum(widths.values()) - widths["Step"] - widths["Error"]
    return columns - between - others


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
