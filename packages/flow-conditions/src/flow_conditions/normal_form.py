"""Conditions in negation normal form, in which the algebra works.

There `!` stands only before operands, and what is joined by `&&` or by `||` is flat. A *literal* is
an operand or its negation. A *junction* is a conjunction or a disjunction of any number of parts,
none of them a junction by the same operator: `a || (b || c)` has three parts. The conjunction
of nothing is true, the disjunction of nothing false.

A *part* is a number. `2 * operand` is a literal, one more is its negation, and a negative number is
`~junction`. The junctions in a junction have smaller numbers than it, so a loop over the numbers
visits the leaves before the root.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from flow_conditions.condition import Exclusions, Known, Program, items
from flow_conditions.errors import ExclusionError
from flow_conditions.grammar import AND, CONSTANTS, NO_OPERANDS, NOT, OPERATORS, OR

ALWAYS, NEVER = ~0, ~1  # the conjunction and the disjunction of nothing


class NormalForm:
    """Junctions over the same operands, which are known by their spelling, and a root."""

    def __init__(self, operands: Sequence[str]) -> None:
        """Begin with the two constants; the root is true."""
        self.operands = operands
        self.conjunctive = [True, False]  # by junction: whether `&&` joins it
        self.members: list[list[int]] = [[], []]  # by junction: its parts
        self.root = ALWAYS

    @classmethod
    def of(cls, program: Program) -> "NormalForm":
        """Return that of a postfix program, where a constant is a junction of nothing."""
        form = cls(tuple(dict.fromkeys(token for token in program if token not in NO_OPERANDS)))
        number_of = {operand: number for number, operand in enumerate(form.operands)}
        # Read backwards, a program has operators before their sides: a side whose operator is that
        # of the junction around it goes into the same junction. The outermost part is in a junction
        # without an operator.
        operator_of: list[bool | None] = [None]
        parts: list[list[int]] = [[]]
        todo = [(0, True)]  # of each part still to come: its junction, whether it is not negated
        for token in reversed(program):
            junction, positive = todo.pop()
            if token == NOT:
                todo.append((junction, not positive))
            elif token in OPERATORS:
                conjunctive = (token == AND) == positive
                if operator_of[junction] is not conjunctive:
                    operator_of.append(conjunctive)
                    parts.append([])
                    parts[junction].append(~(len(parts) - 1))
                    junction = len(parts) - 1
                todo += (junction, positive), (junction, positive)
            elif token in CONSTANTS:
                operator_of.append(CONSTANTS[token] == positive)
                parts.append([])
                parts[junction].append(~(len(parts) - 1))
            else:
                parts[junction].append(2 * number_of[token] + (not positive))
        last = len(parts) + 1  # the numbers descend from here, down to the two constants
        for number in range(len(parts) - 1, 0, -1):
            form.conjunctive.append(operator_of[number] is True)
            form.members.append(
                [part if part >= 0 else ~(last - ~part) for part in reversed(parts[number])]
            )
        form.root = parts[0][0] if parts[0][0] >= 0 else ~(last - 1)
        return form

    def join(self, conjunctive: bool, parts: Iterable[int]) -> int:
        """Join parts; return the junction, the one part that is left, or a constant."""
        kept: list[int] = []
        for part in parts:
            if part >= 0:
                kept.append(part)
            elif self.conjunctive[~part] == conjunctive:
                kept += self.members[~part]
            elif self.members[~part]:
                kept.append(part)
            else:
                return part  # the constant that settles the junction alone
        if not kept:
            return ALWAYS if conjunctive else NEVER
        if len(kept) == 1:
            return kept[0]
        self.conjunctive.append(conjunctive)
        self.members.append(kept)
        return ~(len(self.members) - 1)

    def junctions(self) -> list[int]:
        """Return the numbers of the junctions that the root is made of, in ascending order."""
        todo = [self.root] if self.root < 0 else []
        found = {~part for part in todo}
        while todo:
            for part in self.members[~todo.pop()]:
                if part < 0 and ~part not in found:
                    found.add(~part)
                    todo.append(part)
        return sorted(found)

    def literals(self, part: int | None = None) -> list[int]:
        """Return every occurrence of a literal in a part, or in the root."""
        literals: list[int] = []
        todo = [self.root if part is None else part]
        while todo:
            part = todo.pop()
            if part >= 0:
                literals.append(part)
            else:
                todo += self.members[~part]
        return literals

    def occurring(self) -> set[int]:
        """Return the operands that occur."""
        return {literal >> 1 for literal in self.literals()}


# Recursion without Python's stack.

type Recursion[T] = Generator["Recursion[Any]", Any, T]


def trampoline[T](recursion: Recursion[T]) -> T:
    """Run a generator that yields the recursive calls it makes, and is sent their results."""
    stack: list[Recursion[Any]] = [recursion]
    result: Any = None
    while stack:
        try:
            deeper = stack[-1].send(result)
        except StopIteration as returned:
            stack.pop()
            result = returned.value
        else:
            stack.append(deeper)
            result = None
    return result  # type: ignore[no-any-return] # it is what the first one returned


# What the caller says about operands: which are known, and which exclude each other.

type Groups = Sequence[Sequence[str]]
"""Groups of operands that exclude each other, by spelling, each operand once."""


def grouped(exclusions: Exclusions) -> Groups:
    """Return the groups by the spelling of their operands."""
    groups = []
    for group in exclusions:
        if isinstance(group, str):
            raise TypeError(f"exclusions are collections of operands, not the string {group!r}")
        groups.append(tuple(operand for operand, _ in items(dict.fromkeys(group))))
    return groups


def settled(known: Known, groups: Groups) -> dict[str, bool]:
    """Return what is known, by spelling, and what follows from it: the others are false."""
    values: dict[str, bool] = {}
    for operand, value in items(known):
        if value is None:
            continue
        if value is not True and value is not False:
            raise TypeError(f"{operand!r} is {value!r}; it must be True, False or None")
        values[operand] = value
    implied: dict[str, bool] = {}
    for group in groups:
        true = [operand for operand in group if values.get(operand)]
        if len(true) > 1:
            raise ExclusionError(true[0], true[1])
        if true:
            implied |= dict.fromkeys(group, False)
    return implied | values


def among(form: NormalForm, groups: Groups) -> list[list[int]]:
    """Return the groups that matter for a normal form, by number: the operands that occur."""
    if not groups:
        return []
    occurring = form.occurring()
    number_of = {operand: number for number, operand in enumerate(form.operands)}
    numbers = (
        [number for each in group if (number := number_of.get(each)) in occurring]
        for group in groups
    )
    return [group for group in numbers if len(group) > 1]


def places_of(groups: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    """Return, for each operand of these groups, the numbers of those that it is in."""
    places: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        for operand in group:
            places.setdefault(operand, []).append(number)
    return places


# What one pass sees, in time proportional to the length of a condition.


def is_read_once(form: NormalForm, groups: Groups) -> bool:
    """Tell whether no operand occurs twice and none excludes another."""
    return len(form.literals()) == len(form.occurring()) and not among(form, groups)


def is_unate(form: NormalForm, groups: Groups) -> bool:
    """Tell whether no operand has both signs or excludes another; false of a constant."""
    literals = set(form.literals())
    return (
        bool(literals)
        and not any(literal ^ 1 in literals for literal in literals)
        and not among(form, groups)
    )


def propagated(form: NormalForm, groups: Groups = ()) -> NormalForm:
    """Leave out what a literal beside it, or beside a junction around it, decides already.

    In `a && (a || b)` the parenthesis is true. This is idempotence, complement, absorption and unit
    propagation at any distance. Of the groups of an operand, which may be thousands, eight count.
    """
    places = {operand: of[:8] for operand, of in places_of(among(form, groups)).items()}
    fresh = NormalForm(form.operands)
    facts: set[int] = set()  # the literals that are true, and ~group where one of a group is

    def is_fact(literal: int) -> bool:
        """Tell whether a literal is true, or one that excludes its operand is."""
        return literal in facts or (
            bool(places and literal & 1)
            and literal ^ 1 not in facts
            and any(~group in facts for group in places.get(literal >> 1, ()))
        )

    def reduced(number: int) -> Recursion[int]:
        conjunctive = form.conjunctive[number]
        opposite = NEVER if conjunctive else ALWAYS
        kept: list[int] = []
        learnt: list[int] = []
        for part in form.members[number]:
            # In a conjunction, each part may take the others for true; in a disjunction, for false.
            fact = part if conjunctive else part ^ 1
            if part < 0:
                kept.append(part)
            elif is_fact(fact ^ 1):
                facts.difference_update(learnt)
                return opposite
            elif not is_fact(fact):
                kept.append(part)
                new = [fact] if fact & 1 else [fact, *(~at for at in places.get(fact >> 1, ()))]
                facts.update(new)
                learnt += new
        for place, part in enumerate(kept):
            if part < 0:
                kept[place] = yield reduced(~part)
        facts.difference_update(learnt)
        return fresh.join(conjunctive, kept)

    fresh.root = form.root if form.root >= 0 else trampoline(reduced(~form.root))
    return fresh


# The shortest text.

type _Signed = tuple[int, bool]  # a part, and whether it stands for itself or for its negation

_JOINT = len(f" {AND} ")
_PARENTHESES = len("()")
_NEGATED_PARENTHESES = len("!()")
_ENDLESS = 1 << 60


class ShortestText:
    """The shortest text of a normal form with its parts in the order they have.

    What can be chosen is where `!` stands: before operands, or before a parenthesis around several
    (`!(a || b || c || d)` is shorter than `!a && !b && !c && !d`). It must not be a constant.
    """

    def __init__(self, form: NormalForm) -> None:
        """Measure all junctions from the leaves up, plain and negated, without what is around."""
        self._form = form
        self._shape: dict[_Signed, tuple[bool, list[_Signed]]] = {}
        self._length: dict[_Signed, int] = {}
        self._next = ~len(form.members)  # the number of the next group
        for number in form.junctions():
            for sign in (True, False):
                conjunctive = form.conjunctive[number] == sign
                members = [(part, sign) for part in form.members[number]]
                self._put((~number, sign), conjunctive, self._gathered(members, conjunctive))

    def _put(self, signed: _Signed, conjunctive: bool, members: list[_Signed]) -> None:
        self._shape[signed] = conjunctive, members
        lengths = (self._inside(each, conjunctive) for each in members)
        self._length[signed] = sum(lengths) + _JOINT * (len(members) - 1)

    def _inside(self, signed: _Signed, conjunctive: bool) -> int:
        """Return how long a part is within a junction."""
        part, sign = signed
        if part >= 0:
            return len(self._form.operands[part >> 1]) + ((part & 1) == sign)
        return min(self._plain(signed, conjunctive), self._negated(signed))

    def _plain(self, signed: _Signed, conjunctive: bool) -> int:
        return self._length[signed] + _PARENTHESES * conjunctive  # a disjunction needs them there

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
        """How many characters the text has."""
        return self._inside((self._form.root, True), False)

    def program(self) -> Program:
        """Return the text as a postfix program; `&&` and `||` associate to the left."""
        tokens: list[str] = []  # from right to left
        todo: list[str | tuple[_Signed, bool]] = [((self._form.root, True), False)]
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
                tokens.append(self._form.operands[part >> 1])
                continue
            if self._negated(signed) < self._plain(signed, within):
                tokens.append(NOT)
                signed = part, not sign
            conjunctive, members = self._shape[signed]
            todo.append((members[0], conjunctive))
            for each in members[1:]:
                todo += (each, conjunctive), AND if conjunctive else OR
        return tuple(reversed(tokens))
