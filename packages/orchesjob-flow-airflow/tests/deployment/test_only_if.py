"""What is asked, read and left before a command, on a deployed Airflow (10.4, 10.6 and 10.8)."""

from collections.abc import Iterator

import pytest

from .deployment import NOTICES_SOON, Deployment

OK, SKIP = "success", "skipped"

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
from orchesjob_flow_airflow import flow_dag
from orchesjob_flow_airflow.flow_as_dag.tries import Tries

def note_or_die(tries, what, note=Tries.record):
    if tries.number == 1:
        for pid in (os.getppid(), os.getpid()):
            os.kill(pid, signal.SIGKILL)
    note(tries, what)

Tries.record = note_or_die
dag = flow_dag("asking.yaml", run_dirs="..")
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An Airflow with the flow; it notices a dead worker soon."""
    deployment = Deployment(
        tmp_path_factory.mktemp("deployment") / "airflow",
        **NOTICES_SOON,
    )
    deployment.write({"asking.yaml": ASKING, "asking.py": DYING})
    with deployment.running():
        yield deployment


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
