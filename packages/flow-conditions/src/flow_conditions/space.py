"""The functions of conditions over the same operands, and of what the caller excludes.

Here rows and what represents their functions come together. What is asked of them is not known
here.
"""

from flow_conditions.budget import Budget
from flow_conditions.diagrams import Diagrams
from flow_conditions.exclusions import Groups, among
from flow_conditions.order import Order
from flow_conditions.representation import Representation
from flow_conditions.rows import Rows
from flow_conditions.tables import MOST, Tables


def fitting(rows: Rows, budget: Budget) -> Representation:
    """Return what represents functions of the operands of some rows soonest."""
    operands = len(rows.occurring())
    return Tables(operands) if operands <= MOST else Diagrams(budget)


class Space:
    """The functions of some rows, and `allowed`: the function of what the exclusions leave."""

    def __init__(self, rows: Rows, groups: Groups, representation: Representation) -> None:
        """Set the order of the operands, and build what the exclusions leave.

        Raises:
            BudgetExceeded: that alone takes too many steps.
        """
        self.rows = rows
        self.representation = representation
        exclusions = among(rows, groups)
        self.order = Order(rows, exclusions)
        level_of = self.order.level_of
        # Groups join from the lowest up, so that each comes on top of what is there.
        by_level = sorted([level_of[operand] for operand in group] for group in exclusions)
        at_most_one = representation.at_most_one
        self.allowed = representation.joined(True, map(at_most_one, by_level))

    def functions(self, rows: Rows) -> dict[int, int]:
        """Return the function of every part of rows over the same operands."""
        return self.order.functions(rows, self.representation)

    def function(self, rows: Rows) -> int:
        """Return the function of rows over the same operands."""
        return self.functions(rows)[rows.root]

    def within(self, function: int) -> int:
        """Return where a function is true of what the exclusions leave."""
        return self.representation.both(function, self.allowed)

    def never(self, function: int) -> bool:
        """Tell whether a function is true nowhere of what the exclusions leave."""
        return self.within(function) == self.representation.FALSE

    def constant(self, function: int) -> bool | None:
        """Return the value that a function has everywhere, if it has one."""
        if self.never(function):
            return False
        return True if self.never(function ^ self.representation.FALSE) else None

    def example(self, function: int) -> dict[str, bool] | None:
        """Return values that make a function true and are allowed, if any are: few true ones."""
        if self.never(function):
            return None
        true = self.representation.example(self.within(function))
        level_of = self.order.level_of
        return {
            operand: level_of.get(number) in true
            for number, operand in enumerate(self.rows.operands)
        }
