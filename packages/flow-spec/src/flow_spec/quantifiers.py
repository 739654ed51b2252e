"""`any(failed)` and its kin: conditions over all of a step's `depends_on` at once (rule 3.7).

flow-conditions knows no functions. Here a call is written out as what it stands for, and a call
that is none is answered with what to write; where calls may stand is for the grammar to say.
"""

import re
from collections.abc import Collection, Sequence

from flow_conditions import ConditionSyntaxError, Vocabulary

_WRITTEN = {"any": ("(", " || "), "all": ("(", " && "), "none": ("!(", " || ")}
_KIN = {"some": "any", "one": "any", "every": "all", "each": "all", "no": "none"}

MAX_CALLS = 12
"""Calls in one condition: as many as there are different ones; each may stand for thousands."""


class Quantifiers:
    """The calls in the conditions of a flow, with the predicates that they may ask for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Know the predicates, and the words of other systems that mean one."""
        self._vocabulary = vocabulary
        self._call = re.compile(
            rf"(?<![\w.-])({'|'.join(_WRITTEN)})\s*\(\s*({'|'.join(vocabulary.predicates)})\s*\)",
            re.ASCII,
        )

    def masked(self, text: str) -> str:
        """Put a name, and nothing longer or shorter, in the place of each call."""
        return self._call.sub(lambda call: _mask(call[0]), text)

    def unmasked(self, text: str, error: ConditionSyntaxError) -> ConditionSyntaxError:
        """Turn an error about the masked text into one about the text itself."""
        message, end = error.message, error.end
        for call in self._call.finditer(text):
            message = message.replace(_mask(call[0]).rstrip(), call[0])
            if error.start == call.start() < error.end:
                end = call.end()
        return ConditionSyntaxError(text, error.start, end, message)

    def written_out(self, text: str, depends_on: Sequence[str]) -> str:
        """Write out every call over the ids in `depends_on`.

        Raises:
            ConditionSyntaxError: there are none, or there are too many calls.
        """
        calls = list(self._call.finditer(text))
        if calls and not depends_on:
            call = calls[0]
            message = f"`{call[0]}` asks for the steps in depends_on, and this step lists none"
            raise ConditionSyntaxError(text, *call.span(), message)
        if len(calls) > MAX_CALLS:
            call = calls[MAX_CALLS]
            message = f"more than {MAX_CALLS} calls in one condition; write each of them once"
            raise ConditionSyntaxError(text, *call.span(), message)
        return self._call.sub(lambda call: _written(call[1], call[2], depends_on), text)

    def advice(self, name: str, argument: str) -> str | None:
        """Return what to write for a call that is none; None where nothing like it exists."""
        known = _KIN.get(name.lower(), name.lower())
        word = argument.strip()
        predicates = self._vocabulary.predicates
        meant = word if word in predicates else self._vocabulary.hint(word)
        if known in _WRITTEN:
            if meant in predicates:
                return f"write `{known}({meant})`"
            asked = f"one of {', '.join(predicates)}" if word else "what to ask, such as failed"
            return f"write `{known}(...)` with {asked}; it asks all steps in depends_on"
        predicate = self._vocabulary.hint(name)
        if predicate in predicates and re.fullmatch(r"[\w-]+", word, re.ASCII):
            return f"write `{word}.{predicate}`"
        return None


def _mask(call: str) -> str:
    """Return a name as long as a call, and a space for the parenthesis that ends both."""
    return re.sub(r"\W", "_", call[:-1]) + " "


def _written(name: str, predicate: str, depends_on: Collection[str]) -> str:
    opening, operator = _WRITTEN[name]
    return f"{opening}{operator.join(f'{step}.{predicate}' for step in depends_on)})"
