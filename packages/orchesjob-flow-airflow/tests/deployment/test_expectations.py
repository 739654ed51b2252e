"""What users of Airflow expect of a DAG, on a deployed Airflow: assets and callbacks."""

from collections.abc import Iterator

import pytest

from .deployment import Deployment

OK, NG = "success", "failed"

PRODUCER = """
flow_id: producer
params: {SHOP: berlin}
steps:
  - id: load
    command: [echo, "${{ SHOP }}-1"]
    x-airflow: {outlets: [orders], task_display_name: Load}
"""
CONSUMER = """
from airflow.sdk import DAG, Asset
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("consumer", schedule=[Asset("orders")]):
    EmptyOperator(task_id="begun")
"""

FAILING = """
flow_id: failing
steps:
  - {id: may, command: ["false"], allow_failure: true}
  - {id: first, command: ["false"], retries: 1}
  - {id: second, command: ["false"]}
  - {id: alert, when: '!first', command: ["true"]}
"""
CALLBACKS = """
import os
from orchesjob_flow_airflow import flow_dag
def tell(who):
    def told(context):
        with open(os.path.join(os.environ["AIRFLOW_HOME"], "told"), "a") as file:
            file.write(f"{who} {context['ti'].task_id}\\n")
    return told
dag = flow_dag(
    "failing.yaml",
    default_args={"on_failure_callback": tell("task")},
    on_failure_callback=tell("dag"),
)
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An Airflow with a DAG that waits for an asset, and one that tells of failures."""
    deployment = Deployment(tmp_path_factory.mktemp("expectations") / "airflow")
    deployment.write(
        {
            "producer.yaml": PRODUCER,
            "consumer.py": CONSUMER,
            "failing.yaml": FAILING,
            "failing.py": CALLBACKS,
        }
    )
    deployment.add_flow("producer", "'producer.yaml'")
    with deployment.running():
        yield deployment


def test_an_asset(deployment: Deployment) -> None:
    """A step updates an asset, for which another DAG waits (rule 13.4)."""
    run_id = deployment.trigger("producer")
    state, _ = deployment.await_end("producer", run_id)
    assert state == OK
    task = deployment.tasks("producer", run_id)["load"]
    assert task["task_display_name"] == "Load"
    assert task["rendered_fields"]["environment"] == {"SHOP": "berlin"}
    deployment.wait_for(lambda: deployment.ask("GET", "dags/consumer/dagRuns")["dag_runs"])


def test_who_is_told_of_failures(deployment: Deployment) -> None:
    """Of each step that failed and may not, and once of the failed flow (rule 13.4)."""
    run_id = deployment.trigger("failing")
    assert deployment.await_end("failing", run_id)[0] == NG
    told = deployment.home / "told"
    deployment.wait_for(lambda: told.exists() and "dag " in told.read_text(encoding="utf-8"))
    lines = sorted(told.read_text(encoding="utf-8").splitlines())
    assert lines == ["dag flow.outcome", "task first", "task second"]
