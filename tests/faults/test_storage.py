"""A flow database that is removed, locked or read-only, and a disk that is full (5.7, 6.1)."""

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from support.answers import statuses
from support.command import Command
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import AFTER, TRUE

UNLIMITED = resource.RLIM_INFINITY
NO_ROOM = "cannot be used: d"  # `disk I/O error` or `database or disk is full`
BIND_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
OBEY_MODES = ("--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


def test_flow_database_locked_at_the_beginning(flow: Flow) -> None:
    """`start` waits for a locked database as long as its patience lasts (5.7)."""
    flow.start("first", flow.write({"id": "a", "command": ["true"]}))
    both = {"k": ("start",), "l": ("start", "-d")}
    with flow.open_database() as holder:
        holder.execute("BEGIN IMMEDIATE")
        patient = [flow.spawn(*both[key], f"--run-key={key}", "flow.json") for key in both]
        impatient = [
            flow.spawn("--patience=0", *both[key], f"--run-key={key}", "flow.json") for key in both
        ]
        for refused in impatient:
            assert "another process holds it" in json.loads(refused.communicate()[1])["error"]
            assert refused.returncode == 2
        # Each has waited for as long as SQLite itself waits; so the patient wait for longer.
        assert [start.poll() for start in patient] == [None, None]
        holder.execute("ROLLBACK")
    assert [start.wait() for start in patient] == [0, 0]
    for key in both:
        flow.await_status(key, lambda run: run["status"] == "SUCCEEDED")


def log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def start_to_gate(flow: Flow, gate: Gate, *options: str) -> tuple[Command, str]:
    """Start a run whose first step waits at the gate; return the runner and the flow file."""
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    runner = flow.spawn(*options, "start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    return runner, file


def test_room_again_in_time(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """On a full disk nothing is begun; an outcome is kept until it can be recorded (rule 5.7)."""
    runner, _ = start_to_gate(flow, gate)
    log = log_of(flow.database)
    limit = log.stat().st_size + 100
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (limit, UNLIMITED))
    gate.let_through()
    flow.await_true(lambda: log.stat().st_size == limit)  # a commit that stopped half-way
    assert flow.status("k")["steps"][0]["status"] == "RUNNING"
    assert fake_orchesjob.begun() == ["k:a:1"]
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
    assert runner.wait() == 0
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]


def test_no_room_in_time(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A runner whose disk stays full gives up and leaves the run as it is (rule 5.7)."""
    unmeasured(flow)
    runner, file = start_to_gate(flow, gate, "--patience=0.5")
    limit = log_of(flow.database).stat().st_size
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (limit, UNLIMITED))
    gate.let_through()
    stdout, stderr = runner.communicate()
    assert (runner.returncode, stdout) == (2, "")
    unrecorded, error = stderr.splitlines()
    assert "could not record with run 'k' that its runner gave up" in unrecorded
    assert NO_ROOM in unrecorded
    assert NO_ROOM in error
    assert "nothing is lost: once the cause is fixed, `start`" in stderr
    left = flow.status("k")
    assert (left["status"], left["runner"], left["gave_up"]) == ("RUNNING", None, None)
    assert statuses(left) == ["RUNNING", "PENDING"]
    assert flow.start("k", file)["status"] == "SUCCEEDED"  # the limit was the runner's own
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]


def unmeasured(flow: Flow) -> None:
    """Turn coverage off for these calls: at their end it could not write its data."""
    flow.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def test_nothing_is_begun_without_room(flow: Flow) -> None:
    """A run that cannot be recorded does not begin; once there is room, it does (rule 5.7)."""
    unmeasured(flow)
    file = flow.write(TRUE)
    flow.start("other", file)
    call = shutil.which("prlimit")
    assert call is not None
    limited = ("--fsize=0:", flow.program, "--patience=0", "start", "-d", "--run-key=k", file)
    error = flow.refusal(*limited, executable=call)["error"]
    assert NO_ROOM in error
    assert str(flow.database) in error
    assert flow.start("k", file)["status"] == "SUCCEEDED"


def test_a_trace_without_room(flow: Flow, gate: Gate) -> None:
    """A start that is turned away says the same, though it cannot be counted (rule 10.7)."""
    unmeasured(flow)
    step = {"id": "a", "command": gate.command()}
    file = flow.write(step, concurrency={"on_conflict": "skip"})
    flow.detach(file, gate, "first")
    call = shutil.which("prlimit")
    assert call is not None
    turned_away = flow.run("--fsize=0:", flow.program, "start", "k", file, executable=call)
    assert flow.ask("list")["not_started"] == []
    counted = flow.run("start", "k", file)
    for part in ("returncode", "stdout", "stderr"):
        assert getattr(turned_away, part) == getattr(counted, part)
    assert len(flow.ask("list")["not_started"]) == 1


def test_locked_by_another_program(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A database that is locked under a runner is waited for; nothing is begun (rule 5.7)."""
    runner, _ = start_to_gate(flow, gate)
    with flow.open_database() as holder:
        holder.execute("BEGIN EXCLUSIVE")
        gate.let_through()
        with pytest.raises(subprocess.TimeoutExpired):
            runner.wait(2.5)  # longer than SQLite itself waits
        assert flow.status("k")["steps"][0]["status"] == "RUNNING"
        assert fake_orchesjob.begun() == ["k:a:1"]
        holder.execute("ROLLBACK")
    assert runner.wait() == 0
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]


def in_a_read_only_home(flow: Flow, *words: str) -> subprocess.CompletedProcess[str]:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode != 0:
        # A container may refuse it; `test_modes` and the tests of flow-store hold the same.
        pytest.skip("needs permission to mount")
    script = ("-m", "sh", "-c", BIND_READ_ONLY, str(flow.home), flow.program)
    return flow.run(*script, *words, executable=unshare)


@pytest.mark.parametrize("index", ["as it was left", "removed"])
def test_read_only_home(flow: Flow, index: str) -> None:
    """In a read-only home a run can be read, and everything else is refused (rules 6.1, 6.9)."""
    file = flow.write(TRUE)
    flow.start("k", file)
    if index == "removed":
        for path in flow.home.glob("*.sqlite3-*"):
            path.unlink()
    status = in_a_read_only_home(flow, "status", "--run-key=k")
    assert (status.returncode, '"status":"SUCCEEDED"' in status.stdout) == (0, True), status
    refused = in_a_read_only_home(flow, "start", "--run-key=new", file)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1), refused
    assert f"the flow database {flow.database} cannot be used" in refused.stderr
    watch = in_a_read_only_home(flow, "watch", "--run-key=k")
    assert (watch.returncode, watch.stderr) == (0, "")


def refusal_by_modes(flow: Flow, *words: str) -> str:
    """Call the command, which must refuse, so that file modes bind it, even for root."""
    if os.geteuid() != 0:
        error = flow.refusal(*words)
    else:
        setpriv = shutil.which("setpriv")
        assert setpriv is not None
        error = flow.refusal(*OBEY_MODES, flow.program, *words, executable=setpriv)
    return str(error["error"])


@pytest.mark.parametrize(
    ("place", "mode", "expected"),
    [
        ("flow-home", 0o500, "logs cannot be created: Permission denied"),
        ("flow-home/orchesjob-flow.sqlite3", 0o400, "readonly database; make the file"),
        ("flow-home/orchesjob-flow.sqlite3", 0o000, "check that the file and its folder can be"),
        ("flow-home/locks", 0o500, "k.lock cannot be opened: Permission denied"),
    ],
)
def test_modes(flow: Flow, place: str, mode: int, expected: str) -> None:
    """A missing permission is reported with its path and what to check (rule 6.9)."""
    file = flow.write(TRUE)
    flow.start("other", file)
    path = flow.folder / place
    if mode == 0o500 and place == "flow-home":
        shutil.rmtree(flow.home)
        path.mkdir()
    path.chmod(mode)
    error = refusal_by_modes(flow, "start", "-d", "--run-key=k", file)
    path.chmod(0o700)
    assert str(path) in error
    assert expected in error
