"""What the views need of a stored definition: the steps in order, and who waits for whom.

It is read without flow-spec, since `status` is called every few seconds; no flow is checked here.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from flow_store import Run, Step

# A name before a parenthesis is a call such as `any(failed)`, which asks the steps in depends_on.
NAME_IN_CONDITION = re.compile(r"\w+\s*\(\s*\w+\s*\)|([A-Za-z0-9_][A-Za-z0-9_-]*)(?:\.\w+)?")


class Shape(NamedTuple):
    """The ids of the steps that each step waits for (rule 3.6), and those of `finally` (10.1).

    Each step is a key of `waits`, in the order of the file, those of `finally` last.
    """

    waits: Mapping[str, Sequence[str]]
    finally_ids: frozenset[str]


@lru_cache(maxsize=1)
def shape_of(definition: str) -> Shape:
    """Read the shape of a flow from its stored definition.

    Raises:
        StoredFlowError: It is damaged.
    """
    try:
        flow = json.loads(definition)
        finally_ = flow.get("finally", ())
        waits = {
            step["id"]: list(dict.fromkeys(named_by(step))) for step in (*flow["steps"], *finally_)
        }
        return Shape(waits, frozenset(step["id"] for step in finally_))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # Slower to import than all the rest; it raises the error that says what is wrong.
        from flow_spec import FlowSpec

        FlowSpec.from_json(definition)
        raise


def in_order(run: Run) -> list[Step]:
    """List the steps in the order of the file, those of `finally` last.

    They are recorded in another order where `retry --file` has added some (rule 9.7).
    """
    places = {step_id: place for place, step_id in enumerate(shape_of(run.definition).waits)}
    return sorted(run.steps, key=lambda step: places.get(step.step_id, len(places)))


def is_in_finally(run: Run, step: Step) -> bool:
    """Tell whether a step is one of `finally` (rule 10.1)."""
    return step.step_id in shape_of(run.definition).finally_ids


def named_by(step: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Yield each id in `depends_on` and in `when`, as often as it occurs."""
    yield from step.get("depends_on", ())
    yield from filter(None, NAME_IN_CONDITION.findall(str(step.get("when", ""))))
