"""Boolean functions as numbers, and a `Solver` that answers questions about conditions with them.

A *manager*, as packages for decision diagrams call it, makes functions of others. The operands of
its functions stand on levels. Equal functions are the same number, so a proof is a comparison.
`TRUE` is zero, and `f ^ FALSE` is the negation of a function `f`. There are two managers:

- `TruthTables` for up to twelve operands: several times quicker, and twice as large with each
  operand more;
- `DecisionDiagrams`, reduced and ordered, for any number. Their work is counted and bounded.

Neither recurses, and neither knows what operands are called: `Solver` does.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from functools import cache

from flow_conditions.condition import Value
from flow_conditions.errors import BudgetExceeded
from flow_conditions.normal_form import ALWAYS, NEVER, Groups, NormalForm, among, companions_of


class Budget:
    """How many steps of work an answer may take.

    Steps are counted, not time, so that an answer does not depend on the machine.
    """

    def __init__(self, steps: int) -> None:
        """Begin with all of them."""
        self._steps = steps
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Count work before it is done.

        Raises:
            BudgetExceeded: it is more than is left.
        """
        self._left -= steps
        if self._left < 0:
            raise BudgetExceeded(self._steps)


class Manager(ABC):
    """Makes functions of the operands on the levels."""

    TRUE = 0
    FALSE: int

    @abstractmethod
    def both(self, first: int, second: int) -> int:
        """Return the conjunction of two functions.

        Raises:
            BudgetExceeded: it takes more than is left.
        """

    @abstractmethod
    def choice(self, level: int, low: int, high: int) -> int:
        """Return the function that is `high` if the operand on a level is true, else `low`.

        The level is above those of both.
        """

    @abstractmethod
    def example(self, function: int) -> frozenset[int]:
        """Return the levels that are true in the first values that make a function true.

        First is what has the highest level false. The function is not false everywhere.
        """

    def variable(self, level: int) -> int:
        """Return the function that is true if the operand on a level is."""
        return self.choice(level, self.FALSE, self.TRUE)

    def either(self, first: int, second: int) -> int:
        """Return the disjunction of two functions."""
        false = self.FALSE
        return self.both(first ^ false, second ^ false) ^ false

    def joined(self, conjunctive: bool, functions: Iterable[int]) -> int:
        """Return the conjunction, or the disjunction, of functions."""
        sign = self.TRUE if conjunctive else self.FALSE
        both = self.both
        whole = self.TRUE
        for function in functions:
            whole = both(whole, function ^ sign)
        return whole ^ sign

    def at_most_one(self, levels: Collection[int]) -> int:
        """Return the function that is true where not two of these operands are."""
        none = one = self.TRUE  # of those below: that none is true, that one at most is
        for level in sorted(levels):
            one = self.choice(level, one, none)
            none = self.choice(level, none, self.FALSE)
        return one


MOST_IN_TABLES = 12  # operands: a table takes 512 bytes then, 20,000 parts no more than 20 MB


class TruthTables(Manager):
    """Functions as sets of the rows in which they are false, one bit for each row.

    A conjunction is one `|` of two integers. In row `r`, the operand on a level is true if that bit
    of `r` is one. No work is counted here, because one operation is a bounded amount of it.
    """

    def __init__(self, operands: int) -> None:
        """Say how many operands there are; they stand on the lowest levels."""
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


TRUE, FALSE = 0, 1  # the edges of the constants in decision diagrams

_CONSTANT_LEVEL = -1


class DecisionDiagrams(Manager):
    """Functions as reduced ordered binary decision diagrams with complement edges.

    An *edge* is twice the number of a node, plus one where the function is the negation of the
    node's. Node 0 is the constant. At any other node, the operand on its level decides between two
    edges. The one for "true" is never a negation, so that a function has one edge only.

    Operands that come first have the lowest level, and the highest level is on top. A junction that
    grows by one operand then grows by one node; with the first operand on top, it would have to be
    built again.
    """

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

    def cofactors(self, edge: int, level: int) -> tuple[int, int]:
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
        # Pairs to be joined, and where both cofactors are done, (~level, the pair) to put together.
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
                one_low, one_high = self.cofactors(one, level)
                other_low, other_high = self.cofactors(other, level)
                todo += (~level, (one, other)), (one_high, other_high), (one_low, other_low)
        return done.pop()

    def example(self, function: int) -> frozenset[int]:
        """Return the levels that are true in the first values that make a function true."""
        chosen = set()
        while function != TRUE:
            level = self.level(function)
            low, high = self.cofactors(function, level)
            function = high if low == FALSE else low
            if low == FALSE:
                chosen.add(level)
        return frozenset(chosen)


class Solver:
    """Answers questions about conditions over the same operands, within what exclusions allow.

    `allowed` is the function of what the exclusions allow.
    """

    def __init__(self, form: NormalForm, groups: Groups, manager: Manager) -> None:
        """Set the order of the operands, and make the function of what is allowed.

        Raises:
            BudgetExceeded: that alone takes too many steps.
        """
        self.manager = manager
        self._operands = form.operands
        exclusions = among(form, groups)
        self._level_of = _levels(form, exclusions)
        self.operand_at = tuple(self._level_of)
        # Groups join from the lowest up, so that each comes on top of what is there.
        by_level = sorted([self._level_of[operand] for operand in group] for group in exclusions)
        self.allowed = manager.joined(True, map(manager.at_most_one, by_level))

    @classmethod
    def of(cls, form: NormalForm, groups: Groups, budget: Budget) -> "Solver":
        """Return a solver with the manager that is quickest for so many operands.

        Raises:
            BudgetExceeded: the exclusions alone take too many steps.
        """
        operands = len(form.occurring())
        in_tables = operands <= MOST_IN_TABLES
        return cls(form, groups, TruthTables(operands) if in_tables else DecisionDiagrams(budget))

    def functions(self, form: NormalForm) -> dict[int, int]:
        """Return the function of every part that the root of a normal form is made of."""
        manager = self.manager
        function_of = {ALWAYS: manager.TRUE, NEVER: manager.FALSE}
        for operand in form.occurring():
            function = manager.variable(self._level_of[operand])
            function_of[2 * operand] = function
            function_of[2 * operand + 1] = function ^ manager.FALSE
        sizes = _sizes(form)
        for number in form.junctions():
            members = _largest_first(form.members[number], sizes)
            functions = [function_of[part] for part in members]
            function_of[~number] = manager.joined(form.conjunctive[number], functions)
        return function_of

    def function(self, form: NormalForm) -> int:
        """Return the function of a normal form."""
        return self.functions(form)[form.root]

    def within(self, function: int) -> int:
        """Return the function that is true where a function is and the exclusions allow it."""
        return self.manager.both(function, self.allowed)

    def never(self, function: int) -> bool:
        """Tell whether a function is false everywhere that the exclusions allow."""
        return self.within(function) == self.manager.FALSE

    def constant(self, function: int) -> Value:
        """Return the value that a function has everywhere, or None if it has both."""
        if self.never(function):
            return False
        return True if self.never(function ^ self.manager.FALSE) else None

    def example(self, function: int) -> dict[str, bool] | None:
        """Return values that make a function true and are allowed, if any are: few true ones."""
        if self.never(function):
            return None
        true = self.manager.example(self.within(function))
        return {
            operand: self._level_of.get(number) in true
            for number, operand in enumerate(self._operands)
        }


def _levels(form: NormalForm, exclusions: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return on which level each operand stands, in the order of the levels.

    Lowest is what is nested deepest: the rest of its junction then comes on top of it. Operands
    that exclude each other stand side by side.
    """
    companions = companions_of(exclusions)
    sizes = _sizes(form)
    level_of: dict[int, int] = {}
    todo = [form.root]
    while todo:
        part = todo.pop()
        if part < 0:
            todo += reversed(_largest_first(form.members[~part], sizes))
            continue
        for operand in (part >> 1, *companions.get(part >> 1, ())):
            level_of.setdefault(operand, len(level_of))
    return level_of


def _largest_first(parts: Iterable[int], sizes: dict[int, int]) -> list[int]:
    """Return the parts of a junction in the order in which they are joined."""
    return sorted(parts, key=lambda part: -sizes.get(part, 1))


def _sizes(form: NormalForm) -> dict[int, int]:
    """Return how many literals stand in each junction, by its part."""
    sizes: dict[int, int] = {}
    for number in form.junctions():
        sizes[~number] = sum(sizes.get(part, 1) for part in form.members[number])
    return sizes
