"""A job's worker is watched by pidfd; a readable one means nothing but "ask now"."""

import os
import queue
import select
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import JobReport, JobWatcher, Process, Watch, has_exited
from orchesjob_client.processes import proc

type Answer = Callable[..., dict[str, Any]]
type Spawn = Callable[..., subprocess.Popen[bytes]]
Exits = queue.SimpleQueue[object]
Watcher = JobWatcher[object]

JOB = "91f4bcfc-bdf2-4d52-b806-0687b9b7c0e4"


@pytest.fixture
def exits() -> Exits:
    return queue.SimpleQueue()


@pytest.fixture
def watcher(exits: Exits) -> Iterator[Watcher]:
    watcher = JobWatcher(exits.put)
    yield watcher
    watcher.close()


@pytest.fixture
def report(answer: Answer) -> Callable[[int | None], JobReport]:
    return lambda pid: JobReport.from_payload(answer(worker_pid=pid))


type Report = Callable[[int | None], JobReport]


def end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def await_zombie(process: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(process.pid)
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)


def test_exit_is_told_once(watcher: Watcher, exits: Exits, spawn: Spawn, report: Report) -> None:
    """The exit of a worker is reported once, under its own token, and immediately."""
    workers = {token: spawn(JOB) for token in ("a", "b")}
    for token, worker in workers.items():
        assert watcher.watch(token, report(worker.pid)) is Watch.WATCHING
    end(workers["b"])
    assert exits.get(timeout=10) == "b"
    end(workers["a"])
    assert exits.get(timeout=10) == "a"
    assert exits.empty()


def test_a_single_look(spawn: Spawn) -> None:
    """Without a watcher, one look tells whether a worker has exited."""
    worker = spawn(JOB)
    assert not has_exited(worker.pid, JOB)
    assert has_exited(worker.pid, "another job")
    end(worker)
    await_zombie(worker)
    assert has_exited(worker.pid, JOB)
    worker.wait()
    assert has_exited(worker.pid, JOB)


def test_unrelated_process_is_gone(watcher: Watcher, spawn: Spawn, report: Report) -> None:
    assert watcher.watch("a", report(spawn("another-job").pid)) is Watch.GONE
    assert watcher.watch("a", report(1)) is Watch.GONE


def test_thread_is_gone(watcher: Watcher, report: Report) -> None:
    """A PID that has become the id of a thread is no worker."""
    stop, ids = threading.Event(), queue.SimpleQueue[int]()

    def run() -> None:
        ids.put(threading.get_native_id())
        stop.wait()

    thread = threading.Thread(target=run)
    thread.start()
    state = watcher.watch("a", report(ids.get()))
    stop.set()
    thread.join()
    assert state is Watch.GONE


def found(pid: int) -> Process:
    ticks = proc.read_started(pid)
    assert ticks is not None
    return Process(pid, ticks, "", "")


def test_a_process(watcher: Watcher, exits: Exits, spawn: Spawn) -> None:
    """The end of any process that was found is reported too, whatever its command line is."""
    process = spawn("nothing of a job")
    assert watcher.watch_process("a", found(process.pid)) is Watch.WATCHING
    assert exits.empty()
    end(process)
    assert exits.get(timeout=10) == "a"


def test_a_process_that_has_ended(watcher: Watcher, exits: Exits, spawn: Spawn) -> None:
    """A process that is a zombie, is reaped, or whose PID is another's by now, is gone."""
    process = spawn("x")
    before = found(process.pid)
    other = before._replace(started_ticks=before.started_ticks - 1)
    assert watcher.watch_process("a", other) is Watch.GONE
    end(process)
    await_zombie(process)
    assert watcher.watch_process("a", before) is Watch.GONE
    process.wait()
    assert watcher.watch_process("a", before) is Watch.GONE
    assert exits.empty()


def test_unsupported(exits: Exits, spawn: Spawn, report: Report) -> None:
    """Without a PID, without pidfds or after the end, one has to ask now and then."""
    worker = spawn(JOB)
    without = JobWatcher(exits.put, use_pidfd=False)
    assert without.watch("a", report(worker.pid)) is Watch.UNSUPPORTED
    without.unwatch("a")
    without.close()
    watcher = JobWatcher(exits.put)
    assert watcher.watch("a", report(None)) is Watch.UNSUPPORTED
    watcher.close()
    watcher.close()
    assert watcher.watch("a", report(worker.pid)) is Watch.UNSUPPORTED


@pytest.mark.parametrize("spare", [0, 1])
def test_no_descriptors(
    watcher: Watcher, spawn: Spawn, report: Report, few_descriptors: Any, spare: int
) -> None:
    """A system short of descriptors cannot watch, and says so instead of failing."""
    worker = spawn(JOB)
    process = found(worker.pid)
    with few_descriptors(spare):
        # With one to spare the pidfd can be had, but the command line cannot be read.
        states = watcher.watch("a", report(worker.pid)), watcher.watch_process("a", process)
        is_exited = has_exited(worker.pid, JOB)
    assert states == (Watch.UNSUPPORTED, Watch.UNSUPPORTED)
    assert not is_exited
    assert watcher.watch("a", report(worker.pid)) is Watch.WATCHING


def test_unwatch(watcher: Watcher, exits: Exits, spawn: Spawn, report: Report) -> None:
    """A token that was taken back, or is another job's by now, is not told of the first one."""
    first, old, new = spawn(JOB), spawn(JOB), spawn(JOB)
    watcher.watch("first", report(first.pid))
    for worker in (old, new):
        watcher.watch("second", report(worker.pid))
    watcher.unwatch("first")
    watcher.unwatch("unknown")
    for worker in (first, old):
        end(worker)
        await_zombie(worker)
    assert watcher.watch("third", report(first.pid)) is Watch.GONE  # a zombie has exited
    end(new)
    assert exits.get(timeout=10) == "second"
    assert exits.empty()


def test_a_descriptor_that_is_another_workers_by_now(spawn: Spawn, report: Report) -> None:
    """An exit that is told late, under a number that was given away meanwhile, is nobody's."""
    exits, told = Exits(), threading.Semaphore(0)

    def tell(token: object) -> None:
        exits.put(token)
        told.acquire()

    watcher = JobWatcher(tell)
    old = {token: spawn(JOB) for token in ("first", "second", "third")}
    new = {token: spawn(JOB) for token in ("x", "y", "z")}
    for token, worker in old.items():
        watcher.watch(token, report(worker.pid))
    old["first"].kill()  # closing its pipe would free one more number
    assert exits.get(timeout=10) == "first"
    for token in ("second", "third"):  # both exit while the watcher is busy: it sees them at once
        old[token].kill()
        await_zombie(old[token])
    told.release()
    other = "third" if exits.get(timeout=10) == "second" else "second"
    watcher.unwatch(other)
    for token, worker in new.items():  # they take the numbers of the old ones, lowest first
        assert watcher.watch(token, report(worker.pid)) is Watch.WATCHING
    told.release()
    new["x"].kill()
    assert exits.get(timeout=10) == "x"
    told.release()
    watcher.close()


def test_one_thread_and_no_leaks(exits: Exits, spawn: Spawn, report: Report) -> None:
    """Any number of jobs takes one thread, and closing gives everything back."""
    before, threads = len([*Path("/proc/self/fd").iterdir()]), threading.active_count()
    watcher = JobWatcher(exits.put)
    workers = [spawn(JOB) for _ in range(5)]
    for token, worker in enumerate(workers):
        assert watcher.watch(token, report(worker.pid)) is Watch.WATCHING
        assert watcher.watch("unrelated", report(1)) is Watch.GONE
    assert threading.active_count() == threads + 1
    watcher.close()
    assert threading.active_count() == threads
    assert len([*Path("/proc/self/fd").iterdir()]) == before + 2 * len(workers)  # their pipes
    for worker in workers:
        end(worker)
        worker.wait()
    assert exits.empty()


def test_close_from_the_callback(spawn: Spawn, report: Report) -> None:
    """The callback itself may close the watcher."""
    closed = threading.Event()
    watchers: list[Watcher] = []

    def close(_: object) -> None:
        watchers[0].close()
        closed.set()

    watchers.append(JobWatcher(close))
    worker = spawn(JOB)
    watchers[0].watch("a", report(worker.pid))
    end(worker)
    assert closed.wait(10)
