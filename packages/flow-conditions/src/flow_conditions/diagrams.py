"""Reduced ordered binary decision diagrams: equal functions are the same number.

An *edge* is twice the number of a node, plus one where the function is the negation of the node's.
Node 0 is the constant; of any other node, the operand on its level decides between two edges, of
which the one for "true" is never a negation, so that a function has one edge only.

Operands that come first have the lowest level, and the highest level is on top. A row that grows by
one more operand then grows by one node: with the first on top, it would have to be built anew.

All work is counted and bounded. There is no recursion. What operands are called is not known here.
"""

from collections.abc import Collection, Iterable, Sequence

from flow_conditions.budget import Budget
from flow_conditions.exclusions import companions_of
from flow_conditions.rows import Rows

TRUE, FALSE = 0, 1

_CONSTANT_LEVEL = -1


class Diagrams:
    """Functions of the operands on the levels, and how much may still be done with them."""

    def __init__(self, budget: Budget) -> None:
        """Begin with the constant."""
        self.levels = [_CONSTANT_LEVEL]
        self.lows = [TRUE]
        self.highs = [TRUE]
        self._node_of: dict[tuple[int, int, int], int] = {}
        self._conjunctions: dict[tuple[int, int], int] = {}
        self.budget = budget

    def choice(self, level: int, low: int, high: int) -> int:
        """Return the function that is `high` if the operand on a level is true, else `low`.

        The level is above those of both.
        """
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

    def level(self, *edges: int) -> int:
        """Return the topmost level of some functions."""
        return max(self.levels[edge >> 1] for edge in edges)

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

    def either(self, first: int, second: int) -> int:
        """Return the disjunction of two functions."""
        return self.both(first ^ 1, second ^ 1) ^ 1

    def joined(self, conjunctive: bool, edges: Iterable[int]) -> int:
        """Return the conjunction, or the disjunction, of functions."""
        sign = not conjunctive
        whole = TRUE
        for edge in edges:
            whole = self.both(whole, edge ^ sign)
        return whole ^ sign

    def at_most_one(self, levels: Collection[int]) -> int:
        """Return the function that is true where not two of these operands are."""
        none = one = TRUE  # of those below: that none is true, that one at most is
        for level in sorted(levels):
            one = self.choice(level, one, none)
            none = self.choice(level, none, FALSE)
        return one


class Order:
    """On which level each operand of some rows stands, and which one stands on a level."""

    def __init__(self, rows: Rows, groups: Sequence[Sequence[int]] = ()) -> None:
        """Put lowest what is nested deepest: the rest of its row then comes on top of it.

        Operands that exclude each other stand side by side.
        """
        companions = companions_of(groups)
        sizes = _sizes(rows)
        level_of: dict[int, int] = {}
        todo = [rows.root]
        while todo:
            part = todo.pop()
            if part < 0:
                todo += reversed(_largest_first(rows.members[~part], sizes))
                continue
            for operand in (part >> 1, *companions.get(part >> 1, ())):
                level_of.setdefault(operand, len(level_of))
        self.level_of = level_of
        self.operand_at = tuple(level_of)

    def edges(self, rows: Rows, diagrams: Diagrams) -> dict[int, int]:
        """Return the function of every part that the root of some rows is made of."""
        edge_of = {~0: TRUE, ~1: FALSE}
        for part in rows.leaves():
            level = self.level_of[part >> 1]
            edge_of[part] = diagrams.choice(level, FALSE, TRUE) ^ (part & 1)
        sizes = _sizes(rows)
        for number in rows.used():
            members = _largest_first(rows.members[number], sizes)
            edges = (edge_of[part] for part in members)
            edge_of[~number] = diagrams.joined(rows.conjunctive[number], edges)
        return edge_of


def _largest_first(parts: Iterable[int], sizes: dict[int, int]) -> list[int]:
    """Return the parts of a row in the order in which they are joined."""
    return sorted(parts, key=lambda part: -sizes.get(part, 1))


def _sizes(rows: Rows) -> dict[int, int]:
    """Return how many operands stand in each row, by its part."""
    sizes: dict[int, int] = {}
    for number in rows.used():
        sizes[~number] = sum(sizes.get(part, 1) for part in rows.members[number])
    return sizes
