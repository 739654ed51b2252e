"""What can be asked of a condition before the values of its operands are known.

The verbs of `Condition` that are questions about all values at once, and those that compare two
conditions. Quick ways come first: a condition in which no operand occurs both plain and negated is
never constant, and most are of that kind. `simplification` and `blame` have modules of their own.
"""

from collections.abc import Mapping

from flow_conditions.budget import Budget
from flow_conditions.condition import BUDGET, Condition
from flow_conditions.errors import ExclusionError
from flow_conditions.exclusions import Exclusions, Known, grouped, settled
from flow_conditions.facts import by_facts, varies
from flow_conditions.grammar import AND, NOT, OPERATORS, OR
from flow_conditions.kleene import Value
from flow_conditions.rows import Rows, read
from flow_conditions.space import Space, fitting

type Program = tuple[str, ...]


def equivalent(
    first: Condition, second: Condition, *, exclusions: Exclusions = (), budget: int = BUDGET
) -> bool:
    """Tell whether two conditions have the same value whatever their operands are worth.

    Raises:
        BudgetExceeded: that takes more steps than the budget allows.
    """
    if first == second:
        return True
    groups = grouped(exclusions)
    together = read((*first.program, *second.program, AND))
    space = Space(together, groups, fitting(together, Budget(budget)))
    one, other = (
        space.within(space.function(by_facts(read(each.program, together.operands), groups)))
        for each in (first, second)
    )
    return one == other


def implies(
    first: Condition, second: Condition, *, exclusions: Exclusions = (), budget: int = BUDGET
) -> bool:
    """Tell whether the second condition is true wherever the first one is.

    Raises:
        BudgetExceeded: that takes more steps than the budget allows.
    """
    return always((*first.program, NOT, *second.program, OR), exclusions, budget)


def always(program: Program, exclusions: Exclusions, budget: int) -> bool:
    """Tell whether a program is true whatever its operands are worth."""
    return never((*program, NOT), exclusions, budget)


def never(program: Program, exclusions: Exclusions, budget: int) -> bool:
    """Tell whether a program is false whatever its operands are worth."""
    groups = grouped(exclusions)
    rows = by_facts(read(program), groups)
    if varies(rows, groups):
        return False
    space = Space(rows, groups, fitting(rows, Budget(budget)))
    return space.never(space.function(rows))


def restricted(program: Program, known: Mapping[str, bool]) -> Program | bool:
    """Return what is left of a program when some operands are known, in one pass.

    Every part on the stack has its value, and where its own tokens begin in what is left; a part
    with a value has none.
    """
    left: list[str] = []
    parts: list[tuple[int, Value]] = []
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
    return tuple(left) if value is None else value


def restrict(program: Program, known: Known, exclusions: Exclusions) -> Program | bool:
    """Return what is left of a program when some operands are known."""
    return restricted(program, settled(known, grouped(exclusions)))


def model(
    program: Program, given: Known, exclusions: Exclusions, budget: int
) -> dict[str, bool] | None:
    """Return values that make a program true and fit what is given, if there are any."""
    groups = grouped(exclusions)
    try:
        known = settled(given, groups)
    except ExclusionError:
        return None
    residue = restricted(program, known)
    if isinstance(residue, bool):
        return known if residue else None
    rows = by_facts(read(residue), groups)
    if varies(rows, groups):
        return known | _chosen(rows)
    space = Space(rows, groups, fitting(rows, Budget(budget)))
    example = space.example(space.function(rows))
    return None if example is None else known | example


def _chosen(rows: Rows) -> dict[str, bool]:
    """Return values that make rows true in which no operand occurs with both signs."""
    chosen: dict[str, bool] = {}
    todo = [rows.root]
    while todo:
        part = todo.pop()
        if part >= 0:
            chosen[rows.operands[part >> 1]] = not part & 1
        elif rows.conjunctive[~part]:
            todo += rows.members[~part]
        else:
            todo.append(rows.members[~part][0])
    return chosen


def decided(
    program: Program, answers: Mapping[str, Value], exclusions: Exclusions, budget: int
) -> Value:
    """Return the value of a program if it is the same whatever the unknown operands are worth."""
    groups = grouped(exclusions)
    known = settled(answers, groups)
    residue = restricted(program, known)
    if isinstance(residue, bool):
        return residue
    rows = by_facts(read(residue), groups)
    if varies(rows, groups):
        return None
    space = Space(rows, groups, fitting(rows, Budget(budget)))
    return space.constant(space.function(rows))
