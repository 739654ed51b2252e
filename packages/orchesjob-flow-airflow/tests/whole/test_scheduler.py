"""Flows on a whole Airflow: a real scheduler, API server and LocalExecutor."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchesjob_client import OrchesjobClient, find_survivors

from .stand import Stand

EXAMPLES = Path(__file__).parents[4] / "examples"
OK, NG, SKIP = "success", "failed", "skipped"

PATIENT = "{flow_id: patient, steps: [{id: a, retries: 1, command: [sh, wait.sh]}]}"
# Says who it is, and waits until it is let go.
WAIT = 'echo "begun $ORCHESJOB_FLOW_ATTEMPT"; while [ ! -e ../go ]; do sleep 0.1; done; echo gone\n'


STUBBORN = "{flow_id: stubborn, steps: [{id: a, command: [sh, stubborn.sh]}]}"
# Leaves a process in a session of its own, and does not hear when it is told to end.
DEAF = "setsid sleep 600 &\ntrap '' TERM\necho begun\nwhile :; do sleep 1; done\n"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """An Airflow with the examples and a flow that waits; it notices a dead worker soon."""
    stand = Stand(
        tmp_path_factory.mktemp("stand") / "airflow",
        HELLO_FOR_SEC="0",
        AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="8",
        AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL="2",
        AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL="1",
    )
    shutil.copytree(EXAMPLES, stand.dags / "examples")
    (stand.dags / "patient.yaml").write_text(PATIENT, encoding="utf-8")
    (stand.dags / "wait.sh").write_text(WAIT, encoding="utf-8")
    (stand.dags / "stubborn.yaml").write_text(STUBBORN, encoding="utf-8")
    (stand.dags / "stubborn.sh").write_text(DEAF, encoding="utf-8")
    for dag_id, path in {
        "daily-import": "examples/daily-import.yaml",
        "branching-hello-failure": "examples/branching-hello-failure-flow.yaml",
        "patient": "patient.yaml",
        "stubborn": "stubborn.yaml",
    }.items():
        text = f"from orchesjob_flow_airflow import flow_dag\ndag = flow_dag({path!r})\n"
        (stand.dags / f"{dag_id}.py").write_text(text, encoding="utf-8")
    try:
        stand.start()
        yield stand
    finally:
        stand.close()


def client(stand: Stand) -> OrchesjobClient:
    return OrchesjobClient(stand.environ["ORCHESJOB_BIN"], home=str(stand.jobs))


def test_daily_import(stand: Stand) -> None:
    """The daily import runs to its end, and its output is in the task logs."""
    run_id = stand.trigger("daily-import")
    assert stand.await_end("daily-import", run_id) == (
        OK,
        {
            "download": OK,
            "validate": OK,
            "import": OK,
            "notify_failed": SKIP,
            "flow.outcome": OK,
        },
    )
    assert "3 files" in stand.log("daily-import", run_id, "download")
    report = client(stand).status(f"daily-import:{run_id}:import:1")
    assert report is not None
    assert report.status == "SUCCEEDED"


def test_the_failure_example(stand: Stand) -> None:
    """A step fails, the branch behind the failure runs, and the run has failed (rule 5.1)."""
    run_id = stand.trigger("branching-hello-failure")
    outcome = {"A": NG, "B": SKIP, "C": SKIP, "E": OK, "F": OK, "D": OK, "flow.outcome": NG}
    assert stand.await_end("branching-hello-failure", run_id) == (NG, outcome)
    assert "1 step failed: A" in stand.log("branching-hello-failure", run_id, "flow.outcome")


def test_cleared(stand: Stand) -> None:
    """A task that is cleared while it runs ends its job, and runs again under a new key (5.8)."""
    (stand.home / "go").unlink(missing_ok=True)
    run_id = stand.trigger("patient")
    stand.wait_for(lambda: "begun 1" in stand.log("patient", run_id, "a"))
    stand.clear("patient", run_id, "a")
    stand.wait_for(lambda: "begun 2" in stand.log("patient", run_id, "a", 2))
    assert not find_survivors(os.path.realpath(stand.jobs), [f"patient:{run_id}:a:1"])
    report = client(stand).status(f"patient:{run_id}:a:1")
    assert report is not None
    assert report.status == "ABORTED"
    (stand.home / "go").touch()
    assert stand.await_end("patient", run_id) == (OK, {"a": OK, "flow.outcome": OK})


def test_cleared_after_a_success(stand: Stand) -> None:
    """A task that is cleared after it has succeeded runs again: nothing is taken over then."""
    (stand.home / "go").touch()
    run_id = stand.trigger("patient")
    assert stand.await_end("patient", run_id) == (OK, {"a": OK, "flow.outcome": OK})
    stand.clear("patient", run_id, "a")
    assert stand.await_end("patient", run_id) == (OK, {"a": OK, "flow.outcome": OK})
    report = client(stand).status(f"patient:{run_id}:a:2")
    assert report is not None
    assert report.status == "SUCCEEDED"


def test_stubborn(stand: Stand) -> None:
    """A task that is marked failed ends all of its job before Airflow kills its process (5.6)."""
    run_id = stand.trigger("stubborn")
    stand.wait_for(lambda: "begun" in stand.log("stubborn", run_id, "a"))
    task = f"dags/stubborn/dagRuns/{run_id}/taskInstances/a"
    stand.ask("PATCH", task, {"new_state": "failed"})
    key = f"stubborn:{run_id}:a:1"
    home = os.path.realpath(stand.jobs)
    stand.wait_for(lambda: not find_survivors(home, [key]), 30)
    report = client(stand).status(key)
    assert report is not None
    assert report.status == "ABORTED"


def test_a_worker_that_is_killed(stand: Stand) -> None:
    """The job of a killed worker runs on, and the retry goes on with it: nothing runs twice."""
    (stand.home / "go").unlink(missing_ok=True)
    run_id = stand.trigger("patient")
    stand.wait_for(lambda: "begun 1" in stand.log("patient", run_id, "a"))
    task = stand.tasks("patient", run_id)["a"]
    # The task's process and, before it could tell of that, the supervisor that is its parent.
    pid = int(task["pid"])
    status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    supervisor = int(status.rpartition(")")[2].split()[1])
    for victim in (supervisor, pid):
        os.kill(victim, signal.SIGKILL)
    words = f"the job of the try before still runs: going on with patient:{run_id}:a:1"
    stand.wait_for(lambda: words in stand.log("patient", run_id, "a", 2))
    (stand.home / "go").touch()
    assert stand.await_end("patient", run_id) == (OK, {"a": OK, "flow.outcome": OK})
    assert client(stand).status(f"patient:{run_id}:a:2") is None
    assert "gone" in stand.log("patient", run_id, "a", 2)
