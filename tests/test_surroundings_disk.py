"""Storage that is full, locked, read-only or forbidden, and what a power cut leaves of it."""

import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

TRUE = {"id": "a", "command": ["true"]}
AFTER = {"id": "b", "command": ["true"], "when": "a"}
UNLIMITED = resource.RLIM_INFINITY
NO_ROOM = "cannot be used: d"  # `disk I/O error` or `database or disk is full`

BIND_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
OBEY_MODES = ("--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


def begun(fake: "FakeOrchesjob") -> list[str]:
    """Return the keys whose commands were executed, in that order."""
    return [event["key"] for event in fake.executions() if event["event"] == "begin"]


def log_of(database: Path) -> Path:
    """Return SQLite's write-ahead log of a database."""
    return database.with_name(f"{database.name}-wal")


def start_to_gate(flow: "Flow", gate: "Gate", *options: str) -> tuple["subprocess.Popen[str]", str]:
    """Start a run whose first step waits at the gate; return the runner and the flow file."""
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    runner = flow.spawn(*options, "start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    return runner, file


@contextmanager
def given_up(
    flow: "Flow", gate: "Gate", fake: "FakeOrchesjob", make_full: Callable[[int], None]
) -> Iterator[None]:
    """Let a runner find its disk full until its patience is over; leaving the block, go on."""
    runner, file = start_to_gate(flow, gate, "--patience=0.5")
    make_full(runner.pid)
    gate.let_through()
    stdout, stderr = runner.communicate(timeout=60)
    assert (runner.returncode, stdout, stderr.count("\n")) == (2, "", 1)
    assert NO_ROOM in stderr
    assert "nothing is lost, `start` with the same key goes on" in stderr
    left = flow.status("k")
    assert (left["status"], left["runner"]) == ("RUNNING", None)
    assert [step["status"] for step in left["steps"]] == ["RUNNING", "PENDING"]
    yield
    assert flow.start("k", file)["status"] == "SUCCEEDED"
    assert begun(fake) == ["k:a:1", "k:b:1"]


def test_room_again_in_time(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """On a full disk nothing is begun; an outcome is kept until it can be recorded (rule 5.7)."""
    runner, _ = start_to_gate(flow, gate)
    log = log_of(flow.database)
    limit = log.stat().st_size + 100
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (limit, UNLIMITED))
    gate.let_through()
    flow.await_true(lambda: log.stat().st_size == limit)  # a commit that stopped half-way
    assert flow.status("k")["steps"][0]["status"] == "RUNNING"
    assert begun(fake_orchesjob) == ["k:a:1"]
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
    assert runner.wait(60) == 0
    assert begun(fake_orchesjob) == ["k:a:1", "k:b:1"]


def test_no_room_in_time(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """A runner whose disk stays full gives up and leaves all as it is (rule 5.7)."""
    unmeasured(flow)

    def make_full(runner: int) -> None:
        limit = log_of(flow.database).stat().st_size
        resource.prlimit(runner, resource.RLIMIT_FSIZE, (limit, UNLIMITED))

    with given_up(flow, gate, fake_orchesjob, make_full):
        pass  # the limit was the runner's own


def unmeasured(flow: "Flow") -> None:
    """Let coverage not measure the calls: at their end it could not write what it has seen."""
    flow.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Have a file system of one megabyte on a folder."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = ("-t", "tmpfs", "-o", "size=1m,mode=700", "none", folder)
    folder.mkdir()
    if mount is None or umount is None or subprocess.run([mount, *options], check=False).returncode:
        # A container may refuse it; the tests with a limit on the size of files hold the same.
        pytest.skip("needs permission to mount")
    try:
        yield
    finally:
        subprocess.run([umount, "--lazy", folder], check=True)


def test_full_file_system(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """What a limit does to a runner, a file system without a free byte does too (rule 5.7)."""
    filler = flow.home / "filler"

    def make_full(_: int) -> None:
        system = os.statvfs(flow.home)
        filler.write_bytes(bytes(system.f_bavail * system.f_frsize))

    with mounted(flow.home), given_up(flow, gate, fake_orchesjob, make_full):
        filler.unlink()


def test_nothing_is_begun_without_room(flow: "Flow") -> None:
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


def test_locked_by_another_program(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob"
) -> None:
    """A database that is locked under a runner is waited for; nothing is begun (rule 5.7)."""
    runner, _ = start_to_gate(flow, gate)
    with closing(sqlite3.connect(flow.database, autocommit=True)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        gate.let_through()
        with pytest.raises(subprocess.TimeoutExpired):
            runner.wait(2.5)  # longer than SQLite itself waits
        assert flow.status("k")["steps"][0]["status"] == "RUNNING"
        assert begun(fake_orchesjob) == ["k:a:1"]
        holder.execute("ROLLBACK")
    assert runner.wait(60) == 0
    assert begun(fake_orchesjob) == ["k:a:1", "k:b:1"]


def in_a_read_only_home(flow: "Flow", *words: str) -> "subprocess.CompletedProcess[str]":
    """Call the command where the flow home is mounted read-only, for nobody else."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode != 0:
        # A container may refuse it; `test_modes` and the tests of flow-store hold the same.
        pytest.skip("needs permission to mount")
    script = ("-m", "sh", "-c", BIND_READ_ONLY, str(flow.home), flow.program)
    return flow.run(*script, *words, executable=unshare)


@pytest.mark.parametrize("index", ["as it was left", "removed"])
def test_read_only_home(flow: "Flow", index: str) -> None:
    """In a read-only home a run can be looked at, and nothing else is tried (rules 6.1, 6.9)."""
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


def refusal_by_modes(flow: "Flow", *words: str) -> str:
    """Call the command, which must refuse, as an owner who obeys modes, be it root."""
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
        ("flow-home", 0o500, "logs cannot be made: Permission denied"),
        ("flow-home/orchesjob-flow.sqlite3", 0o400, "readonly database; make the file"),
        ("flow-home/orchesjob-flow.sqlite3", 0o000, "check that the file and its folder can be"),
        ("flow-home/locks", 0o500, "k.lock cannot be opened: Permission denied"),
    ],
)
def test_modes(flow: "Flow", place: str, mode: int, expected: str) -> None:
    """What the system does not permit is named, with what to look at (rule 6.9)."""
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


def trace(flow: "Flow", calls: str, *words: str) -> list[str]:
    """Call the command and return the system calls of it and of all its children."""
    strace, log = shutil.which("strace"), flow.folder / "trace"
    if strace is None or subprocess.run([strace, "-o", log, "true"], check=False).returncode != 0:
        # A container may refuse it; the setting itself is tested in flow-store.
        pytest.skip("needs strace, and permission to trace")
    options = ("-f", "--seccomp-bpf", "-s", "8192", "-o", str(log), "-e", f"trace={calls}")
    assert flow.run(*options, flow.program, *words, executable=strace).returncode == 0
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def test_on_disk_before_it_begins(flow: "Flow") -> None:
    """That an attempt is starting has reached the disk before orchesjob is called (rule 5.7)."""
    words = ("start", "--run-key=k", flow.write(TRUE))
    calls = trace(flow, "pwrite64,fdatasync,fsync,execve", *words)
    starts = next(n for n, call in enumerate(calls) if '"start", "--run-key=k:a:1"' in call)
    written = max(n for n in range(starts) if "pwrite64(" in calls[n] and "STARTING" in calls[n])
    assert any("sync(" in call for call in calls[written:starts])


def set_boot(flow: "Flow", boot: str) -> None:
    """Let the attempts of the flow database be those of another boot of this machine."""
    with closing(sqlite3.connect(flow.database, autocommit=True)) as database:
        database.execute("UPDATE attempts SET boot_id = ?", (boot,))


def test_power_cut_while_starting(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """An attempt of an earlier boot that orchesjob does not know is not started again (5.3)."""
    fake_orchesjob.script([{"call": "start", "fault": "hang"}])
    file = flow.write({**TRUE, "strict": False})
    runner = flow.spawn("start", "--run-key=k", file)
    flow.await_true(fake_orchesjob.calls)
    runner.kill()
    os.kill(fake_orchesjob.calls()[0]["pid"], 9)
    set_boot(flow, "an earlier one")
    fake_orchesjob.script([])
    step = flow.start("k", file, code=1)["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 1)
    assert step["error"].startswith("outcome unknown: the machine or container was restarted")
    assert begun(fake_orchesjob) == []


def test_power_cut_while_running(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob"
) -> None:
    """A job that an earlier boot has left running is lost, and its PIDs are others' now (5.8)."""
    runner, file = start_to_gate(flow, gate)
    runner.kill()
    runner.communicate()
    stranger = flow.status("k")["steps"][0]["orchesjob_status"]["target_pid"]
    set_boot(flow, "an earlier one")
    run = flow.start("k", file, code=1)
    assert run["steps"][0]["error"].startswith("outcome unknown: the machine or container was")
    assert Path(f"/proc/{stranger}/exe").exists()
    assert [call["call"] for call in fake_orchesjob.calls()] == ["start", "status"]
    gate.let_through()
