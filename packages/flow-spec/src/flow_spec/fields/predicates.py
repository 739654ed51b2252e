"""The predicates of a `when`, and what they mean (rules 3.2, 3.3, 3.7 to 3.9 and 10.1).

flow-conditions has the grammar and evaluates. This module has the predicates and quantifiers that
flows know. Both are imported for the first condition: a flow may have none.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import flow_conditions
from flow_spec.errors import Advised
from flow_spec.fields.messages import answer_to_condition, foreign_words

if TYPE_CHECKING:
    from flow_conditions import Condition, Name, Occurrence, Vocabulary

PREDICATES = ("succeeded", "failed", "skipped", "passed", "finished")
FINALLY_PREDICATES = (*PREDICATES, "cancelled")
"""What a step of `finally` may ask; only these steps are decided after a cancel (rule 10.1)."""

RUN_WORD = "run"
"""The word that asks how the run ends: `run(failed)` (rule 3.9)."""
RUN_PREDICATES = ("succeeded", "failed", "cancelled", "timed_out")

_ONLY_IN_FINALLY = (
    "only the steps of 'finally' can ask that, since after a cancel no other step begins"
)
_ASKS_RUN = (
    "only the steps of 'finally' can ask how the run ends; here, ask steps, as in NAME.failed"
)


@cache
def _vocabulary(
    *, in_finally: bool, asks_one: bool = True, is_advising: bool = False
) -> "Vocabulary":
    """Return the words of a condition in `steps`, or in `finally`.

    Advice on words of other systems is for conditions with a mistake.
    """
    from flow_conditions import Quantifier, Vocabulary

    predicates = FINALLY_PREDICATES if in_finally else PREDICATES
    quantifiers = (
        Quantifier("any", "||", synonyms=("some", "one")),
        Quantifier("all", "&&", synonyms=("every", "each")),
        Quantifier("none", "||", negated=True, synonyms=("no",)),
    )
    return Vocabulary(
        predicates=predicates,
        hints=_hints(in_finally=in_finally) if is_advising else {},
        quantifiers=quantifiers,
        domain="the steps in depends_on" + (", or else all of 'steps'" if in_finally else ""),
        max_calls=len(quantifiers) * len(predicates),  # as many as there are different ones
        asks_one=asks_one,
        constants=False,
        subjects={RUN_WORD: RUN_PREDICATES} if in_finally else {},
    )


def _hints(*, in_finally: bool) -> Mapping[str, str]:
    words = foreign_words()
    functions = dict(words["a condition"])
    asked = {**words["a predicate"], **{known: [known] for known in FINALLY_PREDICATES}}
    hints = {word: answers[0] for word, answers in (asked | {**words["after a dot"]}).items()}
    if in_finally:
        functions |= words["a condition of finally"]
        hints |= {
            f"{RUN_WORD}({word})": f"write '{RUN_WORD}({meant})'"
            for word, meant in hints.items()
            if meant in RUN_PREDICATES
        }
    else:
        hints |= {f"{RUN_WORD}({asked})": _ASKS_RUN for asked in RUN_PREDICATES}
        hints |= {word: _ONLY_IN_FINALLY for word, meant in hints.items() if meant == "cancelled"}
    return hints | {f"{word}()": answers[0] for word, answers in functions.items()}


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


def holds_of_run(predicate: str, status: str) -> bool:
    """Return whether `run(predicate)` is true of a run that ends like this (rule 3.9).

    `predicate` is one of `RUN_PREDICATES`, and so in upper case is `status`.
    """
    return predicate == status.lower() or (predicate, status) == ("failed", "TIMED_OUT")


def holds_of_copies[Status: str](
    operand: "Name", ends: Collection[End[Status]], *, if_run: bool = False
) -> bool:
    """Return whether an operand is true of all copies of a step, which have ended (3.7, 10.3).

    `ends` may have duplicates or not. If there are no copies, `all` asks one step that was skipped
    by its own decision, or `if_run` one that succeeded (rule 3.8).
    """
    predicate = operand.predicate
    quantifier = quantifier_of(operand)
    if quantifier == "all":
        every = all(holds(predicate, end) for end in ends)
        return every and (bool(ends) or holds(predicate, SUCCEEDED if if_run else SKIPPED_ITSELF))
    found = any(holds(predicate, end) for end in ends)
    return found is not (quantifier == "none")


SKIPPED_ITSELF, SUCCEEDED = End("SKIPPED", True), End("SUCCEEDED", True)
"""What a step without copies counts as; and what it counts as where passing is running."""


def quantifier_of(operand: "Name") -> str:
    """Return how an operand asks the copies of a step: `A.failed` asks any of them, `A` all."""
    by_itself = "any" if operand.predicate in {"failed", "cancelled"} else "all"
    return operand.quantifier or by_itself


def parse_when(
    text: str, depends_on: Sequence[str] = (), *, in_finally: bool = True, asks_one: bool = True
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
            vocabulary = _vocabulary(in_finally=in_finally)
            return flow_conditions.parse(text, vocabulary, over=depends_on)
    except flow_conditions.ConditionSyntaxError:
        pass  # again, for the advice: no flow without a mistake reads the words of other systems
    advising = _vocabulary(in_finally=in_finally, asks_one=asks_one, is_advising=True)
    return flow_conditions.parse(text, advising, over=depends_on)


def operands_of(when: str | None) -> "Iterator[Occurrence]":
    """Yield the operands and calls in a `when`; the name of `any(failed)` is None."""
    return flow_conditions.operands_in(when, FINALLY_PREDICATES, {RUN_WORD}) if when else iter(())


def has_call(text: str) -> bool:
    """Whether a text is no condition, or one that calls `any`, `all` or `none` (rule 3.7)."""
    return not is_condition(text, (), in_finally=True)


def is_condition(text: str, depends_on: Sequence[str], *, in_finally: bool) -> bool:
    """Whether a text is a condition of a step with this `depends_on`."""
    try:
        flow_conditions.parse(text, _vocabulary(in_finally=in_finally), over=depends_on)
    except (flow_conditions.ConditionSyntaxError, flow_conditions.InvalidNameError):
        return False
    return True


_WRAPPED = re.compile(r"\s*(?:if\s+)?\$?\{\{(?P<braced>.*)\}\}\s*|\s*if\s+(?P<bare>.*)", re.DOTALL)
_VALUE = re.compile(
    r"""\$\{?(\w+) | (?<![\w.@-])(\w+)["']?\s*(?:[=!]==?|=|[<>]=?|-eq\b|-ne\b) | \.outputs?\.
    | \b(env|vars|variables|github|gitlab|runner|inputs|matrix|secrets|params|parameters|item
        |workflow|event|branch|hostvars|group_names|hashFiles|exists|fileExists|defined)\b
    | \b(ansible_|inventory_)""",
    re.VERBOSE | re.ASCII,
)
"""What is no step in the conditions of other systems: variables, outputs, comparisons."""

INSTEAD_OF_VALUES = (
    "write only_if:, with a command such as [sh, -c, 'test \"$NAME\" = VALUE']; when: is only for "
    "conditions over steps"
)
"""What to write in place of a value in a condition."""


def advice_on_condition(text: str, ids: Collection[str], *, in_finally: bool) -> Advised | None:
    """Return what is wrong with a whole condition of another system, or None.

    `ids` are the steps that may be asked.
    """
    wrapped = _WRAPPED.fullmatch(text)
    bare = text if wrapped is None else wrapped["braced"] or wrapped["bare"] or ""
    if any({*found.groups()}.isdisjoint(ids) for found in _VALUE.finditer(bare)):
        return Advised("a condition cannot ask for values", INSTEAD_OF_VALUES)
    if wrapped is None:
        return None
    fact = f"a condition is written without {'if' if wrapped['bare'] else 'braces around it'}"
    answer = answer_to_condition(bare, in_finally=in_finally)
    return Advised(fact, answer or "write the condition alone, such as when: build.failed")
