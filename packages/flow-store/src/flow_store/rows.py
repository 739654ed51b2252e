r"""Between records and rows: the order of columns is that of `statements`.

No statement is run here. `job` and `error` may come from outside and hold lone surrogates, which
SQLite's text cannot: they are written as `\udcXX`, which in JSON means the same character.
"""

import os
from collections.abc import Sequence
from typing import Any

from flow_store.errors import Unstorable
from flow_store.records import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    Deadline,
    FlowStatus,
    PastAttempt,
    Run,
    RunHeader,
    RunSummary,
    Step,
    StepStatus,
)


def cancel_request(requested_at: float | None, grace_sec: float | None) -> CancelRequest | None:
    """Return the request that two columns of `runs` hold, if they hold one."""
    return None if requested_at is None else CancelRequest(requested_at, grace_sec)


def deadline(at: float | None, mono: float | None, boot: str | None) -> Deadline | None:
    """Return the deadline that three columns of `runs` hold, if they hold one."""
    return None if at is None or mono is None or boot is None else Deadline(at, mono, boot)


def run_from(
    row: Sequence[Any],
    steps: tuple[Step, ...],
    attempts: dict[int, Attempt],
    history: tuple[PastAttempt, ...],
) -> Run:
    """Make a run of a row of `runs` (without `id`)."""
    run_key, flow_id, definition, directory, status, error, started_at, finished_at, *rest = row
    at, mono, boot, revision, *cancel = rest
    return Run(
        run_key=run_key,
        flow_id=flow_id,
        definition=definition,
        directory=os.fsdecode(directory),
        status=FlowStatus(status),
        error=error,
        started_at=started_at,
        finished_at=finished_at,
        deadline=deadline(at, mono, boot),
        revision=revision,
        cancel=cancel_request(*cancel),
        steps=steps,
        attempts=attempts,
        history=history,
    )


def past_attempt_from(row: Sequence[Any]) -> PastAttempt:
    """Make an entry of a run's history."""
    position, number, status, started_at, finished_at, error, is_foreign = row
    return PastAttempt(
        position, number, AttemptStatus(status), started_at, finished_at, error, bool(is_foreign)
    )


def summary_from(row: Sequence[Any], steps: Sequence[tuple[str, int]]) -> RunSummary:
    """Make a summary of a row of `runs` (without `id`) and the counts of its steps."""
    run_key, flow_id, status, error, started_at, finished_at, *cancel = row
    counts = {StepStatus(name): count for name, count in steps}
    return RunSummary(
        run_key,
        flow_id,
        FlowStatus(status),
        error,
        started_at,
        finished_at,
        cancel_request(*cancel),
        counts,
    )


def step_from(row: Sequence[Any]) -> Step:
    """Make a step of a row of `steps` (without `run_id`)."""
    position, step_id, status, *rest = row
    return Step(position, step_id, StepStatus(status), *rest)


def attempt_from(row: Sequence[Any]) -> Attempt:
    """Make an attempt of a row of `attempts` (without `run_id`)."""
    position, number, status, *rest = row
    return Attempt(position, number, AttemptStatus(status), *rest)


def path_bytes(directory: str) -> bytes:
    """Return a path as the system has it; `run_from` does the reverse.

    Raises:
        Unstorable: It holds a surrogate that stands for no byte.
    """
    try:
        return os.fsencode(directory)
    except UnicodeEncodeError as error:
        raise Unstorable(str(error)) from error


def step_values(step: Step) -> tuple[object, ...]:
    """Return what may change of a step, in the order of its columns."""
    return (
        step.status,
        step.attempt_no,
        step.failures,
        step.max_retries,
        step.next_attempt_at,
        step.next_attempt_mono,
        step.next_attempt_boot,
        step.started_at,
        step.finished_at,
        _escaped(step.error),
    )


def attempt_values(attempt: Attempt) -> tuple[object, ...]:
    """Return a whole attempt, in the order of its columns."""
    return (
        attempt.position,
        attempt.number,
        attempt.status,
        attempt.started_at,
        attempt.running_mono,
        attempt.boot_id,
        attempt.job_id,
        _escaped(attempt.job),
        attempt.abort_reason,
        attempt.finished_at,
        _escaped(attempt.error),
    )


def header_values(header: RunHeader) -> tuple[object, ...]:
    """Return what may change of a run, in the order of its columns."""
    until = (None, None, None) if header.deadline is None else header.deadline
    return header.status, _escaped(header.error), header.finished_at, *until


def _escaped(text: str | None) -> str | None:
    """Return `text` with lone surrogates spelled out."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")
