"""The functions of conditions over the same operands, and of what the caller excludes.

Here programs, rows and diagrams come together. What is asked of them is not known here.
"""

from flow_conditions.budget import Budget
from flow_conditions.diagrams import FALSE, TRUE, Diagrams, Order
from flow_conditions.exclusions import Groups, among
from flow_conditions.rows import Rows


class Space:
    """The diagrams of some rows, and `allowed`: the function of what the exclusions leave."""

    def __init__(self, rows: Rows, groups: Groups, budget: Budget) -> None:
        """Set the order of the operands, and build what the exclusions leave.

        Raises:
            BudgetExceeded: that alone takes too many steps.
        """
        self.rows = rows
        self.diagrams = Diagrams(budget)
        exclusions = among(rows, groups)
        self.order = Order(rows, exclusions)
        level_of = self.order.level_of
        # Groups join from the lowest up, so that each comes on top of what is there.
        by_level = sorted([level_of[operand] for operand in group] for group in exclusions)
        self.allowed = self.diagrams.joined(True, map(self.diagrams.at_most_one, by_level))

    def edges(self, rows: Rows) -> dict[int, int]:
        """Return the function of every part of rows over the same operands."""
        return self.order.edges(rows, self.diagrams)

    def function(self, rows: Rows) -> int:
        """Return the function of rows over the same operands."""
        return self.edges(rows)[rows.root]

    def within(self, edge: int) -> int:
        """Return where a function is true of what the exclusions leave."""
        return self.diagrams.both(edge, self.allowed)

    def constant(self, edge: int) -> bool | None:
        """Return the value that a function has everywhere, if it has one."""
        if self.within(edge) == FALSE:
            return False
        return True if self.within(edge ^ 1) == FALSE else None

    def example(self, edge: int) -> dict[str, bool]:
        """Return values that make a function true which is not false everywhere: few true ones."""
        values = dict.fromkeys(self.rows.operands, False)
        while edge != TRUE:
            level = self.diagrams.level(edge)
            low, high = self.diagrams.halves(edge, level)
            edge = high if low == FALSE else low
            values[self.rows.operands[self.order.operand_at[level]]] = low == FALSE
        return values
