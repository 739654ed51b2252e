"""The attempts of a run with the best times and the exit codes that are known of them.

Our clock is finer than orchesjob's, which counts whole seconds. An attempt began when its start was
recorded, and ended when its runner learnt of that. Where that was more than a second late, as no
runner lived, or the attempt had ended before this run was recorded, orchesjob's seconds are all
that there is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from flow_store import Attempt, AttemptStatus, Run, Step, reported_job, was_found


class AttemptFacts(NamedTuple):
    """One attempt at a step.

    Attributes:
        number: From 1 on.
        status: How it ended, or that it has not.
        started_at: When it began.
        finished_at: When it ended; None if it has not.
        is_exact: Whether both times are ours; else one is a whole second of orchesjob's.
        exit_code: Of its command, -N for one that signal N ended; None if unknown.
        error: How it failed, in words.
        is_gate: Whether `only_if` was asked (rule 10.8).
        is_earlier: Whether it is of the time before a `retry` had its step decided anew.
    """

    number: int
    status: AttemptStatus
    started_at: float
    finished_at: float | None
    is_exact: bool
    exit_code: int | None
    error: str | None
    is_gate: bool
    is_earlier: bool

    def ran_sec(self, now: float) -> float:
        """Return how long it took, or has taken until now."""
        end = now if self.finished_at is None else self.finished_at
        return max(0.0, end - self.started_at)


def attempts_by_position(
    run: Run, attempts: Sequence[Attempt]
) -> Mapping[int, tuple[AttemptFacts, ...]]:
    """Return the attempts of each step that has some, in order, by the step's position.

    Raises:
        DamagedRecord: What orchesjob reported of one is no longer readable.
    """
    found: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.position, []).append(attempt)
    return {
        step.position: tuple(
            look_at(run, attempt, is_earlier=place < first)
            for place, attempt in enumerate(found[step.position])
        )
        for step in run.steps
        if step.position in found
        for first in [first_since_decided(step, found[step.position])]
    }


def first_since_decided(step: Step, attempts: Sequence[Attempt]) -> int:
    """Return the place of a step's first attempt since it was decided last (rule 9.7).

    What is recorded is how many have failed since. The last of the time before ended the step, so
    it is none that something had to follow: none that never ran, and no answer of 0 at the gate.
    """
    if step.retry_no is None:
        return 0
    if not step.has_begun:
        return len(attempts)
    place, failures = len(attempts) - 1, step.failures
    failures -= attempts[place].status is AttemptStatus.FAILED
    while place > 0:
        before = attempts[place - 1]
        is_gate_passed = before.is_gate and before.status is AttemptStatus.SUCCEEDED
        if before.status is AttemptStatus.FAILED and failures > 0:
            failures -= 1
        elif before.status is not AttemptStatus.NEVER_RAN and not is_gate_passed:
            break
        place -= 1
    return place


def look_at(run: Run, attempt: Attempt, *, is_earlier: bool) -> AttemptFacts:
    """Combine what is recorded of an attempt with what orchesjob reported of its job."""
    job = reported_job(run, attempt) or {}
    started_at, finished_at, is_exact = times_of(run, attempt, job)
    exit_code = job.get("exit_code")
    return AttemptFacts(
        attempt.number,
        attempt.status,
        started_at,
        finished_at,
        is_exact,
        exit_code if isinstance(exit_code, int) and not attempt.status.is_open else None,
        attempt.error,
        attempt.is_gate,
        is_earlier,
    )


def times_of(
    run: Run, attempt: Attempt, job: Mapping[str, Any]
) -> tuple[float, float | None, bool]:
    """Return when an attempt began and ended, and whether both times are ours."""
    began, ended = job.get("started_at"), job.get("finished_at")
    if was_found(run, attempt) and is_time(began) and is_time(ended):
        return began, max(began, ended), False
    if attempt.finished_at is None:
        return attempt.started_at, None, True
    # The end of the second that orchesjob names stands for an end that no runner saw.
    is_seen = not (is_time(ended) and attempt.finished_at == ended + 1)
    return attempt.started_at, max(attempt.started_at, attempt.finished_at), is_seen


def is_time(value: object) -> TypeGuard[float]:
    """Tell whether orchesjob has named a moment."""
    return isinstance(value, int | float) and not isinstance(value, bool)
