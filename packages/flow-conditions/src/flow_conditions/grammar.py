"""The grammar of conditions, its tokens, and where operands stand in a text.

    condition  = disjunct ("||" disjunct)*              left-associative
    disjunct   = factor ("&&" factor)*                  left-associative
    factor     = "!" factor | "(" condition ")" | operand | call | function
    operand    = name ["." predicate]                   no space around the dot
    name       = part ("@" part)*                       load, load@berlin
    part       = [A-Za-z0-9_][A-Za-z0-9_-]*
    call       = quantifier "(" predicate ")"           any(late)
               | quantifier "(" operand ")"             any(load), any(load.late)
    function   = word "(" anything without parentheses ")"     changed(src/**), true()
    predicate  = [A-Za-z_][A-Za-z0-9_]*
    quantifier = [A-Za-z_][A-Za-z0-9_]*

ASCII white space, including line ends, may stand between any two tokens. A quantifier that no
parenthesis follows is a name like any other. The spelling of a call has no white space around its
argument; `true` and `false` have none. Callers give all other words their meaning.
"""

import re
from collections.abc import Collection, Iterator

NOT, AND, OR = "!", "&&", "||"
OPEN, CLOSE = "(", ")"
DOT = "."

BINDING = {OR: 1, AND: 2, NOT: 3}  # how strongly an operator binds
OPERATORS = frozenset((NOT, AND, OR))
OPERATOR_WORDS = {"not": NOT, "and": AND, "or": OR}
CONSTANTS = {"true()": True, "false()": False}
SPELLING_OF = {value: spelling for spelling, value in CONSTANTS.items()}
NO_OPERANDS = OPERATORS.union(CONSTANTS)

_NAME = r"\w[\w-]*(?:@\w[\w-]*)*"
_PREDICATE = r"[A-Za-z_]\w*"
_OPERAND = rf"({_NAME})(?:\.({_PREDICATE}))?"
_OCCURRENCE = rf"({_PREDICATE})\s*\(\s*{_OPERAND}\s*\)|{_OPERAND}"  # a call, or an operand

NAME = re.compile(_NAME, re.ASCII)
PREDICATE = re.compile(_PREDICATE, re.ASCII)

# Finds every token. Whatever belongs to no token of the grammar is found as a token too, and the
# parser refuses it. `&&&` and `==` come in one piece because people mean one thing by them.
TOKEN = re.compile(rf"{_NAME}(?:\.{_PREDICATE})?|&+|\|+|!?=+|\S", re.ASCII)
FUNCTION = r"\s*\([^()]*\)"  # what follows the word of a function
SPACE = " \t\n\r\f\v"
SPELLING = re.compile(  # of an operand or a constant in a program
    rf"{_NAME}(?:\.{_PREDICATE})?"
    rf"|(?!(?:true|false)\([^)]){_PREDICATE}\((?:[^()\s](?:[^()]*[^()\s])?)?\)",
    re.ASCII,
)
NAME_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


# Not a dataclass: importing `dataclasses` takes longer than all of this module.
class Occurrence:
    """An operand or a call in the text of a condition, at `text[start:end]`.

    The `name` of a call such as `any(failed)` is None: it asks its `predicate` of many names. In a
    call such as `any(load.failed)`, the name begins at `name_start`.
    """

    __slots__ = ("end", "name", "name_start", "predicate", "start")

    def __init__(
        self, name: str | None, predicate: str | None, start: int, end: int, name_start: int
    ) -> None:
        """Set the five fields."""
        self.name = name
        self.predicate = predicate
        self.start = start
        self.end = end
        self.name_start = name_start

    def __repr__(self) -> str:
        """Return the call that makes this occurrence."""
        fields = f"{self.name!r}, {self.predicate!r}, {self.start}, {self.end}, {self.name_start}"
        return f"{type(self).__name__}({fields})"


def operands_in(text: str, predicates: Collection[str] = ()) -> Iterator[Occurrence]:
    """Yield every operand and call in the text of a condition, from left to right.

    The text need not be a condition: what looks like an operand or a call is taken for one, also
    words of operators and arguments of functions. A call such as `any(late)` asks many names if
    `late` is one of the predicates, else the name `late`.

    >>> list(operands_in("load && any(failed)", ["failed"]))
    [Occurrence('load', None, 0, 4, 0), Occurrence(None, 'failed', 8, 19, 12)]
    """
    for found in re.finditer(_OCCURRENCE, text, re.ASCII):
        quantifier, argument, asked, name, predicate = found.groups()
        start, end = found.span()
        if not quantifier:
            yield Occurrence(name, predicate, start, end, start)
        elif asked is None and argument in predicates:
            yield Occurrence(None, argument, start, end, found.start(2))
        else:
            yield Occurrence(argument, asked, start, end, found.start(2))
