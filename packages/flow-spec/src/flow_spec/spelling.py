"""The known word that is nearest to a misspelled one, at a bounded cost."""

from collections.abc import Collection

import attrs

_LONGEST = 128
_COMPARISONS = 50_000


@attrs.define(eq=False)
class Speller:
    """Suggests words for one file, within a budget: a file full of mistakes costs little.

    `budget` is the number of comparisons left.
    """

    budget: int = _COMPARISONS

    def closest(self, word: str, known: Collection[str]) -> str | None:
        """Return the known word that was probably meant, or None."""
        self.budget -= len(known)
        if len(word) > _LONGEST or self.budget < 0:
            return None
        # Only a mistake pays for this import.
        from difflib import get_close_matches

        folded = _folded(word)
        alike = [candidate for candidate in known if _folded(candidate) == folded]
        return next(iter(alike or get_close_matches(word, known, n=1)), None)


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_")
