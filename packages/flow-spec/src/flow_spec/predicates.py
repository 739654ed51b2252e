"""What the names in a `when` mean: outcomes of steps (rules 3.2, 3.3 and 3.7).

Grammar and evaluation are flow-conditions' own. Here live the predicates and the quantifiers that a
flow knows, and the answers to words that users of other systems type.
"""

from collections.abc import Sequence

from flow_conditions import Condition, Quantifier, Vocabulary, parse

PREDICATES = ("succeeded", "failed", "skipped", "finished")

_QUANTIFIERS = (
    Quantifier("any", "||", synonyms=("some", "one")),
    Quantifier("all", "&&", synonyms=("every", "each")),
    Quantifier("none", "||", negated=True, synonyms=("no",)),
)

_MEANT = {
    "succeeded": ("success", "successful", "succeed", "ok", "passed"),
    "failed": ("failure", "fail", "errored", "error", "err"),
    "skipped": ("skip",),
    "finished": ("finish", "completed", "complete", "done", "ended", "terminal", "always"),
}

# Functions of other systems (GitHub Actions, Azure Pipelines), with or without parentheses.
_FUNCTIONS = {
    "always": "write 'A.finished', which is true whatever the outcome of A",
    "success": "write 'A' or 'A.succeeded' for the step A that must have succeeded",
    "succeeded": "write 'A' or 'A.succeeded' for the step A that must have succeeded",
    "failure": "write 'A.failed' or '!A' for the step A whose failure is meant",
    "failed": "write 'A.failed' or '!A' for the step A whose failure is meant",
    "cancelled": "a cancelled flow starts no more steps",
    "skipped": "write 'A.skipped' for the step A that is meant",
}
_OVER_ALL = {
    "success": "all(succeeded)",
    "succeeded": "all(succeeded)",
    "failure": "any(failed)",
    "failed": "any(failed)",
    "skipped": "any(skipped)",
}

_VOCABULARY = Vocabulary(
    predicates=PREDICATES,
    hints={word: meant for meant, words in _MEANT.items() for word in (meant, *words)},
    quantifiers=_QUANTIFIERS,
    domain="the steps in depends_on",
    max_calls=len(_QUANTIFIERS) * len(PREDICATES),  # as many as there are different ones
    functions=_FUNCTIONS
    | {
        word: f"{_FUNCTIONS[word]}, or '{call}' for all steps in depends_on"
        for word, call in _OVER_ALL.items()
    },
)


def holds(predicate: str | None, outcome: str) -> bool:
    """Return whether an operand is true of a step that has ended. Rules 3.2 and 3.3.

    `predicate` is one of `PREDICATES`, or None for a bare id; `outcome` is the step's final status,
    such as `SUCCEEDED`, `FAILED` or `SKIPPED`.
    """
    return predicate == "finished" or outcome == (predicate or "succeeded").upper()


def parse_when(text: str, depends_on: Sequence[str] = ()) -> Condition:
    """Return the condition that the `when` of a step with this `depends_on` spells.

    Raises:
        ConditionSyntaxError: it is not a condition. Words of other systems are answered with ours
            (rule 3.3).
    """
    return parse(text, _VOCABULARY, over=depends_on)


def advice_on_name(name: str) -> str | None:
    """Return what to write where a name is no step but a function of another system (rule 3.3)."""
    return _FUNCTIONS.get(name)
