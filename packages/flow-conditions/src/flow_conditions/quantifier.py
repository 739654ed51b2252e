"""`Quantifier`, a word that asks one predicate of many names at once: `any(failed)`.

What a call stands for is defined here. Where a call may stand is decided by the parser, and errors
about calls are worded in `mistakes`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from flow_conditions.condition import Condition, row
from flow_conditions.errors import InvalidNameError
from flow_conditions.grammar import AND, NOT, OR, PREDICATE


@dataclass(frozen=True)
class Quantifier:
    """A word to call with a predicate, and what the call stands for.

    `operator` (`&&` or `||`) joins the predicate of all names, and `negated` puts a `!` before the
    whole. `synonyms` are words in lower case that users type instead of `word`; they get an error
    that names it.

    Raises:
        InvalidNameError: `word` is one that no condition could spell.
        ValueError: `operator` is another one.
        TypeError: `synonyms` is a single string.
    """

    word: str
    operator: str
    negated: bool = False
    synonyms: Collection[str] = ()

    def __post_init__(self) -> None:
        """Take a copy, so that the quantifier cannot change under its users."""
        if not PREDICATE.fullmatch(self.word):
            raise InvalidNameError(self.word, "quantifier")
        if self.operator not in (AND, OR):
            raise ValueError(f"operator must be {AND!r} or {OR!r}, not {self.operator!r}")
        if isinstance(self.synonyms, str):
            raise TypeError(f"synonyms must be a collection of words, not {self.synonyms!r}")
        object.__setattr__(self, "synonyms", tuple(self.synonyms))

    def over(self, names: Iterable[str], predicate: str) -> Condition:
        """Return what a call stands for: `any(late)` over A and B is `A.late || B.late`.

        Raises:
            NoNamesError: there is no name at all.
            InvalidNameError: something is not a plain name.
            TypeError: `names` is a single string.
        """
        condition = row(names, self.operator, predicate)
        return Condition((*condition.program, NOT)) if self.negated else condition
