"""What the names in a `when` mean: outcomes of steps (rules 3.2, 3.3, 3.7 and 10.1).

Grammar and evaluation are flow-conditions' own. Here live the predicates and the quantifiers that a
flow knows, and the answers to words that users of other systems type.
"""

from collections.abc import Collection, Sequence

from flow_conditions import Condition, ConditionSyntaxError, Quantifier, Vocabulary, parse

PREDICATES = ("succeeded", "failed", "skipped", "finished")
FINALLY_PREDICATES = (*PREDICATES, "cancelled")
"""What a step of `finally` may ask: nothing else is decided after a cancel (rule 10.1)."""

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
    "true": "leave 'when' out: a step without it runs at once, or after its 'depends_on'",
    "yes": "leave 'when' out: a step without it runs at once, or after its 'depends_on'",
    "false": "a step that is not to run is a comment, or is left out",
    "no": "a step that is not to run is a comment, or is left out",
    "all_success": "write 'all(succeeded)', which asks about the steps in 'depends_on'",
    "all_failed": "write 'all(failed)', which asks about the steps in 'depends_on'",
    "all_done": "write 'all(finished)', which asks about the steps in 'depends_on'",
    "one_failed": "write 'any(failed)', which asks about the steps in 'depends_on'",
    "one_success": "write 'any(succeeded)', which asks about the steps in 'depends_on'",
    "none_failed": "write 'none(failed)', which asks about the steps in 'depends_on'",
    "on_failure": "write 'A.failed' for the step A whose failure is meant",
    "on_success": "write 'A' for the step A that must have succeeded",
    "manual": "a step that a person starts is a flow of its own",
    "always": "write 'A.finished', which is true whatever the outcome of A",
    "success": "write 'A' or 'A.succeeded' for the step A that must have succeeded",
    "succeeded": "write 'A' or 'A.succeeded' for the step A that must have succeeded",
    "failure": "write 'A.failed' or '!A' for the step A whose failure is meant",
    "failed": "write 'A.failed' or '!A' for the step A whose failure is meant",
    "cancelled": "a cancelled flow starts no more steps but those of 'finally'",
    "skipped": "write 'A.skipped' for the step A that is meant",
}
_OVER_ALL = {
    "success": "all(succeeded)",
    "succeeded": "all(succeeded)",
    "failure": "any(failed)",
    "failed": "any(failed)",
    "skipped": "any(skipped)",
}

_CANCELLED = ("cancelled", "canceled", "cancel", "aborted")
_ATTRIBUTES = ("status", "outcome", "result", "conclusion", "state", "exit_code", "exitcode")
_HINTS = {word: meant for meant, words in _MEANT.items() for word in (meant, *words)}
_HINTS |= dict.fromkeys(_ATTRIBUTES, "ask for an outcome, such as 'A', 'A.failed' or 'A.skipped'")
_ONLY_IN_FINALLY = (
    "only the steps of 'finally' can ask that, since after a cancel no other step begins"
)

_VOCABULARY = Vocabulary(
    predicates=PREDICATES,
    hints=_HINTS | dict.fromkeys(_CANCELLED, _ONLY_IN_FINALLY),
    quantifiers=_QUANTIFIERS,
    domain="the steps in depends_on",
    max_calls=len(_QUANTIFIERS) * len(PREDICATES),  # as many as there are different ones
    functions=_FUNCTIONS
    | {
        word: f"{_FUNCTIONS[word]}, or '{call}' for all steps in depends_on"
        for word, call in _OVER_ALL.items()
    },
)
_FINALLY_VOCABULARY = Vocabulary(
    predicates=FINALLY_PREDICATES,
    hints=_HINTS | dict.fromkeys(_CANCELLED, "cancelled"),
    quantifiers=_QUANTIFIERS,
    domain="the steps in depends_on, or else all of 'steps'",
    max_calls=len(_QUANTIFIERS) * len(FINALLY_PREDICATES),
    functions=_FUNCTIONS
    | {word: f"write '{call}', which asks all of 'steps'" for word, call in _OVER_ALL.items()}
    | {
        "always": "leave 'when' out: a step of 'finally' runs however the others have ended",
        "cancelled": "write 'any(cancelled)', which asks all of 'steps'",
    },
)


def holds(predicate: str | None, outcome: str) -> bool:
    """Return whether an operand is true of a step that has ended. Rules 3.2, 3.3 and 10.1.

    `predicate` is one of `FINALLY_PREDICATES`, or None for a bare id; `outcome` is the step's final
    status, such as `SUCCEEDED`, `FAILED`, `SKIPPED` or `CANCELLED`.
    """
    return predicate == "finished" or outcome == (predicate or "succeeded").upper()


def holds_of_copies(predicate: str | None, outcomes: Collection[str]) -> bool:
    """Return whether an operand is true of all copies of a step, which have ended. Rule 10.3.

    `outcomes` are their final statuses, each perhaps once only. Of no copies at all it is true that
    they were skipped, and that they are finished.
    """
    match predicate:
        case "finished":
            return True
        case "skipped":
            return all(holds(predicate, outcome) for outcome in outcomes)
        case "failed" | "cancelled":
            return any(holds(predicate, outcome) for outcome in outcomes)
        case _:
            return bool(outcomes) and all(holds(predicate, outcome) for outcome in outcomes)


def parse_when(text: str, depends_on: Sequence[str] = (), *, in_finally: bool = True) -> Condition:
    """Return the condition that the `when` of a step with this `depends_on` spells.

    Unless it stands in a step of `finally`, it may not ask who was cancelled (rule 10.1).

    Raises:
        ConditionSyntaxError: it is not a condition. Words of other systems are answered with ours
            (rule 3.3).
    """
    return parse(text, _FINALLY_VOCABULARY if in_finally else _VOCABULARY, over=depends_on)


def has_call(text: str) -> bool:
    """Whether a text calls `any`, `all` or `none`, if it is a condition at all (rule 3.7)."""
    try:
        parse(text, _FINALLY_VOCABULARY)
    except ConditionSyntaxError:
        return True
    return False


def advice_on_name(name: str, *, in_finally: bool) -> str | None:
    """Return what to write where a name is no step but a function of another system (rule 3.3)."""
    functions = _FINALLY_VOCABULARY.functions if in_finally else _FUNCTIONS
    return functions.get(name)
