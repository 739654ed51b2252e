"""What the names in a `when` mean: outcomes of steps (rules 3.2 and 3.3).

Grammar and evaluation are flow-conditions' own, and calls such as `any(failed)` are written out in
`quantifiers`. Here live the predicates that a flow knows, the words of other systems that get an
answer, and the sentence for a name that is no step.
"""

import re
from collections.abc import Collection, Sequence

from flow_conditions import Condition, ConditionSyntaxError, Vocabulary, parse
from flow_spec.errors import quoted
from flow_spec.quantifiers import Quantifiers
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
_QUANTIFIERS = Quantifiers(VOCABULARY)

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
_OVER_ALL = {
    "success": "all(succeeded)",
    "succeeded": "all(succeeded)",
    "failure": "any(failed)",
    "failed": "any(failed)",
    "skipped": "any(skipped)",
}
_CALL = re.compile(r"(?<![\w.-])([A-Za-z_]\w*)\s*\(([^()]*)\)", re.ASCII)


def holds(predicate: str | None, outcome: str) -> bool:
    """Tell whether an operand is true of a step that has ended: rules 3.2 and 3.3.

    `predicate` is one of `PREDICATES`, or None for a bare id; `outcome` is the step's final status,
    such as `SUCCEEDED`, `FAILED` or `SKIPPED`.
    """
    return predicate == "finished" or outcome == (predicate or "succeeded").upper()


def parse_when(text: str, depends_on: Sequence[str] = ()) -> Condition:
    """Return the condition that the `when` of a step with this `depends_on` spells.

    Raises:
        ConditionSyntaxError: it is none; words of other systems are answered with ours. Rule 3.3.
    """
    masked = _QUANTIFIERS.masked(text)
    try:
        condition = parse(masked, VOCABULARY)
    except ConditionSyntaxError as error:
        raise _answer(text, masked, error) or _QUANTIFIERS.unmasked(text, error) from None
    if masked == text:
        return condition
    return parse(_QUANTIFIERS.written_out(text, depends_on), VOCABULARY)


def _answer(text: str, masked: str, error: ConditionSyntaxError) -> ConditionSyntaxError | None:
    """Return the error for a call of a function that is none, if that is where the mistake is."""
    for call in _CALL.finditer(masked):
        advice = _advice(call[1], call[2])
        if call.start() <= error.start <= call.end() and advice is not None:
            message = f"there is no {quoted(call[0])}; {advice}"
            return ConditionSyntaxError(text, *call.span(), message)
    return None


def _advice(name: str, argument: str) -> str | None:
    """Return what to write instead of a call, or None where nobody can tell."""
    if argument.strip() or name not in _FUNCTIONS:
        return _QUANTIFIERS.advice(name, argument)
    if name not in _OVER_ALL:
        return _FUNCTIONS[name]
    return f"{_FUNCTIONS[name]}, or `{_OVER_ALL[name]}` for all in depends_on"


def unknown_step(name: str, steps: Collection[str], speller: Speller) -> str:
    """Return the sentence for a name in `when` or `depends_on` that is no step of the flow."""
    sentence = f"unknown step {quoted(name)}"
    meant = speller.closest(name, steps)
    if meant is not None:
        return f"{sentence}; did you mean {quoted(meant)}?"
    if name in _FUNCTIONS:
        return f"{sentence}; {_FUNCTIONS[name]}"
    return sentence
