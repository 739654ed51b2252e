"""`unheard_failure`: a failure of which no alert hears, in a flow that has alerts (rule 11.2).

An alert is a step for which nothing waits, and which runs only because some step has failed. Looked
at are all failures that make the run FAILED, but those of `finally`. What else runs only because of
a failure counts as an answer to it; so does a step that is told the outcome or the names of what
failed by its variables, whenever it runs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from flow_conditions import Functions, Name
from flow_spec.blocks import base_of
from flow_spec.environment import FAILED_STEPS, OUTCOME
from flow_spec.flow import FlowSpec
from flow_spec.predicates import holds, holds_of_copies
from flow_spec.step import StepSpec
from flow_spec.warnings.outcomes import Fate, Outcomes
from flow_spec.warnings.verdict import Verdict


def unheard_failure(outcomes: Outcomes, order: Sequence[StepSpec]) -> Verdict | None:
    """Return a verdict about the first alert, with outcomes that show it, or None.

    `order` has all steps, each after those that it waits for; the outcomes are those of runs that
    are not cut off.

    Raises:
        BudgetExceeded: it takes more than is left.
    """
    flow, functions = outcomes.flow, outcomes.functions
    answers = dict(answers_to_failures(outcomes, order))
    waited_for = {base_of(name) for step in order for name in step.waits_for}
    alerts = [name for name in answers if base_of(name) not in waited_for]
    if not alerts:
        return None
    behind = ids_behind(flow, alerts)
    failed = (
        outcomes.outcome(step.id).failed
        for step in order
        if step.id not in flow.finally_ids and not step.allow_failure
    )
    answers |= {step.id: outcomes.runs[step.id] for step in order if is_told(step)}
    heard = functions.joined(False, sorted(answers.values(), key=functions.level))
    unheard = functions.both(functions.joined(False, failed), heard ^ 1)
    if unheard == Functions.FALSE:
        return None
    ends = ends_of(flow, order, outcomes.fates(functions.example(unheard)))
    relevant = {*behind, *alerts, *(name for name, end in ends.items() if end == Fate.FAILED.value)}
    shown = {name: end for name, end in ends.items() if name in relevant}
    places = {step.id: place for place, step in enumerate(flow.all_steps)}
    names = dict.fromkeys(base_of(name) for name in sorted(alerts, key=places.__getitem__))
    return Verdict(next(iter(names)), None, shown, tuple(names))


def answers_to_failures(outcomes: Outcomes, order: Iterable[StepSpec]) -> Iterator[tuple[str, int]]:
    """Yield the steps that run only because one has failed, with when they run."""
    functions, succeeds = outcomes.functions, outcomes.fates(frozenset())
    ends = ends_of(outcomes.flow, order, succeeds)
    none_failed = Functions.TRUE  # of the steps so far
    for step in order:
        runs = outcomes.runs[step.id]
        # Few steps do not run where all succeed: the proof is for these.
        may_answer = ends[step.id] == Fate.SKIPPED and runs != Functions.FALSE
        if may_answer and functions.both(runs, none_failed) == Functions.FALSE:
            yield step.id, runs
        none_failed = functions.both(none_failed, outcomes.outcome(step.id).failed ^ 1)


def ids_behind(flow: FlowSpec, names: Iterable[str]) -> frozenset[str]:
    """Return the ids of the steps for which some steps wait, directly or not."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        for name in flow.step(todo.pop()).waits_for:
            new = {*flow.copies.get(name, (name,))} - found
            found |= new
            todo += new
    return frozenset(found)


def is_told(step: StepSpec) -> bool:
    """Whether the words of a step have a variable in them that says what has failed (rule 9.13)."""
    return any(name in word for word in step.command for name in (FAILED_STEPS, OUTCOME))


def ends_of(flow: FlowSpec, order: Iterable[StepSpec], fates: Mapping[str, Fate]) -> dict[str, str]:
    """Return how each step ends in a run by itself, given what would become of it if it ran."""
    ends: dict[str, str] = {}

    def is_true(operand: Name) -> bool:
        copies = flow.copies.get(operand.name)
        if copies is None:
            return holds(operand.predicate, ends[operand.name])
        return holds_of_copies(operand.predicate, [ends[copy] for copy in copies])

    for step in order:
        runs = step.condition is None or step.condition.evaluate(is_true)
        ends[step.id] = fates[step.id].value if runs else Fate.SKIPPED.value
    return ends
