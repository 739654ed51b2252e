"""Which task is which step: the one place that spells the ids of tasks.

The ids of a flow that is a group of tasks begin with the id of the group. Tasks may be in groups
within that, so nothing is asked of the group in which a task happens to be.
"""

from typing import NamedTuple, Self

from airflow.sdk import TaskGroup

from flow_spec import base_of

BEGINNING, OUTCOME = "flow.begin", "flow.outcome"
FINALLY, END, CANCELLED = "flow.finally", "flow.end", "flow.cancelled"
"""No step can have these ids: there is no `.` in the id of a step."""


class TaskIds(NamedTuple):
    """The ids of the tasks of one flow in a DAG; each of them begins with `prefix`."""

    prefix: str

    @classmethod
    def within(cls, group: TaskGroup) -> Self:
        """Return the ids of tasks that are added to this group, which may be that of a DAG."""
        return cls(f"{group.group_id}." if group.group_id and group.prefix_group_id else "")

    @property
    def beginning(self) -> str:
        """The id of the first task, of which all that is recorded with a run is an XCom."""
        return f"{self.prefix}{BEGINNING}"

    @property
    def before_finally(self) -> str:
        """The id of the task between all steps and those of `finally`."""
        return f"{self.prefix}{FINALLY}"

    def of_all(self, name: str) -> str:
        """Return the id of the task that stands for all copies of a step, if there is one."""
        return f"{self.prefix}flow.all.{name}"

    def of_step(self, step_id: str) -> str:
        """Return the id of the task of a step.

        A copy `load@berlin` is the task `load.berlin`: Airflow allows no `@`. `flow@begin` is
        `flow.-begin`, which is no other's id: no label of a copy begins with `-`.
        """
        dot = ".-" if base_of(step_id) == "flow" else "."
        return f"{self.prefix}{step_id.replace('@', dot)}"
