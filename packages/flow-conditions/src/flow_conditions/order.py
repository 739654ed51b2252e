"""Which operand stands on which level, and what that makes of rows."""

from collections.abc import Iterable, Sequence

from flow_conditions.exclusions import companions_of
from flow_conditions.representation import Representation
from flow_conditions.rows import FALSE as NEVER
from flow_conditions.rows import TRUE as ALWAYS
from flow_conditions.rows import Rows


class Order:
    """On which level each operand of some rows stands, and which one stands on a level."""

    def __init__(self, rows: Rows, groups: Sequence[Sequence[int]] = ()) -> None:
        """Put lowest what is nested deepest: the rest of its row then comes on top of it.

        Operands that exclude each other stand side by side.
        """
        companions = companions_of(groups)
        sizes = _sizes(rows)
        level_of: dict[int, int] = {}
        todo = [rows.root]
        while todo:
            part = todo.pop()
            if part < 0:
                todo += reversed(_largest_first(rows.members[~part], sizes))
                continue
            for operand in (part >> 1, *companions.get(part >> 1, ())):
                level_of.setdefault(operand, len(level_of))
        self.level_of = level_of
        self.operand_at = tuple(level_of)

    def functions(self, rows: Rows, representation: Representation) -> dict[int, int]:
        """Return the function of every part that the root of some rows is made of."""
        function_of = {ALWAYS: representation.TRUE, NEVER: representation.FALSE}
        for operand in rows.occurring():
            function = representation.variable(self.level_of[operand])
            function_of[2 * operand] = function
            function_of[2 * operand + 1] = function ^ representation.FALSE
        sizes = _sizes(rows)
        for number in rows.used():
            members = _largest_first(rows.members[number], sizes)
            functions = [function_of[part] for part in members]
            function_of[~number] = representation.joined(rows.conjunctive[number], functions)
        return function_of


def _largest_first(parts: Iterable[int], sizes: dict[int, int]) -> list[int]:
    """Return the parts of a row in the order in which they are joined."""
    return sorted(parts, key=lambda part: -sizes.get(part, 1))


def _sizes(rows: Rows) -> dict[int, int]:
    """Return how many operands stand in each row, by its part."""
    sizes: dict[int, int] = {}
    for number in rows.used():
        sizes[~number] = sum(sizes.get(part, 1) for part in rows.members[number])
    return sizes
