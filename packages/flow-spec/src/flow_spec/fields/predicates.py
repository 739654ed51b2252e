"""The predicates of a `when`, and what they mean (rules 3.2, 3.3, 3.7, 3.8 and 10.1).

flow-conditions has the grammar and evaluates. This module has the predicates and quantifiers that
flows know. Both are imported for the first condition: a flow may have none.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import flow_conditions
from flow_spec.fields.messages import foreign_words

if TYPE_CHECKING:
    from flow_conditions import Condition, Name, Occurrence, Vocabulary

PREDICATES = ("succeeded", "failed", "skipped", "passed", "finished")
FINALLY_PREDICATES = (*PREDICATES, "cancelled")
"""What a step of `finally` may ask; only these steps are decided after a cancel (rule 10.1)."""

_ONLY_IN_FINALLY = (
    "only the steps of 'finally' can ask that, since after a cancel no other step begins"
)


def _vocabulary(
    hints: Mapping[str, str],
    functions: Mapping[str, str],
    *,
    in_finally: bool,
    asks_one: bool = True,
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
        asks_one=asks_one,
        functions=functions,
    )


@cache
def _plain_vocabulary(*, in_finally: bool) -> "Vocabulary":
    """Return the vocabulary of a condition in `steps`, or in `finally`."""
    return _vocabulary({}, {}, in_finally=in_finally)


@cache
def _advising_vocabulary(*, in_finally: bool, asks_one: bool = True) -> "Vocabulary":
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
    return _vocabulary(hints, functions, in_finally=in_finally, asks_one=asks_one)


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


def holds_of_copies[Status: str](operand: "Name", ends: Collection[End[Status]]) -> bool:
    """Return whether an operand is true of all copies of a step, which have ended (3.7, 10.3).

    `ends` may have duplicates or not. If there are no copies, `all` asks one step that was skipped
    by its own decision.
    """
    predicate = operand.predicate
    quantifier = quantifier_of(operand)
    if quantifier == "all":
        every = all(holds(predicate, end) for end in ends)
        return every and (bool(ends) or holds(predicate, SKIPPED_ITSELF))
    found = any(holds(predicate, end) for end in ends)
    return found is not (quantifier == "none")


SKIPPED_ITSELF = End("SKIPPED", True)
"""What a step without copies counts as."""


def quantifier_of(operand: "Name") -> str:
    """Return how an operand asks the copies of a step: `A.failed` asks any of them, `A` all."""
    by_itself = "any" if operand.predicate in {"failed", "cancelled"} else "all"
    return operand.quantifier or by_itself


def parse_when(
    text: str,
    depends_on: Sequence[str] = (),
    *,
    in_finally: bool = True,
    asks_one: bool = True,
) -> "Condition":
    """Return the condition of a step with this `when` and `depends_on`.

    Only a step of `finally` may ask which steps were cancelled (rule 10.1). Unless it `asks_one`, a
    call such as `any(load)` is a mistake (rule 3.7).

    Raises:
        ConditionSyntaxError: The text is not a condition. The advice translates words of other
            systems (rule 3.3).
    """
    try:
        if asks_one:
            vocabulary = _plain_vocabulary(in_finally=in_finally)
            return flow_conditions.parse(text, vocabulary, over=depends_on)
    except flow_conditions.ConditionSyntaxError:
        pass  # again, for the advice: no flow without a mistake reads the words of other systems
    advising = _advising_vocabulary(in_finally=in_finally, asks_one=asks_one)
    return flow_conditions.parse(text, advising, over=depends_on)


def operands_of(when: str | None) -> "Iterator[Occurrence]":
    """Yield the operands and calls in a `when`; the name of `any(failed)` is None."""
    return flow_conditions.operands_in(when, FINALLY_PREDICATES) if when else iter(())


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
