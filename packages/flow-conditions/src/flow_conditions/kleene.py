"""Kleene's strong three-valued logic: `None` is a truth value that is not known yet.

The truth tables live here, and the one loop that applies them. Where the answers come from and what
a result means is up to the callers.
"""

from collections.abc import Iterable, Mapping

from flow_conditions.grammar import AND, NOT, OR

type Value = bool | None

_NOT: dict[Value, Value] = {True: False, None: None, False: True}
_AND: dict[tuple[Value, Value], Value] = {
    (True, True): True,
    (True, None): None,
    (True, False): False,
    (None, True): None,
    (None, None): None,
    (None, False): False,
    (False, True): False,
    (False, None): False,
    (False, False): False,
}
_OR: dict[tuple[Value, Value], Value] = {
    (True, True): True,
    (True, None): True,
    (True, False): True,
    (None, True): True,
    (None, None): None,
    (None, False): None,
    (False, True): True,
    (False, None): None,
    (False, False): False,
}


def values(program: Iterable[str], answers: Mapping[str, Value]) -> list[Value]:
    """Return the value of every position of a program; the last one is the condition's.

    `answers` holds the value of each operand, by its spelling.
    """
    found: list[Value] = []
    stack: list[Value] = []
    for token in program:
        if token == NOT:
            value = _NOT[stack.pop()]
        elif token == AND:
            value = _AND[stack.pop(), stack.pop()]
        elif token == OR:
            value = _OR[stack.pop(), stack.pop()]
        else:
            value = answers[token]
        stack.append(value)
        found.append(value)
    return found
