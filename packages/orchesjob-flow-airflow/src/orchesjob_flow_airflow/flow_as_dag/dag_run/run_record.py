"""Where tasks note something with their run: in XComs of its first task.

No worker runs that task, so nothing deletes its XComs; those of others are deleted when they begin.
"""

from collections.abc import Mapping
from typing import Any


def place_in_run(context: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return what `BaseXCom` has to know of a note with this key, in the context of a task."""
    ti = context["ti"]
    return {
        "key": key,
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": context["task"].task_ids.beginning,
    }
