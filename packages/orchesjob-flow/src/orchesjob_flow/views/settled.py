"""What a person has decided of a step, in words and for scripts (rule 12.3)."""

from typing import Any

from flow_store import Settlement
from orchesjob_flow.views.text import clock_time


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
