"""Places for calls: as many at once as there are places, in turn, and nobody waits for ever."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.call_slots import Place, Places
from orchesjob_flow.home.locks import Lock, holder
from orchesjob_flow.home.paths import Turns

FOR_EVER_SEC = 1000.0
HOLD = """
import sys
from pathlib import Path
from orchesjob_flow.home.locks import Lock
lock = Lock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """The lock of the first in the line."""
    return tmp_path / "calls.line"


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """The locks of two places."""
    return [tmp_path / f"calls-{number}.place" for number in (1, 2)]


@pytest.fixture
def places(line: Path, paths: list[Path]) -> Places:
    """Two places, for which everybody waits as long as it takes."""
    return Places(Turns(line, paths), standstill_sec=FOR_EVER_SEC, longest_wait_sec=FOR_EVER_SEC)


@pytest.fixture
def hold() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Have another process hold a lock until it is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLD, str(path)]
        child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def is_taken(path: Path) -> bool:
    """Tell whether anybody holds a lock."""
    return holder(path) is not None


def test_no_more_than_there_are(places: Places) -> None:
    """However many want a place, no more have one than there are, and all get one (rule 5.11)."""
    inside, most, changed = 0, 0, threading.Lock()

    def visit(_: int) -> None:
        nonlocal inside, most
        with places.take() as place:
            assert place.descriptors
            with changed:
                inside += 1
                most = max(most, inside)
            os.sched_yield()
            with changed:
                inside -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(visit, range(200)))
    assert most == 2


def test_a_place_is_the_calls_alone(places: Places, paths: list[Path]) -> None:
    """A place is taken as long as the process that inherited it lives, whoever left it (5.11)."""
    place = places.take()
    sleeping = ["sleep", "600"]
    with subprocess.Popen(sleeping, pass_fds=place.descriptors) as call:
        place.leave()
        taken = is_taken(paths[0])
        call.kill()
    assert taken
    assert not is_taken(paths[0])
    place.leave()  # once more does no harm


def test_a_place_is_freed_by_death(
    places: Places, paths: list[Path], hold: Callable[[Path], subprocess.Popen[str]]
) -> None:
    """The place of a process that is killed is free at once."""
    killed, _ = map(hold, paths)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(places.take)
        assert not waiting.done()
        killed.kill()
        with waiting.result(timeout=30) as place:
            assert place.descriptors


def test_in_turn(line: Path, paths: list[Path]) -> None:
    """Who waits is served before who comes later (rule 5.11)."""
    served: list[str] = []
    place = paths[0]  # only one, so that who is served second begins when the first has left
    places = Places(
        Turns(line, [place]), standstill_sec=FOR_EVER_SEC, longest_wait_sec=FOR_EVER_SEC
    )

    def visit(name: str) -> None:
        with places.take():
            served.append(name)

    held = Lock.take(place)
    assert held is not None
    with closing(held):
        first = threading.Thread(target=visit, args=["first"])
        first.start()
        while not is_taken(line):
            os.sched_yield()
        second = threading.Thread(target=visit, args=["second"])
        second.start()
    first.join()
    second.join()
    assert served == ["first", "second"]


def test_a_line_that_stands_still(
    line: Path, paths: list[Path], hold: Callable[[Path], subprocess.Popen[str]]
) -> None:
    """Where the first in the line is stopped, the others look for themselves (rule 5.7)."""
    first = hold(line)
    os.kill(first.pid, signal.SIGSTOP)
    places = Places(Turns(line, paths), standstill_sec=0.05, longest_wait_sec=FOR_EVER_SEC)
    with places.take() as place, places.take() as another:
        assert place.descriptors
        assert another.descriptors
    patient = Places(Turns(line, paths), standstill_sec=FOR_EVER_SEC, longest_wait_sec=FOR_EVER_SEC)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patient.take)
        first.kill()
        waiting.result(timeout=30).leave()
    with places.take() as place:
        assert place.descriptors


def test_places_that_nobody_leaves(
    line: Path, paths: list[Path], hold: Callable[[Path], subprocess.Popen[str]]
) -> None:
    """Where calls of dead runners hang in all places, others go without one (rule 5.7)."""
    for path in paths:
        hold(path)
    places = Places(Turns(line, paths), standstill_sec=FOR_EVER_SEC, longest_wait_sec=0.05)
    with places.take() as place:
        assert place.descriptors == ()


@pytest.mark.parametrize("which", ["line", "place"])
def test_a_foreign_lock(tmp_path: Path, line: Path, paths: list[Path], which: str) -> None:
    """A lock that is not ours is named, and neither followed nor written (rule 5.7)."""
    foreign = line if which == "line" else paths[0]
    foreign.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePlace, match=foreign.name):
        Places(Turns(line, paths)).take()
    assert not (tmp_path / "elsewhere").exists()


def test_without_a_lock() -> None:
    """Who goes without a place has nothing to hand over or to leave."""
    with Place(None) as place:
        assert place.descriptors == ()
