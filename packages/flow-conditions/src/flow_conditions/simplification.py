"""The shortest condition that is found with the same truth table.

Three ways, of which each begins with what the one before has left:

- *Facts*: beside an operand in a row, the rest of the row knows what it is worth. That is
  idempotence, complement, absorption and unit propagation at any distance, in time proportional
  to the length.
- *Care*: a part that has one value wherever it matters is left out (see `reduction`). That is
  proven by diagrams, and uses what the exclusions say.
- A *cover*: an irredundant sum of products, or the negation of one, with common factors taken out.

What is shortest then counts only if its text is shorter than what was given, and all begins anew
with it: so what is returned would be returned again.
"""

from collections.abc import Iterator

from flow_conditions.budget import Budget
from flow_conditions.covers import cover
from flow_conditions.exclusions import Exclusions, Groups, grouped
from flow_conditions.facts import by_facts, read_once
from flow_conditions.grammar import OPERATORS
from flow_conditions.infix import infix
from flow_conditions.phrasing import Phrasing
from flow_conditions.reduction import reduce
from flow_conditions.rows import FALSE as NEVER
from flow_conditions.rows import TRUE as ALWAYS
from flow_conditions.rows import Rows, read
from flow_conditions.space import Space

type Program = tuple[str, ...]


def simplify(program: Program, exclusions: Exclusions, budget: int) -> Program | bool:
    """Return a shorter program, the same one if none is found, or its value if it has only one."""
    groups, allowance = grouped(exclusions), Budget(budget)
    while True:
        length = len(infix(program))
        operands = sum(token not in OPERATORS for token in program)
        shorter = None
        for rows in _forms(read(program), groups, allowance):
            if rows.root in (ALWAYS, NEVER):
                return rows.root == ALWAYS
            phrasing = Phrasing(rows)
            if phrasing.length < length and len(rows.leaves()) <= operands:
                shorter, length = phrasing, phrasing.length
        if shorter is None:
            return program
        program = shorter.program()


def _forms(rows: Rows, groups: Groups, budget: Budget) -> Iterator[Rows]:
    """Yield rows with the same truth table, those that cost least to find first."""
    budget.spend(len(rows.leaves()))
    rows = by_facts(rows, groups)
    # If no operand occurs twice, no part is without effect, and no other form has fewer operands.
    if not read_once(rows, groups):
        space = Space(rows, groups, budget)
        edges = space.edges(rows)
        function = edges[rows.root]
        value = space.constant(function)
        if value is None:
            rows, _ = reduce(rows, edges, space.allowed, space.diagrams)
            if not read_once(rows, groups):
                for negated in (False, True):
                    if (
                        sum_or_product := cover(rows, space, function, negated=negated)
                    ) is not None:
                        yield sum_or_product
        else:
            rows.root = ALWAYS if value else NEVER
    yield rows
