"""A run as JSON (rules 6.4 and 6.10). No rule is decided here and nothing is read."""

import json
import sys
from typing import Any

from flow_store import Attempt, PastAttempt, Run, RunSummary, Step, StepStatus
from orchesjob_flow.output import write_result
from orchesjob_flow.reasons import reasons
from orchesjob_flow.text import dump_json


def run_json(run: Run, runner_pid: int | None) -> dict[str, Any]:
    """Describe a run; `runner_pid` is the process that advances it, None if there is none."""
    return {
        **header_json(run),
        "steps": [
            {
                **step_json(run.run_key, step, run.attempts.get(step.position)),
                "reason": reason,
                "attempts": [
                    attempt_json(f"{run.run_key}:{step.step_id}", attempt) for attempt in attempts
                ],
            }
            for step, reason, attempts in zip(run.steps, reasons(run), histories(run), strict=True)
        ],
        "runner": runner_json(runner_pid),
    }


def header_json(run: Run | RunSummary) -> dict[str, Any]:
    """Describe what is the run's own."""
    return {
        "run_key": run.run_key,
        "flow_id": run.flow_id,
        "status": run.status.value,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "error": run.error,
        "cancel_requested_at": None if run.cancel is None else run.cancel.requested_at,
    }


def runner_json(runner_pid: int | None) -> dict[str, Any] | None:
    """Describe the process that advances a run; 0 if it has not told its id yet."""
    return None if runner_pid is None else {"pid": runner_pid or None, "alive": True}


def histories(run: Run) -> list[list[PastAttempt]]:
    """Return the attempts of each step, in the order of the steps."""
    found: dict[int, list[PastAttempt]] = {step.position: [] for step in run.steps}
    for attempt in run.history:
        found[attempt.position].append(attempt)
    return list(found.values())


def attempt_json(step_key: str, attempt: PastAttempt) -> dict[str, Any]:
    """Describe an attempt in the history of a step."""
    return {
        "number": attempt.number,
        "run_key": f"{step_key}:{attempt.number}",
        "status": attempt.status.value,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "error": attempt.error,
    }


def step_json(run_key: str, step: Step, attempt: Attempt | None) -> dict[str, Any]:
    """Describe a step by its latest attempt."""
    job = None if attempt is None or attempt.job is None else json.loads(attempt.job)
    return {
        "id": step.step_id,
        "run_key": shown_key(run_key, step),
        "status": step.status.value,
        "attempt_no": step.attempt_no,
        "max_retries": step.max_retries,
        "next_attempt_at": step.next_attempt_at,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "error": step.error,
        "orchesjob_status": job,
    }


def shown_key(run_key: str, step: Step) -> str:
    """Name the attempt that a step is at, or the one that it waits for (rule 4.2)."""
    waits = step.status in (StepStatus.PENDING, StepStatus.DELAYED)
    number = step.attempt_no + 1 if waits else max(1, step.attempt_no)
    return f"{run_key}:{step.step_id}:{number}"


def print_json(value: Any) -> None:
    """Print a result: for eyes on a terminal, else one compact line (rule 6.10)."""
    stdout = sys.stdout
    is_utf8 = (stdout.encoding or "").lower().replace("-", "") == "utf8"
    indent = 2 if stdout.isatty() else None
    write_result(f"{dump_json(value, indent=indent, ascii_only=not is_utf8)}\n")
