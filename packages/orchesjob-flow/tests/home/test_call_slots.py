"""Call slots: as many calls at once as there are slots, in order, and nobody waits for ever."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.call_slots import CallSlots
from orchesjob_flow.home.locks import Lock, holder
from orchesjob_flow.home.paths import SlotFiles

type Hold = Callable[..., subprocess.Popen[str]]

FOR_EVER_SEC = 1000.0


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return tmp_path / "calls.queue"


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [tmp_path / f"calls-{number}.slot" for number in (1, 2)]


@pytest.fixture
def slots(queue: Path, paths: list[Path]) -> CallSlots:
    """Two slots, for which everybody waits as long as it takes."""
    return CallSlots(
        SlotFiles(queue, paths), standstill_sec=FOR_EVER_SEC, longest_wait_sec=FOR_EVER_SEC
    )


def is_taken(path: Path) -> bool:
    return holder(path) is not None


def test_no_more_than_there_are(slots: CallSlots) -> None:
    """No more callers hold a slot than there are slots, and each gets one (rule 5.11)."""
    inside, most, changed = 0, 0, threading.Lock()

    def visit(_: int) -> None:
        nonlocal inside, most
        with slots.acquire() as slot:
            assert slot.descriptors
            with changed:
                inside += 1
                most = max(most, inside)
            os.sched_yield()
            with changed:
                inside -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(visit, range(200)))
    assert most == 2


def test_a_slot_is_the_calls_alone(slots: CallSlots, paths: list[Path]) -> None:
    """A slot is taken as long as the process that inherited it lives (5.11)."""
    slot = slots.acquire()
    sleeping = ["sleep", "600"]
    with subprocess.Popen(sleeping, pass_fds=slot.descriptors) as call:
        slot.release()
        taken = is_taken(paths[0])
        call.kill()
    assert taken
    assert not is_taken(paths[0])
    slot.release()  # once more does no harm


def test_a_slot_is_freed_by_death(slots: CallSlots, paths: list[Path], hold: Hold) -> None:
    killed, _ = map(hold, paths)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slots.acquire)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)  # nothing announces that it has looked
        killed.kill()
        with waiting.result(timeout=30) as slot:
            assert slot.descriptors


def test_in_turn(queue: Path, paths: list[Path]) -> None:
    """Who waits is served before who comes later (rule 5.11)."""
    served: list[str] = []
    slot = paths[0]  # only one, so that who is served second begins when the first has left
    slots = CallSlots(
        SlotFiles(queue, [slot]), standstill_sec=FOR_EVER_SEC, longest_wait_sec=FOR_EVER_SEC
    )

    def visit(name: str) -> None:
        with slots.acquire():
            served.append(name)

    held = Lock.take(slot)
    assert held is not None
    with closing(held):
        first = threading.Thread(target=visit, args=["first"])
        first.start()
        while not is_taken(queue):
            os.sched_yield()
        second = threading.Thread(target=visit, args=["second"])
        second.start()
    first.join()
    second.join()
    assert served == ["first", "second"]


def test_a_line_that_stands_still(queue: Path, paths: list[Path], hold: Hold) -> None:
    """Where the first in the queue is stopped, the others look for themselves (rule 5.7)."""
    first = hold(queue)
    os.kill(first.pid, signal.SIGSTOP)
    slots = CallSlots(SlotFiles(queue, paths), standstill_sec=0.05, longest_wait_sec=FOR_EVER_SEC)
    with slots.acquire() as slot:
        assert slot.descriptors
        waiting_for_it = threading.active_count()
        with slots.acquire() as another:  # at once: that it stands still is known by now
            assert another.descriptors
        assert threading.active_count() == waiting_for_it
    patient = CallSlots(
        SlotFiles(queue, paths), standstill_sec=FOR_EVER_SEC, longest_wait_sec=FOR_EVER_SEC
    )
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patient.acquire)
        first.kill()
        waiting.result(timeout=30).release()
    with slots.acquire() as slot:
        assert slot.descriptors


def test_slots_that_nobody_releases(queue: Path, paths: list[Path], hold: Hold) -> None:
    """Where calls of dead runners hold all slots, others go without one (rule 5.7)."""
    for path in paths:
        hold(path)
    slots = CallSlots(SlotFiles(queue, paths), standstill_sec=FOR_EVER_SEC, longest_wait_sec=0.05)
    with slots.acquire() as slot:
        assert slot.descriptors == ()


@pytest.mark.parametrize("which", ["queue", "slot"])
def test_a_foreign_lock(tmp_path: Path, queue: Path, paths: list[Path], which: str) -> None:
    """A lock that is not ours is named, and neither followed nor written (rule 5.7)."""
    foreign = queue if which == "queue" else paths[0]
    foreign.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePlace, match=foreign.name):
        CallSlots(SlotFiles(queue, paths)).acquire()
    assert not (tmp_path / "elsewhere").exists()
