"""Truth tables: several times quicker than diagrams, and twice as large with each operand more.

A function is the set of the rows in which it is false, one bit each: a conjunction is one `|` of
two integers. In row `r`, the operand on a level is true if that bit of `r` is one.

No work is counted here, because one operation is a bounded amount of it.
"""

from functools import cache

from flow_conditions.representation import Representation

MOST = 12  # operands: a table takes 512 bytes then, and 20,000 parts take no more than 20 MB


class Tables(Representation):
    """Functions of the operands on the lowest levels, at most `MOST` of them."""

    def __init__(self, operands: int) -> None:
        """Say how many operands there are."""
        self.FALSE, self._variables = _variables(operands)

    def both(self, first: int, second: int) -> int:
        """Return the conjunction of two functions."""
        return first | second

    def choice(self, level: int, low: int, high: int) -> int:
        """Return the function that is `high` if the operand on a level is true, else `low`."""
        variable = self._variables[level]
        return low & variable | high & ~variable

    def variable(self, level: int) -> int:
        """Return the function that is true if the operand on a level is."""
        return self._variables[level]

    def example(self, function: int) -> frozenset[int]:
        """Return the levels that are true in the first row in which a function is."""
        row = (~function & (function + 1)).bit_length() - 1
        return frozenset(level for level in range(len(self._variables)) if row >> level & 1)


@cache
def _variables(operands: int) -> tuple[int, tuple[int, ...]]:
    """Return all rows, and for each operand those in which it is false."""
    everywhere = (1 << (1 << operands)) - 1
    return everywhere, tuple(everywhere // ((1 << (1 << level)) + 1) for level in range(operands))
