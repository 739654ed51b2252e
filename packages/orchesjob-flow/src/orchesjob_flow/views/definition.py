"""What the views need of a stored definition: who waits for whom, and which steps are in `finally`.

It is read without flow-spec, since `status` is called every few seconds; no flow is checked here.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

# A name before a parenthesis is a call such as `any(failed)`, which asks the steps in depends_on.
NAME_IN_CONDITION = re.compile(r"\w+\s*\(\s*\w+\s*\)|([A-Za-z0-9_][A-Za-z0-9_-]*)(?:\.\w+)?")


class Shape(NamedTuple):
    """The ids of the steps that each step waits for (rule 3.6), and those of `finally` (10.1)."""

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


def named_by(step: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Yield each id in `depends_on` and in `when`, as often as it occurs."""
    yield from step.get("depends_on", ())
    yield from filter(None, NAME_IN_CONDITION.findall(str(step.get("when", ""))))
