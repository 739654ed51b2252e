"""Two-level forms: an irredundant sum of products, and its common factors taken out.

The sum is that of Minato and Morreale: between a lower and an upper function, which differ where
the value does not matter, products that are each needed, and in each of which every operand is.
"""

from collections import Counter
from collections.abc import Sequence

from flow_conditions.descent import Descent, descend
from flow_conditions.diagrams import FALSE, TRUE, Diagrams
from flow_conditions.rows import Rows
from flow_conditions.space import Space

type _Product = tuple[int, ...]  # operands, negated ones with their sign


class _TooMany(Exception):
    """A sum of more products than are wanted."""


def cover(rows: Rows, space: Space, edge: int, *, negated: bool) -> Rows | None:
    """Return rows for a function: a sum of products, or the negation of one for its negation.

    None if there are more products than operands in the rows: those would not be shorter.
    """
    most = len(rows.leaves())
    edge ^= negated
    lower = space.within(edge)
    upper = space.within(edge ^ 1) ^ 1
    try:
        products, _ = descend(_irredundant(space.diagrams, lower, upper, most))
    except _TooMany:
        return None
    operand_at = space.order.operand_at
    found = [
        sorted(2 * operand_at[literal >> 1] + (literal & 1 ^ negated) for literal in product)
        for product in products
    ]
    fresh = Rows(rows.operands)
    fresh.root = descend(_factored(fresh, negated, sorted(map(tuple, found))))
    return fresh


def _irredundant(
    diagrams: Diagrams, lower: int, upper: int, most: int
) -> Descent[tuple[list[_Product], int]]:
    """Return products, by level, and their sum.

    Raises:
        _TooMany: There are more of them than wanted.
    """
    if lower == FALSE:
        return [], FALSE
    if upper == TRUE:
        return [()], TRUE
    level = diagrams.level(lower, upper)
    lower_0, lower_1 = diagrams.halves(lower, level)
    upper_0, upper_1 = diagrams.halves(upper, level)
    both, either = diagrams.both, diagrams.either
    without, sum_0 = yield _irredundant(diagrams, both(lower_0, upper_1 ^ 1), upper_0, most)
    within, sum_1 = yield _irredundant(diagrams, both(lower_1, upper_0 ^ 1), upper_1, most)
    rest = either(both(lower_0, sum_0 ^ 1), both(lower_1, sum_1 ^ 1))
    others, sum_2 = yield _irredundant(diagrams, rest, both(upper_0, upper_1), most)
    count = len(without) + len(within) + len(others)
    if count > most:
        raise _TooMany
    diagrams.budget.spend(1 + count)
    products = [
        *((*product, 2 * level + 1) for product in without),
        *((*product, 2 * level) for product in within),
        *others,
    ]
    return products, diagrams.choice(level, either(sum_0, sum_2), either(sum_1, sum_2))


def _factored(rows: Rows, conjunctive: bool, products: Sequence[_Product]) -> Descent[int]:
    """Return the sum of some products, with what most of them have in common written once.

    With `conjunctive` it is the product of sums.
    """
    counted = Counter(literal for product in products for literal in product)
    most = max(counted.values(), default=0)
    if most < 2:  # noqa: PLR2004 - nothing is in two of them
        return rows.row(conjunctive, [rows.row(not conjunctive, each) for each in products])
    factor = min(literal for literal, count in counted.items() if count == most)
    shared = [
        tuple(literal for literal in product if literal != factor)
        for product in products
        if factor in product
    ]
    inner = yield _factored(rows, conjunctive, shared)
    rest = yield _factored(rows, conjunctive, [each for each in products if factor not in each])
    return rows.row(conjunctive, [rows.row(not conjunctive, [factor, inner]), rest])
