"""Checking that data is a postfix program, as `grammar` describes it."""

import re

from flow_conditions.errors import ConditionDataError, quoted
from flow_conditions.grammar import DOT, NAME, NOT, OPERATORS, PREDICATE

_OPERAND = re.compile(rf"{NAME.pattern}(?:\{DOT}{PREDICATE.pattern})?", re.ASCII)


def checked(data: object) -> tuple[str, ...]:
    """Return the data as a program.

    Raises:
        ConditionDataError: it is none.
    """
    if not isinstance(data, list | tuple):
        raise ConditionDataError(f"it must be a list, not {type(data).__name__}")
    parts = 0
    for position, token in enumerate(data):
        if not isinstance(token, str):
            raise ConditionDataError(f"it must be text, not {type(token).__name__}", position)
        if token not in OPERATORS:
            if not _OPERAND.fullmatch(token):
                raise ConditionDataError(f"{quoted(token)} is no operand or operator", position)
            parts += 1
        elif token == NOT:
            if not parts:
                raise ConditionDataError(f"nothing is before {NOT!r}", position)
        else:
            if parts < 2:  # noqa: PLR2004 - the two sides
                message = f"{token!r} joins two parts before it, and there are not two"
                raise ConditionDataError(message, position)
            parts -= 1
    if not parts:
        raise ConditionDataError("the list is empty")
    if parts > 1:
        raise ConditionDataError(f"{parts} parts are left that no operator joins")
    return tuple(data)
