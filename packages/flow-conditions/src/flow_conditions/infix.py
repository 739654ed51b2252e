"""Writing a postfix program as people write conditions, with the fewest parentheses.

Only precedence is known here: neither values nor errors.
"""

from collections.abc import Sequence

from flow_conditions.grammar import AND, BINDING, CLOSE, NOT, OPEN, OPERATORS, OR

_LEAST, _MOST = BINDING[OR], max(BINDING.values()) + 1  # the bindings of any part, of an operand

# What stands to the left of an operator needs parentheses if it binds less than the operator; to
# the right, rows being associated to the left, already if it binds as `&&` or `||` itself does.
_RIGHT_BINDING = {NOT: BINDING[NOT], AND: BINDING[AND] + 1, OR: BINDING[OR] + 1}

_SIGN = {NOT: NOT, AND: f" {AND} ", OR: f" {OR} "}

type Span = tuple[int, int]


def infix(program: Sequence[str]) -> str:
    """Return the canonical text of a program.

    Parentheses stand only where leaving them out would change the program, one space stands on
    either side of `&&` and `||`, and none elsewhere.
    """
    # It is written from right to left: a program, read backwards, has the operators first.
    tokens = reversed(program)
    pieces: list[str] = []
    # What is still to be written, the rightmost last: signs, and for each part its least binding.
    todo: list[str | int] = [_LEAST]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        token = next(tokens)
        if token not in OPERATORS:
            pieces.append(token)
            continue
        if BINDING[token] < item:
            pieces.append(CLOSE)
            todo.append(OPEN)
        if token != NOT:
            todo.append(BINDING[token])
        todo += _SIGN[token], _RIGHT_BINDING[token]
    pieces.reverse()
    return "".join(pieces)


def spans(program: Sequence[str]) -> list[Span]:
    """Return the span, in the canonical text, of the part that each position computes.

    The parentheses around a part do not belong to its span: it reads there as it would alone.
    """
    widths, enclosed = _measure(program)
    found: list[Span] = []
    ends = [widths[-1]]  # of the parts that are still to come, their parentheses included
    for position in reversed(range(len(program))):
        token = program[position]
        end = ends.pop() - enclosed[position]
        found.append((end - widths[position], end))
        if token in OPERATORS:
            right = position - 1
            if token != NOT:
                ends.append(end - widths[right] - 2 * enclosed[right] - len(_SIGN[token]))
            ends.append(end)
    found.reverse()
    return found


def _measure(program: Sequence[str]) -> tuple[list[int], list[bool]]:
    """Return the width of the part at each position, and whether parentheses stand around it."""
    widths: list[int] = []
    enclosed = [False] * len(program)
    bindings: list[int] = []
    parts: list[int] = []  # the positions of those that are no side of an operator yet

    def side(least_binding: int) -> int:
        """Take the last part, and return how wide it is as the side of an operator."""
        part = parts.pop()
        enclosed[part] = bindings[part] < least_binding
        return widths[part] + 2 * enclosed[part]

    for position, token in enumerate(program):
        if token not in OPERATORS:
            width = len(token)
        else:
            width = len(_SIGN[token]) + side(_RIGHT_BINDING[token])
            if token != NOT:
                width += side(BINDING[token])
        widths.append(width)
        bindings.append(BINDING.get(token, _MOST))
        parts.append(position)
    return widths, enclosed
