"""Every verdict about a small flow is what playing all its runs says (rule 11.2)."""

import re
from collections.abc import Iterator, Sequence

import pytest

from flow_conditions import Condition, Name
from flow_spec import FlowSpec
from flow_spec.fields.predicates import parse_when
from flow_spec.warnings.proofs import Proofs, ids_upstream

from .brute_force import (
    Decision,
    Ends,
    Played,
    answer,
    answer_call,
    ids_of,
    is_true,
    of_written,
    status,
)
from .generated import Generated, Generator, Part

SEVERAL_ALLOWED = 2438, 3678, 5345, 5686
"""Flows with a step that only several allowed failures together skip, unanswered."""
QUICK, LONG = (*range(150), *SEVERAL_ALLOWED), range(1000, 6000)


def check(seed: int, most: int) -> None:
    generated = Generator.flow(seed, most)
    flow, proofs = generated.flow, Proofs(generated.flow)
    played = Played(flow)
    written = flow.as_written.all_steps
    by_name = {step.id: of_written(flow, played.decisions, step.id) for step in written}
    conditional = [step for step in written if step.condition is not None]
    never = [s.id for s in conditional if not any(d.runs for d in by_name[s.id])]
    always = [s.id for s in conditional if s.when and all(d.runs for d in by_name[s.id])]
    assert list(proofs.never_run) == never
    asking = [
        name
        for name in always
        if not all(only_waits(leaf) or is_passed(leaf) for leaf in leaves(generated.trees[name]))
    ]
    assert list(proofs.always_true) == asking
    waited = {name.split("@")[0] for step in written for name in step.waits_for}
    assert [*proofs.runs_anyway] == [
        name for name in always if name not in waited and name not in flow.finally_ids
    ]
    for name, tree in generated.trees.items():
        if name not in never and name not in always:
            check_parts(flow, name, tree, by_name[name], proofs)
    runs = Runs(generated, played)
    check_failure(runs, proofs)
    check_ignored(runs, proofs)
    check_hidden(runs, proofs)
    assert proofs.are_complete


def leaves(tree: Part) -> Iterator[Part]:
    return (part for part in tree.all_parts() if not part.parts)


def only_waits(leaf: Part) -> bool:
    may_be_false = leaf.word.startswith("none(") or leaf.word.startswith("any(b")
    return "finished" in leaf.word and not may_be_false


def is_passed(leaf: Part) -> bool:
    return "passed" in leaf.word and not leaf.word.startswith("none(") and not leaf.polarity


def check_parts(
    flow: FlowSpec, name: str, tree: Part, decisions: list[Decision], proofs: Proofs
) -> None:
    """What is said to be without effect is so, all together, and something is said if any is."""
    when = flow.as_written.step(name).when
    said = [
        verdict.part for verdict in proofs.no_effect if verdict.step_id == name and verdict.part
    ]
    gone = [leaf for leaf in leaves(tree) for part in said if part.start <= leaf.begin < part.end]
    known = [(decision.step.id, dict(decision.ends)) for decision in decisions]
    assert same_without(flow, tree, gone, known), (when, said)
    idle = [
        part
        for part in tree.all_parts()
        if part.is_member
        if not (is_listed(part) or (only_waits(part) and not part.polarity))
        if same_without(flow, tree, [part], known)
    ]
    assert bool(said) is bool(idle), (when, said, [part.word for part in idle])


def is_listed(part: Part) -> bool:
    """Whether a part is a success in a row of such, or a call."""
    is_success = not re.search(r"^none|\.(?!succeeded|passed)", part.word)
    return not part.parts and (
        part.is_call or (is_success and part.in_conjunction is not part.polarity)
    )


def same_without(
    flow: FlowSpec, tree: Part, gone: Sequence[Part], where: list[tuple[str, dict[str, str]]]
) -> bool:
    """Tell whether removing some parts does not change a condition."""
    return all(
        value(flow, one, tree, ends, gone) is is_true(flow, flow.step(one), ends)
        for one, ends in where
    )


def value(  # noqa: PLR0913, PLR0917 - what decides it
    flow: FlowSpec,
    name: str,
    part: Part,
    ends: Ends,
    gone: Sequence[Part] = (),
    passing: Part | None = None,
) -> bool:
    """Work out what a condition is worth for a step, without some parts.

    In the operand or call that is `passing`, `passed` replaces `skipped` and `!failed`.
    """
    if part.parts:
        conjunctive = part.operator == "&&"
        values = [
            value(flow, name, each, ends, gone, passing)
            for each in part.parts
            if each.leaves - {leaf for one in gone for leaf in one.leaves}
        ]
        worth = all(values) if conjunctive else any(values)
    else:
        worth = bool(
            condition_of(flow, name, part).evaluate(
                lambda asked: (
                    answer_passing(flow, ends, asked, part)
                    if part is passing
                    else answer_call(flow, ends, asked)
                )
            )
        )
    return worth is not part.negated


def condition_of(flow: FlowSpec, name: str, leaf: Part) -> Condition:
    """Return the condition that an operand or a call is for a step."""
    step = flow.step(name)
    _, at, label = name.partition("@")
    own = leaf.word.partition(".")[0]
    word = leaf.word
    if at and f"{own}@{label}" in step.waits_for and not leaf.is_call:
        word = word.replace(own, f"{own}@{label}", 1)
    return parse_when(word, step.depends_on)


def hides(operand: Name, leaf: Part) -> bool:
    """Tell whether an operand is an `A.skipped`, or a `!A.failed`, by how it is negated."""
    negated = leaf.polarity is not leaf.word.startswith("none(")
    if operand.predicate == "skipped":
        return not negated and operand.quantifier != "none"
    return operand.predicate == "failed" and negated and operand.quantifier != "all"


def answer_passing(flow: FlowSpec, ends: Ends, operand: Name, leaf: Part) -> bool:
    """Answer an operand with `passed` in place of `skipped` and `!failed`."""
    value = answer_call(flow, ends, operand)
    if not hides(operand, leaf):
        return value
    passed = answer(flow, ends, Name(operand.name, "passed"))
    if operand.predicate == "skipped":
        return value and passed
    return passed is (operand.quantifier == "none")


class Runs:
    """All runs of a flow that are not cut off, and what of it runs only after a failure."""

    def __init__(self, generated: Generated, played: Played) -> None:
        self.generated, self.flow = generated, generated.flow
        self.ends = [dict(ends) for ends in played.by_itself]
        steps = self.flow.all_steps
        self.ran = {s.id: [is_true(self.flow, s, ends) for ends in self.ends] for s in steps}
        failed = [{name for name, end in ends.items() if end == "FAILED"} for ends in self.ends]
        self.reacting = [
            name
            for name, when in self.ran.items()
            if any(when)
            and all(bool(failures - {name}) for failures, r in zip(failed, when, strict=True) if r)
        ]
        charged = {step.id for step in steps if not step.allow_failure}
        self.charged = [failures & charged for failures in failed]

    def where(self, name: str) -> Iterator[int]:
        return (number for number, ran in enumerate(self.ran[name]) if ran)

    def is_answered(self, number: int, but_by: Sequence[str] = ()) -> bool:
        """Tell whether a step runs that answers a failure, other than some."""
        return any(self.ran[name][number] for name in self.reacting if name not in but_by)

    def shows(self, outcomes: Ends, numbers: Sequence[int]) -> bool:
        return any(
            outcomes.items()
            <= {name: status(end) for name, end in self.ends[number].items()}.items()
            for number in numbers
        )


def check_ignored(runs: Runs, proofs: Proofs) -> None:
    """Failures that may be skip a step, and the run SUCCEEDS unanswered."""
    flow = runs.flow
    green = [number for number in range(len(runs.ends)) if not runs.charged[number]]
    expected: dict[str, list[int]] = {}
    for step in flow.all_steps:
        ids = [ids_of(flow, name) for name in step.waits_for]
        may_fail = [some for some in ids if all(flow.step(one).allow_failure for one in some)]
        skips: list[int] = []
        for group in ([some] for some in may_fail), [may_fail]:
            for some in group:
                every = [one for each in some for one in each]
                if not skips and any(runs.ran[step.id]) and needs_one(runs, step.id, some):
                    skips = [
                        n
                        for n in green
                        if all(any_ended(runs, n, [one], "FAILED") for one in every)
                        and not runs.is_answered(n, but_by=every)
                    ]
        if skips:
            expected.setdefault(step.id.partition("@")[0], []).extend(skips)
    assert [found.step_id for found in proofs.ignored_failures] == [
        step.id for step in flow.as_written.all_steps if step.id in expected
    ]
    for found in proofs.ignored_failures:
        assert runs.shows(found.outcomes, expected[found.step_id])


def any_ended(runs: Runs, number: int, ids: Sequence[str], status: str) -> bool:
    return any(runs.ends[number][one] == status for one in ids)


def needs_one(runs: Runs, name: str, ids: Sequence[Sequence[str]]) -> bool:
    """Tell whether a step runs only where one of these steps SUCCEEDED."""
    every = [one for some in ids for one in some]
    return all(any_ended(runs, number, every, "SUCCEEDED") for number in runs.where(name))


def check_hidden(runs: Runs, proofs: Proofs) -> None:
    """With `passed` in its place, a part would not let a step run after what failed before it."""
    flow = runs.flow
    expected: dict[tuple[str, int], list[int]] = {}
    for step in flow.all_steps:
        base = step.id.partition("@")[0]
        tree = runs.generated.trees.get(base)
        if tree is None or step.id in runs.reacting:
            continue
        for leaf in leaves(tree):
            asked = [
                one
                for operand in condition_of(flow, step.id, leaf).operands
                if hides(operand, leaf)
                for one in ids_of(flow, operand.name)
            ]
            for number in runs.where(step.id) if asked else ():
                ends = runs.ends[number]
                skipped = [one for one in asked if ends[one] == "SKIPPED"]
                is_hidden = any(ids_upstream(flow, [one]) & runs.charged[number] for one in skipped)
                if is_hidden and not value(flow, step.id, tree, ends, passing=leaf):
                    expected.setdefault((base, leaf.begin), []).append(number)
    found = {}
    for each in proofs.hidden_failures:
        tree, part = runs.generated.trees[each.step_id], each.part
        assert part is not None
        (leaf,) = (one for one in leaves(tree) if part.start <= one.begin < part.end)
        found[each.step_id, leaf.begin] = each.outcomes
    if any("@" in step.id for step in flow.steps):  # of copies, the first that shows it is shown
        assert {name for name, _ in found} == {name for name, _ in expected}
    else:
        assert found.keys() == expected.keys()
    for place, outcomes in found.items():
        assert runs.shows(outcomes, expected[place])


def check_failure(runs: Runs, proofs: Proofs) -> None:
    """A failure is unheard if, and only if, some run shows it; and what is shown is such a run."""
    flow, verdict = runs.flow, proofs.unhandled_failure
    waited = {name.split("@")[0] for step in flow.as_written.all_steps for name in step.waits_for}
    alerts = [name for name in runs.reacting if name.split("@")[0] not in waited]
    of_steps = {step.id for step in flow.steps}
    unheard = [
        number
        for number, charged in enumerate(runs.charged)
        if charged & of_steps and not runs.is_answered(number)
    ]
    assert bool(verdict) is bool(unheard and alerts)
    if verdict is not None:
        assert verdict.step_id in {name.split("@")[0] for name in alerts}
        assert runs.shows(verdict.outcomes, unheard)


@pytest.mark.parametrize("seed", QUICK)
def test_verdicts_are_those_of_all_runs(seed: int) -> None:
    """Of flows of up to six steps, every verdict is what playing all runs says (rule 11.2)."""
    check(seed, 6)


@pytest.mark.long
def test_verdicts_are_those_of_all_runs_of_up_to_eight_steps() -> None:
    """So it is of 5,000 flows of up to eight steps (rule 11.2)."""
    for seed in LONG:
        check(seed, 8)
