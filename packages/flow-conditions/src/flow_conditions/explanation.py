"""Why a condition has the value it has: who decided, and every part with its own value.

All parts share the values of one evaluation. A text is written when it is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flow_conditions.condition import Name, Program, Value, infix, sides_of, starts_of, values
from flow_conditions.grammar import AND, NO_OPERANDS, OPERATORS, OR

_WORDS: dict[Value, str] = {True: "true", False: "false", None: "undecided"}
_SETTLING = {AND: False, OR: True}  # the value of one side that settles the matter alone


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """The value of a condition, or of a part of one, and the parts that the value follows from."""

    _program: Program
    _values: tuple[Value, ...]
    _starts: tuple[int, ...]
    _position: int

    @property
    def value(self) -> Value:
        """True, False, or None while undecided."""
        return self._values[self._position]

    @property
    def text(self) -> str:
        """The part in canonical spelling."""
        return infix(self._program[self._starts[self._position] : self._position + 1])

    @property
    def operator(self) -> str | None:
        """`!`, `&&` or `||`, which made the value of the children's; None for an operand."""
        token = self._program[self._position]
        return token if token in OPERATORS else None

    @property
    def operands(self) -> dict[Name, Value]:
        """The distinct operands of this part with their values, in order of first appearance."""
        return {
            Name.spelled(self._program[position]): self._values[position]
            for position in range(self._starts[self._position], self._position + 1)
            if self._program[position] not in NO_OPERANDS
        }

    @property
    def children(self) -> tuple["Explanation", ...]:
        """The parts from left to right, all that one operator joins: `A && B && C` has three."""
        row = [*sides_of(self._program, self._starts, self._position)]
        parts = row[1:]
        while len(row) > 1 and self._program[row[0]] == self.operator:
            row = [*sides_of(self._program, self._starts, row[0])]
            parts.append(row[1])
        return tuple(replace(self, _position=part) for part in (*row[:1], *reversed(parts)))

    def lines(self, *, depth: int = 8, width: int = 100) -> Iterator[str]:
        """Yield a line for this part and one for each part below it, indented by two spaces.

        Parts nested more than `depth` levels down get no lines of their own, and a part's text is
        cut to `width` characters (`...` marks the cut).
        """
        todo = [(self, 0)]
        while todo:
            part, level = todo.pop()
            text = part.text
            if len(text) > width:
                text = (text[: max(0, width - 3)] + "...")[:width]
            yield f"{'  ' * level}{_WORDS[part.value]}: {text}"
            if level < depth:
                todo += [(child, level + 1) for child in reversed(part.children)]

    def __str__(self) -> str:
        """Return the `lines` as one text."""
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        """Show the value and the text."""
        return f"<{type(self).__name__} {_WORDS[self.value]}: {self.text}>"


def explain_program(program: Program, answers: Mapping[str, Value]) -> Explanation:
    """Return the explanation of a program, given the values of its operands by spelling."""
    worth, starts = tuple(values(program, answers)), tuple(starts_of(program))
    return Explanation(program, worth, starts, len(program) - 1)


def blame(program: Program, answers: Mapping[str, Value]) -> list[str] | None:
    """Return operands that alone decide the value of a program, or None if it has none yet.

    Where one side of an operator settles the matter alone, the cheaper one is followed.
    """
    worth, starts = values(program, answers), starts_of(program)
    if worth[-1] is None:
        return None
    price: list[int] = []  # by position: how many operands decide the part that ends there
    followed: list[Sequence[int]] = []  # and in which sides of it they are
    for position, token in enumerate(program):
        sides: Sequence[int] = sides_of(program, starts, position)
        if token in _SETTLING and worth[position] is _SETTLING[token]:
            settling = (side for side in sides if worth[side] is worth[position])
            sides = [min(settling, key=price.__getitem__)]
        price.append(sum(price[side] for side in sides) + (token not in NO_OPERANDS))
        followed.append(sides)
    blamed: set[str] = set()
    todo = [len(program) - 1]
    while todo:
        position = todo.pop()
        blamed.add(program[position])
        todo += followed[position]
    blamed -= NO_OPERANDS
    return [token for token in dict.fromkeys(program) if token in blamed]
