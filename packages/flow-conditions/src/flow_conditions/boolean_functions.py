"""Boolean functions as numbers, a search for values, and what answers questions with both.

`example` finds values that make a condition true, or proves that there are none. For more than
twelve operands it tries three ways in turn, each with a growing share of the budget: `_Search`, and
decision diagrams in two orders. What is hard for one of them is often easy for another.

A *manager*, as packages for decision diagrams call it, makes functions of others. The operands of
its functions stand on levels. Equal functions are the same number, so a proof is a comparison.
`TRUE` is zero, and `f ^ FALSE` is the negation of a function `f`. `TruthTables`, for up to twelve
operands, are several times quicker than `DecisionDiagrams`, whose work is counted and bounded.
Neither recurses, and neither knows what operands are called: `Solver` does.
"""

import heapq
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain, combinations

from flow_conditions.errors import BudgetExceeded
from flow_conditions.normal_form import ALWAYS, NEVER, Groups, NormalForm, among, places_of


class Budget:
    """How much work an answer may take, in steps: time would depend on the machine."""

    def __init__(self, steps: int) -> None:
        """Begin with all of them."""
        self.steps = steps
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Count work before it is done."""
        self.left -= steps
        if self.left < 0:
            raise BudgetExceeded(self.steps)


class Manager(ABC):
    """Makes functions of the operands on the levels."""

    TRUE = 0
    FALSE: int

    @abstractmethod
    def both(self, first: int, second: int) -> int:
        """Return the conjunction of two functions."""

    @abstractmethod
    def choice(self, level: int, low: int, high: int) -> int:
        """Return `high` where the operand on a level is true, else `low`, both on levels below."""

    @abstractmethod
    def example(self, function: int) -> frozenset[int]:
        """Return the levels that are true in the first values that make a function true.

        First is what has the highest level false.
        """

    @abstractmethod
    def count(self, function: int, operands: int) -> int:
        """Return for how many values of the operands on the lowest levels a function is true."""

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

    def parts(
        self, form: NormalForm, operands: Mapping[int, int], order: Callable[[int, int], int]
    ) -> dict[int, int]:
        """Return the function of every part of a form, whose `operands` are these functions.

        The parts of a junction are joined in an `order` by part and function, the least first.
        """
        function_of = {ALWAYS: self.TRUE, NEVER: self.FALSE}
        for operand, function in operands.items():
            function_of[2 * operand], function_of[2 * operand + 1] = function, function ^ self.FALSE
        for number in form.junctions():
            members = [(part, function_of[part]) for part in form.members[number]]
            members.sort(key=lambda member: order(*member))
            functions = [function for _, function in members]
            function_of[~number] = self.joined(form.conjunctive[number], functions)
        return function_of

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

    def example(self, function: int) -> frozenset[int]:
        """Return the levels that are true in the first row in which a function is."""
        row = (~function & (function + 1)).bit_length() - 1
        return frozenset(level for level in range(len(self._variables)) if row >> level & 1)

    def count(self, function: int, operands: int) -> int:  # noqa: ARG002 - all stand in the table
        """Return for how many values of the operands a function is true."""
        return (function ^ self.FALSE).bit_count()


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
    edges. The one for "true" is never a negation, so that a function has one edge only. The highest
    level is on top, and what comes first is lowest: a row that grows by an operand adds one node.
    """

    FALSE = FALSE

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
        """Return a function where the operand on a level, its top or higher, is false, and true."""
        node, sign = edge >> 1, edge & 1
        if self.levels[node] != level:
            return edge, edge
        return self.lows[node] ^ sign, self.highs[node] ^ sign

    def level(self, edge: int) -> int:
        """Return the topmost level of a function."""
        return self.levels[edge >> 1]

    def both(self, first: int, second: int) -> int:
        """Return the conjunction of two functions."""
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
        """Return the levels that are true in the first values that make a function true.

        Raises:
            ValueError: The function is false everywhere.
        """
        if function == FALSE:
            raise ValueError("a function that is false everywhere has no example")
        chosen = set()
        while function != TRUE:
            level = self.level(function)
            low, high = self.cofactors(function, level)
            function = high if low == FALSE else low
            if low == FALSE:
                chosen.add(level)
        return frozenset(chosen)

    def count(self, function: int, operands: int) -> int:
        """Return for how many values of the operands on the lowest levels a function is true."""
        all_values = 1 << operands
        counts = [all_values]  # by node

        def count(edge: int) -> int:
            found = counts[edge >> 1]
            return all_values - found if edge & 1 else found

        for low, high in zip(self.lows[1:], self.highs[1:], strict=True):
            counts.append((count(low) + count(high)) // 2)
        return count(function)


class Solver[Kind: Manager]:
    """The functions of a condition and its parts, and of what exclusions allow."""

    def __init__(
        self, form: NormalForm, groups: Groups, manager: Kind, *, by_size: bool = True
    ) -> None:
        """Make the functions, with operands in the order of the largest parts, or of appearance."""
        self.manager = manager
        exclusions = among(form, groups)
        sizes = _sizes(form) if by_size else {}
        self._level_of = _levels(form, exclusions, sizes)
        self.operand_at = tuple(form.operands[operand] for operand in self._level_of)
        # Groups join from the lowest up, so that each comes on top of what is there.
        by_level = sorted([self._level_of[operand] for operand in group] for group in exclusions)
        self.allowed = manager.joined(True, map(manager.at_most_one, by_level))
        operands = {operand: manager.variable(level) for operand, level in self._level_of.items()}
        self.functions = manager.parts(form, operands, lambda part, _: -sizes.get(part, 1))
        self.root = self.functions[form.root]

    @staticmethod
    def of(
        form: NormalForm, groups: Groups, budget: Budget
    ) -> "Solver[TruthTables] | Solver[DecisionDiagrams]":
        """Return a solver with the manager and the order that are quickest."""
        operands = len(form.occurring())
        if operands <= MOST_IN_TABLES:
            return Solver(form, groups, TruthTables(operands))
        return Solver.by_diagrams(form, groups, budget)

    @staticmethod
    def by_diagrams(form: NormalForm, groups: Groups, budget: Budget) -> "Solver[DecisionDiagrams]":
        """Return a solver whose manager is `DecisionDiagrams`, in the first order that fits."""
        ways = [partial(_by_diagrams, form, groups, by_size) for by_size in (True, False)]
        solver = _first_answer(budget, ((ways[0], 0.05), (ways[1], 0.15), (ways[0], 0.8)))
        solver.manager.budget = budget
        return solver

    def within(self, function: int) -> int:
        """Return the function that is true where a function is and the exclusions allow it."""
        return self.manager.both(function, self.allowed)

    def example(self) -> dict[str, bool] | None:
        """Return values that make the condition true, with few true ones, or None."""
        function = self.within(self.root)
        if function == self.manager.FALSE:
            return None
        true = self.manager.example(function)
        return {operand: level in true for level, operand in enumerate(self.operand_at)}


def example(form: NormalForm, groups: Groups, steps: int) -> dict[str, bool] | None:
    """Return values that make a form true and fit what exclusions allow, or None."""
    if len(form.occurring()) <= MOST_IN_TABLES:
        return Solver.of(form, groups, Budget(steps)).example()
    ways: list[Callable[[Budget], dict[str, bool] | None]] = [
        lambda budget: _Search(form, groups, budget).example(),
        lambda budget: _by_diagrams(form, groups, True, budget).example(),
        lambda budget: _by_diagrams(form, groups, False, budget).example(),
    ]
    shares = 0.04, 0.03, 0.03, 0.6, 0.15, 0.15
    return _first_answer(Budget(steps), list(zip(ways * 2, shares, strict=True)))


def _by_diagrams(
    form: NormalForm, groups: Groups, by_size: bool, budget: Budget
) -> Solver[DecisionDiagrams]:
    return Solver(form, groups, DecisionDiagrams(budget), by_size=by_size)


def _first_answer[T](budget: Budget, ways: Sequence[tuple[Callable[[Budget], T], float]]) -> T:
    """Return the answer of the first way that needs no more than its share of what is left."""
    left = budget.left
    for way, share in ways:
        part = Budget(int(left * share))
        try:
            answer = way(part)
        except BudgetExceeded:
            budget.spend(part.steps)
        else:
            budget.spend(part.steps - part.left)
            return answer
    raise BudgetExceeded(budget.steps)


def _levels(
    form: NormalForm, exclusions: Sequence[Sequence[int]], sizes: dict[int, int]
) -> dict[int, int]:
    """Return the level of each operand: the deepest is lowest, and groups stand side by side."""
    places, placed = places_of(exclusions), set[int]()
    level_of: dict[int, int] = {}
    todo = [form.root]
    while todo:
        part = todo.pop()
        if part < 0:
            todo += reversed(_largest_first(form.members[~part], sizes))
            continue
        level_of.setdefault(part >> 1, len(level_of))
        for group in places.pop(part >> 1, ()):
            if group not in placed:
                placed.add(group)
                for operand in exclusions[group]:
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


# The search.

_LONGEST = 8  # literals of a clause before it is split, so that no visit of one takes long
_RESTART = 50  # conflicts before the first restart
_AHEAD = 1000.0  # the score with which conjunctions begin; each conflict with one halves it


class _Search:
    """A search for values that make clauses true: DPLL with unit propagation and learnt clauses.

    A conjunction in a disjunction has a variable that implies it. There is a clause for each part.
    """

    def __init__(self, form: NormalForm, groups: Groups, budget: Budget) -> None:
        """Make the clauses of a form, and of what exclusions allow."""
        self._form, self._budget = form, budget
        self._clauses: list[list[int]] = []
        self._variables = len(form.operands)
        literal_of: dict[int, int] = {}
        junctions = form.junctions()
        for number in reversed(junctions):
            if form.conjunctive[number] and ~number != form.root:
                literal_of[~number] = self._variable()
        self._conjunctions = range(len(form.operands), self._variables)

        def add(guard: list[int], part: int) -> None:
            is_disjunction = part < 0 and not form.conjunctive[~part]
            parts = form.members[~part] if is_disjunction else (part,)
            self._add(guard + [literal_of.get(each, each) for each in parts])

        if form.root >= 0 or not form.conjunctive[~form.root]:
            add([], form.root)
        for number in junctions:
            if form.conjunctive[number]:
                guard = [] if ~number == form.root else [literal_of[~number] ^ 1]
                for part in form.members[number]:
                    add(guard, part)
        for group in among(form, groups):
            literals = [2 * operand for operand in group]
            while literals:
                few, literals = literals[:_LONGEST], literals[_LONGEST:]
                if literals:
                    one_of_the_rest = self._variable()
                    few.append(one_of_the_rest)
                    literals.append(one_of_the_rest ^ 1)
                for one, other in combinations(few, 2):
                    self._add([one ^ 1, other ^ 1])

    def _variable(self) -> int:
        """Return the literal of a new variable."""
        self._variables += 1
        return 2 * self._variables - 2

    def _add(self, literals: Iterable[int]) -> None:
        """Add a clause, in pieces if it is long."""
        clause = list(dict.fromkeys(literals))
        while len(clause) > _LONGEST:
            link = self._variable()
            self._clauses.append([*clause[1 - _LONGEST :], link])
            clause[1 - _LONGEST :] = [link ^ 1]
        self._clauses.append(clause)

    def example(self) -> dict[str, bool] | None:
        """Return values that make all clauses true, or None."""
        count = self._variables
        self._value: list[bool | None] = [None] * (2 * count)  # by literal
        self._watched_by: list[list[list[int]]] = [[] for _ in range(2 * count)]
        self._trail: list[int] = []  # the literals that are true, as they became so
        self._propagated = 0  # how many of them
        self._choices: list[int] = []  # how long the trail was at each choice
        self._depth = [0] * count  # by variable: the choices before it had its value
        self._reason: list[list[int]] = [[]] * count  # by variable: the clause that gave its value
        often = Counter(chain.from_iterable(self._clauses))  # by literal
        signs = [(often[2 * each], often[2 * each + 1]) for each in range(count)]
        self._last = [plain > negated for plain, negated in signs]  # its last, or likelier, value
        # How often and how lately in conflicts; far below 1, how often at all. Conjunctions begin.
        self._score = [(plain + negated) / 1000 for plain, negated in signs]
        for each in self._conjunctions:
            self._last[each], self._score[each] = True, _AHEAD
        self._queue = [(-score, each) for each, score in enumerate(self._score)]
        heapq.heapify(self._queue)
        for clause in self._clauses:
            if len(clause) > 1:
                self._watch(clause)
            elif not clause or self._value[clause[0]] is False:
                return None
            elif self._value[clause[0]] is None:
                self._set(clause[0], clause)
        conflicts, restart = 0, _RESTART
        while True:
            if conflict := self._conflict():
                if not self._choices:
                    return None
                conflicts += 1
                learnt = self._learnt(conflict, conflicts)
                self._back(self._depth[learnt[1] >> 1] if len(learnt) > 1 else 0)
                if len(learnt) > 1:
                    self._watch(learnt)
                self._set(learnt[0], learnt)
                continue
            if conflicts >= restart:
                restart += restart // 2
                self._back(0)
            while self._queue and self._value[2 * self._queue[0][1]] is not None:
                heapq.heappop(self._queue)
            if not self._queue:
                numbered = enumerate(self._form.operands)
                return {operand: self._value[2 * number] is True for number, operand in numbered}
            _, variable = heapq.heappop(self._queue)
            self._choices.append(len(self._trail))
            self._set(2 * variable + (not self._last[variable]), [])

    def _watch(self, clause: list[int]) -> None:
        """Have a clause visited when one of its first two literals becomes false."""
        for literal in clause[:2]:
            self._watched_by[literal].append(clause)

    def _set(self, literal: int, reason: list[int]) -> None:
        """Make a literal true."""
        self._value[literal], self._value[literal ^ 1] = True, False
        self._depth[literal >> 1] = len(self._choices)
        self._reason[literal >> 1] = reason
        self._trail.append(literal)

    def _conflict(self) -> list[int] | None:
        """Make true what clauses leave no choice about; return a clause that is false, if any."""
        value, watched_by, spend = self._value, self._watched_by, self._budget.spend
        while self._propagated < len(self._trail):
            false = self._trail[self._propagated] ^ 1
            self._propagated += 1
            visited = watched_by[false]
            spend(1 + len(visited) // 8)
            watched_by[false] = kept = []
            for place, clause in enumerate(visited):
                if clause[0] == false:
                    clause[0], clause[1] = clause[1], false
                first = clause[0]
                if value[first] is not True:
                    for other in range(2, len(clause)):
                        if value[clause[other]] is not False:
                            clause[1], clause[other] = clause[other], false
                            watched_by[clause[1]].append(clause)
                            break
                    else:
                        kept.append(clause)
                        if value[first] is False:
                            kept += visited[place + 1 :]
                            return clause
                        self._set(first, clause)
                    continue
                kept.append(clause)
        return None

    def _learnt(self, conflict: list[int], number: int) -> list[int]:
        """Return a clause that forbids this conflict and others like it.

        It has one literal of the last choice, the first; the second is of the choice before.
        """
        depth, score, trail = self._depth, self._score, self._trail
        seen: set[int] = set()
        learnt = [0]
        place, clause, open_ones = len(trail), conflict, 0
        while True:
            self._budget.spend()
            for literal in clause:
                variable = literal >> 1
                if variable not in seen and depth[variable]:
                    seen.add(variable)
                    score[variable] = (score[variable] + number) / 2
                    if depth[variable] == len(self._choices):
                        open_ones += 1
                    else:
                        learnt.append(literal)
            place -= 1
            while trail[place] >> 1 not in seen:
                place -= 1
            open_ones -= 1
            if not open_ones:
                break
            clause = self._reason[trail[place] >> 1]
        learnt[0] = trail[place] ^ 1
        return sorted(learnt, key=lambda literal: -depth[literal >> 1])

    def _back(self, choices: int) -> None:
        """Take back all but so many choices, and what followed from them."""
        if choices == len(self._choices):
            return
        for literal in self._trail[self._choices[choices] :]:
            variable = literal >> 1
            self._value[literal] = self._value[literal ^ 1] = None
            self._last[variable] = not literal & 1
            heapq.heappush(self._queue, (-self._score[variable], variable))
        del self._trail[self._choices[choices] :], self._choices[choices:]
        self._propagated = len(self._trail)
