"""Why a step or a run is where it is, in a few words: the key `reason` of `status` (rule 9.4).

Also in words: attempts and their `only_if` (rule 10.8), waiting for a group (rule 10.7), a settled
step (rule 12.3), a runner that gave up (rule 5.7), and a run in `finally` (rule 10.1). Nothing is
read here.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from flow_store import GivenUp, Outcome, Run, RunSummary, Settlement, Step, StepStatus, was_found
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.views.definition import (
    Dependencies,
    Dependency,
    all_before_finally,
    dependencies_in,
    in_order,
    is_in_finally,
    name_of,
    newer,
    shape_of,
    spelled,
)
from orchesjob_flow.views.terminal import clock_time


def attempt_words(number: int, *, is_gate: bool) -> str:
    """Name an attempt."""
    return f"attempt {number} (only_if)" if is_gate else f"attempt {number}"


def is_at_gate(run: Run, step: Step) -> bool:
    """Tell whether a step's latest attempt, since it was decided last, is one at the gate."""
    attempt = run.attempts.get(step.position)
    return step.has_begun and attempt is not None and attempt.is_gate


def waiting_words(run: Run | RunSummary) -> str | None:
    """Say for which group a run waits, and who is before it; None for a run that does not wait."""
    if run.group is None or run.queue is None:
        return None
    return f"waits for group {run.group.name}, {before_words(run)}"


def before_words(run: Run | RunSummary) -> str:
    """Say who is before a run that waits."""
    if run.queue is None or not any(run.queue):
        return "which is free"
    holder, waiting = run.queue
    if holder is not None:
        return f"held by {holder}"
    more = len(waiting) - 1
    return f"behind {waiting[0]}{f' and {more} more' if more else ''}"


def settled_words(settlement: Settlement) -> str:
    """Say who has settled a step, when, as what and why, and how it had ended by itself."""
    error = "" if settlement.error is None else f": {settlement.error}"
    return (
        f"settled as {settlement.status.value} by {settlement.by}, {clock_time(settlement.at)}: "
        f"{settlement.reason} (it was {settlement.was.value}{error})"
    )


def settlement_json(settlement: Settlement, *, holds: bool) -> dict[str, Any]:
    """Describe a settlement; it `holds` until a `retry` has its step decided anew."""
    return {
        "status": settlement.status.value,
        "was": settlement.was.value,
        "error": settlement.error,
        "by": settlement.by._asdict(),
        "at": settlement.at,
        "reason": settlement.reason,
        "holds": holds,
    }


def when_and_why(given_up: GivenUp, runner: Holder | None) -> str:
    """Say when a runner gave up and why, and who tries again."""
    again = "" if runner is None else f"; {runner} tries again"
    return f"{clock_time(given_up.at)}, {given_up.error}{again}"


def describe_given_up(run: Run | RunSummary, runner: Holder | None) -> str | None:
    """Say that a runner gave up on this run, and what continues it; None if none did."""
    if run.gave_up is None:
        return None
    remedy = "" if runner else "; once the cause is fixed, `orchesjob-flow resume` continues it"
    return f"a runner gave up on run {run.run_key!r}: {when_and_why(run.gave_up, runner)}{remedy}"


FOUND = "found in orchesjob, not run again"
NAMED = 5
NOTHING = Dependencies()


def reasons(run: Run) -> list[str]:
    """Say why each step is where it is, in the order in which they are recorded.

    A record that somebody has changed by hand is described as it is, not refused.
    """
    shape = shape_of(run.definition)
    rows = dependencies_in(run)
    before = all_before_finally(run) if shape.finally_ids and run.finally_after is None else NOTHING
    found, bounds = found_steps(run), without_place(run)
    settled, waiting = run.settled, waiting_words(run)
    of_run = None if waiting is None else f"the run {waiting}"

    @cache
    def waits_for(names: tuple[str, ...]) -> Dependencies:
        return Dependencies.of([rows[name] for name in names if name in rows])

    return [
        settled_words(settled[step.position])
        if step.position in settled
        else reason(
            step,
            waits_for(shape.waits.get(step.step_id, ())),
            before if step.step_id in shape.finally_ids else NOTHING,
            of_run or bounds.get(step.step_id),
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


def without_place(run: Run) -> dict[str, str]:
    """Say what the steps of copies wait for while so many others are under way (rule 10.3)."""
    under_way = {
        step.step_id for step in run.steps if step.has_begun and not step.status.is_terminal
    }
    words: dict[str, str] = {}
    for most, copies in shape_of(run.definition).bounded:
        waiting = [ids for ids in copies if under_way.isdisjoint(ids)]
        if len(copies) - len(waiting) >= most:
            why = f"waits for a place: max_parallel of its foreach is {most}"
            words.update((name, why) for ids in waiting for name in ids)
    return words


def reason(
    step: Step,
    waits: Dependencies,
    before: Dependencies = NOTHING,
    held: str | None = None,
    *,
    is_gate: bool = False,
) -> str:
    """Say why a step is where it is, given what it waits for.

    Where a `retry` has left it out, their statuses are not those that it was decided by (9.7). A
    step of `finally` that is not decided waits for all those `before` it (rule 10.1). `held` says
    what else it waits for: the turn of its run (rule 10.7), or that of its copy (rule 10.3).
    `is_gate` tells that its latest attempt is one at the gate (rule 10.8).
    """
    if before.those and step.status is StepStatus.PENDING:
        colon = ": " if before.undone else ""
        return f"waits for the end of all steps{colon}{spell(before.undone)}"
    if held is not None and step.status is StepStatus.PENDING and not waits.undone:
        return held
    if retried := newer(waits, step):
        names = listed([name_of(other) for other in retried])
        return f"{reason_by_itself(step, NOTHING, is_gate=is_gate)}, before the retry of {names}"
    return reason_by_itself(step, waits, is_gate=is_gate)


def reason_by_itself(step: Step, waits: Dependencies, *, is_gate: bool) -> str:
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


def reason_to_wait(step: Step, waits: Dependencies) -> str:
    """Say what a PENDING step waits for."""
    if waits.undone:
        return f"waits for {spell(waits.undone)}"
    return f"attempt {step.attempt_no + 1} may start"


def reason_for_delay(step: Step) -> str:
    """Say when the next attempt is due, if that is known, and how the last one ended."""
    at = step.next_attempt_at
    due = "" if at is None else f", due {clock_time(at)}"
    return f"attempt {step.attempt_no + 1} waits{due}: {step.error}"


def reason_to_skip(step: Step, waits: Dependencies, *, is_gate: bool) -> str:
    """Say whether its condition skipped a step, its gate, or its command (rules 9.12, 10.8)."""
    if is_gate:
        return f"its only_if said no: attempt {step.attempt_no} ended with exit code 1"
    if step.has_begun:
        return f"attempt {step.attempt_no} ended with an exit code that skips the step"
    if not waits.those:
        return "its condition was false"
    return f"its condition was false: {spell(waits.those)}"


def spell(waits: Sequence[Dependency]) -> str:
    """List the first of some steps with their statuses, and count the rest."""
    return with_rest([spelled(one) for one in waits[:NAMED]], len(waits))


def listed(words: Sequence[str]) -> str:
    """List the first of some words, and count the rest."""
    return with_rest(words[:NAMED], len(words))


def with_rest(words: Sequence[str], total: int) -> str:
    """List some words of so many in all."""
    rest = total - len(words)
    return ", ".join(words) + (f" and {rest} more" if rest else "")


WORDS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
    Outcome.TIMED_OUT: "timed out",
}


def steps_before_finally(run: Run) -> list[Step]:
    """List the steps that are not in `finally`."""
    return [step for step in in_order(run) if not is_in_finally(run, step)]


def steps_of_finally(run: Run) -> list[Step]:
    """List the steps of `finally`."""
    return [step for step in in_order(run) if is_in_finally(run, step)]


def is_tidying(run: Run) -> bool:
    """Whether the steps of `finally` are under way, and nobody has asked for their end."""
    if run.finally_after is None or (run.cancel is not None and run.cancel.now_at is not None):
        return False
    return any(not step.status.is_terminal for step in steps_of_finally(run))


def ending_words(run: Run) -> str:
    """Say how the steps of a run have ended, and what its `finally` does."""
    outcome = "" if run.finally_after is None else WORDS[run.finally_after]
    steps = steps_of_finally(run)
    running = [step.step_id for step in steps if step.status is StepStatus.RUNNING]
    if running:
        return (
            f"{outcome}; finally: {listed(running)} {'is' if len(running) == 1 else 'are'} running"
        )
    done = sum(step.status.is_terminal for step in steps)
    return f"{outcome}; finally: {done}/{len(steps)} done"
