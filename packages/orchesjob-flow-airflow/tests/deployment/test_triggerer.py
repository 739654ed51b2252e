"""A whole flow as one task on a deployed Airflow: it waits in a real triggerer."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .deployment import Deployment

EXAMPLES = Path(__file__).parents[4] / "examples"

PATIENT = """
flow_id: patient
steps:
  - {id: first, command: ["true"]}
  - {id: patient, when: first, command: [sh, -c, "while [ ! -e ../go ]; do sleep 0.1; done"]}
"""
DAG = """
from airflow.sdk import DAG
from orchesjob_flow_airflow import OrchesjobFlowOperator
with DAG({name!r}, schedule=None) as dag:
    OrchesjobFlowOperator(
        task_id="flow", flow_file={file!r}, run_key="{{{{ dag_run.run_id }}}}", poll_interval=0.5
    )
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An Airflow with a flow that ends by itself, and one that waits for the file `go`."""
    deployment = Deployment(tmp_path_factory.mktemp("deployment") / "airflow")
    shutil.copytree(EXAMPLES, deployment.dags / "examples")
    (deployment.dags / "patient.yaml").write_text(PATIENT, encoding="utf-8")
    for name, file in {"import": "examples/daily-import.yaml", "patient": "patient.yaml"}.items():
        text = DAG.format(name=name, file=file)
        (deployment.dags / f"{name}.py").write_text(text, encoding="utf-8")
    with deployment.running():
        yield deployment


def status(deployment: Deployment, run_key: str) -> Any:
    """Ask orchesjob-flow on the worker's host how a run stands."""
    program = str(Path(sys.executable).parent / "orchesjob-flow")
    words = [program, "status", f"--run-key={run_key}"]
    return json.loads(subprocess.check_output(words, env=deployment.environ, timeout=60))


def log(deployment: Deployment, dag_id: str, run_id: str, number: int = 1) -> str:
    """Read a task log as the web page shows it, with what the triggerer has added."""
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/flow/logs/{number}?full_content=true"
    return "\n".join(str(line["event"]) for line in deployment.ask("GET", path)["content"])


def await_deferred(deployment: Deployment, run_id: str, number: int) -> None:
    """Wait until a try of the patient task is watched in the triggerer."""

    def is_watched() -> bool:
        task = deployment.tasks("patient", run_id)["flow"]
        is_deferred = (task["state"], task["try_number"]) == ("deferred", number)
        return is_deferred and "patient RUNNING" in log(deployment, "patient", run_id, number)

    deployment.wait_for(is_watched)


def test_a_whole_flow(deployment: Deployment) -> None:
    """The task gives its slot back, logs each transition, and returns the run's JSON."""
    run_id = deployment.trigger("import")
    ended = deployment.await_end("import", run_id)
    assert ended == ("success", {"flow": "success"}), log(deployment, "import", run_id)
    run = status(deployment, run_id)
    assert run["status"] == "SUCCEEDED"
    entry = f"dags/import/dagRuns/{run_id}/taskInstances/flow/xcomEntries/return_value"
    value = deployment.ask("GET", f"{entry}?deserialize=true")["value"]
    assert (json.loads(value) if isinstance(value, str) else value) == run
    logged = log(deployment, "import", run_id)
    assert "Pausing task as DEFERRED" in logged
    for what in (" download RUNNING attempt 1", " import SUCCEEDED", f" {run_id} SUCCEEDED"):
        assert logged.count(f"Z{what}") == 1


def test_marked_failed_while_deferred(deployment: Deployment) -> None:
    """Marking the deferred task failed cancels its run."""
    (deployment.home / "go").unlink(missing_ok=True)
    run_id = deployment.trigger("patient")
    await_deferred(deployment, run_id, 1)
    task = f"dags/patient/dagRuns/{run_id}/taskInstances/flow"
    deployment.ask("PATCH", task, {"new_state": "failed"})
    deployment.wait_for(lambda: status(deployment, run_id)["status"] == "CANCELLED")
    assert deployment.await_end("patient", run_id) == ("failed", {"flow": "failed"})


def test_cleared_while_deferred(deployment: Deployment) -> None:
    """Clearing a deferred task ends what runs, and its next try runs just that again."""
    (deployment.home / "go").unlink(missing_ok=True)
    run_id = deployment.trigger("patient")
    await_deferred(deployment, run_id, 1)
    deployment.clear("patient", run_id, "flow")
    deployment.wait_for(lambda: status(deployment, run_id)["steps"][1]["attempt_no"] == 2)
    await_deferred(deployment, run_id, 2)
    (deployment.home / "go").touch()
    assert deployment.await_end("patient", run_id) == ("success", {"flow": "success"})
    assert [step["attempt_no"] for step in status(deployment, run_id)["steps"]] == [1, 2]
