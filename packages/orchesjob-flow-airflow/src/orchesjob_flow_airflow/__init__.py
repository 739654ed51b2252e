"""Flow files on Apache Airflow: each step as a task of a DAG, or a whole flow as one task.

Only the public names live here. `flow_as_dag` makes tasks of a flow's steps, `flow_as_task` runs a
flow as one task; neither knows the other. Both rooms are private to the package.
"""

from typing import TYPE_CHECKING

from orchesjob_flow_airflow.flow_as_dag.dag import flow_dag
from orchesjob_flow_airflow.flow_as_dag.task_group import flow_task_group

if TYPE_CHECKING:
    from orchesjob_flow_airflow.flow_as_task.operator import OrchesjobFlowOperator

__all__ = ["OrchesjobFlowOperator", "flow_dag", "flow_task_group"]


def __getattr__(name: str) -> object:
    """Import the operator only where a DAG file asks for it."""
    if name != "OrchesjobFlowOperator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchesjob_flow_airflow.flow_as_task.operator import OrchesjobFlowOperator

    return OrchesjobFlowOperator
