"""Why a step is where it is, in a few words: the key `reason` of `status` (rule 9.4).

Nothing is evaluated here, and no flow file is checked: `status` is asked every few seconds. What a
condition is worth, operand by operand, is `explaining`'s.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from flow_store import Run, Step, StepStatus
from orchesjob_flow.text import clock_time

NAMED = 5
# A name before a parenthesis is a call such as `any(failed)`, which asks the steps in depends_on.
NAME_IN_CONDITION = re.compile(r"\w+\s*\(\s*\w+\s*\)|([A-Za-z0-9_][A-Za-z0-9_-]*)(?:\.\w+)?")


def reasons(run: Run) -> list[str]:
    """Say of each step, in their order, why it is where it is.

    A record that somebody has changed by hand is described as it is, not refused.
    """
    waits = waits_of(run.definition)
    statuses = {step.step_id: step.status for step in run.steps}
    return [
        reason(
            step,
            {name: statuses[name] for name in waits.get(step.step_id, ()) if name in statuses},
        )
        for step in run.steps
    ]


def waits_of(definition: str) -> dict[str, list[str]]:
    """Read off a stored definition which steps each step waits for (rule 3.6)."""
    steps = json.loads(definition)["steps"]
    return {step["id"]: list(dict.fromkeys(named_by(step))) for step in steps}


def named_by(step: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Yield the ids in `depends_on` and in `when`, as often as they are there."""
    yield from step.get("depends_on", ())
    yield from filter(None, NAME_IN_CONDITION.findall(str(step.get("when", ""))))


def reason(step: Step, waits: Mapping[str, StepStatus]) -> str:
    """Say why a step is where it is, given the statuses of the steps that it waits for."""
    match step.status:
        case StepStatus.PENDING:
            return reason_to_wait(step, waits)
        case StepStatus.DELAYED:
            return reason_for_delay(step)
        case StepStatus.RUNNING:
            return step.error or f"attempt {step.attempt_no} is running"
        case StepStatus.SKIPPED:
            return reason_to_skip(step, waits)
        case StepStatus.SUCCEEDED:
            return f"attempt {step.attempt_no} succeeded"
        case _:
            return str(step.error)


def reason_to_wait(step: Step, waits: Mapping[str, StepStatus]) -> str:
    """Say what a PENDING step waits for."""
    unfinished = [(name, status) for name, status in waits.items() if not status.is_terminal]
    if unfinished:
        return f"waits for {spell(unfinished)}"
    return f"attempt {step.attempt_no + 1} may start"


def reason_for_delay(step: Step) -> str:
    """Say when the next attempt is due, if it waits for a moment, and what became of the last."""
    at = step.next_attempt_at
    due = "" if at is None else f", due {clock_time(at)}"
    return f"attempt {step.attempt_no + 1} waits{due}: {step.error}"


def reason_to_skip(step: Step, waits: Mapping[str, StepStatus]) -> str:
    """Say whether its condition skipped a step, or its command did (rule 9.12)."""
    if step.attempt_no:
        return f"attempt {step.attempt_no} ended with an exit code that skips the step"
    return f"its condition was false: {spell(waits.items())}"


def spell(steps: Iterable[tuple[str, StepStatus]]) -> str:
    """List some steps with their statuses, and count the rest."""
    words = [f"{name} {status.value}" for name, status in steps]
    rest = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
