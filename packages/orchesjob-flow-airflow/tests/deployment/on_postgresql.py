"""A task for each step on PostgreSQL and LocalExecutor, where writes at the same moment collide.

The session `celery` runs this module too: no other test needs PostgreSQL.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .deployment import NOTICES_SOON, DeploymentInParts
from .servers import postgresql

OK, NG = "success", "failed"
RUNS_OF_SIX = 5
LIMITED = 24

SIX = """
flow_id: six
steps:
""" + "".join(f'  - {{id: first-{number}, command: ["true"]}}\n' for number in range(6))
LIMITS = f"""
flow_id: limits
steps:
  - foreach: {{N: [{", ".join(map(str, range(LIMITED)))}]}}
    steps:
      - {{id: long, command: [sleep, "60"], timeout_sec: 1}}
"""
PATIENT = """
flow_id: patient
steps:
  - id: long
    command:
      - sh
      - -c
      - echo $ORCHESJOB_FLOW_ATTEMPT >> ../step-log; while [ ! -e ../restarted ]; do sleep 0.1; done
"""


@pytest.fixture(scope="module")
def deployment() -> Iterator[DeploymentInParts]:
    """An Airflow on PostgreSQL with the flows; but for one, no task of them may be lost."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deployment-")))
        folder.chmod(0o755)  # the user of PostgreSQL has to come through
        deployment = DeploymentInParts(
            folder / "airflow",
            AIRFLOW__CORE__PARALLELISM="8",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=stack.enter_context(postgresql(folder / "sql")),
            AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL="5",
            AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD="10",
            **NOTICES_SOON,
        )
        for name, text in {"six": SIX, "limits": LIMITS}.items():
            deployment.write({f"{name}.yaml": text})
            deployment.add_flow(name, f"'{name}.yaml', infrastructure_retries=0")
        deployment.write({"patient.yaml": PATIENT})
        deployment.add_flow("patient", "'patient.yaml'")
        stack.enter_context(deployment.running())
        yield deployment


def test_first_steps_that_begin_at_once(deployment: DeploymentInParts) -> None:
    """Each of them records the flow with the run; no try is lost over that (13.2, 13.3)."""
    for run_id in [deployment.trigger("six") for _ in range(RUNS_OF_SIX)]:
        state, tasks = deployment.await_end("six", run_id)
        assert (state, set(tasks.values())) == (OK, {OK})
        tries = {task["try_number"] for task in deployment.tasks("six", run_id).values()}
        assert tries <= {0, 1}  # 0: no worker runs the first task


def test_short_limits(deployment: DeploymentInParts) -> None:
    """Each job begins, and is ended at its limit: none is lost on either side (5.5, 13.2)."""
    run_id = deployment.trigger("limits")
    state, tasks = deployment.await_end("limits", run_id)
    copies = {name: state for name, state in tasks.items() if name.startswith("long.")}
    assert (state, len(copies), set(copies.values())) == (NG, LIMITED, {NG})
    for name in copies:
        log = deployment.log("limits", run_id, name)
        assert "orchesjob started the job" in log
        assert "timed out after 1 s, and its job was ended" in log


def test_a_killed_scheduler(deployment: DeploymentInParts) -> None:
    """The next try joins the job that still runs; else it has the next number (5.8, 13.2).

    Airflow kills the process of the first try when it learns of the second.
    """
    log = deployment.home / "step-log"
    run_id = deployment.trigger("patient")
    deployment.wait_for(log.exists)
    deployment.restart_killed("scheduler")
    killed = "Server indicated the task shouldn't be running anymore"
    deployment.wait_for(lambda: killed in deployment.log("patient", run_id, "long"))
    deployment.wait_for(
        lambda: (
            "this try follows it" in deployment.log("patient", run_id, "long", 2)
            or log.read_text(encoding="utf-8") != "1\n"
        )
    )
    (deployment.home / "restarted").touch()
    state, tasks = deployment.await_end("patient", run_id)
    assert (state, tasks["long"]) == (OK, OK)
    assert log.read_text(encoding="utf-8") in {"1\n", "1\n2\n"}
