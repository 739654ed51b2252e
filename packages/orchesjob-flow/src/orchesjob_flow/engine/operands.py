"""What an operand of a condition means: a step's outcome, as far as there is one (3.2, 3.3)."""

from collections.abc import Collection

from flow_spec import holds, holds_of_copies
from flow_store import StepStatus


def is_true(predicate: str | None, status: StepStatus) -> bool | None:
    """Tell whether an operand holds; None while its step is not terminal (rule 3.4)."""
    return holds(predicate, status) if status.is_terminal else None


def is_true_of_copies(predicate: str | None, statuses: Collection[StepStatus]) -> bool | None:
    """Tell whether an operand holds of all copies of a step, given the statuses that they have.

    None while one of them is not terminal (rule 10.3).
    """
    if all(status.is_terminal for status in statuses):
        return holds_of_copies(predicate, statuses)
    return None
