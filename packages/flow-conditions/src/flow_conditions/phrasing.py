"""Writing rows as the shortest program they make, with their parts in the order they have.

What can be chosen is where `!` stands: before operands, or before a parenthesis around several of
them (`!(a || b || c || d)` is shorter than `!a && !b && !c && !d`). Lengths are those of the text.
"""

from flow_conditions.grammar import AND, NOT, OR
from flow_conditions.rows import Rows

type _Signed = tuple[int, bool]  # a part, and whether it stands for itself or for its negation

_JOINT = len(f" {AND} ")
_PARENTHESES = len("()")
_NEGATED_PARENTHESES = len("!()")
_ENDLESS = 1 << 60


class Phrasing:
    """How rows are written, plain and negated, and how long that is without what is around them."""

    def __init__(self, rows: Rows) -> None:
        """Measure all rows from the leaves up."""
        self._rows = rows
        self._shape: dict[_Signed, tuple[bool, list[_Signed]]] = {}
        self._length: dict[_Signed, int] = {}
        self._next = ~len(rows.members)  # the number of the next group
        for number in rows.used():
            for sign in (True, False):
                conjunctive = rows.conjunctive[number] == sign
                members = [(part, sign) for part in rows.members[number]]
                self._put((~number, sign), conjunctive, self._gathered(members, conjunctive))

    def _put(self, signed: _Signed, conjunctive: bool, members: list[_Signed]) -> None:
        self._shape[signed] = conjunctive, members
        lengths = (self._inside(each, conjunctive) for each in members)
        self._length[signed] = sum(lengths) + _JOINT * (len(members) - 1)

    def _inside(self, signed: _Signed, conjunctive: bool) -> int:
        """Return how long a part is within a row."""
        part, sign = signed
        if part >= 0:
            return len(self._rows.operands[part >> 1]) + ((part & 1) == sign)
        return min(self._plain(signed, conjunctive), self._negated(signed))

    def _plain(self, signed: _Signed, conjunctive: bool) -> int:
        return self._length[signed] + _PARENTHESES * conjunctive  # rows of `||` need them there

    def _negated(self, signed: _Signed) -> int:
        part, sign = signed
        return self._length[part, not sign] + _NEGATED_PARENTHESES

    def _gathered(self, members: list[_Signed], conjunctive: bool) -> list[_Signed]:
        """Put those under one `!` which are shorter without theirs, where that is worth it."""
        saved = []
        for part, sign in members:
            negated = self._inside((part, not sign), not conjunctive)
            saved.append(self._inside((part, sign), conjunctive) - negated)
        places = [place for place, less in enumerate(saved) if less > 0]
        if sum(saved[place] for place in places) <= _NEGATED_PARENTHESES:
            return members
        if len(places) in (1, len(members)):
            return members
        group = [(part, not sign) for part, sign in (members[place] for place in places)]
        self._put((self._next, False), not conjunctive, group)
        self._length[self._next, True] = _ENDLESS
        gathered = [each for each, less in zip(members, saved, strict=True) if less <= 0]
        gathered.insert(places[0], (self._next, True))
        self._next -= 1
        return gathered

    @property
    def length(self) -> int:
        """How long the text is."""
        return self._inside((self._rows.root, True), False)

    def program(self) -> tuple[str, ...]:
        """Return the whole as a postfix program; rows associate to the left."""
        tokens: list[str] = []  # from right to left
        todo: list[str | tuple[_Signed, bool]] = [((self._rows.root, True), False)]
        while todo:
            item = todo.pop()
            if isinstance(item, str):
                tokens.append(item)
                continue
            signed, within = item
            part, sign = signed
            if part >= 0:
                if (part & 1) == sign:
                    tokens.append(NOT)
                tokens.append(self._rows.operands[part >> 1])
                continue
            if self._negated(signed) < self._plain(signed, within):
                tokens.append(NOT)
                signed = part, not sign
            conjunctive, members = self._shape[signed]
            todo.append((members[0], conjunctive))
            for each in members[1:]:
                todo += (each, conjunctive), AND if conjunctive else OR
        return tuple(reversed(tokens))
