"""Common factors taken out: `a && b || a && c` is `a && (b || c)`, and likewise for `||`.

What rows beside each other share is then written once. Rows are alike if they hold the same parts,
in whichever order.
"""

from collections.abc import Iterable, Sequence

from flow_conditions.budget import Budget
from flow_conditions.descent import Descent, descend
from flow_conditions.rows import FALSE as NEVER
from flow_conditions.rows import TRUE as ALWAYS
from flow_conditions.rows import Rows


def factored(rows: Rows, budget: Budget) -> Rows:
    """Return rows with the same truth table in which no two rows beside each other share a part.

    Raises:
        BudgetExceeded: it takes more than is left.
    """
    fresh = Rows(rows.operands)
    first_alike: dict[tuple[bool, frozenset[int]], int] = {}

    def row(conjunctive: bool, parts: Iterable[int]) -> int:
        """Join parts, each once; rows that are alike are one row."""
        part = fresh.row(conjunctive, parts)
        if part >= 0:
            return part
        conjunctive, members = fresh.conjunctive[~part], fresh.members[~part]
        distinct = frozenset(members)
        if len(distinct) < len(members):
            return row(conjunctive, dict.fromkeys(members))
        return first_alike.setdefault((conjunctive, distinct), part)

    def joined(conjunctive: bool, parts: Sequence[int]) -> Descent[int]:
        """Join parts, with what rows among them share taken out, what most of them share first."""
        nothing = ALWAYS if conjunctive else NEVER
        while True:
            whole = row(conjunctive, parts)
            if whole >= 0 or fresh.conjunctive[~whole] != conjunctive:
                return whole
            parts = fresh.members[~whole]
            holders = holders_of_shared(parts)
            if not holders:
                return whole
            instead: dict[int, int] = {}
            for each in sorted(holders, key=len, reverse=True):
                sharing = [part for part in each if part not in instead]
                if len(sharing) > 1:
                    instead.update(dict.fromkeys(sharing, nothing))
                    instead[sharing[0]] = yield product(conjunctive, sharing)
            parts = [instead.get(part, part) for part in parts]

    def holders_of_shared(parts: Iterable[int]) -> list[list[int]]:
        """Return, for each part that several rows among these share, the rows that hold it."""
        holders: dict[int, list[int]] = {}
        for part in parts:
            if part < 0:
                members = fresh.members[~part]
                budget.spend(len(members))
                for member in members:
                    holders.setdefault(member, []).append(part)
        return [each for each in holders.values() if len(each) > 1]

    def product(conjunctive: bool, sharing: Iterable[int]) -> Descent[int]:
        """Join rows of which all share something, with the rest of them in place of the first's."""
        members = [fresh.members[~part] for part in sharing]
        common = set(members[0]).intersection(*members[1:])
        rests = [[part for part in each if part not in common] for each in members]
        rest = yield joined(conjunctive, [row(not conjunctive, each) for each in rests])
        parts = dict.fromkeys(part if part in common else rest for part in members[0])
        return row(not conjunctive, parts)

    part_of = {part: part for part in (ALWAYS, NEVER, rows.root)}
    for number in rows.used():
        parts = [part_of.get(part, part) for part in rows.members[number]]
        part_of[~number] = descend(joined(rows.conjunctive[number], parts))
    fresh.root = part_of[rows.root]
    return fresh
