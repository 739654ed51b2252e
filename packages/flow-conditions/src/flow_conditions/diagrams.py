"""Reduced ordered binary decision diagrams: equal functions are the same number.

An *edge* is twice the number of a node, plus one where the function is the negation of the node's.
Node 0 is the constant; of any other node, the operand on its level decides between two edges, of
which the one for "true" is never a negation, so that a function has one edge only.

Operands that come first have the lowest level, and the highest level is on top. A row that grows by
one more operand then grows by one node: with the first on top, it would have to be built anew.

All work is counted and bounded. There is no recursion. What operands are called is not known here.
"""

from flow_conditions.budget import Budget
from flow_conditions.representation import Representation

TRUE, FALSE = 0, 1

_CONSTANT_LEVEL = -1


class Diagrams(Representation):
    """Functions of the operands on the levels, and how much may still be done with them."""

    TRUE, FALSE = TRUE, FALSE

    def __init__(self, budget: Budget) -> None:
        """Begin with the constant."""
        self.levels = [_CONSTANT_LEVEL]
        self.lows = [TRUE]
        self.highs = [TRUE]
        self._node_of: dict[tuple[int, int, int], int] = {}
        self._conjunctions: dict[tuple[int, int], int] = {}
        self.budget = budget

    def choice(self, level: int, low: int, high: int) -> int:
        """Return the function that is `high` if the operand on a level is true, else `low`."""
        if low == high:
            return low
        sign = high & 1
        key = level, low ^ sign, high ^ sign
        node = self._node_of.get(key)
        if node is None:
            node = self._node_of[key] = len(self.levels)
            self.levels.append(level)
            self.lows.append(low ^ sign)
            self.highs.append(high ^ sign)
        return 2 * node + sign

    def halves(self, edge: int, level: int) -> tuple[int, int]:
        """Return a function where the operand on a level is false, and where true.

        The level is that of the function's top, or above it.
        """
        node, sign = edge >> 1, edge & 1
        if self.levels[node] != level:
            return edge, edge
        return self.lows[node] ^ sign, self.highs[node] ^ sign

    def level(self, edge: int) -> int:
        """Return the topmost level of a function."""
        return self.levels[edge >> 1]

    def both(self, first: int, second: int) -> int:
        """Return the conjunction of two functions.

        Raises:
            BudgetExceeded: it takes more than is left.
        """
        if first == TRUE or second == FALSE:
            return second
        if second == TRUE or first == FALSE:
            return first
        levels, known, spend = self.levels, self._conjunctions, self.budget.spend
        done: list[int] = []
        # Pairs to be joined, and where both halves are done, (~level, the pair) to put together.
        todo: list[tuple[int, int] | tuple[int, tuple[int, int]]] = [(first, second)]
        while todo:
            one, other = todo.pop()
            if isinstance(other, tuple):
                high, low = done.pop(), done.pop()
                known[other] = edge = self.choice(~one, low, high)
                done.append(edge)
                continue
            if one > other:
                one, other = other, one
            if one == TRUE:
                done.append(other)
            elif one == FALSE:
                done.append(FALSE)
            elif one >> 1 == other >> 1:
                done.append(one if one == other else FALSE)
            elif (edge := known.get((one, other), -1)) >= 0:
                done.append(edge)
            else:
                spend()
                level = max(levels[one >> 1], levels[other >> 1])
                one_low, one_high = self.halves(one, level)
                other_low, other_high = self.halves(other, level)
                todo += (~level, (one, other)), (one_high, other_high), (one_low, other_low)
        return done.pop()

    def example(self, function: int) -> frozenset[int]:
        """Return the levels that are true in the first values that make a function true."""
        chosen = set()
        while function != TRUE:
            level = self.level(function)
            low, high = self.halves(function, level)
            function = high if low == FALSE else low
            if low == FALSE:
                chosen.add(level)
        return frozenset(chosen)
