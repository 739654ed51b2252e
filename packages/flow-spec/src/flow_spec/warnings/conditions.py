"""The text of a condition as pieces, which can be underlined, and what is found about one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import attrs

from flow_conditions import Condition, Name, parse
from flow_spec.errors import Span
from flow_spec.fields.predicates import operands_of, parse_when, quantifier_of
from flow_spec.step import StepSpec

NOT, AND = "!", "&&"
OPERATORS = frozenset({NOT, AND, "||"})


@attrs.frozen
class Finding:
    """What is proven about a step, which has its id as written.

    `part` is the part of its condition that this is about. `outcomes` are outcomes of steps that
    show it, and `steps` the ids of the steps it is about.
    """

    step_id: str
    part: Span | None = None
    outcomes: Mapping[str, str] = attrs.Factory(dict)
    steps: tuple[str, ...] = ()


@attrs.frozen
class Piece:
    """An operand or a call in the text of a condition, as a condition of its own."""

    begin: int
    end: int
    condition: Condition
    is_call: bool
    """Whether it is a call such as `any(failed)`, which asks all steps of a list alike."""

    @property
    def predicate(self) -> str | None:
        """The predicate that it asks for."""
        return self.condition.operands[0].predicate

    @property
    def asks_for_success(self) -> bool:
        """Whether it asks that steps succeeded or passed."""
        asks_none = self.condition.operands[0].quantifier == "none"
        is_negated = asks_none or self.condition.program[-1] == NOT
        return self.predicate in {None, "succeeded", "passed"} and not is_negated

    @property
    def only_waits(self) -> bool:
        """Whether it is always true once decided, so that its only effect is to wait."""
        is_all = quantifier_of(self.condition.operands[0]) == "all"
        return self.predicate == "finished" and is_all and self.condition.program[-1] != NOT


@attrs.frozen
class ConditionText:
    """The `when` of a step, as a condition over its pieces, each of which occurs once.

    A call such as `any(failed)` is one piece, no matter how many steps it asks.
    """

    step: StepSpec
    text: str
    condition: Condition
    pieces: Sequence[Piece]

    @classmethod
    def of(cls, step: StepSpec) -> "ConditionText | None":
        """Return the text of a step's `when`, or None."""
        if step.when is None:
            return None
        text, pieces = step.when, []
        numbered, begin = "", 0  # the text with the number of each piece in its place
        for number, found in enumerate(operands_of(text)):
            condition = parse_when(text[found.start : found.end], step.depends_on or ("_",))
            pieces.append(Piece(found.start, found.end, condition, is_call=found.name is None))
            numbered += f"{text[begin : found.start]}_{number}"
            begin = found.end
        return cls(step, text, parse(numbered + text[begin:]), pieces)

    def piece(self, name: Name) -> Piece:
        """Return the piece of an operand of the condition."""
        return self.pieces[int(name.name[1:])]

    @property
    def signed_pieces(self) -> Iterator[tuple[Piece, bool]]:
        """The pieces, and whether each is negated."""
        return ((self.piece(name), is_negated) for name, is_negated in self.signs)

    @property
    def signs(self) -> Iterator[tuple[Name, bool]]:
        """The operands of the condition, and whether each is negated."""
        signs = [False]
        for token in reversed(self.condition.program):
            is_negated = signs.pop()
            if token not in OPERATORS:
                yield Name.spelled(token), is_negated
            elif token == NOT:
                signs.append(not is_negated)
            else:
                signs += is_negated, is_negated

    def span(self, names: Iterable[Name]) -> Span:
        """Return the characters of a part, with its negation and the parentheses around it."""
        pieces = [self.piece(name) for name in names]
        begin, end = min(piece.begin for piece in pieces), max(piece.end for piece in pieces)
        depth = lowest = 0
        for char in self._between_pieces(begin, end):
            depth += (char == "(") - (char == ")")
            lowest = min(lowest, depth)
        for _ in range(-lowest):
            begin = self.text.rindex("(", 0, begin)
        for _ in range(depth - lowest):
            end = self.text.index(")", end) + 1
        return Span(self.text, *self._with_negation(begin, end))

    def are_enclosed(self, names: Iterable[Name]) -> bool:
        """Whether some pieces are all that stands between two parentheses."""
        places = sorted(int(name.name[1:]) for name in names)
        begin, end = self.pieces[places[0]].begin, self.pieces[places[-1]].end
        is_row = places == [*range(places[0], places[-1] + 1)]
        has_parentheses = {"(", ")"} & set(self._between_pieces(begin, end))
        before, after = self.text[:begin].rstrip("! \t\r\n"), self.text[end:].lstrip()
        return is_row and not has_parentheses and before[-1:] == "(" and after[:1] == ")"

    def _with_negation(self, begin: int, end: int) -> tuple[int, int]:
        """Extend a part to the `!` before it, or before the parentheses that hold it alone."""
        left, right = begin, end
        while True:
            before, after = self.text[:left].rstrip(), self.text[right:]
            marks = before[len(before.rstrip("! \t\r\n")) :].lstrip()
            if marks:
                return len(before) - len(marks), right
            if not (before.endswith("(") and after.lstrip().startswith(")")):
                return begin, end
            left, right = len(before) - 1, self.text.index(")", right) + 1

    def _between_pieces(self, begin: int, end: int) -> str:
        inside = (piece for piece in self.pieces if begin <= piece.begin < end)
        return "".join(self.text[one.end : other.begin] for one, other in pairwise(inside))
