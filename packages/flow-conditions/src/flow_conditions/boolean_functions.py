"""What can be proven about conditions: questions about all values of their operands at once.

A condition is made into a Boolean function, a *binary decision diagram*, of which equal ones are
the same number: so a proof is a comparison. How large a diagram grows depends on the order of its
variables. `_levels` has an order in which rows, and whatever is nested, take a node or two for each
operand. No order serves all conditions, so the work is counted, and bounded by a budget.
"""

from collections.abc import Callable, Iterable

from flow_conditions.condition import BUDGET, Condition, Name, program_of, sides_of, starts_of
from flow_conditions.errors import BudgetExceeded
from flow_conditions.grammar import AND, CONSTANTS, NOT, OPERATORS

_CONSTANT_LEVEL = -1


class Functions:
    """Functions of numbered variables: `TRUE`, `FALSE`, and what the methods make of them.

    Where operands depend on each other, a condition does not show which values it can have. Here
    each operand is a function of free variables, as is every condition over such operands.

    It is quickest where a function is made of others whose variables have smaller numbers. `f ^ 1`
    is the negation of a function `f`. All work is bounded: beyond the budget, a `BudgetExceeded`.

    >>> functions = Functions()
    >>> first, second = functions.variable(0), functions.variable(1)
    >>> functions.either(first, first ^ 1) == functions.TRUE
    True
    >>> functions.example(functions.both(first ^ 1, second))
    frozenset({1})
    """

    # A function is an *edge*: twice the number of a node, plus one where it is the negation of the
    # node's. Node 0 is the constant. At any other node, the variable of its level decides between
    # two edges. The one for "true" is never a negation, so that a function has one edge only.
    # Variables with higher numbers are on top: a row that grows by an operand adds one node.

    TRUE, FALSE = 0, 1

    def __init__(self, budget: int = BUDGET) -> None:
        """Begin with the constants, and with this many steps of work."""
        self._levels = [_CONSTANT_LEVEL]
        self._lows = [self.TRUE]
        self._highs = [self.TRUE]
        self._node_of: dict[tuple[int, int, int], int] = {}
        self._conjunctions: dict[tuple[int, int], int] = {}
        self.allow(budget)

    def allow(self, steps: int) -> None:
        """Let what follows take this many steps of work, whatever has been taken before."""
        self._budget = self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Count work before it is done."""
        self._left -= steps
        if self._left < 0:
            raise BudgetExceeded(self._budget)

    def variable(self, level: int) -> int:
        """Return the function that is true if the variable with this number is."""
        return self.choice(level, self.FALSE, self.TRUE)

    def choice(self, level: int, low: int, high: int) -> int:
        """Return `high` where the variable with this number is true, else `low`.

        Both may only be made of variables with smaller numbers; this is not checked.
        """
        if low == high:
            return low
        sign = high & 1
        key = level, low ^ sign, high ^ sign
        node = self._node_of.get(key)
        if node is None:
            node = self._node_of[key] = len(self._levels)
            self._levels.append(level)
            self._lows.append(low ^ sign)
            self._highs.append(high ^ sign)
        return 2 * node + sign

    def both(self, first: int, second: int) -> int:
        """Return the conjunction of two functions."""
        if first == self.TRUE or second == self.FALSE:
            return second
        if second == self.TRUE or first == self.FALSE:
            return first
        levels, known, spend = self._levels, self._conjunctions, self.spend
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
            if one == self.TRUE:
                done.append(other)
            elif one == self.FALSE:
                done.append(self.FALSE)
            elif one >> 1 == other >> 1:
                done.append(one if one == other else self.FALSE)
            elif (edge := known.get((one, other), -1)) >= 0:
                done.append(edge)
            else:
                spend()
                level = max(levels[one >> 1], levels[other >> 1])
                one_low, one_high = self._cofactors(one, level)
                other_low, other_high = self._cofactors(other, level)
                todo += (~level, (one, other)), (one_high, other_high), (one_low, other_low)
        return done.pop()

    def either(self, first: int, second: int) -> int:
        """Return the disjunction of two functions."""
        return self.both(first ^ 1, second ^ 1) ^ 1

    def joined(self, conjunctive: bool, functions: Iterable[int]) -> int:
        """Return the conjunction, or the disjunction, of functions."""
        sign = not conjunctive
        whole = self.TRUE
        # From the lowest up, so that each comes on top of what is there.
        for function in sorted(functions, key=self._level):
            whole = self.both(whole, function ^ sign)
        return whole ^ sign

    def of(self, condition: Condition, function_of: Callable[[Name], int]) -> int:
        """Return the function that a condition is, given those of its operands."""
        program, operands = program_of(condition), condition.operands
        of_token = {token: int(not value) for token, value in CONSTANTS.items()}
        of_token |= {str(operand): function_of(operand) for operand in operands}

        def joined(is_conjunction: bool, sign: int, members: list[int]) -> int:
            return self.joined(is_conjunction, [member ^ sign for member in members])

        # What is joined in a row is joined at once. Of each part: whether it is a conjunction,
        # whether its members are negated, and these.
        rows: list[tuple[bool, int, list[int]]] = []
        for token in program:
            if token == NOT:
                is_conjunction, sign, members = rows.pop()
                rows.append((not is_conjunction, sign ^ 1, members))
            elif token in OPERATORS:
                sign, members = 0, []
                for row in (rows.pop(), rows.pop()):
                    is_conjunction, other, others = row
                    if len(others) > 1 and is_conjunction is not (token == AND):
                        other, others = 0, [joined(*row)]
                    if len(others) > len(members):
                        sign, members, other, others = other, others, sign, members
                    members += [member ^ sign ^ other for member in others]
                rows.append((token == AND, sign, members))
            else:
                rows.append((True, 0, [of_token[token]]))
        return joined(*rows.pop())

    def example(self, function: int) -> frozenset[int]:
        """Return the variables that are true in the first values that make a function true.

        First is what has the variable with the highest number false.

        Raises:
            ValueError: The function is false everywhere.
        """
        if function == self.FALSE:
            raise ValueError("a function that is false everywhere has no example")
        chosen = set()
        while function != self.TRUE:
            level = self._level(function)
            low, high = self._cofactors(function, level)
            function = high if low == self.FALSE else low
            if low == self.FALSE:
                chosen.add(level)
        return frozenset(chosen)

    def _level(self, edge: int) -> int:
        return self._levels[edge >> 1]

    def _cofactors(self, edge: int, level: int) -> tuple[int, int]:
        """Return a function where the variable of its top level, or higher, is false, and true."""
        node, sign = edge >> 1, edge & 1
        if self._levels[node] != level:
            return edge, edge
        return self._lows[node] ^ sign, self._highs[node] ^ sign


def equivalent(first: Condition, second: Condition, *, budget: int = BUDGET) -> bool:
    """Tell whether two conditions have the same value whatever their operands are worth."""
    return program_of(first) == program_of(second) or (
        implies(first, second, budget=budget) and implies(second, first, budget=budget)
    )


def implies(first: Condition, second: Condition, *, budget: int = BUDGET) -> bool:
    """Tell whether the second condition is true wherever the first one is."""
    return not (first & ~second).is_satisfiable(budget=budget)


def model(condition: Condition, budget: int) -> dict[str, bool] | None:
    """Return values that make a condition true, if there are any."""
    functions, level_of = Functions(budget), _levels(condition)
    function = functions.of(condition, lambda name: functions.variable(level_of[name]))
    if function == functions.FALSE:
        return None
    true = functions.example(function)
    return {operand: level in true for operand, level in level_of.items()}


def _levels(condition: Condition) -> dict[str, int]:
    """Return the level of each operand: of two sides the longer one comes first, so it is deeper.

    So a part joins what is nested in it on top.
    """
    program, starts = condition.program, starts_of(condition.program)
    level_of: dict[str, int] = {}
    todo = [len(program) - 1]
    while todo:
        position = todo.pop()
        token = program[position]
        if token in OPERATORS:
            sides = sides_of(program, starts, position)
            todo += sorted(sides, key=lambda side: (side - starts[side], -side))
        elif token not in CONSTANTS:
            level_of.setdefault(token, len(level_of))
    return level_of
