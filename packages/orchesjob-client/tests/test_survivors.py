"""The mark that an attempt's processes inherit (rule 5.8)."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from orchesjob_client import (
    MARK,
    JobReport,
    Process,
    end_processes,
    foreign_target,
    is_marked,
    mark,
    marked_environment,
    orchesjob_home,
    unmarked,
)
from orchesjob_client.environment import LEFT, left_marks
from orchesjob_client.processes.proc import read_started
from orchesjob_client.processes.survivors import end_survivors, find_survivors, marked_trees

# Two processes that run tests at the same time must not end what the other one has begun.
HOME = f"/var/lib/orchesjob-of-test-{os.getpid()}"


@pytest.fixture
def process(spawn: Callable[..., subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """A process in a session of its own that carries the mark of the attempt `k:a:1`."""
    environ = marked_environment({"ORCHESJOB_HOME": HOME}, "k:a:1")
    return spawn(env=environ, start_new_session=True)


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


# It takes the job's variables over when it reads a line, and says so.
CONVERT = """
import ctypes, os, sys
how, setting = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
if how == "executes":
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    os.execve(sys.executable, [sys.executable, "-SEI", "-c", code], dict([setting.split("=")]))
with open("/proc/self/stat") as file:
    place = int(file.read().rpartition(")")[2].split()[47])
ctypes.memmove(place, setting.encode() + b"\\0", len(setting) + 1)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def convert(request: pytest.FixtureRequest) -> Iterator[Callable[[], int]]:
    """Begin a process; return a function that makes it the job's, and returns its PID."""
    words = [sys.executable, "-SEI", "-c", CONVERT, request.param, f"{MARK}={mark(HOME, 'k:a:1')}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env={"ROOM": "x" * 99}, stdin=pipe, stdout=pipe) as unrelated:
        assert unrelated.stdin is not None
        assert unrelated.stdout is not None
        ends, begins = unrelated.stdin, unrelated.stdout
        assert begins.readline() == b"ready\n"

        def convert() -> int:
            ends.write(b"\n")
            ends.flush()
            assert begins.readline() == b"ready\n"
            return unrelated.pid

        yield convert
        unrelated.kill()


CONVERTS = pytest.mark.parametrize("convert", ["executes", "writes"], indirect=True)


@CONVERTS
def test_becomes_the_job_s_after_a_search(convert: Callable[[], int]) -> None:
    """That a process was read once says nothing of it later: it may take the mark over (5.8)."""
    assert not find_survivors(HOME, ["k:a:1"])
    pid = convert()
    assert [found.pid for found in find_survivors(HOME, ["k:a:1"])] == [pid]


@CONVERTS
def test_becomes_the_job_s_during_a_search(
    convert: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second look reads again what the first one has read (rule 5.8)."""
    converted: list[int] = []
    look = marked_trees

    def look_and_convert(*given: Any) -> Sequence[Process]:
        found = look(*given)
        if not converted:
            assert not found
            converted.append(convert())
        return found

    # It is the job's from one instant on, between two looks: so a look is replaced.
    monkeypatch.setattr("orchesjob_client.processes.survivors.marked_trees", look_and_convert)
    assert [found.pid for found in find_survivors(HOME, ["k:a:1"])] == converted


@pytest.mark.parametrize("evidence", ["mark", "found earlier", "cgroup"])
def test_any_root_has_its_tree(evidence: str) -> None:
    """Where one process is the job's by any evidence, its tree is looked for (rule 5.8)."""
    value = f"x-{evidence}-{os.getpid()}"
    script = "setsid env -i /bin/sh -c 'echo $$; read end' <&3 & wait"
    environ = {MARK: value} if evidence == "mark" else {}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec 3<&0; {script}"], env=environ, stdin=pipe, stdout=pipe
    ) as root:
        assert root.stdout is not None
        child = int(root.stdout.readline())
        known = [Process(root.pid, read_started(root.pid) or 0, "sh", value)]
        found = marked_trees(
            MARK,
            {value},
            known if evidence == "found earlier" else (),
            members=lambda: {root.pid: value} if evidence == "cgroup" else {},
        )
        assert {one.pid for one in found} == {root.pid, child}
        assert root.stdin is not None
        root.stdin.close()  # both end


def test_one_grace_time_for_all(
    process: subprocess.Popen[bytes],
    spawn: Callable[..., subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who appears during the grace time of others has what is left of it, and is killed then."""
    environ = marked_environment({"ORCHESJOB_HOME": HOME}, "k:a:1")
    late: list[subprocess.Popen[bytes]] = []
    given: list[float] = []

    def begin_and_end(found: Sequence[Process], grace_sec: float) -> Sequence[Process]:
        given.append(grace_sec)
        if len(late) < 2:
            late.append(spawn(before="trap '' TERM", env=environ))
        return end_processes(found, grace_sec)

    # It appears after a look, and before those that were seen have ended: so that begins it.
    monkeypatch.setattr("orchesjob_client.processes.survivors.end_processes", begin_and_end)
    assert not end_survivors(HOME, ["k:a:1"], 1.0)
    assert process.wait(5) == -signal.SIGTERM
    assert [one.wait(5) for one in late] == [-signal.SIGKILL] * 2
    assert given[0] > given[1] >= given[2] == 0


UNMARKED = "import os, sys; os.fork(); print(os.getpid(), flush=True); sys.stdin.read()"


def test_known_from_before() -> None:
    """What was found while its parents lived is found without them, and without any mark.

    Its children are found too, but not another process with its PID.
    """
    pipe = subprocess.PIPE
    words = [sys.executable, "-SEc", UNMARKED]
    with subprocess.Popen(
        words, env={}, stdin=pipe, stdout=pipe, start_new_session=True
    ) as process:
        assert process.stdout is not None
        family = {int(process.stdout.readline()) for _ in range(2)}
        known = Process(process.pid, read_started(process.pid) or 0, "", "mark")
        earlier = known._replace(started_ticks=known.started_ticks - 1)
        assert {one.pid for one in find_survivors(HOME, ["k:a:1"], [known])} == family
        assert not find_survivors(HOME, ["k:a:1"], [earlier])
        assert not find_survivors(HOME, ["k:a:1"])
        assert not end_survivors(HOME, ["k:a:1"], 0.0, [earlier])
        assert process.poll() is None
        assert not end_survivors(HOME, ["k:a:1"], 30.0, [known])


@pytest.mark.parametrize("user", [None, 65534])
def test_a_target_of_another_user(answer: Callable[..., dict[str, Any]], user: int | None) -> None:
    """Only a command of another user needs its worker to be recognised, and only by it."""
    if user is not None and os.getuid() != 0:
        # Only root can begin a process of another user; the other case runs everywhere.
        pytest.skip("needs root to become another user")

    def target(**pids: int) -> Process | None:
        return foreign_target(JobReport.from_payload(answer(**pids), call="a test"))

    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=user) as command:
        found = target(worker_pid=os.getpid(), target_pid=command.pid)
        assert (found is None) == (user is None)
        assert found is None or found.started_ticks == read_started(command.pid)
        assert target(worker_pid=1, target_pid=command.pid) is None
        command.kill()
    assert target(worker_pid=os.getpid(), target_pid=command.pid) is None


def test_the_mark_outlives_the_flow_database() -> None:
    """A mark follows from home and key alone, so that a new database finds old survivors."""
    assert mark(HOME, "k:a:1") == mark(HOME, "k:a:1")
    assert len({mark(HOME, "k:a:1"), mark(HOME, "k:a:2"), mark("/x", "k:a:1")}) == 3


def test_the_rest_of_the_environment_is_kept() -> None:
    """An attempt's environment is the caller's, with the mark of this attempt."""
    environ = {"PATH": "/bin", "ORCHESJOB_HOME": HOME}
    marked = marked_environment(environ, "k:a:1")
    assert marked == {**environ, MARK: mark(HOME, "k:a:1")}
    left = unmarked(marked)
    assert left == {**environ, LEFT: marked[MARK]}
    assert marked_environment(left, "k:a:1") == marked
    assert unmarked(environ) == environ


NESTED = ("k:a:1", "in:a:1", "inmost:a:1")


def test_inside_another(spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    """What is inside something marked has both marks, and is found by either (rule 5.8a)."""
    environ = {"PATH": "/bin", "ORCHESJOB_HOME": HOME}
    for key in NESTED:
        environ = marked_environment(environ, key)
        assert is_marked(environ, HOME, "k:a:1")
    assert not is_marked(environ, HOME, "k:a:2")
    assert not is_marked({}, HOME, "k:a:1")
    assert left_marks(unmarked(environ)) == [mark(HOME, key) for key in NESTED]
    process = spawn(env=environ)
    for key in NESTED:
        assert [found.pid for found in find_survivors(HOME, [key])] == [process.pid]
    assert not find_survivors(HOME, ["k:a:2"])


@pytest.mark.parametrize("environ", [{}, {"ORCHESJOB_HOME": ""}])
def test_the_default_home(environ: dict[str, str]) -> None:
    """Without a home in the environment the mark is that of orchesjob's default."""
    assert orchesjob_home(environ).endswith("/var/lib/orchesjob")
