"""The cases of files, played in virtual time and compared with what they expect (rule 11.4).

A case holds if the run goes as it expects. What is given must happen as well: a case about a step
that never runs shows nothing. An order must hold however long the commands take. So each step of
an order is also played as the slowest, and the next one must wait for it even then.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import attrs

from flow_spec import (
    Case,
    CaseFiles,
    Document,
    FlowFileError,
    FlowSpec,
    ReadCases,
    base_of,
    constant_conditions,
    read_cases,
)
from flow_store import Run, Step, StepStatus
from orchesjob_flow.errors import ImpossibleScenario
from orchesjob_flow.explanation import Explained, explain_steps, sentence
from orchesjob_flow.launch.inputs import list_reader
from orchesjob_flow.simulation import Played, Scenario, first_starts, play

SLOW_SEC = 1e9
"""How long the command of a step lasts that is played as the slowest: more than any delay."""


class Failure(NamedTuple):
    """A part of a case that does not hold, which stands under a `key` of the case.

    `name` is a step or `run`. Statuses are given where one was expected and another one found.
    """

    key: str
    name: str
    words: str
    reason: str | None = None
    expected: str | None = None
    actual: str | None = None

    def __str__(self) -> str:
        """Write what does not hold, and why."""
        return f"{self.name} {self.words}{'' if self.reason is None else f': {self.reason}'}"


class Tried(NamedTuple):
    """A case, the run that it has led to, and what does not hold."""

    case: Case
    run: Run
    failures: Sequence[Failure]


class Tested(NamedTuple):
    """A file with its cases in their order, or the error that it is not valid."""

    file: str
    outcome: ReadCases | FlowFileError
    tried: Sequence[Tried] = ()


def read_to_try(document: Document) -> tuple[ReadCases, Sequence[Scenario]]:
    """Read the cases of a file, each with the scenario to play.

    Raises:
        FlowFileError: It or its flow file is not valid, or what a case gives cannot happen.
    """
    cases = read_cases(document, list_reader)
    scenarios = []
    for case in cases.cases:
        try:
            scenarios.append(scenario_of(case))
        except ImpossibleScenario as error:
            key = error.key if error.key in dict(case.given) else base_of(error.key)
            raise cases.error(str(error), case, *filter(None, ["given", key])) from error
    return cases, scenarios


def scenario_of(case: Case) -> Scenario:
    """Return the scenario of a case.

    Raises:
        ImpossibleScenario: What it gives cannot happen, or be played.
    """
    outcomes = case.outcomes
    return Scenario.of(
        case.flow,
        fail=[name for name, outcome in outcomes.items() if outcome == "failed"],
        skip=[name for name, outcome in outcomes.items() if outcome == "skipped"],
        cancel_at=case.cancel_at,
        timeout_at=case.timeout_at,
        unwritten=[name for name, outcome in outcomes.items() if isinstance(outcome, CaseFiles)],
    )


def try_case(case: Case, scenario: Scenario) -> Tried:
    """Play a case and compare."""
    played = play(case.flow, scenario)
    trial = Trial(case, scenario, played)
    failures = [*trial.givens(), *trial.expectations(), *trial.order()]
    return Tried(case, played.run, failures)


@attrs.frozen(slots=False)
class Trial:
    """A case that has been played, to be compared with what it says."""

    case: Case
    scenario: Scenario
    played: Played

    def givens(self) -> Iterator[Failure]:
        """Yield what is given and does not happen, because no step gets there."""
        played = self.played
        for name, end in self.case.given:
            word = str(end)
            match name:
                case "cancel_at" if played.cancelled_at is None:
                    yield self._never("given", word, "never begins, given cancel_at")
                case "timeout_at" if not any(self._ran(step) for step in self._steps(word)):
                    yield self._never("given", word, "never runs, given timeout_at")
                case "cancel_at" | "timeout_at":
                    pass
                case _ if played.outcomes.keys().isdisjoint(self._ids(name)):
                    yield self._never("given", name, f"does not end by itself, given {word}")

    def _never(self, key: str, name: str, words: str) -> Failure:
        return Failure(key, name, words, self._reason(name))

    def _ran(self, step: Step) -> bool:
        return any(
            past.position == step.position and not past.is_gate for past in self.played.run.history
        )

    def expectations(self) -> Iterator[Failure]:
        """Yield the steps that do not end as expected, and the run if it does not."""
        run = self.played.run
        for name, status in self.case.expect:
            if name == "run":
                if run.status != status:
                    yield _unexpected(name, status, run.status, run.error)
                continue
            steps = self._steps(name)
            if not steps:
                yield self._never("expect", name, f"is in no run, expected {status}")
            for step in steps:
                if step.status != status:
                    why = self._reason(step.step_id)
                    yield _unexpected(step.step_id, status, step.status, why)

    def order(self) -> Iterator[Failure]:
        """Yield the steps of the order that never begin, or not after the one before."""
        begun = []
        for name in self.case.order:
            if any(step.has_begun for step in self._steps(name)):
                begun.append(name)
            else:
                yield self._never("order", name, "never begins")
        for first, second in pairwise(begun):
            run = self._with_slow(first)
            ends = {step.step_id: step.finished_at or 0.0 for step in run.steps}
            starts = first_starts(run)
            for step in _steps_in(run, self._ids(second)):
                ended = max(ends[name] for name in self._before(first, step.step_id))
                if starts.get(step.position, math.inf) < ended:
                    yield Failure("order", step.step_id, f"does not wait for {first}")

    def _before(self, first: str, step_id: str) -> Sequence[str]:
        """Return the steps that a name means for another step: in its block, the same copy."""
        base, _, label = step_id.partition("@")
        if any({first, base} <= {*block.ids} for block in self.case.flow.blocks):
            return [f"{first}@{label}"]
        return self._ids(first)

    def _with_slow(self, name: str) -> Run:
        """Play the run with slow commands of a step, unless its end depends on the time it takes.

        The time limit of the flow is left out: the slow step stands for any other duration.
        """
        flow, scenario, played = self.case.flow, self.scenario, self.played
        is_timed_out = played.cancelled_at is None and any(
            step.status is StepStatus.CANCELLED for step in played.run.steps
        )
        if is_timed_out:
            return played.run
        slow = dict.fromkeys(self._ids(name), SLOW_SEC)
        unlimited = attrs.evolve(flow, timeout_sec=None)
        return play(unlimited, scenario._replace(lasting={**slow, **scenario.lasting})).run

    def _ids(self, name: str) -> Sequence[str]:
        return [spec.id for spec in self.case.flow.named(name)]

    def _steps(self, name: str) -> Sequence[Step]:
        return _steps_in(self.played.run, self._ids(name))

    @cached_property
    def _explained(self) -> Mapping[str, Explained]:
        return {one.step.step_id: one for one in explain_steps(self.played.run, None)}

    def _reason(self, name: str) -> str:
        ids = self._ids(name)
        return sentence(self._explained[ids[0]]) if ids else "it has no copies"


def _unexpected(name: str, expected: str, actual: str, reason: str | None) -> Failure:
    words = f"is {actual}, expected {expected}"
    return Failure("expect", name, words, reason, expected, actual)


def _steps_in(run: Run, ids: Iterable[str]) -> Sequence[Step]:
    wanted = set(ids)
    return [step for step in run.steps if step.step_id in wanted]


class Coverage(NamedTuple):
    """What all cases of a flow leave out: steps and, by their steps, conditions.

    `steps` and `conditions` say how many there are.
    """

    flow_file: str
    flow: FlowSpec
    steps: Sequence[str]
    conditions: Mapping[str, str]
    never_fail: Sequence[str]
    never_true: Sequence[str]
    never_false: Sequence[str]

    @property
    def lines(self) -> Iterator[str]:
        """Write it for people."""
        yield f"Coverage of {self.flow_file}:"
        if self.never_fail:
            yield f"  no case lets these steps fail: {', '.join(self.never_fail)}"
        for value, names in (("true", self.never_true), ("false", self.never_false)):
            for name in names:
                yield f"  no case makes the condition of {name} {value}: {self.conditions[name]}"
        if not (self.never_fail or self.never_true or self.never_false):
            yield "  the cases leave nothing out"


def coverage_of(tested: Iterable[Tested]) -> Sequence[Coverage]:
    """Find what is left out for each flow, over all files that test it."""
    runs: dict[Path, list[tuple[str, Tried]]] = {}
    for one in tested:
        if isinstance(one.outcome, ReadCases):
            path = Path(one.outcome.flow_file)
            runs.setdefault(path.resolve(), []).extend((str(path), tried) for tried in one.tried)
    return [coverage_by(found[0][0], [tried for _, tried in found]) for found in runs.values()]


def coverage_by(flow_file: str, tried: Sequence[Tried]) -> Coverage:
    """Find what some cases leave out of their flow; copies of a step count as one step.

    What no case can show is left out, such as a condition that is always true.
    """
    flow = tried[0].case.flow
    failed, true, false = set(), set(), set()
    for one in tried:
        for step in one.run.steps:
            name = base_of(step.step_id)
            if step.status is StepStatus.FAILED:
                failed.add(name)
            if step.has_begun:
                true.add(name)
            elif step.status is StepStatus.SKIPPED:
                false.add(name)
    written = flow.as_written.all_steps
    conditions = {
        spec.id: " ".join((spec.when or " && ".join(spec.depends_on)).split())
        for spec in written
        if spec.condition is not None
    }
    steps = [spec.id for spec in written]
    constant = constant_conditions(flow)
    never_run = {name for name, value in constant.items() if not value}
    return Coverage(
        flow_file,
        flow,
        steps,
        conditions,
        [name for name in steps if name not in failed | never_run],
        [name for name in conditions if name not in true | never_run],
        [name for name in conditions if name not in false and not constant.get(name)],
    )
