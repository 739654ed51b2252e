"""Chains of processes that fork and exit within moments: they neither hide nor escape (5.8)."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchesjob_client import ProcessesKeepAppearing, marked_environment
from orchesjob_client.environment import WantedMarks
from orchesjob_client.processes.proc import Entry, read_started
from orchesjob_client.processes.survivors import (
    end_survivors,
    find_survivors,
    kill_on_sight,
    take_snapshot,
)

# Two processes that run tests at the same time must not end what the other one has begun.
HOME = f"/var/lib/orchesjob-of-test-{os.getpid()}"
EVENT_SEC = 30.0

# Each link begins the next, and exits. How long it lives, which is what it sleeps, is what the
# tests are about: there is nothing to await. Without its file the chain ends by itself.
CHAIN = """
import os, signal, sys, time
file, sec, in_sessions = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "sessions"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while os.path.exists(file):
    if os.fork():
        os._exit(0)
    if in_sessions:
        os.setsid()
    if sec:
        time.sleep(sec)
"""

type Begin = Callable[[str, float, str], None]


@pytest.fixture
def begin_chain(tmp_path: Path, only_chain: None) -> Iterator[Begin]:  # noqa: ARG001 - a lock
    """Begin a chain of processes of a job; it has ended when the test has."""
    file = tmp_path / "chain"
    ends, end = os.pipe()

    def begin(job_key: str, sec: float, how: str) -> None:
        file.touch()
        words = [sys.executable, "-SEI", "-c", CHAIN, str(file), str(sec), how]
        environ = marked_environment({"ORCHESJOB_HOME": HOME}, job_key)
        subprocess.run(words, env=environ, pass_fds=[end], start_new_session=True, check=True)

    yield begin
    file.unlink()
    os.close(end)
    assert os.read(ends, 1) == b""  # the last link has closed its end
    os.close(ends)


def is_gone(job_key: str) -> bool:
    """Whether nothing of a job is said to live; not to know it is not that."""
    try:
        return not find_survivors(HOME, [job_key])
    except ProcessesKeepAppearing:
        return False


def await_end(job_key: str) -> None:
    """Wait until nothing of a job is said to live; beside others that may take some looks."""
    deadline = time.monotonic() + EVENT_SEC
    while not is_gone(job_key):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("how", ["one session", "sessions"])
@pytest.mark.parametrize("sec", [0, 0.0001, 0.001, 0.005, 0.02])
def test_a_chain(begin_chain: Begin, sec: float, how: str) -> None:
    """A chain is never taken for gone, and is ended although it ignores TERM (rule 5.8)."""
    begin_chain("k:a:1", sec, how)
    assert not any(is_gone("k:a:1") for _ in range(5))
    deadline = time.monotonic() + EVENT_SEC
    while end_survivors(HOME, ["k:a:1"], 0.0):
        assert time.monotonic() < deadline
    await_end("k:a:1")  # the chain would go on for longer


def test_beside_a_chain_of_others(begin_chain: Begin) -> None:
    """A chain of another job is no reason to say that one is not gone, and is not ended."""
    begin_chain("k:other:1", 0.001, "sessions")
    await_end("k:a:1")
    assert not end_survivors(HOME, ["k:a:1"], 60.0)
    assert not is_gone("k:other:1")


def write_entry(folder: Path) -> None:
    folder.mkdir()
    (folder / "stat").write_bytes(Path("/proc/self/stat").read_bytes())
    (folder / "environ").write_bytes(b"MARK=x\0")
    (folder / "cmdline").write_bytes(b"sleep\0")


def test_begun_while_others_are_read(tmp_path: Path) -> None:
    """What began while the table was read is read too, however long that took (rule 5.8)."""
    first, second = tmp_path / "1000001", tmp_path / "1000002"
    write_entry(first)
    write_entry(hidden := tmp_path / "not yet")
    stat = (first / "stat").read_bytes()
    (first / "stat").unlink()
    os.mkfifo(first / "stat")

    def begin_the_second() -> None:
        """Answer whoever reads the first process, once there is the second one."""
        with (first / "stat").open("wb") as answer:
            hidden.rename(second)
            answer.write(stat)

    beginning = threading.Thread(target=begin_the_second)
    beginning.start()
    assert set(take_snapshot(WantedMarks("MARK", {"x"}), proc=tmp_path)) == {1000001, 1000002}
    beginning.join()


@pytest.mark.parametrize("others", ["none appear", "they keep appearing"])
def test_an_end_of_the_search(tmp_path: Path, others: str) -> None:
    """What was there before is read however long that takes; what was seen is told (rule 5.8)."""
    write_entry(tmp_path / "1000001")
    if others == "they keep appearing":
        (tmp_path / "1000002").mkdir()  # gone before it is read, as often as that is tried
    assert set(take_snapshot(WantedMarks("MARK", {"x"}), proc=tmp_path, limit_sec=0)) == {1000001}


@pytest.mark.parametrize("mark", ["x", None])
def test_a_group_at_once(mark: str | None) -> None:
    """A marked process is killed on sight, and with it its group, unless others are in it."""
    leader = subprocess.Popen(["/bin/sleep", "60"], process_group=0)
    other = subprocess.Popen(["/bin/sleep", "60"], process_group=leader.pid)
    entries = [
        Entry(one.pid, read_started(one.pid) or 0, 1, leader.pid, 1, "sleep 60", value)
        for one, value in ((leader, "x"), (other, mark))
    ]
    kill_on_sight(entries[0], entries)
    assert leader.wait(EVENT_SEC) == -signal.SIGKILL
    if mark is None:
        assert other.poll() is None
        other.kill()
    assert other.wait(EVENT_SEC) == -signal.SIGKILL


def test_our_own_group_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A marked process in the group of whoever ends it is killed alone: the group is ours, too."""
    groups: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, _: groups.append(group))  # it would end us
    with subprocess.Popen(["/bin/sleep", "60"]) as one:
        began = read_started(one.pid) or 0
        entry = Entry(one.pid, began, os.getpid(), os.getpgrp(), os.getsid(0), "sleep 60", "x")
        kill_on_sight(entry, [entry])
        assert one.wait(EVENT_SEC) == -signal.SIGKILL
    assert groups == []
