"""`airflow tasks test`, by which people try a single task."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Airflow


def call(*words: str) -> str:
    """Call Airflow's command line, which must succeed, and return what it prints."""
    program = str(Path(sys.executable).parent / "airflow")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_single_task(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """`airflow tasks test` runs one command, whatever it waits for: none has run (rule 13.4)."""
    airflow.write(
        "{flow_id: rehearsed, steps: [{id: a, command: [x]}, "
        "{id: b, when: '!a', command: [sh, -c, 'echo $ORCHESJOB_FLOW_ATTEMPT >> $EXECUTED']}]}"
    )
    airflow.write_dag()
    call("dags", "reserialize")
    call("tasks", "test", "rehearsed", "b", "2026-11-28")
    assert executed() == "1\n"
