"""What a caller allows in a condition beyond plain names, and what it advises its users.

The words themselves belong to the caller; how a message is worded belongs to `mistakes`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from flow_conditions.errors import InvalidNameError
from flow_conditions.grammar import PREDICATE


@dataclass(frozen=True)
class Vocabulary:
    """The predicates that exist, and advice for words that do not.

    `predicates` are written without the dot, in the order in which messages list them. `hints` maps
    a word that users type (`success`, `and`, `always`) to what they should write: a replacement
    (one word: a predicate or an operator) or a whole sentence. A hint is given for an unknown
    predicate and for a name that stands where an operator belongs or directly before another
    operand; a name in its proper place is never questioned. An all-lower-case key serves every
    spelling of its word.

    Raises:
        InvalidNameError: a predicate that no condition could spell.
        TypeError: `predicates` is a single string.
    """

    predicates: Collection[str] = ()
    hints: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Take copies, so that the vocabulary cannot change under its users."""
        if isinstance(self.predicates, str):
            raise TypeError(f"predicates must be a collection of words, not {self.predicates!r}")
        object.__setattr__(self, "predicates", tuple(self.predicates))
        object.__setattr__(self, "hints", dict(self.hints))
        for predicate in self.predicates:
            if not PREDICATE.fullmatch(predicate):
                raise InvalidNameError(predicate, "predicate")

    def hint(self, word: str) -> str | None:
        """Return the advice for a word, as spelled or in lower case."""
        return self.hints.get(word) or self.hints.get(word.lower())


PLAIN = Vocabulary()
