"""The command `settle`: what a person decides of a step, and what follows (rule 12.3).

Pure, as `retry_plan` is: what is decided here is written by the store, in one transaction.
"""

from collections.abc import Sequence
from typing import NamedTuple

from flow_spec import FlowSpec
from flow_store import Person, Reopening, Run, Settlement, Step, StepStatus
from orchesjob_flow.engine.retry_plan import UNSUCCESSFUL, dependents
from orchesjob_flow.errors import NoCopies, NothingToSettle


class Settling(NamedTuple):
    """What a person says of a step: its outcome, and why; who that is, and when."""

    status: StepStatus
    reason: str
    by: Person
    at: float


def plan_settle(run: Run, flow: FlowSpec, name: str, settling: Settling) -> Reopening:
    """Give a step of `run`, which has ended, the outcome that a person says it has.

    Of all copies of a step, those are meant that FAILED or were CANCELLED. Whatever depends on it,
    directly or not, is decided again, as by `retry` (rule 9.7), and so are the steps of `finally`,
    since the run will end once more (rule 10.1), unless it is one of these.

    Raises:
        UnknownStepError: The flow has no such step.
        NoCopies: It has no copies of what is named.
        NothingToSettle: It has neither FAILED nor was it CANCELLED.
    """
    named = to_settle(run, flow, name)
    again = dependents(flow, named)
    if not named <= flow.finally_ids:
        again |= flow.finally_ids
    retries = {step.id: step.retries for step in flow.all_steps}
    return Reopening(
        definition=run.definition,
        resets={
            step.position: retries[step.step_id] for step in run.steps if step.step_id in again
        },
        params=run.params,
        settled=[settle(step, settling) for step in run.steps if step.step_id in named],
    )


def to_settle(run: Run, flow: FlowSpec, name: str) -> set[str]:
    """Return the ids of the steps that FAILED or were CANCELLED, of those that a name means.

    Raises:
        UnknownStepError, NoCopies, NothingToSettle: There is none.
    """
    ids = {spec.id for spec in flow.named(name)}
    if not ids:
        raise NoCopies(run.run_key, [name])
    meant = [step for step in run.steps if step.step_id in ids]
    found = {step.step_id for step in meant if step.status in UNSUCCESSFUL}
    if not found:
        raise NothingToSettle(run.run_key, name, how_they_stand(run, meant))
    return found


def how_they_stand(run: Run, steps: Sequence[Step]) -> list[str]:
    """Say which outcomes some steps have, and who has decided that, if it was a person."""
    settled = run.settled
    return list(
        dict.fromkeys(
            step.status.value
            if (one := settled.get(step.position)) is None
            else f"{step.status.value}, settled by {one.by} ({one.reason})"
            for step in steps
        )
    )


def settle(step: Step, settling: Settling) -> Settlement:
    """Say what a person decides of a step, and what was recorded of it."""
    return Settlement(
        position=step.position,
        retry_no=step.retry_no or 0,
        status=settling.status,
        was=step.status,
        error=step.error,
        by=settling.by,
        at=settling.at,
        reason=settling.reason,
    )
