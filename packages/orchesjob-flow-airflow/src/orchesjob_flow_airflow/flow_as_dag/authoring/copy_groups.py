"""Where the tasks of copies are: a group of tasks for each `foreach` (rules 10.3 and 13.4).

A group is called like the repeated steps in it. If these are several, there is a group for each
copy in it. No group adds its id to those of its tasks. Airflow draws no DAG whose groups wait for
each other in a circle; so a block that is more than one stage is more than one group.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import TaskGroup

from flow_spec import Block, Copy, FlowSpec
from orchesjob_flow_airflow.errors import LONGEST_TASK_ID, TaskIdTooLong
from orchesjob_flow_airflow.flow_as_dag.authoring.stages import StagedBlock
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_ids import TaskIds

_MOST_SHOWN = 80
"""Characters of a copy's values in the name of its task."""


class CopyGroups:
    """The groups of the copies of one flow."""

    def __init__(self, flow: FlowSpec, staged: Sequence[StagedBlock], task_ids: TaskIds) -> None:
        """Make the groups, in the group that is being made.

        Raises:
            TaskIdTooLong: Airflow allows no id that is so long.
        """
        self._task_ids = task_ids
        self._taken = {step.id for step in flow.as_written.all_steps}
        self._places: dict[str, Mapping[str, Any]] = {}
        self._groups: dict[str, TaskGroup] = {}
        for block, stages in staged:
            for ids in stages:
                self._add_stage(block, ids)

    def place_of(self, step_id: str) -> Mapping[str, Any]:
        """Return the arguments of a step's task that say where it is, and how it is called.

        Raises:
            TaskIdTooLong: Airflow allows no id that is so long.
        """
        if step_id not in self._places:
            self._check_length(step_id)
        return self._places.get(step_id) or {"task_id": step_id}

    def place_of_joint(self, name: str) -> Mapping[str, Any]:
        """Return the same for the task that stands for all copies of a step."""
        return {
            "task_id": self._task_ids.of_all(name),
            "task_group": self._groups[name],
            "task_display_name": f"all of {name}",
        }

    def _add_stage(self, block: Block, ids: Sequence[str]) -> None:
        """Make the group of a stage, and find the places of all copies of its steps."""
        group = TaskGroup(
            ids[0] if len(ids) == 1 else self._new_id(f"foreach-{ids[0]}"),
            prefix_group_id=len(ids) > 1,
            group_display_name=", ".join(ids),
            tooltip=f"foreach {', '.join(block.names)}",
        )
        self._groups.update(dict.fromkeys(ids, group))
        copies = zip(block.copies, block.ids_of_copies, strict=True)
        for number, (copy, ids_of_copy) in enumerate(copies, start=1):
            shown = _shown(copy)
            inner = group if len(ids) == 1 else _group_of_copy(group, number, shown)
            for name, step_id in zip(block.ids, ids_of_copy, strict=True):
                if name in ids:
                    self._check_length(step_id)
                    self._places[step_id] = {
                        "task_id": self._task_ids.of_step(step_id),
                        "task_group": inner,
                        "task_display_name": f"{name}@{shown}",
                    }

    def _check_length(self, step_id: str) -> None:
        task_id = self._task_ids.of_step(step_id)
        if len(task_id) > LONGEST_TASK_ID:
            raise TaskIdTooLong(step_id, task_id)

    def _new_id(self, group_id: str) -> str:
        """Return an id that no step has."""
        while group_id in self._taken:
            group_id += "_"
        self._taken.add(group_id)
        return group_id


def _group_of_copy(group: TaskGroup, number: int, shown: str) -> TaskGroup:
    return TaskGroup(
        str(number), parent_group=group, prefix_group_id=False, group_display_name=shown
    )


def _shown(copy: Copy) -> str:
    """Return the label of a copy; where that is a number, with the values behind it."""
    if copy.label == "@".join(copy.values):
        return copy.label
    shown = " ".join(", ".join(filter(None, copy.values)).split())
    if len(shown) > _MOST_SHOWN:
        shown = f"{shown[: _MOST_SHOWN - 1]}…"
    return f"{copy.label} ({shown})"
