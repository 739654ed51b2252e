"""The grammar of conditions, its tokens, and where operands stand in a text.

    condition  = disjunct ("||" disjunct)*              left-associative
    disjunct   = factor ("&&" factor)*                  left-associative
    factor     = "!" factor | "(" condition ")" | operand | call
    operand    = name ["." predicate]                   no space around the dot
    name       = part ("@" part)*                       load, load@berlin
    part       = [A-Za-z0-9_][A-Za-z0-9_-]*
    call       = quantifier "(" predicate ")"           any(late)
    predicate  = [A-Za-z_][A-Za-z0-9_]*
    quantifier = [A-Za-z_][A-Za-z0-9_]*

ASCII white space, including line ends, may stand between any two tokens. A quantifier that no
parenthesis follows is a name like any other.

This module gives words no meaning: callers say which predicates and quantifiers exist, and what
names stand for.
"""

import re
from collections.abc import Iterator

NOT, AND, OR = "!", "&&", "||"
OPEN, CLOSE = "(", ")"
DOT = "."

# How strongly an operator binds. The open parenthesis waits among the operators while parsing and
# binds weakest, so that no operator reaches across it.
BINDING = {OPEN: 0, OR: 1, AND: 2, NOT: 3}
OPERATORS = frozenset((NOT, AND, OR))

_NAME = r"\w[\w-]*(?:@\w[\w-]*)*"
_PREDICATE = r"[A-Za-z_]\w*"
_OCCURRENCE = (
    rf"{_PREDICATE}\s*\(\s*({_PREDICATE})\s*\)|"  # a call
    rf"({_NAME})(?:\.({_PREDICATE}))?"  # an operand
)

NAME = re.compile(_NAME, re.ASCII)
PREDICATE = re.compile(_PREDICATE, re.ASCII)

# Finds every token. Whatever belongs to no token of the grammar is found as a token too, and the
# parser refuses it. `&&&` and `==` come in one piece because people mean one thing by them.
TOKEN = re.compile(rf"{_NAME}(?:\.{_PREDICATE})?|&+|\|+|!?=+|\S", re.ASCII)
NAME_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


# Not a dataclass: importing `dataclasses` takes longer than all of this module.
class Occurrence:
    """An operand or a call in the text of a condition, at `text[start:end]`.

    The `name` of a call such as `any(failed)` is None: it asks its `predicate` of many names.
    """

    __slots__ = ("end", "name", "predicate", "start")

    def __init__(self, name: str | None, predicate: str | None, start: int, end: int) -> None:
        """Set the four fields."""
        self.name = name
        self.predicate = predicate
        self.start = start
        self.end = end

    def __repr__(self) -> str:
        """Return the call that makes this occurrence."""
        fields = f"{self.name!r}, {self.predicate!r}, {self.start}, {self.end}"
        return f"{type(self).__name__}({fields})"


def operands_in(text: str) -> Iterator[Occurrence]:
    """Yield every operand and call in the text of a condition, from left to right.

    The text need not be a condition: what looks like an operand or a call is taken for one.

    >>> list(operands_in("load && any(failed)"))
    [Occurrence('load', None, 0, 4), Occurrence(None, 'failed', 8, 19)]
    """
    for found in re.finditer(_OCCURRENCE, text, re.ASCII):
        asked, name, predicate = found.groups()
        yield Occurrence(name, predicate or asked, *found.span())
