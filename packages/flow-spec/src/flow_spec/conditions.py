"""What the names in a `when` mean: outcomes of steps (rules 3.2 and 3.3).

Grammar and evaluation are flow-conditions' own. Here live the predicates that a flow knows, the
words of other systems that get an answer, and the sentence for a name that is no step.
"""

import re
from collections.abc import Collection

from flow_conditions import Condition, ConditionSyntaxError, Vocabulary, parse
from flow_spec.errors import quoted
from flow_spec.spelling import Speller

PREDICATES = ("succeeded", "failed", "skipped", "finished")

_MEANT = {
    "succeeded": ("success", "successful", "succeed", "ok", "passed"),
    "failed": ("failure", "fail", "errored", "error", "err"),
    "skipped": ("skip",),
    "finished": ("finish", "completed", "complete", "done", "ended", "terminal", "always"),
}

_HINTS = {word: predicate for predicate, words in _MEANT.items() for word in (predicate, *words)}

VOCABULARY = Vocabulary(predicates=PREDICATES, hints=_HINTS)

# Functions of other systems (GitHub Actions, Azure Pipelines), with or without parentheses.
_FUNCTIONS = {
    "always": "write `A.finished`, which is true whatever the outcome of A",
    "success": "write `A` or `A.succeeded` for the step A that must have succeeded",
    "succeeded": "write `A` or `A.succeeded` for the step A that must have succeeded",
    "failure": "write `A.failed` or `!A` for the step A whose failure is meant",
    "failed": "write `A.failed` or `!A` for the step A whose failure is meant",
    "cancelled": "a cancelled flow starts no further step",
    "skipped": "write `A.skipped` for the step A that is meant",
}
_CALL = re.compile(rf"(?<![\w.-])({'|'.join(_FUNCTIONS)})\s*\(\s*\)")


def parse_when(text: str) -> Condition:
    """Return the condition that a step's `when` spells.

    Raises:
        ConditionSyntaxError: it is none; words of other systems are answered with ours. Rule 3.3.
    """
    try:
        return parse(text, VOCABULARY)
    except ConditionSyntaxError as error:
        call = _CALL.search(text)
        if call is None or not call.start() <= error.start <= call.end():
            raise
        message = f"conditions have no functions; instead of `{call[0]}` {_FUNCTIONS[call[1]]}"
        raise ConditionSyntaxError(text, *call.span(), message) from None


def unknown_step(name: str, steps: Collection[str], speller: Speller) -> str:
    """Return the sentence for a name in `when` or `depends_on` that is no step of the flow."""
    sentence = f"unknown step {quoted(name)}"
    meant = speller.closest(name, steps)
    if meant is not None:
        return f"{sentence}; did you mean {quoted(meant)}?"
    if name in _FUNCTIONS:
        return f"{sentence}; {_FUNCTIONS[name]}"
    return sentence
