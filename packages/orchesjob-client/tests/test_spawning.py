"""A process that the C library spawns into its cgroup (rules 5.7, 5.8, 5.13)."""

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import CallTimedOut, OrchesjobMissing, call, spawning
from orchesjob_client.call import LaunchRequest, SpawnedProcess, spawn_into_cgroup

LIMIT_SEC = 30.0
EVENT_SEC = 10.0


@pytest.fixture
def cgroup(a_cgroup: Path) -> Iterator[int]:
    """A descriptor of the folder of an empty cgroup."""
    folder = os.open(a_cgroup, os.O_RDONLY | os.O_DIRECTORY)
    yield folder
    os.close(folder)


@pytest.fixture
def begin(cgroup: int) -> Iterator[Callable[[str], SpawnedProcess]]:
    """Spawn a shell into the cgroup; where this C library cannot, the usual way is all there is."""
    begun = []

    def begin(script: str) -> SpawnedProcess:
        process = spawn_into_cgroup(request(cgroup, "/bin/sh", "-c", script))
        if process is None:
            # Up to the C library; with an older one, all other tests of cgroups see the usual way.
            assert spawning._library() is None
            pytest.skip("this C library cannot spawn into cgroups")
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.close()


def request(cgroup: int | None, *words: str, **fields: Any) -> LaunchRequest:
    return LaunchRequest([os.fsencode(word) for word in words], {}, cgroup=cgroup, **fields)


type Begin = Callable[[str], SpawnedProcess]


def test_inside_from_the_first_moment(begin: Begin, a_cgroup: Path) -> None:
    """Nobody has to move the process: what it does first, it does inside (rule 5.8)."""
    printed = begin("while read line; do echo $line; done </proc/self/cgroup").stdout.read()
    assert printed.split()[-1].endswith(a_cgroup.name.encode())


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("kill -13 $$", -13), ("kill -25 $$", -25)],
)
def test_exit_code(begin: Begin, script: str, code: int) -> None:
    """Its exit code, or the signal that has ended it, is learned once and kept."""
    process = begin(script)
    assert process.has_ended(LIMIT_SEC)
    assert process.has_ended()
    assert process.exit_code == code


def test_a_lost_exit_code(begin: Begin) -> None:
    """Whoever reaps children of others takes the exit code along; nobody waits for it."""
    process = begin("echo $$")
    os.waitpid(int(process.stdout.read()), 0)
    assert process.has_ended(LIMIT_SEC)
    assert process.exit_code is None


def test_time_limit(cgroup: int) -> None:
    """At its time limit the whole group is killed: none keeps its end of a pipe (rule 5.7)."""
    reader, writer = os.pipe()
    script = "sleep 600 & exec sleep 600"
    hold = call.Hold([writer], lambda: os.close(writer))
    words = ["/bin/sh", "-c", script]
    with os.fdopen(reader, "rb") as pipe:
        with pytest.raises(CallTimedOut):
            call.run("a test", words, limit_sec=0.5, env=os.environ, hold=hold, cgroup=cgroup)
        assert select.select([pipe], [], [], EVENT_SEC)[0]
        assert pipe.read() == b""


def open_here() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


REFUSED = {
    "no executable": request(None, "/no/such/program"),
    "no path of an executable": request(None, "true"),
    "no program": request(None, "/"),
    "a NUL in a word": request(None, "/bin/true", "a\0b"),
    "no directory": request(None, "/bin/true", cwd="/no/such/directory"),
    "a NUL in a directory": request(None, "/bin/true", cwd="a\0b"),
    "too long": request(None, "/bin/true", "x" * 2**22),
    "a closed descriptor": request(None, "/bin/true", descriptors=[2**20]),
    "a NUL in a variable": LaunchRequest([b"/bin/true"], {b"A": b"a\0b"}),
    "a wrong variable": LaunchRequest([b"/bin/true"], {b"A=B": b""}),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_refused(cgroup: int, refused: LaunchRequest) -> None:
    """What cannot be spawned is left to the usual way, and nothing stays open."""
    before = open_here()
    assert spawn_into_cgroup(refused._replace(cgroup=cgroup)) is None
    assert open_here() == before


def test_no_cgroup(tmp_path: Path) -> None:
    """A folder that is no cgroup is refused, and so is none at all."""
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    assert spawn_into_cgroup(request(folder, "/bin/true")) is None
    os.close(folder)
    assert spawn_into_cgroup(request(None, "/bin/true")) is None


def test_why_it_is_refused(cgroup: int) -> None:
    """The usual way says what is wrong."""
    with pytest.raises(OrchesjobMissing, match="/no/such/program: No such file"):
        call.run("a test", ["/no/such/program"], limit_sec=LIMIT_SEC, env={}, cgroup=cgroup)


def test_nothing_stays_open(begin: Begin) -> None:
    """A process that has been closed leaves no descriptor."""
    before = open_here()
    for _ in range(3):
        process = begin("exit 0")
        assert process.has_ended(LIMIT_SEC)
        process.close()
    assert open_here() == before


def cgroup_of_a_plain_call(folder: Path) -> str:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        words = ["/bin/cat", "/proc/self/cgroup"]
        finished = call.run("a call", words, limit_sec=EVENT_SEC, env={}, cgroup=descriptor)
        return finished.stdout.strip()
    finally:
        os.close(descriptor)


def test_an_older_library(a_cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the C library cannot spawn into a cgroup, the process enters it before it runs."""
    # The C library of a test is that of its machine: an older one has to be acted.
    monkeypatch.setattr(spawning, "_library", lambda: None)
    assert cgroup_of_a_plain_call(a_cgroup).endswith(a_cgroup.name)


@pytest.mark.parametrize("is_own", [True, False])
def test_where_processes_were_killed(a_cgroup: Path, *, is_own: bool) -> None:
    """A call runs, and in its cgroup, where the kernel kills what is spawned there.

    It does so where `cgroup.kill` was ever written, or if that was in the runner's own cgroup.
    """
    if not (a_cgroup / "cgroup.kill").exists():
        # Before Linux 5.14 no cgroup can be killed as a whole, so there is nothing to survive.
        pytest.skip("needs Linux 5.14")
    (a_cgroup / "cgroup.kill").write_text("1", "ascii")
    inner = a_cgroup / "inner"
    inner.mkdir()
    place, before = (inner, a_cgroup) if is_own else (a_cgroup, a_cgroup.parent)
    try:
        (before / "cgroup.procs").write_text("0", "ascii")
        ending = f"{a_cgroup.name}/inner" if is_own else a_cgroup.name
        assert cgroup_of_a_plain_call(place).endswith(ending)
    finally:
        (a_cgroup.parent / "cgroup.procs").write_text("0", "ascii")
        inner.rmdir()
