"""Evaluating a condition by jumping over what cannot matter, as compilers do for an `if`.

A *jump program* has one step for each operand, in the order of the text. A step says which step
comes next if its operand is true, and which if it is false. `&&`, `||` and `!` have no steps of
their own: they are in these targets. At an operand that is not known yet the jumps end, and
`kleene` takes over.
"""

from collections.abc import Mapping, Sequence

from flow_conditions.grammar import AND, NOT, OR
from flow_conditions.kleene import Value

type Step = tuple[str, int, int]  # the spelling of an operand, the targets if true and if false

_FALSE, _TRUE = 0, 1  # the targets where the matter is settled; steps have the numbers from 2 on
_ENDS: tuple[Step, Step] = (("", _FALSE, _FALSE), ("", _TRUE, _TRUE))
_NEXT = -1  # in place of a target: the step of the operand to the right, once that is numbered


def jump_program(program: Sequence[str]) -> list[Step]:
    """Return the jump program of a postfix program, the first step last.

    Read backwards, a postfix program has the right side of an operator before the left one. When a
    left side begins, the last step made so far is therefore the one that the right side begins
    with. All targets are smaller numbers than that of their step, so the steps come to an end.
    """
    steps: list[Step] = [*_ENDS]
    if_trues, if_falses = [_TRUE], [_FALSE]  # of the parts that are still to come
    for token in reversed(program):
        if_true, if_false = if_trues.pop(), if_falses.pop()
        if if_true == _NEXT:
            if_true = len(steps) - 1
        elif if_false == _NEXT:
            if_false = len(steps) - 1
        if token == NOT:
            if_trues.append(if_false)
            if_falses.append(if_true)
        elif token == AND:
            if_trues += _NEXT, if_true
            if_falses += if_false, if_false
        elif token == OR:
            if_trues += if_true, if_true
            if_falses += _NEXT, if_false
        else:
            steps.append((token, if_true, if_false))
    return steps


def decide(steps: Sequence[Step], answers: Mapping[str, Value]) -> Value:
    """Return the value of a jump program, or None at the first operand that is not known yet.

    `answers` holds the value of each operand, by its spelling.
    """
    number = len(steps) - 1
    while number > _TRUE:
        operand, if_true, if_false = steps[number]
        answer = answers[operand]
        if answer is None:
            return None
        number = if_true if answer else if_false
    return number == _TRUE
