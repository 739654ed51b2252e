"""What can be proven about conditions: questions about all values of their operands at once.

Quick ways come first: what is known is put in, and `propagated` sees what literals decide beside
them. If no operand is left with both signs, and none excludes another, the condition has both
values. Only the rest, a small part, is proven by `boolean_functions.example`.

`blame` looks for a smallest set of operands whose values alone decide. If no operand occurs twice
and none excludes another, one pass finds it. Otherwise it is a *minimum hitting set*. As long as
some operands do not decide, there are values of the others that change the result; one of those
that differ must be in the set too. The smallest set with one of each such difference is tried.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

from flow_conditions.boolean_functions import FALSE, Budget, DecisionDiagrams, Solver, example
from flow_conditions.condition import (
    BUDGET,
    Condition,
    Exclusions,
    Known,
    Lookup,
    Name,
    Program,
    Value,
    asked,
    program_of,
)
from flow_conditions.grammar import AND, CONSTANTS, NO_OPERANDS, NOT, OPERATORS, OR, SPELLING_OF
from flow_conditions.normal_form import (
    Groups,
    NormalForm,
    among,
    grouped,
    is_read_once,
    is_unate,
    propagated,
    settled,
)


def equivalent(
    first: Condition, second: Condition, *, exclusions: Exclusions = (), budget: int = BUDGET
) -> bool:
    """Tell whether two conditions have the same value whatever their operands are worth."""
    groups = grouped(exclusions)
    return program_of(first) == program_of(second) or (
        implies(first, second, exclusions=groups, budget=budget)
        and implies(second, first, exclusions=groups, budget=budget)
    )


def implies(
    first: Condition, second: Condition, *, exclusions: Exclusions = (), budget: int = BUDGET
) -> bool:
    """Tell whether the second condition is true wherever the first one is."""
    counterexample = (*program_of(first), *program_of(second), NOT, AND)
    return model(counterexample, {}, exclusions, budget) is None


def restrict(program: Program, known: Known, exclusions: Exclusions) -> Program:
    """Return what is left of a program when some operands are known."""
    values = settled(known, grouped(exclusions))
    return program if values.keys().isdisjoint(program) else _restricted(program, values)


def count_models(program: Program, exclusions: Exclusions, budget: int) -> int:
    """Return how many values of all operands make a program true."""
    solver = Solver.of(NormalForm.of(program), grouped(exclusions), Budget(budget))
    return solver.manager.count(solver.within(solver.root), len(solver.operand_at))


def _restricted(program: Program, known: Mapping[str, bool]) -> Program:
    """Return what is left of a program when some operands are known, in one pass.

    Every part on the stack has its value, and where its own tokens begin in what is left; a part
    with a value has none.
    """
    left: list[str] = []
    parts: list[tuple[int, Value]] = []
    known = {**CONSTANTS, **known}
    for token in program:
        if token == NOT:
            start, value = parts.pop()
            if value is None:
                left.append(NOT)
            else:
                value = not value
        elif token in OPERATORS:
            _, right = parts.pop()
            start, value = parts.pop()
            settling = token == OR  # the value that settles the matter alone
            if value is settling or right is settling:
                del left[start:]
                value = settling
            elif value is None and right is None:
                left.append(token)
            elif value is not None:
                value = right
        else:
            start, value = len(left), known.get(token)
            if value is None:
                left.append(token)
        parts.append((start, value))
    _, value = parts.pop()
    return tuple(left) if value is None else (SPELLING_OF[value],)


def model(
    program: Program, given: Known, exclusions: Exclusions, budget: int
) -> dict[str, bool] | None:
    """Return values that make a program true and fit what is given, if there are any."""
    groups = grouped(exclusions)
    known = settled(given, groups)
    found = _example(_restricted(program, known), groups, budget)
    return None if found is None else known | found


def _example(program: Program, groups: Groups, budget: int) -> dict[str, bool] | None:
    """Return values that make a program true, those that matter, if there are any."""
    form = propagated(NormalForm.of(program), groups)
    return _model_of_unate(form) if is_unate(form, groups) else example(form, groups, budget)


def _model_of_unate(form: NormalForm) -> dict[str, bool]:
    """Return values that make a form true in which no operand occurs with both signs."""
    chosen: dict[str, bool] = {}
    todo = [form.root]
    while todo:
        part = todo.pop()
        if part >= 0:
            chosen[form.operands[part >> 1]] = not part & 1
        elif form.conjunctive[~part]:
            todo += form.members[~part]
        else:
            todo.append(form.members[~part][0])
    return chosen


def _answers(program: Program, lookup: Lookup, groups: Groups) -> dict[str, Value]:
    """Ask for the operands of a program and of groups, and return the answers by spelling."""
    operands = dict.fromkeys(chain(program, *groups))
    return asked(((one, Name.spelled(one)) for one in operands if one not in NO_OPERANDS), lookup)


def decided(program: Program, lookup: Lookup, exclusions: Exclusions, budget: int) -> Value:
    """Return the value of a program if it is the same whatever the unknown operands are worth."""
    groups = grouped(exclusions)
    residue = _restricted(program, settled(_answers(program, lookup, groups), groups))
    if _example(residue, groups, budget) is None:
        return False
    return True if _example((*residue, NOT), groups, budget) is None else None


def blame(
    program: Program, lookup: Lookup, exclusions: Exclusions, budget: int
) -> list[str] | None:
    """Return a smallest set of operands that decides a program, or None if nothing does yet."""
    groups = grouped(exclusions)
    answers = _answers(program, lookup, groups)
    settled(answers, groups)  # raises if two operands are true that exclude each other
    # What is true beside the program can decide too, so each such operand joins it: x || !x.
    beside = {one for one, answer in answers.items() if answer}.difference(program)
    joined = chain.from_iterable((one, one, NOT, OR, AND) for one in answers if one in beside)
    form = NormalForm.of((*program, *joined))
    if not among(form, groups):
        # With exclusions, an operand without effect may still decide what another one is worth.
        form = propagated(form)
    if is_read_once(form, groups):
        cheapest = (_cheapest(form, answers, value) for value in (True, False))
        return next((operands for operands in cheapest if operands is not None), None)
    solver = Solver.by_diagrams(form, groups, Budget(budget))
    diagrams, edge = solver.manager, solver.root
    answer_at = [answers[operand] for operand in solver.operand_at]
    for opposite in (edge ^ 1, edge):
        differences = _Differences(diagrams, solver.within(opposite), answer_at)
        if differences.nearest(range(len(answer_at))) is None:
            levels = _smallest(differences, diagrams.budget)
            found = {solver.operand_at[level] for level in levels}
            return [operand for operand in form.operands if operand in found]
    return None


_IMPOSSIBLE = float("inf")  # the price of a value that cannot be


def _cheapest(form: NormalForm, answers: Mapping[str, Value], value: bool) -> list[str] | None:
    """Return the operands to blame for a value of a form in which every operand occurs once.

    None if the form does not have that value.
    """
    prices: dict[int, float] = {}
    for literal in form.literals():
        answer = answers[form.operands[literal >> 1]]
        has_value = answer is not None and answer is (value != literal & 1)
        prices[literal] = 1 if has_value else _IMPOSSIBLE
    for number in form.junctions():
        each = [prices[part] for part in form.members[number]]
        prices[~number] = (
            sum(each) if form.conjunctive[number] == value else min(each, default=_IMPOSSIBLE)
        )
    if prices[form.root] == _IMPOSSIBLE:
        return None
    blamed = set()
    todo = [form.root]
    while todo:
        part = todo.pop()
        if part >= 0:
            blamed.add(form.operands[part >> 1])
        elif form.conjunctive[~part] == value:
            todo += form.members[~part]
        else:
            todo.append(min(form.members[~part], key=prices.__getitem__))
    return [operand for operand in form.operands if operand in blamed]


class _Differences:
    """Where a function is true, seen from the values that the operands have."""

    def __init__(self, diagrams: DecisionDiagrams, edge: int, answer_at: Sequence[Value]) -> None:
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
        price: dict[int, float] = {0: 0, 1: _IMPOSSIBLE}  # of each edge
        choice: dict[int, bool] = {}
        for node in self._nodes:
            level = diagrams.levels[node]
            answer = answer_at[level]
            toll = _IMPOSSIBLE if level in fixed else 1
            if_false = toll if answer is True else 0
            if_true = toll if answer is False else 0
            for sign in (0, 1):
                low = price[diagrams.lows[node] ^ sign] + if_false
                high = price[diagrams.highs[node] ^ sign] + if_true
                price[2 * node + sign] = min(low, high)
                choice[2 * node + sign] = high < low
        if price[self._edge] == _IMPOSSIBLE:
            return None
        differing = []
        edge = self._edge
        while edge > FALSE:
            level = diagrams.levels[edge >> 1]
            chosen = choice[edge]
            if answer_at[level] is (not chosen):
                differing.append(level)
            edge = diagrams.cofactors(edge, level)[chosen]
        return differing[::-1]


def _smallest(differences: _Differences, budget: Budget) -> Sequence[int]:
    """Return a smallest set of levels that has one of every difference."""
    found: list[list[int]] = []
    hitting: Sequence[int] = ()
    while True:
        kept = list(hitting)
        while (difference := differences.nearest(kept)) is not None:
            found.append(difference)
            kept += difference
        if len(kept) == len(hitting):
            return hitting
        hitting = _minimum_hitting_set(found, len(hitting), budget)


def _minimum_hitting_set(
    sets: Sequence[Sequence[int]], at_least: int, budget: Budget
) -> Sequence[int]:
    """Return a smallest set that holds a member of every one; it is known to need `at_least`."""
    forced = tuple(dict.fromkeys(each[0] for each in sets if len(each) == 1))
    rest = [each for each in sets if not set(forced).intersection(each)]
    size = max(at_least, len(forced))
    while True:
        todo = [forced]
        while todo:
            chosen = todo.pop()
            budget.spend(1 + len(rest) // 4)
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
