"""What `retry` and `settle` change in a run that has ended (rules 9.7 and 12.3).

Pure: the store writes what is decided here in one transaction. Retries of a failed attempt while
the run is in progress are in `steps`.
"""

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, groupby
from typing import NamedTuple

import attrs

from flow_spec import FlowSpec, StepSpec, base_of
from flow_store import (
    Attempt,
    AttemptStatus,
    DamagedRecord,
    Person,
    Reopening,
    Run,
    RunStatus,
    Settlement,
    Step,
    StepStatus,
    reported_job,
)
from orchesjob_client import BadAnswer, JobReport, exit_code_of
from orchesjob_flow.errors import NotReopened, line_about


def recorded_report(run: Run, attempt: Attempt) -> JobReport | None:
    """Return the last report about an attempt's job, or None if there is none yet.

    Raises:
        DamagedRecord: What is recorded is not a report.
    """
    job = reported_job(run, attempt)
    if job is None:
        return None
    try:
        return JobReport.from_payload(job)
    except BadAnswer as error:
        step_id = run.steps[attempt.position].step_id
        raise DamagedRecord(run.run_key, step_id, attempt.number, error.cause_text) from error


RETRIED_STATUSES = (StepStatus.FAILED, StepStatus.CANCELLED)


def plan_retry(
    run: Run, flow: FlowSpec, *, steps: Sequence[str] = (), only: bool = False
) -> Reopening:
    """Decide which steps of `run`, which has ended, run again; `flow` is its new definition.

    These are the named `steps`, or else those that FAILED or were CANCELLED; steps that are new in
    `flow`, or in its other list; unless `only`, whatever depends on one of them, directly or not
    (rule 9.7); and those of `finally`, since the run will end once more (rule 10.1). With `only`,
    they are left out where nothing but steps of `finally` is named. What `--until` leaves out stays
    so (rule 6.14).

    Raises:
        UnknownStepError: The flow has no such step.
        NotReopened: There is nothing to run again, or some outcome does not fit `flow`.
        DamagedRecord: What orchesjob reported about an attempt cannot be read.
    """
    if not steps and run.status is RunStatus.SUCCEEDED:
        names = list(dict.fromkeys(base_of(step.step_id) for step in run.steps))
        line = line_about(run.run_key, "retry", "--step", "STEP" if names[1:] else names[0])
        raise NotReopened(
            f"run {run.run_key!r} has SUCCEEDED; name the steps to run again with --step",
            f"{line}  # such as {' or '.join(names[:2])}" if names[1:] else line,
        )
    before = FlowSpec.from_json(run.definition)
    statuses = {step.step_id: step.status for step in run.steps}
    added = [step for step in flow.all_steps if step.id not in statuses]
    if steps:
        named = {name: {step.id for step in flow.named(name)} for name in steps}
        again = set[str]().union(*named.values())
        if not again:
            raise no_copies(run, steps)
        missing = [name for name, ids in named.items() if ids and ids <= {*flow.left_out}]
        if missing:
            option = " ".join(f"--until {name}" for name in flow.until)
            remedy = "start a run with another key, without `--until`"
            raise NotReopened(
                f"run {run.run_key!r} was started with `{option}`, which leaves out "
                f"{', '.join(missing)}; {remedy}",
                remedy,
            )
    else:
        again = {step_id for step_id, status in statuses.items() if status in RETRIED_STATUSES}
    again |= {step.id for step in added}
    again |= moved(before, flow)
    again |= set(before.left_out).difference(flow.left_out)
    if not only:
        again |= dependents(flow, again)
    again.difference_update(flow.left_out)
    if not only or not again <= flow.finally_ids:
        again |= flow.finally_ids
    ran_with = old_values(run, flow, again)
    mixed = {
        step_id: f"step {step_id!r} ran with another value of {', '.join(values)}"
        for position, values in ran_with.items()
        if values and is_any_named(values, before, step_id := run.steps[position].step_id)
    }
    if mixed:
        roots = steps or [one for one in statuses if statuses[one] in RETRIED_STATUSES]
        named_too = dict.fromkeys((*roots, *map(base_of, mixed)))
        options = " ".join(shlex.join(["--step", name]) for name in named_too)
        remedy, conflicts = f"to run them again, add {options}", tuple(mixed.values())
        mixes = f"run {run.run_key!r} would mix values: {'; '.join(conflicts)}; {remedy}"
        raise NotReopened(mixes, remedy, conflicts)
    if conflicts := tuple(changes(run, before, flow, kept=statuses.keys() - again)):
        raise NotReopened(
            f"run {run.run_key!r} cannot continue with this flow file: {'; '.join(conflicts)}; run "
            "such steps again with --step, keep removed ones, or start a new run",
            conflicts=conflicts,
        )
    return Reopening(
        definition=flow.to_json(),
        resets=resets_of(run, flow, again),
        added=[(step.id, step.retries) for step in added],
        params=dict(flow.values),
        ran_with=ran_with,
    )


def no_copies(run: Run, names: Sequence[str]) -> NotReopened:
    """Return the error that a run has no copies of what is named (rule 10.3)."""
    named = ", ".join(map(repr, names))
    return NotReopened(f"nothing of run {run.run_key!r} to run again: {named} has no copies in it")


def old_values(run: Run, flow: FlowSpec, again: Collection[str]) -> dict[int, dict[str, str]]:
    """Return the parameters with which steps ran that do not run `again`, by position.

    Only values that are others in `flow`. A step that a person has settled has none.
    """
    now = dict(flow.values)
    found = {}
    for step in run.steps:
        if step.has_begun and step.step_id not in again and step.position not in run.settled:
            was = {**(run.params or {}), **(step.ran_with or {})}
            values = {name: was[name] for name in was if now.get(name, was[name]) != was[name]}
            if values or step.ran_with:
                found[step.position] = values
    return found


def is_any_named(names: Collection[str], flow: FlowSpec, step_id: str) -> bool:
    """Whether the texts of a step name one of these parameters, for a shell or to be filled in."""
    step = flow.step(step_id)
    own = (step.command, step.only_if, step.env, step.env_file, step.working_dir)
    texts = repr((own, flow.env, flow.env_file, step.working_dir or flow.working_dir))
    either = "|".join(names)
    named = rf"\$(\{{\{{\s*({either})\s*\}}\}}|\{{?({either})(?![A-Za-z0-9_]))"
    return re.search(named, texts) is not None


def resets_of(run: Run, flow: FlowSpec, step_ids: Collection[str]) -> dict[int, int]:
    """Return the retries of the steps to run again, by position."""
    retries = {step.id: step.retries for step in flow.all_steps}
    return {one.position: retries[one.step_id] for one in run.steps if one.step_id in step_ids}


def moved(before: FlowSpec, after: FlowSpec) -> set[str]:
    """Return the ids of the steps that have moved between `steps` and `finally` (rule 10.1)."""
    now_in_steps = before.finally_ids.intersection(step.id for step in after.steps)
    now_in_finally = after.finally_ids.intersection(step.id for step in before.steps)
    return {*now_in_steps, *now_in_finally}


def dependents(flow: FlowSpec, steps: Collection[str]) -> set[str]:
    """Return the ids of the steps that depend on some of these, directly or not (rule 3.6)."""
    found: set[str] = set()
    touched = {*steps, *map(base_of, steps)}  # the name of all copies means each of them
    for step in chain.from_iterable((*flow.ranks, *flow.finally_ranks)):
        if not touched.isdisjoint(step.waits_for):
            found.add(step.id)
            touched.update((step.id, base_of(step.id)))
    return found


def changes(run: Run, before: FlowSpec, after: FlowSpec, kept: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each change of the definition that a recorded outcome forbids."""
    if before.flow_id != after.flow_id:
        yield f"flow_id was {before.flow_id!r} and is now {after.flow_id!r}"
    # The same parameters on both sides: `old_values` compares those.
    values = {**dict(before.values), **dict(after.values)}
    before = attrs.evolve(before, values=tuple(values.items()))
    before, after = before.filled_without_run(), after.filled_without_run()
    now = {step.id: step for step in after.all_steps}
    recorded = {step.step_id: step for step in run.steps}
    yield from removed([step.id for step in before.all_steps if step.id not in now])
    for step in before.all_steps:
        if step.id not in now:
            continue
        if step.id in kept and before.values_of(step.id) != after.values_of(step.id):
            yield f"step {step.id!r} keeps its outcome, but its foreach gives it other values now"
        elif step.id in kept and step.command != now[step.id].command:
            yield f"step {step.id!r} keeps its outcome, but its command was changed"
        elif step.id in kept and step.only_if != now[step.id].only_if:
            yield f"step {step.id!r} keeps its outcome, but its only_if was changed"
        elif step.id in kept and not outcome_holds(run, recorded[step.id], now[step.id]):
            yield f"step {step.id!r} keeps its outcome, but its exit codes were changed and deny it"


def removed(step_ids: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each step that is gone, one for all copies of the same step."""
    for name, copies in groupby(sorted(step_ids, key=base_of), base_of):
        first, *more = copies
        what = f"{len(more) + 1} copies of step {name!r} were" if more else f"step {first!r} was"
        yield f"{what} removed"


def outcome_holds(run: Run, step: Step, spec: StepSpec) -> bool:
    """Whether a step's latest attempt ended in the same way by what its exit code means now."""
    attempt = run.attempts.get(step.position)
    if attempt is None or attempt.job_id is None or not is_decisive(run, attempt, step):
        return True
    if attempt.files is not None:  # it has failed by what it has not written
        return True
    report = recorded_report(run, attempt)
    was_ended = attempt.status is AttemptStatus.CANCELLED
    code = None if report is None else exit_code_of(report, was_ended=was_ended)
    return code is None or spec.outcome_of(code, is_gate=attempt.is_gate) == attempt.status


def is_decisive(run: Run, attempt: Attempt, step: Step) -> bool:
    """Whether this attempt decided the step's outcome.

    An earlier attempt did not, nor one from before a retry. Nor did any attempt if a person has
    settled the step (rule 12.3).
    """
    is_latest = attempt.number == step.attempt_no and step.has_begun
    return is_latest and step.position not in run.settled


class Settling(NamedTuple):
    """The outcome that a person gives a step, with the reason, the person and the time."""

    status: StepStatus
    reason: str
    by: Person
    at: float


def plan_settle(run: Run, flow: FlowSpec, name: str, settling: Settling) -> Reopening:
    """Give a step of `run`, which has ended, the outcome that a person says it has.

    A name of all copies means the copies that FAILED or were CANCELLED. Steps that depend on the
    step, directly or not, are decided again, as by `retry` (rule 9.7). So are the steps of
    `finally`, since the run will end once more (rule 10.1), unless the step is one of them.

    Raises:
        UnknownStepError: The flow has no such step.
        NotReopened: It has neither FAILED nor was it CANCELLED, or has no copies.
    """
    named = to_settle(run, flow, name)
    again = dependents(flow, named)
    if not named <= flow.finally_ids:
        again |= flow.finally_ids
    return Reopening(
        definition=run.definition,
        resets=resets_of(run, flow, again),
        params=run.params,
        settled=[settlement_of(step, settling) for step in run.steps if step.step_id in named],
    )


def to_settle(run: Run, flow: FlowSpec, name: str) -> set[str]:
    """Return the ids of the steps that FAILED or were CANCELLED, of those that a name means.

    Raises:
        UnknownStepError, NotReopened: There is none.
    """
    ids = {spec.id for spec in flow.named(name)}
    if not ids:
        raise no_copies(run, [name])
    meant = [step for step in run.steps if step.step_id in ids]
    found = {step.step_id for step in meant if step.status in RETRIED_STATUSES}
    if not found:
        outcomes, key = how_they_stand(run, meant), run.run_key
        why, retry = line_about(key, "explain", name), line_about(key, "retry")
        rerun = f"{why}  # shows why; to rerun failures and their dependents: {retry}"
        raise NotReopened(
            f"step {name!r} of run {key!r} is {'; '.join(outcomes)}: only a step that FAILED or "
            "was CANCELLED can be settled",
            rerun if "SKIPPED" in outcomes else None,
        )
    return found


def how_they_stand(run: Run, steps: Sequence[Step]) -> list[str]:
    """Return the outcomes of some steps, and the person who settled them, if any."""
    settled = run.settled
    return list(
        dict.fromkeys(
            step.status.value
            if (one := settled.get(step.position)) is None
            else f"{step.status.value}, settled by {one.by} ({one.reason})"
            for step in steps
        )
    )


def settlement_of(step: Step, settling: Settling) -> Settlement:
    """Return the settlement of a step, with the outcome that was recorded before."""
    return Settlement(
        position=step.position,
        retry_no=step.retry_no,
        status=settling.status,
        was=step.status,
        error=step.error,
        by=settling.by,
        at=settling.at,
        reason=settling.reason,
    )
