"""Effects are performed on threads, and each is answered by one event."""

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import attrs
import pytest

from orchesjob_client import (
    CallFailed,
    CallRefused,
    Hold,
    JobNotFound,
    JobNotRunning,
    JobReport,
    OrchesjobClient,
    Process,
    Watch,
)
from orchesjob_client.processes import proc
from orchesjob_flow.engine.messages import (
    AbortAnswered,
    AbortJob,
    AskRunning,
    AskStatus,
    AttemptId,
    CallBegan,
    CallOff,
    CallUnanswered,
    Event,
    LookForSurvivors,
    StartAnswered,
    StartCalledOff,
    StartJob,
    StatusAnswered,
    SurvivorsSeen,
    WatchAnswered,
    WatchJob,
    WatchProcess,
)
from orchesjob_flow.home.call_slots import CallSlots
from orchesjob_flow.home.locks import Lock, holder
from orchesjob_flow.home.paths import SlotFiles
from orchesjob_flow.runner.performer import Performer, WorkerPool

type Perform = Callable[[Any], Event]

ENVIRON = {"ORCHESJOB_HOME": "/var/lib/of-a-test", "PATH": "/bin"}
ID = AttemptId(0, 1)
JOB = JobReport.from_payload({"job_id": "j", "run_key": "k:a:1", "status": "RUNNING"})
START = StartJob(ID, "k:a:1", ("echo", "x"), True, 3.0, None, {"SHOP": "berlin", "PATH": "/opt"})
CALLS = (StartJob, AskStatus, AskRunning, AbortJob)
ABORT = AbortJob(ID, "j", "orchesjob-flow: timeout", 2.0)


@attrs.define
class Client:
    answer: Any = JOB
    asked: list[tuple[Any, ...]] = attrs.Factory(list)
    holds: list[Hold] = attrs.Factory(list)
    environ: Mapping[str, str] = ENVIRON
    real: OrchesjobClient = attrs.Factory(lambda: OrchesjobClient("orchesjob", environ=ENVIRON))

    def _answer(self, *asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer

    def start(self, run_key: str, command: Sequence[str], *, hold: Hold, **options: Any) -> Any:
        self.holds.append(hold)
        return self._answer("start", run_key, command, options)

    def discard_cgroup(self, report: JobReport) -> None:
        """There is none."""

    def status(self, run_key: str, *, hold: Hold) -> Any:
        self.holds.append(hold)
        return self._answer("status", run_key)

    def running(self, *, hold: Hold) -> Any:
        self.holds.append(hold)
        return self._answer("running")

    def abort(self, *, hold: Hold, **options: Any) -> Any:
        self.holds.append(hold)
        return self._answer("abort", options)

    def survivors(self, *looked_for: Any) -> Any:
        return self.real.survivors(*looked_for)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def warnings() -> SimpleQueue[str]:
    return SimpleQueue()


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """The locks of the line and of the only place for calls, and for aborts."""
    return [tmp_path / name for name in ("line", "place", "abort line", "abort place")]


@pytest.fixture
def answers() -> SimpleQueue[Event]:
    return SimpleQueue()


@pytest.fixture
def performer(
    client: Client, warnings: SimpleQueue[str], answers: SimpleQueue[Event], paths: list[Path]
) -> Iterator[Performer]:
    """A performer of that client, with one place for calls and one for aborts."""
    queue, slot, abort_line, abort_place = paths
    performer = Performer(
        cast(OrchesjobClient, client),
        answers.put,
        directory="/srv",
        calls_lock=11,
        starts=2,
        slots=CallSlots(SlotFiles(queue, [slot])),
        abort_slots=CallSlots(SlotFiles(abort_line, [abort_place])),
        warn=warnings.put,
    )
    performer.prepare()
    yield performer
    performer.close()


@pytest.fixture
def perform(performer: Performer, answers: SimpleQueue[Event]) -> Perform:
    def answer(effect: Any) -> Event:
        performer.perform(effect)
        event = answers.get(timeout=10)
        if isinstance(effect, CALLS):
            attempt = None if isinstance(effect, AskRunning) else ID
            assert event == CallBegan(attempt)
            event = answers.get(timeout=10)
        return event

    return answer


@pytest.mark.parametrize(
    ("working_dir", "cwd"), [(None, "/srv"), ("load/day", "/srv/load/day"), ("/mnt", "/mnt")]
)
def test_a_start(client: Client, perform: Perform, working_dir: str | None, cwd: str) -> None:
    """A start runs in its directory, from that of the run (9.12), and holds the lock (5.8)."""
    assert perform(START._replace(working_dir=working_dir)) == StartAnswered(ID, JOB)
    ((_, run_key, command, options),) = client.asked
    assert (run_key, command) == ("k:a:1", ("echo", "x"))
    env = {"ORCHESJOB_HOME": "/var/lib/of-a-test", "PATH": "/opt", "SHOP": "berlin"}
    assert options == {"env": env, "strict": True, "cwd": cwd, "start_timeout_sec": 3.0}
    assert 11 in client.holds[0].descriptors


@pytest.mark.parametrize(
    ("answer", "report"),
    [(JOB, JOB), (JobNotFound("abort", "x"), None), (JobNotRunning("abort", "x"), None)],
)
def test_an_abort(client: Client, perform: Perform, answer: Any, report: JobReport | None) -> None:
    """An abort names the job, the reason and the grace, and holds the lock of the calls."""
    client.answer = answer
    assert perform(ABORT) == AbortAnswered(ID, report)
    options = {"job_id": "j", "grace_sec": 2.0, "reason": ABORT.reason}
    assert client.asked == [("abort", options)]
    assert 11 in client.holds[0].descriptors


def test_a_call_has_its_place(client: Client, perform: Perform, paths: list[Path]) -> None:
    """The process of a call is given its place, which is then left to it alone (rule 5.11)."""
    free = []

    def look() -> JobReport:
        (hold,) = client.holds
        slot = paths[1] if len(hold.descriptors) == 1 else paths[3]
        free.append(holder(slot) is None)
        hold.handed_over()
        free.append(holder(slot) is None)
        return JOB

    for effect in (AskStatus(ID, "k:a:1"), ABORT):
        client.holds.clear()
        client.answer = look
        perform(effect)
    assert free == [False, True] * 2


@pytest.fixture
def crowd(performer: Performer, paths: list[Path]) -> Iterator[Lock]:
    """The lock of the only place, for which a start waits."""
    lock = Lock.take(paths[1])
    assert lock is not None
    with suppress(OSError), closing(lock):
        performer.perform(START)
        while holder(paths[0]) is None:
            os.sched_yield()
        yield lock


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_start_that_is_called_off(
    performer: Performer, client: Client, answers: SimpleQueue[Event], crowd: Lock, is_closed: bool
) -> None:
    """A start that waits for its place is called off at once, and never made (rule 5.11).

    Nor is it by a runner that has stopped: others may drive the run by then.
    """
    if is_closed:
        performer.close()
    else:
        performer.perform(CallOff(ID))
        assert answers.get(timeout=10) == StartCalledOff(ID)
    crowd.close()
    performer.perform(AskStatus(ID, "k:a:1"))
    assert answers.get(timeout=10) == CallBegan(ID)
    assert answers.get(timeout=10) == StatusAnswered(ID, JOB)
    assert [asked[0] for asked in client.asked] == ["status"]
    assert answers.empty()


def test_a_start_that_has_begun(
    performer: Performer, perform: Perform, answers: SimpleQueue[Event]
) -> None:
    assert perform(START) == StartAnswered(ID, JOB)
    performer.perform(CallOff(ID))
    assert perform(AskStatus(ID, "k:a:1")) == StatusAnswered(ID, JOB)
    assert answers.empty()


def test_a_place_that_is_not_ours(
    performer: Performer, answers: SimpleQueue[Event], paths: list[Path], tmp_path: Path
) -> None:
    """A link in the stead of a place is followed by nobody, and named (rule 5.7)."""
    paths[1].symlink_to(tmp_path / "somewhere")
    performer.perform(START)
    event = answers.get(timeout=10)
    assert isinstance(event, CallUnanswered)
    assert f"{paths[1]} is a symbolic link" in str(event.error)
    assert event.error.retryable


@pytest.mark.parametrize("effect", [START, ABORT, AskStatus(ID, "k:a:1"), AskRunning()])
@pytest.mark.parametrize("retryable", [True, False])
def test_a_call_that_fails(client: Client, perform: Perform, effect: Any, retryable: bool) -> None:
    failure = CallFailed("orchesjob", "locked") if retryable else CallRefused("x", "y")
    client.answer = failure
    attempt = None if isinstance(effect, AskRunning) else ID
    assert perform(effect) == CallUnanswered(attempt, failure)


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyError("x"), "KeyError('x')"), (MemoryError(), "there is not enough memory")],
)
def test_a_call_that_breaks(client: Client, perform: Perform, error: Exception, words: str) -> None:
    """Whatever else is raised in a thread is an answer, and one that can be tried again (5.7)."""
    client.answer = error
    event = perform(START)
    assert isinstance(event, CallUnanswered)
    assert words in str(event.error)
    assert event.error.retryable


def test_watching(perform: Perform) -> None:
    """A process is watched if it is still the one that was found (rule 5.8); a job, its worker."""
    ticks = proc.read_started(os.getpid())
    assert ticks is not None
    for started_ticks, watch in ((ticks, Watch.WATCHING), (ticks - 1, Watch.GONE)):
        process = Process(os.getpid(), started_ticks, "", "")
        assert perform(WatchProcess(ID, process)) == WatchAnswered(ID, watch)
    assert perform(WatchJob(ID, JOB)) == WatchAnswered(ID, Watch.UNSUPPORTED)
    of_another_process = JOB._replace(job_id="5d1f4c1e-0b6a-4a57-9a55-3c1f", worker_pid=os.getpid())
    event = perform(WatchJob(ID, of_another_process))
    assert isinstance(event, WatchAnswered)
    assert event.watch is not Watch.WATCHING


def test_a_search_that_fails(perform: Perform, warnings: SimpleQueue[str]) -> None:
    """Who cannot look does not say that nobody is there: it is told once, and tried again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told: list[str] = []

    def end_the_shortage() -> None:
        told.append(warnings.get(timeout=10))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    ending = threading.Thread(target=end_the_shortage)
    ending.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # nothing more can be opened
    try:
        assert perform(LookForSurvivors(ID, ("k:a:1",))) == SurvivorsSeen(ID, [])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        ending.join()
    (warning,) = told
    assert "k:a:1" in warning
    assert "Too many open files" in warning
    assert warnings.empty()


# Worker threads: as many at once as the pool is large (rule 5.7).


def test_a_pool_has_a_limit() -> None:
    """No more jobs are done at once than the pool is large, and all of them are done."""
    started: SimpleQueue[int] = SimpleQueue()
    go_on: SimpleQueue[None] = SimpleQueue()
    pool = WorkerPool(2)

    def job(number: int) -> None:
        started.put(number)
        go_on.get(timeout=10)

    for number in range(5):
        pool.submit(lambda number=number: job(number))  # type: ignore[misc]
    assert {started.get(timeout=10), started.get(timeout=10)} == {0, 1}
    assert started.empty()
    for _ in range(5):
        go_on.put(None)
    assert {started.get(timeout=10) for _ in range(3)} == {2, 3, 4}


NO_MORE_THREADS = """
import resource, threading
from queue import SimpleQueue
from orchesjob_flow.errors import ResourceExhausted
from orchesjob_flow.runner.performer import WorkerPool
from orchesjob_flow.errors import exhaustion_named

threading.stack_size(2**28)
pool, late = WorkerPool(3), WorkerPool(1)
pool.prepare()
pages = int(open("/proc/self/statm").read().split()[0])
before = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**27, before[1]))
done = SimpleQueue()
for number in range(5):
    pool.submit(lambda number=number: done.put(number))
print([done.get(timeout=10) for _ in range(5)])
try:
    with exhaustion_named("cannot start a thread"):
        late.prepare()
except ResourceExhausted as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, before)
late.prepare()
late.submit(lambda: done.put("late"))
print(done.get(timeout=10))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its size from /proc")
def test_no_more_threads() -> None:
    """A pool that has one thread does all jobs with it; one that has none says so (rule 5.7)."""
    ended = subprocess.run(
        [sys.executable, "-c", NO_MORE_THREADS], capture_output=True, text=True, check=True
    )
    jobs, scarcity, late = ended.stdout.splitlines()
    assert jobs == "[0, 1, 2, 3, 4]"
    assert scarcity.startswith("cannot start a thread: no more threads are allowed, ")
    assert late == "late"
