"""Which parts of a condition can be left out, because the parts beside them settle the matter.

What a part is worth matters only where the parts beside it do not settle their row. If it is worth
one and the same there, it is left out, the last parts first. What the operands are worth is a
function each, which may depend on the others.
"""

from collections.abc import Callable, Mapping

from flow_conditions.descent import Descent, descend
from flow_conditions.representation import Representation
from flow_conditions.rows import FALSE as NEVER
from flow_conditions.rows import TRUE as ALWAYS
from flow_conditions.rows import Rows

type Keep = Callable[[int, bool], bool]
"""Whether an operand stays, by its part and by whether its row is joined by `&&`."""


def keep_none(_part: int, _conjunctive: bool) -> bool:
    """Let every operand be left out that has no effect."""
    return False


def reduce(
    rows: Rows,
    functions: Mapping[int, int],
    care: int,
    representation: Representation,
    keep: Keep = keep_none,
) -> tuple[Rows, list[int]]:
    """Return what is left of rows where something matters, and the parts that are left out.

    `functions` has that of every part, `care` is where the whole matters. Rows that have one value
    there are that constant.

    Raises:
        BudgetExceeded: it takes more than is left.
    """
    both, true, false = representation.both, representation.TRUE, representation.FALSE
    fresh = Rows(rows.operands)
    left_out: list[int] = []

    def reduced(number: int, care: int) -> Descent[tuple[int, int]]:
        """Return what a row can be where it matters, and the function of that."""
        conjunctive = rows.conjunctive[number]
        sign = true if conjunctive else false
        before = [care]  # where the row matters and no part before settles it
        for part in rows.members[number][:-1]:
            before.append(both(before[-1], functions[part] ^ sign))
        parts: list[int] = []
        behind = true  # where no part behind settles it
        for part in reversed(rows.members[number]):
            matters = both(before.pop(), behind)
            function = functions[part] ^ sign
            open_still = both(matters, function)
            if part < 0 or not keep(part, conjunctive):
                if open_still == false:
                    return (NEVER, false) if conjunctive else (ALWAYS, true)
                if open_still == matters:
                    left_out.append(part)
                    continue
            if part < 0:
                part, function = yield reduced(~part, matters)  # noqa: PLW2901
                function ^= sign
            parts.append(part)
            behind = both(behind, function)
        parts.reverse()
        return fresh.row(conjunctive, parts), behind ^ sign

    if rows.root >= 0:
        return rows, []
    fresh.root, _ = descend(reduced(~rows.root, care))
    return fresh, left_out
