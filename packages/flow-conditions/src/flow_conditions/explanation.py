"""Why a condition has the value it has: every part with its own value, as data and as lines.

All parts share the values of one evaluation. A text is written when it is asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flow_conditions.condition import Name, Program, Value, infix, values
from flow_conditions.grammar import NO_OPERANDS, NOT, OPERATORS

_WORDS: dict[Value, str] = {True: "true", False: "false", None: "undecided"}


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """One evaluation, with the value and the beginning of the part at each position."""

    program: Program
    values: tuple[Value, ...]
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """The value of a condition, or of a part of one, and the parts that the value follows from."""

    _evaluation: _Evaluation
    _position: int

    @property
    def value(self) -> Value:
        """True, False, or None while undecided."""
        return self._evaluation.values[self._position]

    @property
    def text(self) -> str:
        """The part in canonical spelling."""
        start = self._evaluation.starts[self._position]
        return infix(self._evaluation.program[start : self._position + 1])

    @property
    def operator(self) -> str | None:
        """`!`, `&&` or `||`, which made the value of the children's; None for an operand."""
        token = self._evaluation.program[self._position]
        return token if token in OPERATORS else None

    @property
    def operands(self) -> dict[Name, Value]:
        """The distinct operands of this part with their values, in order of first appearance."""
        evaluation = self._evaluation
        positions = range(evaluation.starts[self._position], self._position + 1)
        return {
            Name.spelled(token): evaluation.values[position]
            for position in positions
            if (token := evaluation.program[position]) not in NO_OPERANDS
        }

    @property
    def children(self) -> tuple["Explanation", ...]:
        """The parts from left to right, all that one operator joins: `A && B && C` has three."""
        return tuple(Explanation(self._evaluation, position) for position in self._parts())

    def _parts(self) -> list[int]:
        """Return the positions of the children."""
        operator = self.operator
        if operator is None:
            return []
        if operator == NOT:
            return [self._position - 1]
        program, starts = self._evaluation.program, self._evaluation.starts
        position = self._position
        parts = []
        while program[position] == operator:
            right = position - 1
            parts.append(right)
            position = starts[right] - 1
        parts.append(position)
        parts.reverse()
        return parts

    def lines(self, *, depth: int = 8, width: int = 100) -> Iterator[str]:
        """Yield a line for this part and one for each part below it, indented by two spaces.

        Parts nested more than `depth` levels down get no lines of their own, and a part's text is
        cut to `width` characters (`...` marks the cut).
        """
        todo = [(self._position, 0)]
        while todo:
            position, level = todo.pop()
            part = Explanation(self._evaluation, position)
            text = part.text
            if len(text) > width:
                text = (text[: max(0, width - 3)] + "...")[:width]
            yield f"{'  ' * level}{_WORDS[part.value]}: {text}"
            if level < depth:
                todo += [(below, level + 1) for below in reversed(part._parts())]

    def __str__(self) -> str:
        """Return the `lines` as one text."""
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        """Show the value and the text."""
        return f"<{type(self).__name__} {_WORDS[self.value]}: {self.text}>"


def explain(program: Program, answers: Mapping[str, Value]) -> Explanation:
    """Return the explanation of a program, given the values of its operands by spelling."""
    evaluation = _Evaluation(program, tuple(values(program, answers)), tuple(_starts(program)))
    return Explanation(evaluation, len(program) - 1)


def _starts(program: tuple[str, ...]) -> list[int]:
    """Return the position at which the part that ends at each position begins."""
    starts: list[int] = []
    stack: list[int] = []
    for position, token in enumerate(program):
        if token not in OPERATORS:
            stack.append(position)
        elif token != NOT:
            stack.pop()  # the right side; the part begins where its left side does
        starts.append(stack[-1])
    return starts
