"""Every verdict about a small flow is what playing all its runs says (rule 11.2)."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from flow_spec import FlowSpec
from flow_spec.fields.predicates import parse_when
from flow_spec.warnings.proofs import Proofs

from .brute_force import (
    SKIPPED_ITSELF,
    Decision,
    Ends,
    Played,
    answer,
    ids_of,
    is_true,
    of_written,
    status,
    waited_for,
)
from .generated import Generated, Generator, Part

QUICK, LONG = range(150), range(1000, 6000)


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
    asking = [name for name in always if not all(map(only_waits, leaves(generated.trees[name])))]
    assert list(proofs.always_true) == asking
    waited = {name.split("@")[0] for step in written for name in step.waits_for}
    assert [*proofs.runs_anyway] == [
        name for name in always if name not in waited and name not in flow.finally_ids
    ]
    for name, tree in generated.trees.items():
        if name not in never and name not in always:
            check_parts(flow, name, tree, by_name[name], proofs)
    check_failure(generated, played, proofs)
    assert proofs.are_complete


def leaves(tree: Part) -> Iterator[Part]:
    return (part for part in tree.all_parts() if not part.parts)


def only_waits(leaf: Part) -> bool:
    return "finished" in leaf.word and not leaf.word.startswith("none(")


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
    first = ids_of(flow, name)[0]
    free = [(first, ends) for ends in all_ends(flow, first)]
    idle = [
        part
        for part in tree.all_parts()
        if part.is_member
        if not (only_waits(part) and not part.polarity)
        if same_without(flow, tree, [part], free if is_listed(part) else known)
    ]
    assert bool(said) is bool(idle), (when, said, [part.word for part in idle])


def is_listed(part: Part) -> bool:
    """Whether a part is a success in a row of such, or a call."""
    is_success = "." not in part.word or part.word.endswith(".succeeded")
    return not part.parts and (
        part.is_call or (is_success and part.in_conjunction is not part.polarity)
    )


def all_ends(flow: FlowSpec, name: str) -> Iterator[dict[str, str]]:
    """Yield all ends of what a step waits for, whether they can be or not."""
    waits = list(dict.fromkeys(waited_for(flow, flow.step(name))))
    ends = ["SUCCEEDED", "FAILED", "SKIPPED"]
    if name in flow.finally_ids:
        ends.append("CANCELLED")
    itself = [[SKIPPED_ITSELF] if flow.step(wait).may_skip_itself else [] for wait in waits]
    for chosen in product(*([*ends, *more] for more in itself)):
        yield dict(zip(waits, chosen, strict=True))


def same_without(
    flow: FlowSpec, tree: Part, gone: Sequence[Part], where: list[tuple[str, dict[str, str]]]
) -> bool:
    """Tell whether a condition comes to the same without some parts."""
    return all(
        value(flow, one, tree, ends, gone) is is_true(flow, flow.step(one), ends)
        for one, ends in where
    )


def value(flow: FlowSpec, name: str, part: Part, ends: Ends, gone: Sequence[Part]) -> bool:
    """Work out what a condition is worth for a step, without some parts."""
    if part.parts:
        conjunctive = part.operator == "&&"
        values = [
            value(flow, name, each, ends, gone)
            for each in part.parts
            if each.leaves - {leaf for one in gone for leaf in one.leaves}
        ]
        worth = all(values) if conjunctive else any(values)
    else:
        step = flow.step(name)
        _, at, label = name.partition("@")
        own = part.word.partition(".")[0]
        word = part.word
        if at and f"{own}@{label}" in step.waits_for and not part.is_call:
            word = word.replace(own, f"{own}@{label}", 1)
        worth = bool(
            parse_when(word, step.depends_on).evaluate(lambda asked: answer(flow, ends, asked))
        )
    return worth is not part.negated


def check_failure(generated: Generated, played: Played, proofs: Proofs) -> None:
    """A failure is unheard if, and only if, some run shows it; and what is shown is such a run."""
    flow, verdict = generated.flow, proofs.unhandled_failure
    runs = [dict(ends) for ends in played.by_itself]
    ran = {step.id: [is_true(flow, step, ends) for ends in runs] for step in flow.all_steps}
    failed = [{name for name, end in ends.items() if end == "FAILED"} for ends in runs]
    reacting = [
        name
        for name, when in ran.items()
        if any(when)
        and all(bool(failures - {name}) for failures, r in zip(failed, when, strict=True) if r)
    ]
    waited = {name.split("@")[0] for step in flow.as_written.all_steps for name in step.waits_for}
    alerts = [name for name in reacting if name.split("@")[0] not in waited]
    charged = {step.id for step in flow.steps if not step.allow_failure}
    unheard = [
        ends
        for place, ends in enumerate(runs)
        if failed[place] & charged and not any(ran[name][place] for name in reacting)
    ]
    assert bool(verdict) is bool(unheard and alerts)
    if verdict is not None:
        assert verdict.step_id in {name.split("@")[0] for name in alerts}
        shown = [{name: status(end) for name, end in ends.items()} for ends in unheard]
        assert any(verdict.outcomes.items() <= ends.items() for ends in shown)


@pytest.mark.parametrize("seed", QUICK)
def test_verdicts_are_those_of_all_runs(seed: int) -> None:
    """Of flows of up to five steps, every verdict is what playing all runs says (rule 11.2)."""
    check(seed, 5)


@pytest.mark.long
def test_verdicts_are_those_of_all_runs_of_up_to_eight_steps() -> None:
    """So it is of 5,000 flows of up to eight steps (rule 11.2)."""
    for seed in LONG:
        check(seed, 8)
