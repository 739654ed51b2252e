"""The grammar of conditions, its tokens, and where operands stand in a text.

    condition  = disjunct ("||" disjunct)*              left-associative
    disjunct   = factor ("&&" factor)*                  left-associative
    factor     = "!" factor | "(" condition ")" | operand | call | constant
    operand    = name ["." predicate]                   no space around the dot
    name       = part ("@" part)*                       load, load@berlin
    part       = [A-Za-z0-9_][A-Za-z0-9_-]*
    call       = quantifier "(" predicate ")"           any(late)
               | quantifier "(" operand ")"             any(load), any(load.late)
               | subject "(" predicate ")"              run(late)
    constant   = ("true" | "false") "(" ")"             true(), false()
    predicate  = [A-Za-z_][A-Za-z0-9_]*
    quantifier = [A-Za-z_][A-Za-z0-9_]*
    subject    = [A-Za-z_][A-Za-z0-9_]*

ASCII white space, including line ends, may stand between any two tokens. A quantifier or a subject
that no parenthesis follows is a name like any other, and so are `true` and `false`. The spelling of
a call or a constant has no white space in it. Callers give all other words their meaning.
"""

import re
from collections import namedtuple
from collections.abc import Collection, Iterator

NOT, AND, OR = "!", "&&", "||"
OPEN, CLOSE = "(", ")"
DOT = "."

BINDING = {OR: 1, AND: 2, NOT: 3}  # how strongly an operator binds
OPERATORS = frozenset((NOT, AND, OR))
CONSTANTS = {"true()": True, "false()": False}
SPELLING_OF = {value: spelling for spelling, value in CONSTANTS.items()}
NO_OPERANDS = OPERATORS.union(CONSTANTS)

_NAME = r"\w[\w-]*(?:@\w[\w-]*)*"
_PREDICATE = r"[A-Za-z_]\w*"
_OPERAND = rf"({_NAME})(?:\.({_PREDICATE}))?"
_OCCURRENCE = rf"({_PREDICATE})\s*\(\s*{_OPERAND}\s*\)|{_OPERAND}"  # a call, or an operand

NAME = re.compile(_NAME, re.ASCII)
PREDICATE = re.compile(_PREDICATE, re.ASCII)

# Of an operand: its quantifier, its name and its predicate.
SPELLING = re.compile(
    rf"(?:({_PREDICATE})\()?({_NAME})(?:\.({_PREDICATE}))?(?(1)\))",
    re.ASCII,
)

# Finds every token. Whatever belongs to no token of the grammar is found as a token too, and the
# parser refuses it. `&&&` and `==` come in one piece because people mean one thing by them.
TOKEN = re.compile(rf"{_NAME}(?:\.{_PREDICATE})?|&+|\|+|!?=+|\S", re.ASCII)
CONSTANT = r"(?:true|false)\s*\(\s*\)"
NAME_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


class Occurrence(namedtuple("Occurrence", "name predicate start end name_start")):
    """An operand or a call in the text of a condition, at `text[start:end]`.

    The `name` of a call such as `any(failed)` is None: it asks its `predicate` of many names, or of
    a subject. In a call such as `any(load.failed)`, the name begins at `name_start`.
    """

    __slots__ = ()
    name: str | None
    predicate: str | None
    start: int
    end: int
    name_start: int


def operands_in(
    text: str, predicates: Collection[str] = (), subjects: Collection[str] = ()
) -> Iterator[Occurrence]:
    """Yield every operand and call in the text of a condition, from left to right.

    The text need not be a condition: what looks like an operand or a call is taken for one. A call
    such as `any(late)` asks many names if `late` is one of the predicates, else the name `late`. A
    call of one of the subjects asks no name.

    >>> [(one.name, one.start) for one in operands_in("load && any(failed)", ["failed"])]
    [('load', 0), (None, 8)]
    """
    for found in re.finditer(_OCCURRENCE, text, re.ASCII):
        quantifier, argument, asked, name, predicate = found.groups()
        start, end = found.span()
        if not quantifier:
            yield Occurrence(name, predicate, start, end, start)
        elif asked is None and (argument in predicates or quantifier in subjects):
            yield Occurrence(None, argument, start, end, found.start(2))
        else:
            yield Occurrence(argument, asked, start, end, found.start(2))
