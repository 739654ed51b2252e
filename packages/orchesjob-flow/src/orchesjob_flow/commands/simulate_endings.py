"""`simulate --all`: the different endings of a flow, for scripts and for people (rule 11.3)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flow_spec import FlowSpec
from flow_store import FlowStatus, StepStatus
from orchesjob_flow.simulation.endings import Ending, Endings
from orchesjob_flow.views.reasons import listed
from orchesjob_flow.views.text import visible

MOST_SHOWN = 50
"""How many endings a person is shown; a program gets all that were found."""
MOST_IN_FULL = 10**15
"""A greater number of endings is told by its digits."""
OPTIONS = {StepStatus.FAILED: "--fail", StepStatus.SKIPPED: "--skip"}


def endings_json(flow: FlowSpec, endings: Endings, cancel_at: str | None) -> dict[str, Any]:
    """Describe the endings, each with the options of `simulate` that show it."""
    cancelled = [] if cancel_at is None else [f"--cancel-at={cancel_at}"]
    return {
        "flow_id": flow.flow_id,
        "params": dict(flow.values),
        "simulated": True,
        "total": endings.total,
        "complete": endings.is_complete,
        "endings": [
            {
                "status": ending.status.value,
                "options": [*options_of(ending), *cancelled],
                "steps": {step_id: status.value for step_id, status in ending.steps.items()},
            }
            for ending in endings.found
        ],
    }


def options_of(ending: Ending) -> list[str]:
    """Return the options with which `simulate` shows an ending."""
    return [f"{OPTIONS[status]}={step_id}" for step_id, status in ending.by_themselves.items()]


def endings_lines(flow: FlowSpec, endings: Endings) -> Iterator[str]:
    """Yield a line for each ending, in groups by how the run ends."""
    shown = endings.found[:MOST_SHOWN]
    yield f"Flow: {visible(flow.flow_id)}"
    yield f"Endings: {total_words(endings)}"
    for status in FlowStatus:
        group = [ending for ending in shown if ending.status is status]
        if group:
            yield ""
        for ending in group:
            others = consequences(ending, endings.found[0])
            colon = ": " if others else ""
            yield visible(f"{status.value}, {condition_words(ending)}{colon}{'; '.join(others)}")
    if len(shown) < len(endings.found) or not endings.is_complete:
        yield ""
        yield f"Shown are the {len(shown)} with the fewest steps that do not succeed by themselves."


def total_words(endings: Endings) -> str:
    """Say how many endings there are, and, where all are known, how many of each kind."""
    if endings.total is None:
        return f"more than {len(endings.found):,}"
    if not endings.is_complete:
        is_short = endings.total < MOST_IN_FULL
        return f"{endings.total:,}" if is_short else f"some 10^{len(str(endings.total)) - 1}"
    counts = Counter(ending.status for ending in endings.found)
    kinds = ", ".join(f"{counts[status]:,} {status}" for status in FlowStatus if counts[status])
    return f"{endings.total:,} ({kinds})"


def condition_words(ending: Ending) -> str:
    """Say which steps end in which way by themselves, so that the run ends like that."""
    if not ending.by_themselves:
        return "when every command succeeds"
    return f"when {'; '.join(grouped(ending.by_themselves))}"


def consequences(ending: Ending, usual: Ending) -> Sequence[str]:
    """Say which other steps do not succeed, and which succeed that usually do not."""
    succeeded = StepStatus.SUCCEEDED
    return grouped(
        {
            step_id: status
            for step_id, status in ending.steps.items()
            if step_id not in ending.by_themselves
            and (status, usual.steps[step_id]) != (succeeded, succeeded)
        }
    )


def grouped(statuses: Mapping[str, StepStatus]) -> Sequence[str]:
    """Write which steps have which status: of those that share one, the first few."""
    return [
        f"{listed([name for name, one in statuses.items() if one is status])} {status}"
        for status in StepStatus
        if status in statuses.values()
    ]
