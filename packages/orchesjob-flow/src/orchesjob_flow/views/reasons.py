"""Why a step is where it is, in a few words: the key `reason` of `status` (rule 9.4).

Nothing is evaluated here, and no flow is checked, since `status` is called every few seconds. The
value of a condition, operand by operand, is the matter of `commands.explain`.
"""

from collections.abc import Iterable, Sequence

from flow_store import Run, Step, StepStatus, was_found
from orchesjob_flow.views.attempt_words import attempt_words, is_at_gate
from orchesjob_flow.views.definition import shape_of
from orchesjob_flow.views.group_words import waiting_words
from orchesjob_flow.views.text import clock_time

FOUND = "found in orchesjob, not run again"
NAMED = 5


def reasons(run: Run) -> list[str]:
    """Say why each step is where it is, in the order in which they are recorded.

    A record that somebody has changed by hand is described as it is, not refused.
    """
    waits, finally_ids = shape_of(run.definition)
    rows = {step.step_id: step for step in run.steps}
    before = [step for step in run.steps if step.step_id not in finally_ids]
    found = found_steps(run)
    waiting = waiting_words(run)
    return [
        reason(
            step,
            [rows[name] for name in waits.get(step.step_id, ()) if name in rows],
            before if step.step_id in finally_ids and run.finally_after is None else (),
            waiting,
            is_gate=is_at_gate(run, step),
        )
        + (f"; {FOUND}" if step.position in found else "")
        for step in run.steps
    ]


def found_steps(run: Run) -> set[int]:
    """Return the steps, by position, whose outcome orchesjob knew before they began (rule 4.7)."""
    return {
        step.position
        for step in run.steps
        if step.status.is_terminal
        and step.has_begun
        and (attempt := run.attempts.get(step.position)) is not None
        and was_found(run, attempt)
    }


def reason(
    step: Step,
    waits: Sequence[Step],
    before: Sequence[Step] = (),
    waiting: str | None = None,
    *,
    is_gate: bool = False,
) -> str:
    """Say why a step is where it is, given the steps that it waits for.

    Where a `retry` has left it out, their statuses are not those that it was decided by (9.7). A
    step of `finally` that is not decided waits for all those `before` it (rule 10.1). `waiting`
    says for what the run itself waits (rule 10.7). `is_gate` tells that its latest attempt is one
    at the gate (rule 10.8).
    """
    if before and step.status is StepStatus.PENDING:
        undone = undone_of(before)
        return f"waits for the end of all steps{': ' if undone else ''}{spell(undone)}"
    if waiting is not None and step.status is StepStatus.PENDING and not undone_of(waits):
        return f"the run {waiting}"
    retried = retried_without(step, waits)
    if retried:
        names = listed([other.step_id for other in retried])
        return f"{reason_by_itself(step, (), is_gate=is_gate)}, before the retry of {names}"
    return reason_by_itself(step, waits, is_gate=is_gate)


def retried_without(step: Step, waits: Sequence[Step]) -> list[Step]:
    """Return which of `waits` a `retry --only` has had decided anew without the step itself."""
    return [other for other in waits if step.predates(other)]


def undone_of(steps: Iterable[Step]) -> list[Step]:
    """Return which of some steps have not ended."""
    return [step for step in steps if not step.status.is_terminal]


def reason_by_itself(step: Step, waits: Sequence[Step], *, is_gate: bool) -> str:
    """Say why a step is where it is, as of its last decision."""
    match step.status:
        case StepStatus.PENDING:
            return reason_to_wait(step, waits)
        case StepStatus.DELAYED:
            return reason_for_delay(step)
        case StepStatus.RUNNING:
            return step.error or f"{attempt_words(step.attempt_no, is_gate=is_gate)} is running"
        case StepStatus.SKIPPED:
            return reason_to_skip(step, waits, is_gate=is_gate)
        case StepStatus.SUCCEEDED:
            return f"attempt {step.attempt_no} succeeded"
        case _:
            return str(step.error)


def reason_to_wait(step: Step, waits: Sequence[Step]) -> str:
    """Say what a PENDING step waits for."""
    if undone := undone_of(waits):
        return f"waits for {spell(undone)}"
    return f"attempt {step.attempt_no + 1} may start"


def reason_for_delay(step: Step) -> str:
    """Say when the next attempt is due, if that is known, and how the last one ended."""
    at = step.next_attempt_at
    due = "" if at is None else f", due {clock_time(at)}"
    return f"attempt {step.attempt_no + 1} waits{due}: {step.error}"


def reason_to_skip(step: Step, waits: Sequence[Step], *, is_gate: bool) -> str:
    """Say whether its condition skipped a step, its gate, or its command (rules 9.12, 10.8)."""
    if is_gate:
        return f"its only_if said no: attempt {step.attempt_no} ended with exit code 1"
    if step.has_begun:
        return f"attempt {step.attempt_no} ended with an exit code that skips the step"
    return f"its condition was false: {spell(waits)}" if waits else "its condition was false"


def spell(steps: Iterable[Step]) -> str:
    """List some steps with their statuses, and count the rest."""
    return listed([f"{step.step_id} {step.status.value}" for step in steps])


def listed(words: Sequence[str]) -> str:
    """List the first of some words, and count the rest."""
    rest = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
