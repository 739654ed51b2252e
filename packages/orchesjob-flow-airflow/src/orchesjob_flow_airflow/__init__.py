"""Flow files on Apache Airflow: each step as a task of a DAG, or a whole flow as one task.

Only the public names live here. `flow_as_dag` makes a task of each step, `flow_as_task` runs a flow
as one task; neither imports the other. Both folders are private to the package.

Airflow imports this while it looks for providers, before it can itself be imported as a whole. So
each public name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchesjob_flow_airflow.flow_as_dag.dag import flow_dag, flow_task_group
    from orchesjob_flow_airflow.flow_as_dag.tries import InfrastructureFault
    from orchesjob_flow_airflow.flow_as_task.operator import OrchesjobFlowOperator

__all__ = ["InfrastructureFault", "OrchesjobFlowOperator", "flow_dag", "flow_task_group"]

_MODULES = {
    "InfrastructureFault": "flow_as_dag.tries",
    "OrchesjobFlowOperator": "flow_as_task.operator",
    "flow_dag": "flow_as_dag.dag",
    "flow_task_group": "flow_as_dag.dag",
}


def __getattr__(name: str) -> object:
    """Import a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
