"""The gate of a step, `only_if`: at which tries of its task it has let the step run (rule 10.8).

It is asked until it has answered; a yes is noted before the command begins. So where none is noted,
no command has begun, and where one is, the gate is not asked again, whatever happens meanwhile.
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseXCom

from flow_spec import StepSpec
from orchesjob_flow_airflow.flow_as_dag.dag_run.retries import Tries
from orchesjob_flow_airflow.flow_as_dag.dag_run.run_record import place_in_run


class Gate:
    """The gate of a step, if it has one, as far as this run knows it."""

    def __init__(self, context: Mapping[str, Any], step: StepSpec, tries: Tries) -> None:
        """Ask Airflow when it has let the step run, unless there is none."""
        self.is_there = bool(step.only_if)
        self._tries = tries
        self._place = place_in_run(context, f"passed_gates_of_{context['task'].task_id}")
        recorded = BaseXCom.get_one(**self._place) if self.is_there else None
        self._passed: list[int] = list(recorded or ())

    @property
    def is_to_be_asked(self) -> bool:
        """Whether it has not let the step run yet, since the task was cleared last."""
        return self.is_there and self.passed_at < self._tries.first

    @property
    def passed_at(self) -> int:
        """The try at which it has last let the step run; 0 if it never has."""
        return max(self._passed, default=0)

    @property
    def attempt(self) -> int:
        """The number of the next attempt: one at the gate that lets the step run is no failure."""
        return self._tries.attempt + len(self._passed)

    def record_passed(self) -> None:
        """Note that it has let the step run at this try."""
        self._passed.append(self._tries.number)
        BaseXCom.set(value=self._passed, **self._place)
