"""The grammar, and the constants that the parser and the renderer share.

    condition  = disjunct ("||" disjunct)*              left-associative
    disjunct   = factor ("&&" factor)*                  left-associative
    factor     = "!" factor | "(" condition ")" | operand | call
    operand    = name ["." predicate]                   no space around the dot
    name       = part ("@" part)*                       load, load@berlin
    part       = [A-Za-z0-9_][A-Za-z0-9_-]*
    call       = quantifier "(" predicate ")"           any(late)
    predicate  = [A-Za-z_][A-Za-z0-9_]*
    quantifier = [A-Za-z_][A-Za-z0-9_]*

ASCII white space, line ends included, may stand between any two tokens. A quantifier is a name like
any other where no parenthesis follows it.

No function that parses or evaluates lives here. What names and predicates mean is nowhere in this
package: the caller says which predicates and quantifiers exist, and looks the operands up.

Every condition is kept as a *postfix program*: a flat tuple of tokens in which an operator follows
its operands, so that `(A && B) || !C` is `A B && C ! ||`. A call leaves no token: the
program has what it stands for over the names that were given. Conditions nest as deep as their
author likes, and loops over a flat tuple have no depth to exhaust.
"""

import re

NOT, AND, OR = "!", "&&", "||"
OPEN, CLOSE = "(", ")"
DOT = "."

# How strongly an operator binds. The open parenthesis waits among the operators while parsing and
# binds weakest, so that no operator reaches across it.
BINDING = {OPEN: 0, OR: 1, AND: 2, NOT: 3}
OPERATORS = frozenset((NOT, AND, OR))

_NAME = r"\w[\w-]*(?:@\w[\w-]*)*"
_PREDICATE = r"[A-Za-z_]\w*"

NAME = re.compile(_NAME, re.ASCII)
PREDICATE = re.compile(_PREDICATE, re.ASCII)

# Finds every token; whatever belongs to no token of the grammar comes out as a token too and is
# refused by the parser. `&&&` and `==` come in one piece because people mean one thing by them.
TOKEN = re.compile(rf"{_NAME}(?:\.{_PREDICATE})?|&+|\|+|!?=+|\S", re.ASCII)
NAME_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
