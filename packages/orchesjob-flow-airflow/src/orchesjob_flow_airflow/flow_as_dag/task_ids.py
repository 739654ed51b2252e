"""The ids of a flow's tasks, and the XComs in which tasks record something with their run.

The ids of a flow that is a group of tasks begin with the id of that group. A task may be in further
groups inside it, so no id depends on the group that a task happens to be in.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from airflow.sdk import TaskGroup

from flow_spec import base_of

BEGINNING, OUTCOME = "flow.begin", "flow.outcome"
FINALLY, END, CANCELLED = "flow.finally", "flow.end", "flow.cancelled"
"""No step can have these ids: the id of a step contains no `.`."""


class TaskIds(NamedTuple):
    """The ids of the tasks of one flow in a DAG; each of them begins with `prefix`."""

    prefix: str

    @classmethod
    def within(cls, group: TaskGroup) -> Self:
        """Return the ids of tasks that are added to this group, which may be that of a DAG."""
        return cls(f"{group.group_id}." if group.group_id and group.prefix_group_id else "")

    @property
    def beginning(self) -> str:
        """The id of the first task; its XComs hold everything that is recorded with a run."""
        return f"{self.prefix}{BEGINNING}"

    @property
    def before_finally(self) -> str:
        """The id of the task between all steps and those of `finally`."""
        return f"{self.prefix}{FINALLY}"

    def of_all(self, name: str) -> str:
        """Return the id of the task that joins all copies of a step, if there is one."""
        return f"{self.prefix}flow.all.{name}"

    def of_step(self, step_id: str) -> str:
        """Return the id of the task of a step.

        A copy `load@berlin` is the task `load.berlin`: Airflow allows no `@`. `flow@begin` is
        `flow.-begin`, which no other task can have: no label of a copy begins with `-`.
        """
        dot = ".-" if base_of(step_id) == "flow" else "."
        return f"{self.prefix}{step_id.replace('@', dot)}"


def xcom_of_run(context: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the arguments with which `BaseXCom` finds what is recorded with a run under a key.

    It is an XCom of the first task. No worker runs that task, so its XComs stay; Airflow deletes
    those of any other task when the task begins.

    Args:
        context: The context of any task of the flow.
        key: The name of the record.
    """
    ti = context["ti"]
    return {
        "key": key,
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": context["task"].task_ids.beginning,
    }
