"""The installed orchesjob-flow on the real orchesjob, with a home that no other test sees."""

import json
import os
import runpy
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchesjob_client import end_processes, marked_processes

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk import DAG
    from conftest import Airflow

MARK = "ORCHESJOB_TEST_MARK"


class Host:
    """The host on which a task of the tests runs its flow: the folder of DAG files, the program.

    Attributes:
        folder: The folder of the DAG file and of the flow files.
    """

    program = str(Path(sys.executable).parent / "orchesjob-flow")

    def __init__(self, airflow: "Airflow") -> None:
        self.folder = airflow.folder

    def write(self, *steps: dict[str, Any], name: str = "flow.yaml", **fields: Any) -> str:
        """Write a flow file and return its name."""
        flow = {"flow_id": "f", **fields, "steps": steps}
        (self.folder / name).write_text(json.dumps(flow), encoding="utf-8")
        return name

    def load(self, *tasks: str) -> "DAG":
        """Load a DAG whose tasks are written as calls; `Flow` is the operator, polling often."""
        path = self.folder / "the_dag.py"
        text = (
            "from datetime import timedelta\n"
            "from functools import partial\n"
            "from airflow.sdk import DAG\n"
            "from orchesjob_flow_airflow import OrchesjobFlowOperator\n"
            "Flow = partial(OrchesjobFlowOperator, task_id='flow', poll_interval=0.1,"
            " settle_sec=0, retry_delay=timedelta(0))\n"
            "with DAG('dag', schedule=None) as dag:\n"
        )
        path.write_text(text + "".join(f"    {task}\n" for task in tasks), encoding="utf-8")
        dag: DAG = runpy.run_path(str(path))["dag"]
        return dag

    def run(self, *tasks: str) -> dict[str, "TaskInstance"]:
        """Run a DAG to its end, triggers in line; return its task instances by their ids."""
        run = self.load(*tasks).test()
        return {ti.task_id: ti for ti in run.get_task_instances()}

    def call(self, *words: str) -> Any:
        """Call the program and return what it has printed."""
        ended = subprocess.run(
            [self.program, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return json.loads(ended.stdout)

    def status(self, key: str) -> Any:
        """Ask how a run stands."""
        return self.call("status", f"--run-key={key}")

    def await_run(self, key: str, reached: Callable[[Any], bool]) -> None:
        """Ask for a run again and again until it has reached a state."""
        deadline = time.monotonic() + 30
        while not reached(run := self.status(key)):
            assert time.monotonic() < deadline, run

    def start(self, key: str, file: str) -> Any:
        """Start a run in the background."""
        return self.call("start", "-d", f"--run-key={key}", file)


class Blocker:
    """A place where a step waits forever, after it has told the test that it is there."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "arrivals"
        os.mkfifo(self._path)
        self._arrivals = os.open(self._path, os.O_RDWR)

    def command(self, *, stubborn: bool = False) -> list[str]:
        """Return the command of such a step; a stubborn one takes a second to end when told to."""
        trap = "trap 'sleep 1; exit' TERM; " * stubborn
        return ["sh", "-c", f"{trap}echo >'{self._path}'; sleep 600 & wait"]

    def await_arrival(self) -> None:
        """Wait until the step is there."""
        assert select.select([self._arrivals], [], [], 120)[
            0
        ]  # a busy machine starts Airflow slowly
        os.read(self._arrivals, 1)

    def close(self) -> None:
        """Close the file."""
        os.close(self._arrivals)


@pytest.fixture
def host(airflow: "Airflow", monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The host; after the test nothing is left running on it."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield Host(airflow)
    while found := [one for one in marked_processes(MARK, {mark}) if one.pid != os.getpid()]:
        assert not end_processes(found, 0.5)


@pytest.fixture
def blocker(tmp_path: Path) -> Iterator[Blocker]:
    """A blocker of this test."""
    blocker = Blocker(tmp_path)
    yield blocker
    blocker.close()
