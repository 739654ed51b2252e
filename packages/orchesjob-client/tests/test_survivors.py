"""The mark that an attempt's processes inherit (rule 5.8)."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from orchesjob_client import (
    MARK,
    Process,
    end_survivors,
    find_survivors,
    is_marked,
    mark,
    marked_environment,
    orchesjob_home,
    unmarked,
)
from orchesjob_client.processes.survivors import marked_trees

# Two processes that run tests at the same time must not end what the other one has begun.
HOME = f"/var/lib/orchesjob-of-test-{os.getpid()}"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own that carries the mark of the attempt `k:a:1`."""
    environ = marked_environment({"ORCHESJOB_HOME": HOME}, "k:a:1")
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdin=pipe, stdout=pipe, start_new_session=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child
        child.kill()


def test_any_home_has_its_mark() -> None:
    """A home's path is bytes, and two homes have two marks."""
    assert mark("/caf\udce9", "k:a:1") != mark("/caf\udce8", "k:a:1")


def test_found_by_its_attempt(process: subprocess.Popen[bytes]) -> None:
    """A process is found by its attempt's key, among others, and by no other key or home."""
    assert [found.pid for found in find_survivors(HOME, ["k:b:1", "k:a:1"])] == [process.pid]
    assert not find_survivors(HOME, ["k:a:2", "k:a:11", "k:a:"])
    assert not find_survivors("/another/home", ["k:a:1"])


def test_missed_by_the_first_look(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody counts as gone after one look, during which the PIDs may have begun anew."""
    looks: list[Sequence[Process]] = []
    look = marked_trees

    def miss_once(name: str, marks: set[str], *others: Any) -> Sequence[Process]:
        looks.append(look(name, marks, *others) if looks else ())
        return looks[-1]

    # What a look misses, it misses for an instant that no test can meet: so the look is replaced.
    monkeypatch.setattr("orchesjob_client.processes.survivors.marked_trees", miss_once)
    assert [found.pid for found in find_survivors(HOME, ["k:a:1"])] == [process.pid]
    assert [len(found) for found in looks] == [0, 1]


def test_ended(process: subprocess.Popen[bytes]) -> None:
    """Ending survivors leaves none, and ending none is quick."""
    assert not end_survivors(HOME, ["k:a:1"], 5.0)
    assert process.wait(5) != 0
    assert not end_survivors(HOME, ["k:a:1"], 60.0)


def test_the_mark_outlives_the_flow_database() -> None:
    """A mark follows from home and key alone, so that a new database finds old survivors."""
    assert mark(HOME, "k:a:1") == mark(HOME, "k:a:1")
    assert len({mark(HOME, "k:a:1"), mark(HOME, "k:a:2"), mark("/x", "k:a:1")}) == 3


def test_the_rest_of_the_environment_is_kept() -> None:
    """An attempt's environment is the caller's, with the mark of this attempt."""
    environ = {"PATH": "/bin", "ORCHESJOB_HOME": HOME}
    marked = marked_environment(environ, "k:a:1")
    assert marked == {**environ, MARK: mark(HOME, "k:a:1")}
    assert unmarked(marked) == environ


def test_inside_another() -> None:
    """What is inside something marked has both marks, and is found by either (rule 5.8a)."""
    environ = {"PATH": "/bin", "ORCHESJOB_HOME": HOME}
    for key in ("k:a:1", "in:a:1", "inmost:a:1"):
        environ = marked_environment(environ, key)
        assert is_marked(environ, HOME, "k:a:1")
    assert not is_marked(environ, HOME, "k:a:2")
    assert not is_marked({}, HOME, "k:a:1")
    assert unmarked(environ) == {"PATH": "/bin", "ORCHESJOB_HOME": HOME}
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE) as process:
        for key in ("k:a:1", "in:a:1", "inmost:a:1"):
            assert [found.pid for found in find_survivors(HOME, [key])] == [process.pid]
        assert not find_survivors(HOME, ["k:a:2"])


@pytest.mark.parametrize("environ", [{}, {"ORCHESJOB_HOME": ""}])
def test_the_default_home(environ: dict[str, str]) -> None:
    """Without a home in the environment the mark is that of orchesjob's default."""
    assert orchesjob_home(environ).endswith("/var/lib/orchesjob")
