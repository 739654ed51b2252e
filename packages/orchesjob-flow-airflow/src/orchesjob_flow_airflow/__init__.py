"""Flow files on Apache Airflow: a flow as a DAG, each step as a task of it.

Public names only; the modules behind them are private to the package.
"""

from orchesjob_flow_airflow.dag import flow_dag

__all__ = ["flow_dag"]
