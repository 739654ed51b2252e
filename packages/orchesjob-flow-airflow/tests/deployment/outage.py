"""Runs under way while the API server does not answer: they end as they do locally (rule 13.2).

The session `celery` runs this module: it waits out an outage of a minute.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .deployment import DeploymentInParts

RUNS = 9
OUTAGE_SEC = 60.0
END_SEC = 600.0
STATES = {"SUCCEEDED": "success", "FAILED": "failed", "SKIPPED": "skipped"}

# Each way in which conditions tell outcomes apart: a step that was lost would take a wrong branch.
FLOW = """
flow_id: nine
steps:
  - {id: get, command: [sh, work.sh, get, "5", "0"]}
  - {id: ask, when: get, command: [sh, work.sh, ask, "1", "4"], skip_exit_codes: [4]}
  - {id: instead, when: ask.skipped, command: [sh, work.sh, instead, "30", "0"]}
  - {id: flaky, when: get, retries: 1, command: [sh, work.sh, flaky, "1", flaky]}
  - {id: bad, when: flaky, command: [sh, work.sh, bad, "5", "1"]}
  - {id: tell, when: "!bad", command: [sh, work.sh, tell, "1", "0"]}
  - {id: never, when: bad, command: [sh, work.sh, never, "1", "0"]}
"""
# Keeps a log, works for a while, and ends with a code; the first attempt of `flaky` fails.
WORK = """
echo "$ORCHESJOB_FLOW_RUN_KEY $1 $ORCHESJOB_FLOW_ATTEMPT" >> "$STEP_LOG"
sleep "$2"
[ "$3" != flaky ] || exit $((2 - ORCHESJOB_FLOW_ATTEMPT))
exit "$3"
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[DeploymentInParts]:
    """An Airflow with the flow, which runs four tasks at a time."""
    log = str(tmp_path / "step-log")
    deployment = DeploymentInParts(
        tmp_path / "airflow",
        STEP_LOG=log,
        # With Airflow's own patience, the tasks that are under way would outlast the outage, and
        # keep all slots until then: no try would be lost.
        AIRFLOW__WORKERS__EXECUTION_API_RETRIES="1",
    )
    deployment.write({"nine.yaml": FLOW, "work.sh": WORK})
    deployment.add_flow("nine", "'nine.yaml'")
    with deployment.running():
        yield deployment


def locally(deployment: DeploymentInParts, home: Path) -> tuple[str, dict[str, str]]:
    """Run the flow with the local runner; return its outcome, and those of its steps."""
    program = str(Path(sys.executable).parent / "orchesjob-flow")
    ended = subprocess.run(
        [program, "start", "--run-key=local", "nine.yaml"],
        cwd=deployment.dags,
        env={**deployment.environ, "ORCHESJOB_FLOW_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
    )
    run: dict[str, Any] = json.loads(ended.stdout)
    return STATES[run["status"]], {step["id"]: STATES[step["status"]] for step in run["steps"]}


def attempts(deployment: DeploymentInParts, run_key: str) -> list[str]:
    """Name the attempts that have begun in a run."""
    lines = Path(deployment.environ["STEP_LOG"]).read_text(encoding="utf-8").splitlines()
    return sorted(line.removeprefix(f"{run_key} ") for line in lines if line.startswith(run_key))


def test_nine_runs_and_an_outage(deployment: DeploymentInParts, tmp_path: Path) -> None:
    """No step fails of the outage, none runs twice, and all outcomes are those of a local run."""
    state, steps = locally(deployment, tmp_path / "flow")
    run_ids = [deployment.trigger("nine") for _ in range(RUNS)]
    deployment.wait_for(lambda: any(attempts(deployment, run_id) for run_id in run_ids))
    with deployment.stopped("api-server"):
        time.sleep(OUTAGE_SEC)  # the outage itself: there is nothing to wait for in it
    expected = (state, {"flow.begin": "success", **steps, "flow.outcome": state})
    for run_id in run_ids:
        assert deployment.await_end("nine", run_id, END_SEC) == expected, run_id
        assert attempts(deployment, run_id) == attempts(deployment, "local")
    firsts = [deployment.tasks("nine", run_id)["get"]["try_number"] for run_id in run_ids]
    assert max(firsts) > 1, "no try was lost"
