"""The real orchesjob while another program holds its database for longer than it waits itself."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Flow, Gate, Orchesjob

LOCKED_SEC = 12.0  # orchesjob itself waits ten seconds


@contextmanager
def locked(orchesjob: "Orchesjob") -> Iterator[None]:
    """Hold orchesjob's database for some time, whatever is done meanwhile."""
    began = time.monotonic()
    database = orchesjob.home / "orchesjob.db"
    with closing(sqlite3.connect(database, timeout=30, autocommit=True)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        time.sleep(max(0.0, began + LOCKED_SEC - time.monotonic()))
        holder.execute("ROLLBACK")


def other_gate(gate: "Gate", folder: Path) -> "Gate":
    """Make a second gate."""
    folder.mkdir()
    return type(gate)(folder)


@pytest.mark.integration
@pytest.mark.long
@pytest.mark.parametrize("orchesjob", ["real"], indirect=True)
def test_locked_database(each_flow: "Flow", gate: "Gate", tmp_path: Path) -> None:
    """A locked database decides nothing, and is borne with as long as was asked for (5.3, 5.7).

    Four runs meet the same lock: one takes a running step over, one begins, one has little
    patience, and in one a command ends whose worker cannot write that down.
    """
    with closing(other_gate(gate, tmp_path / "other")) as unwritten_gate:
        log = tmp_path / "log"
        begin = {"id": "a", "command": ["sh", "-c", f"echo a >>{log}"], "start_timeout_sec": 0}
        begins = each_flow.write(begin, name="begins.json")
        taken_over = each_flow.write({"id": "a", "command": gate.command()}, name="taken.json")
        first = each_flow.spawn("start", "--run-key=taken", taken_over)
        gate.await_arrival()
        each_flow.await_job("taken")
        first.kill()
        unwritten = each_flow.spawn(
            "start",
            "--run-key=unwritten",
            each_flow.write({"id": "a", "command": unwritten_gate.command()}),
        )
        unwritten_gate.await_arrival()
        worker = each_flow.await_job("unwritten")["worker_pid"]
        with locked(each_flow.orchesjob):
            unwritten_gate.let_through()
            patient = [
                each_flow.spawn("start", "--run-key=taken", taken_over),
                each_flow.spawn("start", "--run-key=begins", begins),
            ]
            error = each_flow.refusal("--patience=0.5", "start", "--run-key=hasty", begins)["error"]
            assert "hasty:a:1: orchesjob start has not answered" in error
            each_flow.orchesjob.await_exit(worker)
        gate.let_through()
        for runner in patient:
            stdout, stderr = runner.communicate(timeout=60)
            assert outcome(stdout) == ("SUCCEEDED", 1, None)
            assert "database is locked; trying again" in stderr
        status, attempts, error = outcome(unwritten.communicate(timeout=60)[0])
        assert (status, attempts) == ("FAILED", 1)
        assert error == "outcome unknown: orchesjob lost the job (its worker vanished)"
        assert each_flow.start("hasty", begins)["status"] == "SUCCEEDED"
        assert log.read_text(encoding="utf-8") == "a\n" * 2


def outcome(stdout: str) -> tuple[str, int, Any]:
    """Return how the one step of a run has ended."""
    (step,) = json.loads(stdout)["steps"]
    return step["status"], step["attempt_no"], step["error"]
