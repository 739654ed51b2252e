"""What a caller allows in a condition besides plain names, and what it advises its users.

The words themselves are the caller's. Messages are worded in `mistakes`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from flow_conditions.errors import InvalidNameError
from flow_conditions.grammar import PREDICATE

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_conditions.quantifier import Quantifier


@dataclass(frozen=True)
class Vocabulary:
    """The predicates and quantifiers that exist, and advice for words that do not.

    `predicates` are written without the dot, in the order in which messages list them. `hints` maps
    a word that users type (`success`, `and`, `always`) to what they should write: a replacement
    (one word: a predicate or an operator) or a whole sentence. A hint is given for an unknown
    predicate and for a name that stands where an operator belongs or directly before another
    operand; a name in its proper place is never questioned. An all-lower-case key serves every
    spelling of its word.

    `quantifiers` are the words that may be called with a predicate, over the names that `parse` is
    given; messages call these names `domain` ("the steps of this group"). One condition may hold
    `max_calls` calls, since each of them may stand for thousands of operands. `functions` maps a
    word that users call without an argument (`always()`) to the sentence that answers them.

    Raises:
        InvalidNameError: a predicate that no condition could spell.
        TypeError: `predicates` is a single string.
    """

    predicates: Collection[str] = ()
    hints: Mapping[str, str] = field(default_factory=dict, hash=False)
    quantifiers: "Collection[Quantifier]" = ()
    domain: str = "the names given"
    max_calls: int = 12
    functions: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Take copies, so that the vocabulary cannot change under its users."""
        if isinstance(self.predicates, str):
            raise TypeError(f"predicates must be a collection of words, not {self.predicates!r}")
        object.__setattr__(self, "predicates", tuple(self.predicates))
        object.__setattr__(self, "hints", dict(self.hints))
        object.__setattr__(self, "quantifiers", tuple(self.quantifiers))
        object.__setattr__(self, "functions", dict(self.functions))
        for predicate in self.predicates:
            if not PREDICATE.fullmatch(predicate):
                raise InvalidNameError(predicate, "predicate")

    def hint(self, word: str) -> str | None:
        """Return the advice for a word, as spelled or in lower case."""
        return self.hints.get(word) or self.hints.get(word.lower())

    def quantifier(self, word: str) -> "Quantifier | None":
        """Return the quantifier that is spelled like this, if there is one."""
        return next((known for known in self.quantifiers if known.word == word), None)


PLAIN = Vocabulary()
