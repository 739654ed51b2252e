"""A flow file as an Airflow DAG."""

import os
from typing import Any

from airflow.sdk import DAG

from flow_spec import load_flow


def flow_dag(
    path: str | os.PathLike[str],
    *,
    dag_id: str | None = None,
    schedule: Any = None,
    **dag_arguments: Any,
) -> DAG:
    """Return the DAG that the flow file at `path` describes."""
    flow = load_flow(path)
    return DAG(dag_id or flow.flow_id, schedule=schedule, **dag_arguments)
