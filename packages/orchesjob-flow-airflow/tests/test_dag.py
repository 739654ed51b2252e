"""A flow as a DAG."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Airflow


def test_the_flow_names_the_dag(airflow: "Airflow") -> None:
    """A DAG bears the flow's id unless told otherwise."""
    (airflow.folder / "flow.yaml").write_text("{flow_id: f, steps: [{id: a, command: ['true']}]}")
    text = (
        "from pathlib import Path\n"
        "from airflow.sdk import BaseOperator\n"
        "from orchesjob_flow_airflow import flow_dag\n"
        "dag = flow_dag(Path(__file__).parent / 'flow.yaml')\n"
        "class Nothing(BaseOperator):\n"
        "    def execute(self, context):\n"
        "        pass\n"
        "Nothing(task_id='nothing', dag=dag)\n"
    )
    dag = airflow.load(text)
    assert dag.dag_id == "f"
    assert airflow.run(dag) == ("success", {"nothing": "success"})
