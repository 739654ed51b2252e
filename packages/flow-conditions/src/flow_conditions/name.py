"""`Name`, an operand of a condition: what lookups are called with, and the leaf of every tree.

The operations on operands are in `tree`. What a name stands for is up to the caller.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Name:
    """An operand: a name, and the predicate asked of it (`None` where it stands bare)."""

    name: str
    predicate: str | None = None

    def __str__(self) -> str:
        """Return the operand as a condition spells it."""
        return self.name if self.predicate is None else f"{self.name}.{self.predicate}"

    def __repr__(self) -> str:
        """Return the call that makes this operand."""
        predicate = "" if self.predicate is None else f", {self.predicate!r}"
        return f"{type(self).__name__}({self.name!r}{predicate})"

    def __reduce__(self) -> tuple[type["Name"], tuple[str, str | None]]:
        """Pickle as that call; the way of dataclasses with slots takes several times as long."""
        return type(self), (self.name, self.predicate)
