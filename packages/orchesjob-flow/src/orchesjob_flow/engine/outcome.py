"""What an operand of a condition means: a step's outcome, as far as there is one (3.2, 3.3)."""

from flow_store import StepStatus


def is_true(predicate: str | None, status: StepStatus) -> bool | None:
    """Tell whether an operand holds; None while its step is not terminal (rule 3.4)."""
    if not status.is_terminal:
        return None
    match predicate:
        case "finished":
            return True
        case "failed":
            return status is StepStatus.FAILED
        case "skipped":
            return status is StepStatus.SKIPPED
        case _:
            return status is StepStatus.SUCCEEDED
