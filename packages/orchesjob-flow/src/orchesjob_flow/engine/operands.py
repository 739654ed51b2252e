"""What an operand of a condition means: a step's outcome, as far as there is one (3.2, 3.3)."""

from flow_spec import holds
from flow_store import StepStatus


def is_true(predicate: str | None, status: StepStatus) -> bool | None:
    """Tell whether an operand holds; None while its step is not terminal (rule 3.4)."""
    return holds(predicate, status) if status.is_terminal else None
