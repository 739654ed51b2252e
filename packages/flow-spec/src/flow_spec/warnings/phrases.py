"""The text of a `when` as parts that can be shown: which characters are which operand.

A call such as `any(failed)` is one part, however many steps it asks.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import attrs

from flow_conditions import Condition, Name, operands_in, parse
from flow_spec.errors import Span
from flow_spec.predicates import parse_when
from flow_spec.step import StepSpec


@attrs.frozen
class Piece:
    """An operand or a call: where it stands in the text, and the condition that it is by itself."""

    begin: int
    end: int
    condition: Condition
    is_call: bool
    """Whether it asks all steps of a list alike."""

    @property
    def predicate(self) -> str | None:
        """What it asks."""
        return self.condition.operands[0].predicate

    @property
    def only_waits(self) -> bool:
        """Whether it is true whenever it can be asked, and so is there to be waited for."""
        return self.predicate == "finished" and self.condition.program[-1] != "!"


@attrs.frozen
class Phrase:
    """A condition whose operands are its pieces, each of which occurs once."""

    step: StepSpec
    text: str
    condition: Condition
    pieces: Sequence[Piece]

    @classmethod
    def of(cls, step: StepSpec) -> "Phrase | None":
        """Return that of a step's `when`, if it has one."""
        if step.when is None:
            return None
        text, pieces = step.when, []
        numbered, begin = "", 0  # the text with the number of each piece in its place
        for number, found in enumerate(operands_in(text)):
            condition = parse_when(text[found.start : found.end], step.depends_on or ("_",))
            pieces.append(Piece(found.start, found.end, condition, is_call=found.name is None))
            numbered += f"{text[begin : found.start]}_{number}"
            begin = found.end
        return cls(step, text, parse(numbered + text[begin:]), pieces)

    def piece(self, name: Name) -> Piece:
        """Return the piece that an operand of the condition is."""
        return self.pieces[int(name.name[1:])]

    def span(self, names: Iterable[Name]) -> Span:
        """Return the characters of a part, with what negates it and the parentheses around it."""
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
        if len(pieces) == 1:
            before = self.text[:begin]
            marks = before[len(before.rstrip("! \t\r\n")) :].lstrip()
            begin -= len(marks)
        return Span(self.text, begin, end)

    def _between_pieces(self, begin: int, end: int) -> str:
        inside = (piece for piece in self.pieces if begin <= piece.begin < end)
        return "".join(self.text[one.end : other.begin] for one, other in pairwise(inside))
