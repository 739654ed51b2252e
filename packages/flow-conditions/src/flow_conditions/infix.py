"""Writing a postfix program as people write conditions, with no parenthesis too many.

Knows precedence and nothing else: neither values nor errors.
"""

from collections.abc import Sequence

from flow_conditions.grammar import BINDING, CLOSE, NOT, OPEN, OPERATORS

_OPERAND_BINDING = max(BINDING.values()) + 1

type Span = tuple[int, int]


def infix(program: Sequence[str]) -> str:
    """Return the canonical text of a program.

    Parentheses stand only where leaving them out would change the program, one space stands on
    either side of `&&` and `||`, and none elsewhere.
    """
    text, _ = lay_out(program)
    return text


def lay_out(program: Sequence[str]) -> tuple[str, list[Span]]:
    """Return the canonical text, and the span in it of the part that each position computes.

    Whatever is written stands directly before or after some operand. An operator knows the first
    and the last operand on each of its sides, so a single pass can put every sign in its place. The
    parentheses around a part do not belong to its span: it reads there as it would alone.
    """
    operands: list[str] = []
    leading: list[list[str]] = []  # of each operand: the `(` and `!` before it, nearest first
    closing: list[int] = []  # of each operand: how many `)` follow it
    joints: list[str] = []  # of each operand: the binary operator after that
    parts: list[tuple[int, int, int]] = []  # first operand, last operand, binding
    extents: list[tuple[int, int, int, int]] = []  # first, its leading signs, last, its closings

    def enclose(binding: int) -> tuple[int, int]:
        """Take the last part, in parentheses if it binds less than demanded."""
        first, last, own_binding = parts.pop()
        if own_binding < binding:
            leading[first].append(OPEN)
            closing[last] += 1
        return first, last

    for token in program:
        if token not in OPERATORS:
            first = last = len(operands)
            binding = _OPERAND_BINDING
            operands.append(token)
            leading.append([])
            closing.append(0)
            joints.append("")
        elif token == NOT:
            binding = BINDING[NOT]
            first, last = enclose(binding)
            leading[first].append(NOT)
        else:
            # Rows associate to the left: a right side needs parentheses already at equal binding.
            binding = BINDING[token]
            _, last = enclose(binding + 1)
            first, middle = enclose(binding)
            joints[middle] = f" {token} "
        parts.append((first, last, binding))
        extents.append((first, len(leading[first]), last, closing[last]))

    pieces: list[str] = []
    places: list[Span] = []  # of each operand
    offset = 0
    for signs, operand, count, joint in zip(leading, operands, closing, joints, strict=True):
        start = offset + len(signs)
        end = start + len(operand)
        places.append((start, end))
        pieces += (*reversed(signs), operand, CLOSE * count, joint)
        offset = end + count + len(joint)
    spans = [
        (places[first][0] - signs, places[last][1] + count) for first, signs, last, count in extents
    ]
    return "".join(pieces), spans
