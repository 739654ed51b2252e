"""The predicates of a `when`, and what they mean (rules 3.2, 3.3, 3.7 and 10.1).

flow-conditions has the grammar and evaluates. This module has the predicates and quantifiers that
flows know. Both are imported for the first condition: a flow may have none.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import flow_conditions
from flow_spec.fields.messages import foreign_words

if TYPE_CHECKING:
    from flow_conditions import Condition, Vocabulary

PREDICATES = ("succeeded", "failed", "skipped", "finished")
FINALLY_PREDICATES = (*PREDICATES, "cancelled")
"""What a step of `finally` may ask; only these steps are decided after a cancel (rule 10.1)."""

_ONLY_IN_FINALLY = (
    "only the steps of 'finally' can ask that, since after a cancel no other step begins"
)


def _vocabulary(
    hints: Mapping[str, str], functions: Mapping[str, str], *, in_finally: bool
) -> "Vocabulary":
    from flow_conditions import Quantifier, Vocabulary

    predicates = FINALLY_PREDICATES if in_finally else PREDICATES
    quantifiers = (
        Quantifier("any", "||", synonyms=("some", "one")),
        Quantifier("all", "&&", synonyms=("every", "each")),
        Quantifier("none", "||", negated=True, synonyms=("no",)),
    )
    return Vocabulary(
        predicates=predicates,
        hints=hints,
        quantifiers=quantifiers,
        domain="the steps in depends_on" + (", or else all of 'steps'" if in_finally else ""),
        max_calls=len(quantifiers) * len(predicates),  # as many as there are different ones
        functions=functions,
    )


@cache
def _plain_vocabulary(*, in_finally: bool) -> "Vocabulary":
    """Return the vocabulary of a condition in `steps`, or in `finally`."""
    return _vocabulary({}, {}, in_finally=in_finally)


@cache
def _advising_vocabulary(*, in_finally: bool) -> "Vocabulary":
    """Return a vocabulary with advice on words of other systems, for a condition with a mistake."""
    words = foreign_words()
    asked = {meant: (meant, *others.split()) for meant, others in words["predicates"].items()}
    hints = {word: meant for meant, same in asked.items() for word in same}
    hints |= dict.fromkeys(words["attributes"]["words"].split(), words["attributes"]["advice"])
    functions, over_all = dict(words["functions"]), words["functions_over_all"]
    if in_finally:
        functions |= {
            word: f"write '{call}', which asks all of 'steps'" for word, call in over_all.items()
        }
        functions |= words["functions_in_finally"]
    else:
        hints |= dict.fromkeys(asked["cancelled"], _ONLY_IN_FINALLY)
        functions |= {
            word: f"{functions[word]}, or '{call}' for all steps in depends_on"
            for word, call in over_all.items()
        }
    return _vocabulary(hints, functions, in_finally=in_finally)


def holds(predicate: str | None, outcome: str) -> bool:
    """Return whether an operand is true of a step that has ended (rules 3.2, 3.3 and 10.1).

    `predicate` is one of `FINALLY_PREDICATES`, or None for a bare id; `outcome` is the step's final
    status, such as `SUCCEEDED`, `FAILED`, `SKIPPED` or `CANCELLED`.
    """
    return predicate == "finished" or outcome == (predicate or "succeeded").upper()


def holds_of_copies(predicate: str | None, outcomes: Collection[str]) -> bool:
    """Return whether an operand is true of all copies of a step, which have ended (rule 10.3).

    `outcomes` are their final statuses, with or without duplicates. If there are no copies, they
    count as skipped and finished.
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


def parse_when(
    text: str, depends_on: Sequence[str] = (), *, in_finally: bool = True
) -> "Condition":
    """Return the condition of a step with this `when` and `depends_on`.

    Only a step of `finally` may ask which steps were cancelled (rule 10.1).

    Raises:
        ConditionSyntaxError: The text is not a condition. The advice translates words of other
            systems (rule 3.3).
    """
    try:
        vocabulary = _plain_vocabulary(in_finally=in_finally)
        return flow_conditions.parse(text, vocabulary, over=depends_on)
    except flow_conditions.ConditionSyntaxError:
        # Again, for the advice: no flow without a mistake reads the words of other systems.
        vocabulary = _advising_vocabulary(in_finally=in_finally)
        return flow_conditions.parse(text, vocabulary, over=depends_on)


def has_call(text: str) -> bool:
    """Whether a text is a condition that calls `any`, `all` or `none` (rule 3.7)."""
    try:
        flow_conditions.parse(text, _plain_vocabulary(in_finally=True))
    except flow_conditions.ConditionSyntaxError:
        return True
    return False


def advice_on_name(name: str, *, in_finally: bool) -> str | None:
    """Return what to write instead of a function of another system, or None (rule 3.3)."""
    if in_finally:
        return _advising_vocabulary(in_finally=True).functions.get(name)
    advice: str | None = foreign_words()["functions"].get(name)
    return advice
