"""What users expect of a DAG on a deployed Airflow: assets, callbacks, `only_if`, what is kept."""

from collections.abc import Iterator

import pytest

from .deployment import NOTICES_SOON, Deployment

OK, NG, SKIP = "success", "failed", "skipped"

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


ASKING = """
flow_id: asking
steps:
  - id: leave
    command: [sh, -c, 'echo WORD=left > "$ORCHESJOB_FLOW_RUN_DIR/a.env"']
  - id: a
    when: leave
    only_if: [sh, -c, 'echo asked $WORD $ORCHESJOB_FLOW_ATTEMPT']
    command: [sh, -c, 'echo ran $WORD $ORCHESJOB_FLOW_ATTEMPT; test $ORCHESJOB_FLOW_ATTEMPT != 2']
    env_file: '${{ RUN_DIR }}/a.env'
    retries: 1
    timeout_sec: 60
  - id: b
    when: a
    only_if: ['false']
    command: [echo, never]
"""
# Kills the worker of the first try, with its supervisor, when the gate has just said yes.
DYING = """
import os
import signal
from datetime import timedelta
from orchesjob_flow_airflow import flow_dag
from orchesjob_flow_airflow.flow_as_dag import tries
from orchesjob_flow_airflow.flow_as_dag.tries import Tries

def note_or_die(self, what, note=Tries.record):
    if self.number == 1:
        for pid in (os.getppid(), os.getpid()):
            os.kill(pid, signal.SIGKILL)
    note(self, what)

Tries.record = note_or_die
tries.FAULT_DELAY = timedelta(0)
dag = flow_dag("asking.yaml", run_dirs="..")
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An Airflow with the flows; it notices a dead worker soon."""
    deployment = Deployment(tmp_path_factory.mktemp("expectations") / "airflow", **NOTICES_SOON)
    deployment.write(
        {
            "producer.yaml": PRODUCER,
            "consumer.py": CONSUMER,
            "failing.yaml": FAILING,
            "failing.py": CALLBACKS,
            "asking.yaml": ASKING,
            "asking.py": DYING,
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


def test_a_worker_that_is_killed_before_the_command(deployment: Deployment) -> None:
    """The gate is asked once, and asked again when the task is cleared (10.8 and 13.2)."""
    run_id = deployment.trigger("asking")
    states = {"leave": OK, "a": OK, "b": SKIP, "flow.begin": OK, "flow.outcome": OK}
    assert deployment.await_end("asking", run_id) == (OK, states)
    said = [
        [
            line
            for line in ("asked left 1", "ran left 2", "ran left 3", "asked left 2")
            if line in log
        ]
        for log in (deployment.log("asking", run_id, "a", number) for number in (2, 3))
    ]
    assert said == [["asked left 1", "ran left 2"], ["ran left 3"]]
    (left,) = deployment.home.glob("asking.*/a.env")
    assert left.parent.stat().st_mode & 0o7777 == 0o700
    shown = deployment.tasks("asking", run_id)["a"]["rendered_fields"]
    assert shown["only_if"] == ["sh", "-c", "echo asked $WORD $ORCHESJOB_FLOW_ATTEMPT"]
    assert "left" not in str(shown)
    deployment.clear("asking", run_id, "a")
    assert deployment.await_end("asking", run_id) == (OK, states)
    log = deployment.log("asking", run_id, "a", 4)
    assert "asked left 4" in log
    assert "ran left 5" in log
