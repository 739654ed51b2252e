"""`test`: the cases of files are played in virtual time, as `simulate` plays a flow (rule 11.4).

A case holds if the run goes as it expects. What is given must happen as well: a case about a step
that never runs shows nothing. An order must hold however long the commands take. So each step of
an order is also played as the slowest, and the next one must wait for it even then.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import attrs
import click

from flow_spec import (
    Case,
    Document,
    FlowFileError,
    FlowSpec,
    Problem,
    ReadCases,
    base_of,
    constant_conditions,
    read_cases,
    read_document,
)
from flow_store import Run, Step, StepStatus
from orchesjob_flow.cli.options import FLOW_FILE, declare_format
from orchesjob_flow.errors import NoTimeLimit, NotSkippable, TooManyRetries
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED, WRONG
from orchesjob_flow.explanation import Explained, explain_steps, sentence
from orchesjob_flow.launch.inputs import list_reader
from orchesjob_flow.reports.junit import add_case, add_suite, add_text, legal, xml_of
from orchesjob_flow.simulation import Played, Scenario, first_starts, play
from orchesjob_flow.views.error_layout import flow_file_text, problems_json, style_of
from orchesjob_flow.views.terminal import (
    OutputFormat,
    as_json,
    counted,
    print_json,
    print_lines,
    stdout,
    visible,
    write_result,
)

SLOW_SEC = 1e9
"""How long the command of a step lasts that is played as the slowest: more than any delay."""
MOST_FAILURES = 10
"""How many failures of a case a person sees; a program gets all."""


@click.command()
@click.option(
    "--coverage",
    "is_covered",
    is_flag=True,
    help="List the steps and conditions that no case covers.",
)
@declare_format("junit")
@click.argument("case_files", metavar="FILE...", nargs=-1, required=True, type=FLOW_FILE)
def test(is_covered: bool, output_format: OutputFormat, case_files: tuple[str, ...]) -> int:
    """Run the cases in each FILE, which test a flow file; run none of its commands.

    A case says how steps end, and how the run must then end. NAME.test.yaml tests NAME.yaml beside
    it. The exit code is 1 if a case fails, and 2 if a file is not valid.

    \b
    Example:
      orchesjob-flow test flows/*.test.yaml
    """  # noqa: D301 - click reads \b
    tested = [test_file(file) for file in case_files]
    coverage = coverage_of(tested) if is_covered else None
    match output_format:
        case OutputFormat.JSON:
            print_json(_tested_json(tested, coverage))
        case OutputFormat.JUNIT:
            write_result(tested_junit(tested, coverage))
        case OutputFormat.TEXT:
            print_tested(tested, coverage)
    if any(isinstance(one.outcome, FlowFileError) for one in tested):
        return WRONG
    return NOT_SUCCEEDED if any(each.failures for one in tested for each in one.tried) else DONE


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


def test_file(file: str) -> Tested:
    """Try the cases of a file; return an error instead of raising it."""
    try:
        cases, scenarios = read_to_try(read_document(file))
    except FlowFileError as error:
        from orchesjob_flow.cli.advice import file_meant  # only after a mistake

        if error.problems[0].fact == "no such file" and (meant := file_meant(file, ".test")):
            remedy = f"did you mean {meant}?"
            error = FlowFileError(file, (Problem(f"no such file; {remedy}", help=remedy),))
        return Tested(file, error)
    tried = [try_case(*pair) for pair in zip(cases.cases, scenarios, strict=True)]
    return Tested(file, cases, tried)


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
        except NotSkippable as error:
            name = error.step_id if error.step_id in dict(case.given) else base_of(error.step_id)
            raise cases.error(str(error), case, "given", name) from error
        except (NoTimeLimit, TooManyRetries) as error:
            keys = ["timeout_at"] if isinstance(error, NoTimeLimit) else []
            raise cases.error(str(error), case, "given", *keys) from error
    return cases, scenarios


def scenario_of(case: Case) -> Scenario:
    """Return the scenario of a case.

    Raises:
        NotSkippable, NoTimeLimit, TooManyRetries: What it gives cannot happen, or be played.
    """
    outcomes = case.outcomes
    return Scenario.of(
        case.flow,
        fail=[name for name, outcome in outcomes.items() if outcome == "failed"],
        skip=[name for name, outcome in outcomes.items() if outcome == "skipped"],
        cancel_at=case.cancel_at,
        timeout_at=case.timeout_at,
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
        for name, word in self.case.given:
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


def _tested_json(tested: Sequence[Tested], coverage: Sequence[Coverage] | None) -> dict[str, Any]:
    tried = [each for one in tested for each in one.tried]
    return {
        "cases": len(tried),
        "failed": sum(bool(each.failures) for each in tried),
        "files": [_file_json(one) for one in tested],
        "coverage": None if coverage is None else [_coverage_json(one) for one in coverage],
    }


def _file_json(tested: Tested) -> dict[str, Any]:
    outcome = tested.outcome
    return {
        "file": tested.file,
        "valid": isinstance(outcome, ReadCases),
        "flow_file": outcome.flow_file if isinstance(outcome, ReadCases) else None,
        "problems": [] if isinstance(outcome, ReadCases) else problems_json(outcome.problems),
        "cases": [_tried_json(one) for one in tested.tried],
    }


def _tried_json(tried: Tried) -> dict[str, Any]:
    case, run, failures = tried
    return {
        "name": case.name,
        "line": case.line,
        "passed": not failures,
        "status": run.status,
        "error": run.error,
        "steps": {step.step_id: step.status for step in run.steps},
        "failures": [
            {"message": str(one), **as_json(one, "key", "name", "expected", "actual", "reason")}
            for one in failures
        ],
    }


def _coverage_json(coverage: Coverage) -> dict[str, Any]:
    conditions = coverage.conditions
    return {
        "flow_file": coverage.flow_file,
        "flow_id": coverage.flow.flow_id,
        "steps": len(coverage.steps),
        "conditions": len(conditions),
        "never_fail": coverage.never_fail,
        "never_true": {name: conditions[name] for name in coverage.never_true},
        "never_false": {name: conditions[name] for name in coverage.never_false},
    }


def tested_junit(tested: Sequence[Tested], coverage: Sequence[Coverage] | None) -> str:
    """Write each file as a suite of test cases; that a file is not valid is an error in it."""
    root = ElementTree.Element("testsuites")
    for one in tested:
        suite = add_suite(root, one.file, time.time(), 0.0)
        for tried in one.tried:
            element = add_case(suite, tried.case.name, one.file, 0.0)
            if tried.failures:
                _add_failure(element, "failure", [str(failure) for failure in tried.failures])
        if isinstance(one.outcome, FlowFileError):
            element = add_case(suite, one.file, one.file, 0.0)
            _add_failure(element, "error", str(one.outcome).splitlines())
            continue
        path = Path(one.outcome.flow_file).resolve()
        for each in coverage or ():
            if Path(each.flow_file).resolve() == path:
                add_text(suite, "system-out", "\n".join(each.lines))
    return xml_of(root)


def _add_failure(case: ElementTree.Element, word: str, lines: Sequence[str]) -> None:
    failure = ElementTree.SubElement(case, word, type=word, message=legal(lines[0]))
    failure.text = "\n".join(map(legal, lines))


def print_tested(tested: Sequence[Tested], coverage: Sequence[Coverage] | None) -> None:
    """Print a line for each case, below it what does not hold, and the numbers at the end."""
    terminal = stdout()
    for number, one in enumerate(tested):
        if number:
            write_result("\n")
        match one.outcome:
            case ReadCases() as cases:
                print_lines([visible(f"{one.file} tests {cases.flow_file}")])
                for tried in one.tried:
                    print_tried(tried, colour=terminal.colour)
            case error if terminal.stream.isatty():
                write_result(f"{flow_file_text(error, style_of(terminal))}\n")
            case error:
                write_result(f"{error}\n")
    for each in coverage or ():
        print_lines(["", *map(visible, each.lines)])
    print_lines(["", cases_words(tested)])


def print_tried(tried: Tried, *, colour: bool) -> None:
    """Print the line of a case, and one for each part that does not hold."""
    case, _, failures = tried
    verdict = "\x1b[31mfailed\x1b[0m" if failures else "\x1b[32mpassed\x1b[0m"
    if not colour:
        verdict = "failed" if failures else "passed"
    line = f" (line {case.line})" if failures else ""
    print_lines([f"  {verdict}  {visible(case.name)}{line}"], indent=" " * 10)
    shown = [f"          {visible(str(failure))}" for failure in failures[:MOST_FAILURES]]
    if len(failures) > MOST_FAILURES:
        shown.append(f"          ... and {len(failures) - MOST_FAILURES} more")
    print_lines(shown, indent=" " * 12)


def cases_words(tested: Sequence[Tested]) -> str:
    """Say how many cases there were, how many failed, and how many files are not valid."""
    tried = [each for one in tested for each in one.tried]
    wrong = sum(isinstance(one.outcome, FlowFileError) for one in tested)
    parts = [f"{counted(wrong, 'file')} not valid"] if wrong else []
    if tried or not wrong:
        failed = sum(bool(each.failures) for each in tried)
        parts = [counted(len(tried), "case"), f"{failed} failed", *parts]
    return ", ".join(parts)
