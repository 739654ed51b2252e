"""The predicates of a `when`, and what they mean (rules 3.2, 3.3, 3.7, 3.8 and 10.1).

flow-conditions has the grammar and evaluates. This module has the predicates and quantifiers that
flows know.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from flow_conditions import Condition, ConditionSyntaxError, Quantifier, Vocabulary, parse
from flow_spec.fields.messages import foreign_words

PREDICATES = ("succeeded", "failed", "skipped", "passed", "finished")
FINALLY_PREDICATES = (*PREDICATES, "cancelled")
"""What a step of `finally` may ask; only these steps are decided after a cancel (rule 10.1)."""

_QUANTIFIERS = (
    Quantifier("any", "||", synonyms=("some", "one")),
    Quantifier("all", "&&", synonyms=("every", "each")),
    Quantifier("none", "||", negated=True, synonyms=("no",)),
)

_ONLY_IN_FINALLY = (
    "only the steps of 'finally' can ask that, since after a cancel no other step begins"
)


def _vocabulary(
    hints: Mapping[str, str], functions: Mapping[str, str], *, in_finally: bool
) -> Vocabulary:
    predicates = FINALLY_PREDICATES if in_finally else PREDICATES
    return Vocabulary(
        predicates=predicates,
        hints=hints,
        quantifiers=_QUANTIFIERS,
        domain="the steps in depends_on" + (", or else all of 'steps'" if in_finally else ""),
        max_calls=len(_QUANTIFIERS) * len(predicates),  # as many as there are different ones
        functions=functions,
    )


_VOCABULARIES = tuple(_vocabulary({}, {}, in_finally=in_finally) for in_finally in (False, True))
"""The vocabularies of a condition in `steps`, and in `finally`."""


@cache
def _advising_vocabulary(*, in_finally: bool) -> Vocabulary:
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


class End[Status: str](NamedTuple):
    """How a step has ended: `SUCCEEDED`, `FAILED`, `SKIPPED` or `CANCELLED`, and if it passed.

    `StepSpec.end` tells whether it passed (rule 3.8).
    """

    status: Status
    passed: bool


def holds[Status: str](predicate: str | None, end: End[Status]) -> bool:
    """Return whether an operand is true of a step that has ended (rules 3.2, 3.3, 3.8 and 10.1).

    `predicate` is one of `FINALLY_PREDICATES`, or None for a bare id.
    """
    match predicate:
        case "finished":
            return True
        case "passed":
            return end.passed
        case _:
            return end.status == (predicate or "succeeded").upper()


def holds_of_copies[Status: str](predicate: str | None, ends: Collection[End[Status]]) -> bool:
    """Return whether an operand is true of all copies of a step, which have ended (rule 10.3).

    `ends` may have duplicates or not. If there are no copies, they count as skipped by their own
    decision.
    """
    match predicate:
        case "failed" | "cancelled":
            return any(holds(predicate, end) for end in ends)
        case None | "succeeded":
            return bool(ends) and all(holds(predicate, end) for end in ends)
        case _:
            return all(holds(predicate, end) for end in ends)


def parse_when(text: str, depends_on: Sequence[str] = (), *, in_finally: bool = True) -> Condition:
    """Return the condition of a step with this `when` and `depends_on`.

    Only a step of `finally` may ask which steps were cancelled (rule 10.1).

    Raises:
        ConditionSyntaxError: The text is not a condition. The advice translates words of other
            systems (rule 3.3).
    """
    try:
        return parse(text, _VOCABULARIES[in_finally], over=depends_on)
    except ConditionSyntaxError:
        # Again, for the advice: no flow without a mistake reads the words of other systems.
        return parse(text, _advising_vocabulary(in_finally=in_finally), over=depends_on)


def has_call(text: str) -> bool:
    """Whether a text is a condition that calls `any`, `all` or `none` (rule 3.7)."""
    try:
        parse(text, _VOCABULARIES[True])
    except ConditionSyntaxError:
        return True
    return False


def advice_on_name(name: str, *, in_finally: bool) -> str | None:
    """Return what to write instead of a function of another system, or None (rule 3.3)."""
    if in_finally:
        return _advising_vocabulary(in_finally=True).functions.get(name)
    advice: str | None = foreign_words()["functions"].get(name)
    return advice
