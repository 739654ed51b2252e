"""What an attempt is called: by its number, and `only_if` where it is one at the gate (10.8)."""

from flow_store import Run, Step


def attempt_words(number: int, *, is_gate: bool) -> str:
    """Name an attempt."""
    return f"attempt {number} (only_if)" if is_gate else f"attempt {number}"


def is_at_gate(run: Run, step: Step) -> bool:
    """Tell whether a step's latest attempt, since it was decided last, is one at the gate."""
    attempt = run.attempts.get(step.position)
    return step.has_begun and attempt is not None and attempt.is_gate
