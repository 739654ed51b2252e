"""Walking down nested rows as if by recursion, on a stack that is as deep as it must be."""

from collections.abc import Generator
from typing import Any

type Descent[T] = Generator["Descent[Any]", Any, T]


def descend[T](descent: Descent[T]) -> T:
    """Run a generator that yields other such generators, and is sent what each returned."""
    stack: list[Descent[Any]] = [descent]
    result: Any = None
    while stack:
        try:
            below = stack[-1].send(result)
        except StopIteration as returned:
            stack.pop()
            result = returned.value
        else:
            stack.append(below)
            result = None
    return result  # type: ignore[no-any-return] # it is what the first one returned
