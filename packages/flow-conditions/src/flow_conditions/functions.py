"""`Functions`: conditions over things that are conditions of something else themselves.

Where operands depend on each other, what a condition can come to is not seen in the condition. Here
each operand is a function of free variables, which the caller numbers; so is every condition over
such operands, and equal functions are equal numbers.
"""

from collections.abc import Callable

from flow_conditions.budget import Budget
from flow_conditions.condition import BUDGET, Condition
from flow_conditions.diagrams import FALSE, TRUE, Diagrams
from flow_conditions.name import Name
from flow_conditions.phrasing import Phrasing
from flow_conditions.reduction import reduce
from flow_conditions.rows import Rows, read

type FunctionOf = Callable[[Name], int]
"""Returns the function that an operand is."""

type Keep = Callable[[Name, bool, bool], bool]
"""Whether an operand stays: it, whether it is negated, and whether it stands in a row of `&&`."""


class Functions(Diagrams):
    """Functions of numbered variables: `TRUE`, `FALSE`, and what the methods make of them.

    It is quickest where a function is made of others whose variables have smaller numbers. `f ^ 1`
    is the negation of a function `f`. All work is bounded.

    >>> functions = Functions()
    >>> first, second = functions.variable(0), functions.variable(1)
    >>> functions.either(first, first ^ 1) == functions.TRUE
    True
    >>> functions.example(functions.both(first ^ 1, second))
    frozenset({1})
    """

    def __init__(self, budget: int = BUDGET) -> None:
        """Begin with the constants, and with this many steps of work."""
        super().__init__(Budget(budget))

    def allow(self, steps: int) -> None:
        """Let what follows take this many steps of work, whatever has been taken before."""
        self.budget = Budget(steps)

    def of(self, condition: Condition, function_of: FunctionOf) -> int:
        """Return the function that a condition is.

        Raises:
            BudgetExceeded: it takes more than is left.
        """
        rows = read(condition.program)
        return self._edges(rows, function_of)[rows.root]

    def without_idle_parts(
        self, condition: Condition, function_of: FunctionOf, keep: Keep
    ) -> tuple[Condition, list[frozenset[Name]]]:
        """Return what is left of a condition without the parts that have no effect, and these.

        They can be left out, all together, and it comes to the same. Each is the operands in it, of
        which none may occur twice. Those that `keep` says stay, but may be in a part that is left
        out. The condition must have both values.

        Raises:
            BudgetExceeded: it takes more than is left.
        """
        rows = read(condition.program)
        names = [_name(spelling) for spelling in rows.operands]
        rest, left_out = reduce(
            rows,
            self._edges(rows, function_of),
            TRUE,
            self,
            lambda part, conjunctive: keep(names[part >> 1], bool(part & 1), conjunctive),
        )
        parts = [_operands(rows, part, names) for part in left_out]
        return (Condition(Phrasing(rest).program()) if parts else condition), parts

    def _edges(self, rows: Rows, function_of: FunctionOf) -> dict[int, int]:
        """Return the function of every part of rows."""
        edges = {~0: TRUE, ~1: FALSE}
        for number, spelling in enumerate(rows.operands):
            edge = function_of(_name(spelling))
            edges[2 * number], edges[2 * number + 1] = edge, edge ^ 1
        for number in rows.used():
            # From the lowest up, so that each comes on top of what is there.
            members = sorted((edges[part] for part in rows.members[number]), key=self.level)
            edges[~number] = self.joined(rows.conjunctive[number], members)
        return edges


def _name(spelling: str) -> Name:
    return Name(*spelling.split("."))


def _operands(rows: Rows, part: int, names: list[Name]) -> frozenset[Name]:
    found = set()
    todo = [part]
    while todo:
        part = todo.pop()
        if part < 0:
            todo += rows.members[~part]
        else:
            found.add(names[part >> 1])
    return frozenset(found)
