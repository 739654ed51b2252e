"""How the tasks of a flow are called."""

import pytest

from orchesjob_flow_airflow.flow_as_dag.run import BEGINNING, OUTCOME, TaskIds


@pytest.mark.parametrize(
    ("step_id", "task_id"),
    [
        ("load", "load"),
        ("load@berlin", "load.berlin"),
        ("load@berlin@2", "load.berlin.2"),
        ("flow", "flow"),
        ("flow@begin", "flow.-begin"),
        ("flow@a@b", "flow.-a.-b"),
        ("flows@begin", "flows.begin"),
    ],
)
def test_of_step(step_id: str, task_id: str) -> None:
    """The task of a copy has a dot for the `@`, and no id of a task that is ours (rule 10.3)."""
    assert TaskIds("").of_step(step_id) == task_id not in {BEGINNING, OUTCOME}
    assert TaskIds("daily.").of_step(step_id) == f"daily.{task_id}"
