"""The shortest condition that is found with the same truth table.

Three ways, of which each goes on with what the one before has left:

- *Facts*: beside an operand in a row, the rest of the row knows what it is worth. That is
  idempotence, complement, absorption and unit propagation at any distance, in time proportional
  to the length (see `facts`).
- *Factors*: what rows beside each other have in common is written once (see `factoring`).
- *Care*: a part that has one value wherever it matters is left out (see `reduction`). That is
  proven, and uses what the exclusions say.

The last two are repeated until neither finds anything. Whether they do does not depend on the order
of the parts, and what is left counts only if its text is shorter than what was given: so what is
returned would be returned again.
"""

from flow_conditions.budget import Budget
from flow_conditions.exclusions import Exclusions, Groups, grouped
from flow_conditions.factoring import factored
from flow_conditions.facts import by_facts, read_once
from flow_conditions.infix import infix
from flow_conditions.phrasing import Phrasing
from flow_conditions.reduction import reduce
from flow_conditions.rows import FALSE as NEVER
from flow_conditions.rows import TRUE as ALWAYS
from flow_conditions.rows import Rows, read
from flow_conditions.space import Space, fitting

type Program = tuple[str, ...]


def simplify(program: Program, exclusions: Exclusions, budget: int) -> Program | bool:
    """Return a shorter program, the same one if none is found, or its value if it has only one."""
    groups, allowance = grouped(exclusions), Budget(budget)
    rows = by_facts(read(program), groups)
    if not read_once(rows, groups):
        rows = _irreducible(factored(rows, allowance), groups, allowance)
    if rows.root in (ALWAYS, NEVER):
        return rows.root == ALWAYS
    phrasing = Phrasing(rows)
    return phrasing.program() if phrasing.length < len(infix(program)) else program


def _irreducible(rows: Rows, groups: Groups, budget: Budget) -> Rows:
    """Return rows with the same truth table of which no part can be left out or taken out.

    If no operand occurs twice, that is so already.
    """
    while not read_once(rows, groups):
        before = len(rows.leaves())
        budget.spend(before)
        space = Space(rows, groups, fitting(rows, budget))
        rows, _ = reduce(rows, space.functions(rows), space.allowed, space.representation)
        rows = factored(rows, budget)
        if len(rows.leaves()) == before:
            break
    return rows
