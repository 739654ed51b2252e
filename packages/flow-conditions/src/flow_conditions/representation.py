"""Functions of operands as numbers: what `Diagrams` and `Tables` have in common.

The operands stand on levels; what they are called is not known here. Equal functions are the same
number. `TRUE` is zero, and `f ^ FALSE` is the negation of a function `f`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable


class Representation(ABC):
    """Functions of the operands on the levels, made of others."""

    TRUE = 0
    FALSE: int

    @abstractmethod
    def both(self, first: int, second: int) -> int:
        """Return the conjunction of two functions."""

    @abstractmethod
    def choice(self, level: int, low: int, high: int) -> int:
        """Return the function that is `high` if the operand on a level is true, else `low`.

        The level is above those of both.
        """

    @abstractmethod
    def example(self, function: int) -> frozenset[int]:
        """Return the levels that are true in the first values that make a function true.

        First is what has the highest level false. The function is not false everywhere.
        """

    def variable(self, level: int) -> int:
        """Return the function that is true if the operand on a level is."""
        return self.choice(level, self.FALSE, self.TRUE)

    def either(self, first: int, second: int) -> int:
        """Return the disjunction of two functions."""
        false = self.FALSE
        return self.both(first ^ false, second ^ false) ^ false

    def joined(self, conjunctive: bool, functions: Iterable[int]) -> int:
        """Return the conjunction, or the disjunction, of functions."""
        sign = self.TRUE if conjunctive else self.FALSE
        both = self.both
        whole = self.TRUE
        for function in functions:
            whole = both(whole, function ^ sign)
        return whole ^ sign

    def at_most_one(self, levels: Collection[int]) -> int:
        """Return the function that is true where not two of these operands are."""
        none = one = self.TRUE  # of those below: that none is true, that one at most is
        for level in sorted(levels):
            one = self.choice(level, one, none)
            none = self.choice(level, none, self.FALSE)
        return one
