"""A flow as a DAG on a deployed Airflow: scheduler, API server and LocalExecutor are real."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchesjob_client import OrchesjobClient

from .deployment import NOTICES_SOON, Deployment

ROOT = Path(__file__).parents[4]
OK, NG, SKIP = "success", "failed", "skipped"

PATIENT = "{flow_id: patient, steps: [{id: a, command: [sh, wait.sh]}]}"
SOON = """
from datetime import timedelta
from orchesjob_flow_airflow import flow_dag
from orchesjob_flow_airflow.flow_as_dag import tries
tries.FAULT_DELAY = timedelta(0)
dag = flow_dag("patient.yaml")
"""
# Prints the number of its attempt, and waits for the file `go`.
WAIT = 'echo "begun $ORCHESJOB_FLOW_ATTEMPT"; while [ ! -e ../go ]; do sleep 0.1; done; echo gone\n'

EDITED = """
flow_id: edited
steps:
  - {id: src, command: [sh, wait.sh]}
  - {id: tidy, when: src, command: [echo, ran as old]}
"""

LISTED = """
flow_id: listed
steps:
  - {id: src, command: [sh, wait.sh]}
  - foreach: {N: {lines: list.txt}}
    max_parallel: 1
    steps:
      - {id: a, when: src, command: [echo, "ran ${{ N }}"]}
      - {id: b, when: a, command: ["true"]}
  - {id: last, when: a, command: ["true"]}
"""

FOLDER = "flow-files.py"
"""The DAG file of a folder of flow files; the guide shows it."""
GOOD = "{flow_id: good, steps: [{id: a, command: ['true']}]}"
WRONG = "{flow_id: wrong, steps: [{id: a, comand: ['true']}]}"

STUBBORN = "{flow_id: stubborn, steps: [{id: a, command: [sh, stubborn.sh]}]}"
# Leaves a process in a session of its own, and ignores TERM.
DEAF = "setsid sleep 600 &\ntrap '' TERM\necho begun\nwhile :; do sleep 1; done\n"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An Airflow with flows that wait, and a folder of flows; it notices a dead worker soon."""
    deployment = Deployment(
        tmp_path_factory.mktemp("deployment") / "airflow",
        **NOTICES_SOON,
    )
    deployment.write(
        {
            "patient.yaml": PATIENT,
            "edited.yaml": EDITED,
            "listed.yaml": LISTED,
            "list.txt": "x\ny\n",
            "wait.sh": WAIT,
            "stubborn.yaml": STUBBORN,
            "stubborn.sh": DEAF,
        }
    )
    (deployment.dags / "flows").mkdir()
    deployment.write({"flows/good.yaml": GOOD, "flows/wrong.yaml": WRONG, FOLDER: shown(FOLDER)})
    # Nobody waits for an API server here.
    deployment.write({"patient.py": SOON})
    flows = ("stubborn", "edited", "listed")
    for dag_id in flows:
        deployment.add_flow(dag_id, f"'{dag_id}.yaml'")
    with deployment.running("patient", *flows, "flow-files", "good"):
        yield deployment


def shown(name: str) -> str:
    """Return a DAG file that the guide shows."""
    guide = (ROOT / "docs" / "airflow-dag.md").read_text(encoding="utf-8")
    text = guide.partition(f"<!-- file: {name} -->\n```python\n")[2].partition("```")[0]
    assert text
    return text


def client(deployment: Deployment) -> OrchesjobClient:
    return OrchesjobClient(deployment.environ["ORCHESJOB_BIN"], home=str(deployment.jobs))


def test_cleared(deployment: Deployment) -> None:
    """A task that is cleared while it runs ends its job, and runs again under a new key (5.8)."""
    (deployment.home / "go").unlink(missing_ok=True)
    run_id = deployment.trigger("patient")
    deployment.wait_for(lambda: "begun 1" in deployment.log("patient", run_id, "a"))
    deployment.clear("patient", run_id, "a")
    deployment.wait_for(lambda: "begun 2" in deployment.log("patient", run_id, "a", 2))
    assert not client(deployment).survivors(f"patient:{run_id}:a:1")
    report = client(deployment).status(f"patient:{run_id}:a:1")
    assert report is not None
    assert report.status == "ABORTED"
    (deployment.home / "go").touch()
    assert deployment.await_end("patient", run_id) == (
        OK,
        {"a": OK, "flow.begin": OK, "flow.outcome": OK},
    )


def test_stubborn(deployment: Deployment) -> None:
    """The whole job of a task that is marked failed ends before Airflow kills the task (5.6)."""
    run_id = deployment.trigger("stubborn")
    deployment.wait_for(lambda: "begun" in deployment.log("stubborn", run_id, "a"))
    task = f"dags/stubborn/dagRuns/{run_id}/taskInstances/a"
    deployment.ask("PATCH", task, {"new_state": "failed"})
    key = f"stubborn:{run_id}:a:1"
    deployment.wait_for(lambda: not client(deployment).survivors(key), 30)
    report = client(deployment).status(key)
    assert report is not None
    assert report.status == "ABORTED"


def test_a_worker_that_is_killed(deployment: Deployment) -> None:
    """The job of a killed worker runs on, and the retry takes it over: nothing runs twice."""
    (deployment.home / "go").unlink(missing_ok=True)
    run_id = deployment.trigger("patient")
    deployment.wait_for(lambda: "begun 1" in deployment.log("patient", run_id, "a"))
    task = deployment.tasks("patient", run_id)["a"]
    # The task's process and, before it could report that, the supervisor that is its parent.
    pid = int(task["pid"])
    status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    supervisor = int(status.rpartition(")")[2].split()[1])
    for victim in (supervisor, pid):
        os.kill(victim, signal.SIGKILL)
    words = f"the job of the try before still runs; this try follows it: patient:{run_id}:a:1"
    deployment.wait_for(lambda: words in deployment.log("patient", run_id, "a", 2))
    (deployment.home / "go").touch()
    assert deployment.await_end("patient", run_id) == (
        OK,
        {"a": OK, "flow.begin": OK, "flow.outcome": OK},
    )
    assert client(deployment).status(f"patient:{run_id}:a:2") is None
    assert "gone" in deployment.log("patient", run_id, "a", 2)


def test_edited(deployment: Deployment) -> None:
    """A run in progress runs its own commands after an edit, and a new run the new ones (13.3)."""
    (deployment.home / "go").unlink(missing_ok=True)
    run_id = deployment.trigger("edited")
    deployment.wait_for(lambda: "begun 1" in deployment.log("edited", run_id, "src"))
    flow_file = deployment.dags / "edited.yaml"
    flow_file.write_text(EDITED.replace("old", "new"), encoding="utf-8")
    (deployment.home / "go").touch()
    states = {"flow.begin": OK, "src": OK, "tidy": OK, "flow.outcome": OK}
    assert deployment.await_end("edited", run_id) == (OK, states)
    assert '"ran as old"' in deployment.log("edited", run_id, "tidy")
    assert "the run goes on as it began" in deployment.log("edited", run_id, "tidy")
    run_id = deployment.trigger("edited")
    assert deployment.await_end("edited", run_id) == (OK, states)
    assert '"ran as new"' in deployment.log("edited", run_id, "tidy")


def test_edited_beyond_what_a_run_can_bear(deployment: Deployment) -> None:
    """A run with other steps now fails and says why; cleared, it obeys the new file (13.3)."""
    (deployment.home / "go").unlink(missing_ok=True)
    flow_file = deployment.dags / "edited.yaml"
    flow_file.write_text(EDITED, encoding="utf-8")
    run_id = deployment.trigger("edited")
    deployment.wait_for(lambda: "begun 1" in deployment.log("edited", run_id, "src"))
    edited = EDITED.replace("old", "new").replace("when: src,", "when: src, retries: 2,")
    flow_file.write_text(edited, encoding="utf-8")
    (deployment.home / "go").touch()
    states = {"flow.begin": OK, "src": OK, "tidy": NG, "flow.outcome": NG}
    assert deployment.await_end("edited", run_id) == (NG, states)
    log = deployment.log("edited", run_id, "tidy")
    assert "the flow file has changed since this run began" in log
    assert '"ran as old"' not in log
    assert '"ran as new"' not in log
    deployment.clear("edited", run_id, "tidy")
    assert deployment.await_end("edited", run_id) == (
        OK,
        {**states, "tidy": OK, "flow.outcome": OK},
    )
    assert '"ran as new"' in deployment.log("edited", run_id, "tidy", 2)


def test_a_list_that_grows(deployment: Deployment) -> None:
    """The scheduler adds tasks to a run in progress, which do nothing in it (10.3, 13.3)."""
    (deployment.home / "go").unlink(missing_ok=True)
    run_id = deployment.trigger("listed")
    deployment.wait_for(lambda: "begun 1" in deployment.log("listed", run_id, "src"))
    (deployment.dags / "list.txt").write_text("w\nx\ny\n", encoding="utf-8")
    deployment.ask("PUT", f"parseDagFile/{deployment.ask('GET', 'dags/listed')['file_token']}")
    deployment.wait_for(lambda: "b.w" in deployment.tasks("listed", run_id))
    (deployment.home / "go").touch()
    states = {"flow.begin": OK, "src": OK, "last": OK, "flow.outcome": OK}
    copies = {f"{step}.{value}": OK for step in "ab" for value in "xy"}
    assert deployment.await_end("listed", run_id) == (
        OK,
        {**states, **copies, "a.w": SKIP, "b.w": SKIP},
    )
    assert '"ran x"' in deployment.log("listed", run_id, "a.x")
    assert "a@w is none of the copies" in deployment.log("listed", run_id, "a.w")


def test_a_folder_with_a_wrong_file(deployment: Deployment) -> None:
    """Other flows stay, a task says what is wrong, and its DAG is there once it is fixed."""
    assert deployment.ask("GET", "importErrors")["total_entries"] == 0
    run_id = deployment.trigger("flow-files")
    assert deployment.await_end("flow-files", run_id) == (NG, {"check": NG})
    log = deployment.log("flow-files", run_id, "check")
    assert "flows/wrong.yaml:1:34: steps[0].comand: unknown key; did you mean" in log
    assert deployment.await_end("good", deployment.trigger("good"))[0] == OK
    deployment.write({"flows/wrong.yaml": WRONG.replace("comand", "command")})
    deployment.wait_for(lambda: "wrong" in deployment.dag_ids())
    assert deployment.await_end("wrong", deployment.trigger("wrong"))[0] == OK
    run_id = deployment.trigger("flow-files")
    assert deployment.await_end("flow-files", run_id) == (OK, {"check": OK})
