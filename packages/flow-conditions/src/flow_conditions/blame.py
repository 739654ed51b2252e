"""A smallest set of operands whose values alone decide what a condition is.

If no operand occurs twice and none excludes another, one pass finds it: a row that needs all its
parts needs what each of them needs, a row that needs one takes the cheapest.

Otherwise it is a *minimum hitting set*. As long as some operands do not decide, there are values of
the others that change the result; one of those that differ must be decided upon too. The smallest
set that holds one of each such difference is tried, until it decides. It is then a smallest one,
because every set that decides holds one of each of them.
"""

from collections.abc import Mapping, Sequence

from flow_conditions.budget import Budget
from flow_conditions.diagrams import FALSE, Diagrams
from flow_conditions.exclusions import Exclusions, among, grouped, settled
from flow_conditions.facts import by_facts, read_once
from flow_conditions.kleene import Value
from flow_conditions.rows import Rows, read
from flow_conditions.space import Space

_NEVER = float("inf")  # the price of what cannot be


def blame(
    program: tuple[str, ...], answers: Mapping[str, Value], exclusions: Exclusions, budget: int
) -> list[str] | None:
    """Return the operands to blame for the value of a program, or None if it has no value yet."""
    groups = grouped(exclusions)
    settled(answers, groups)  # who says that two are true which exclude each other is told so
    rows = read(program)
    if not among(rows, groups):
        # With exclusions, an operand without effect may still decide what another one is worth.
        rows = by_facts(rows)
    if read_once(rows, groups):
        cheapest = (_cheapest(rows, answers, value) for value in (True, False))
        return next((operands for operands in cheapest if operands is not None), None)
    diagrams = Diagrams(Budget(budget))
    space = Space(rows, groups, diagrams)
    edge = space.function(rows)
    answer_at = [answers[rows.operands[operand]] for operand in space.order.operand_at]
    for opposite in (edge ^ 1, edge):
        differences = _Differences(diagrams, space.within(opposite), answer_at)
        if differences.nearest(range(len(answer_at))) is None:
            levels = _smallest(differences, diagrams)
            found = {rows.operands[space.order.operand_at[level]] for level in levels}
            return [operand for operand in rows.operands if operand in found]
    return None


def _cheapest(rows: Rows, answers: Mapping[str, Value], value: bool) -> list[str] | None:
    """Return the operands to blame for a value of rows in which every operand occurs once.

    None if it is not the value that they have.
    """
    prices: dict[int, float] = {}
    for part in rows.leaves():
        answer = answers[rows.operands[part >> 1]]
        has_value = answer is not None and answer is (value != part & 1)
        prices[part] = 1 if has_value else _NEVER
    for number in rows.used():
        each = [prices[part] for part in rows.members[number]]
        prices[~number] = (
            sum(each) if rows.conjunctive[number] == value else min(each, default=_NEVER)
        )
    if prices[rows.root] == _NEVER:
        return None
    blamed = set()
    todo = [rows.root]
    while todo:
        part = todo.pop()
        if part >= 0:
            blamed.add(rows.operands[part >> 1])
        elif rows.conjunctive[~part] == value:
            todo += rows.members[~part]
        else:
            todo.append(min(rows.members[~part], key=prices.__getitem__))
    return [operand for operand in rows.operands if operand in blamed]


class _Differences:
    """Where a function is true, seen from the values that the operands have."""

    def __init__(self, diagrams: Diagrams, edge: int, answer_at: Sequence[Value]) -> None:
        """Find the nodes that matter, the lowest first."""
        self._diagrams = diagrams
        self._edge = edge
        self._answer_at = answer_at
        found = {edge >> 1}
        todo = [edge >> 1]
        while todo:
            node = todo.pop()
            for below in (diagrams.lows[node] >> 1, diagrams.highs[node] >> 1):
                if below not in found:
                    found.add(below)
                    todo.append(below)
        self._nodes = sorted(found - {0})

    def nearest(self, kept: Sequence[int]) -> list[int] | None:
        """Return the fewest operands that must differ for the function to be true, by level.

        Those `kept` must not differ. None if the function is true nowhere then.
        """
        diagrams, answer_at = self._diagrams, self._answer_at
        diagrams.budget.spend(1 + len(self._nodes) // 4)
        fixed = set(kept)
        price: dict[int, float] = {0: 0, 1: _NEVER}  # of each edge
        choice: dict[int, bool] = {}
        for node in self._nodes:
            level = diagrams.levels[node]
            answer = answer_at[level]
            toll = _NEVER if level in fixed else 1
            if_false = toll if answer is True else 0
            if_true = toll if answer is False else 0
            for sign in (0, 1):
                low = price[diagrams.lows[node] ^ sign] + if_false
                high = price[diagrams.highs[node] ^ sign] + if_true
                price[2 * node + sign] = min(low, high)
                choice[2 * node + sign] = high < low
        if price[self._edge] == _NEVER:
            return None
        differing = []
        edge = self._edge
        while edge > FALSE:
            level = diagrams.levels[edge >> 1]
            chosen = choice[edge]
            if answer_at[level] is (not chosen):
                differing.append(level)
            edge = diagrams.halves(edge, level)[chosen]
        return differing[::-1]


def _smallest(differences: _Differences, diagrams: Diagrams) -> Sequence[int]:
    """Return a smallest set of levels without a difference that leaves them out."""
    found: list[list[int]] = []
    hitting: Sequence[int] = ()
    while True:
        kept = list(hitting)
        while (difference := differences.nearest(kept)) is not None:
            found.append(difference)
            kept += difference
        if len(kept) == len(hitting):
            return hitting
        hitting = _minimum_hitting_set(found, len(hitting), diagrams)


def _minimum_hitting_set(
    sets: Sequence[Sequence[int]], at_least: int, diagrams: Diagrams
) -> Sequence[int]:
    """Return a smallest set that holds a member of every one; it is known to need `at_least`."""
    forced = tuple(dict.fromkeys(each[0] for each in sets if len(each) == 1))
    rest = [each for each in sets if not set(forced).intersection(each)]
    size = max(at_least, len(forced))
    while True:
        todo = [forced]
        while todo:
            chosen = todo.pop()
            diagrams.budget.spend(1 + len(rest) // 4)
            missed, apart = _apart(rest, chosen)
            if not missed:
                return chosen
            if len(chosen) + apart <= size:
                todo += [(*chosen, member) for member in reversed(missed)]
        size += 1


def _apart(sets: Sequence[Sequence[int]], chosen: Sequence[int]) -> tuple[Sequence[int], int]:
    """Return a set that holds nothing chosen, and how many such sets have no member in common."""
    taken = set(chosen)
    missed: Sequence[int] = ()
    apart = 0
    for each in sets:
        if taken.isdisjoint(each):
            missed = missed or each
            apart += 1
            taken.update(each)
    return missed, apart
