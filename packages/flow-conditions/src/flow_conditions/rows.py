"""Conditions as rows, the form in which the algebra works: no `!` but before operands, rows flat.

A *part* is a number. `2 * operand` is an operand, one more is its negation, and a negative number
is `~row`, a row of parts joined by `&&` or `||`. No row holds one of its own operator: `a || (b ||
c)` is a row of three. The constants are the empty rows: nothing joined by `&&` is true, nothing
joined by `||` false. A row's rows have smaller numbers than it, so a loop over the numbers is a
walk from the leaves up.
"""

from collections.abc import Iterable, Sequence

from flow_conditions.grammar import AND, NOT, OPERATORS


class Rows:
    """Many rows over the same operands, which are known by their spelling; and one root."""

    def __init__(self, operands: Sequence[str]) -> None:
        """Begin with the two constants."""
        self.operands = operands
        self.conjunctive = [True, False]  # whether a row is joined by `&&`
        self.members: list[list[int]] = [[], []]
        self.root = TRUE

    def row(self, conjunctive: bool, parts: Iterable[int]) -> int:
        """Join parts, and return what that is: a row, the one part that is left, or a constant."""
        kept: list[int] = []
        for part in parts:
            if part >= 0:
                kept.append(part)
            elif self.conjunctive[~part] == conjunctive:
                kept += self.members[~part]
            elif self.members[~part]:
                kept.append(part)
            else:
                return part  # the constant that settles the row alone
        if len(kept) == 1:
            return kept[0]
        return self._numbered(conjunctive, kept)

    def _numbered(self, conjunctive: bool, members: list[int]) -> int:
        if not members:
            return TRUE if conjunctive else FALSE
        self.conjunctive.append(conjunctive)
        self.members.append(members)
        return ~(len(self.members) - 1)

    def used(self) -> list[int]:
        """Return the rows that the root is made of, in ascending order."""
        todo = [self.root] if self.root < 0 else []
        found = {~part for part in todo}
        while todo:
            for part in self.members[~todo.pop()]:
                if part < 0 and ~part not in found:
                    found.add(~part)
                    todo.append(part)
        return sorted(found)

    def leaves(self) -> list[int]:
        """Return every occurrence of an operand, negated ones with their sign."""
        leaves: list[int] = []
        todo = [self.root]
        while todo:
            part = todo.pop()
            if part >= 0:
                leaves.append(part)
            else:
                todo += self.members[~part]
        return leaves

    def occurring(self) -> set[int]:
        """Return the operands that occur."""
        return {leaf >> 1 for leaf in self.leaves()}


TRUE, FALSE = ~0, ~1


def read(program: Sequence[str], operands: Sequence[str] = ()) -> Rows:
    """Return the rows of a postfix program, with its operands numbered as in these if given."""
    if not operands:
        operands = tuple(dict.fromkeys(token for token in program if token not in OPERATORS))
    rows = Rows(operands)
    index = {operand: number for number, operand in enumerate(rows.operands)}
    # Read backwards, a program has operators before their sides: a side whose operator is that of
    # the row around it goes into the same row. The outermost part is in a row of no operator.
    operator_of: list[bool | None] = [None]
    parts: list[list[int]] = [[]]
    todo = [(0, True)]  # the row of each part that is still to come, and whether it is not negated
    for token in reversed(program):
        row, positive = todo.pop()
        if token == NOT:
            todo.append((row, not positive))
        elif token in OPERATORS:
            conjunctive = (token == AND) == positive
            if operator_of[row] is not conjunctive:
                operator_of.append(conjunctive)
                parts.append([])
                parts[row].append(~(len(parts) - 1))
                row = len(parts) - 1
            todo += (row, positive), (row, positive)
        else:
            parts[row].append(2 * index[token] + (not positive))
    last = len(parts) + 1  # rows come in descending order now, behind the two constants
    for number in range(len(parts) - 1, 0, -1):
        rows.conjunctive.append(operator_of[number] is True)
        rows.members.append(
            [part if part >= 0 else ~(last - ~part) for part in reversed(parts[number])]
        )
    rows.root = parts[0][0] if parts[0][0] >= 0 else ~(last - 1)
    return rows
