"""Which steps of a run that has ended are run again by `retry`, and which keep their outcome (9.7).

Values only: what is decided here is written by the store, in one transaction.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from flow_spec import FlowSpec, StepSpec
from flow_store import Attempt, FlowStatus, Reopening, Run, Step, StepStatus
from orchesjob_client import JobReport, exit_code_of
from orchesjob_flow.errors import NothingToRetry, OutcomesDiffer

UNSUCCESSFUL = (StepStatus.FAILED, StepStatus.CANCELLED)


def plan_retry(
    run: Run, flow: FlowSpec, *, steps: Sequence[str] = (), downstream: bool = False
) -> Reopening:
    """Decide which steps of `run`, which has ended, wait again; `flow` is what it goes on with.

    The named `steps`, or else those that FAILED or were CANCELLED; with `downstream` all that
    depend on them too, else only those of these that were SKIPPED.

    Raises:
        UnknownStepError: The flow has no such step.
        OutcomesDiffer: A step that would keep its outcome is another one in `flow`.
        NothingToRetry: The run SUCCEEDED, and no step is named.
    """
    if not steps and run.status is FlowStatus.SUCCEEDED:
        raise NothingToRetry(run.run_key)
    before = FlowSpec.from_json(run.definition)
    statuses = {step.step_id: step.status for step in run.steps}
    added = [step for step in flow.steps if step.id not in statuses]
    if steps:
        again = {flow.step(step_id).id for step_id in steps}
    else:
        again = {step_id for step_id, status in statuses.items() if status in UNSUCCESSFUL}
    again |= {step.id for step in added}
    for step in chain.from_iterable(flow.ranks):
        affected = downstream or statuses.get(step.id) is StepStatus.SKIPPED
        if affected and again.intersection(step.waits_for):
            again.add(step.id)
    if conflicts := tuple(changes(run, before, flow, kept=statuses.keys() - again)):
        raise OutcomesDiffer(run.run_key, conflicts)
    retries = {step.id: step.retries for step in flow.steps}
    return Reopening(
        definition=flow.to_json(),
        resets={
            step.position: retries[step.step_id] for step in run.steps if step.step_id in again
        },
        added=[(step.id, step.retries) for step in added],
    )


def changes(run: Run, before: FlowSpec, after: FlowSpec, kept: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each change that a run which goes on cannot take."""
    if before.flow_id != after.flow_id:
        yield f"flow_id was {before.flow_id!r} and is now {after.flow_id!r}"
    now = {step.id: step for step in after.steps}
    recorded = {step.step_id: step for step in run.steps}
    for step in before.steps:
        if step.id not in now:
            yield f"step {step.id!r} was removed"
        elif step.id in kept and step.command != now[step.id].command:
            yield f"step {step.id!r} keeps its outcome, but its command was changed"
        elif step.id in kept and not outcome_holds(run, recorded[step.id], now[step.id]):
            yield f"step {step.id!r} keeps its outcome, but its exit codes were changed and deny it"


def outcome_holds(run: Run, step: Step, spec: StepSpec) -> bool:
    """Whether a step's latest attempt ended in the same way by what its exit code means now."""
    attempt = run.attempts.get(step.position)
    if attempt is None or attempt.job_id is None or not is_decisive(attempt, step):
        return True
    code = recorded_code(attempt)
    return code is None or spec.outcome_of(code) == attempt.status


def is_decisive(attempt: Attempt, step: Step) -> bool:
    """Whether the step stands as it does because of this attempt.

    It does not because of an earlier one, nor, after a retry, before the first one since.
    """
    return attempt.number == step.attempt_no and step.started_at is not None


def recorded_code(attempt: Attempt) -> int | None:
    """Return the exit code with which orchesjob reported an attempt, if its command had ended."""
    return None if attempt.job is None else exit_code_of(JobReport.from_payload(attempt.job))
