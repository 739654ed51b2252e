"""A table some of whose cells may be very long, such as conditions over thousands of steps."""

from collections.abc import Iterator, Sequence

from orchesjob_flow.views.text import width

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
