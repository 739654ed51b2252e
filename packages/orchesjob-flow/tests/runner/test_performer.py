"""Effects are performed on threads, and each is answered by one event."""

import os
import resource
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
    EndSurvivors,
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
from orchesjob_flow.runner.performer import Performer

ENVIRON = {"ORCHESJOB_HOME": "/var/lib/of-a-test", "PATH": "/bin"}
ID = AttemptId(0, 1)
JOB = JobReport.from_payload({"job_id": "j", "run_key": "k:a:1", "status": "RUNNING"})
START = StartJob(ID, "k:a:1", ("echo", "x"), True, 3.0, None, {"SHOP": "berlin", "PATH": "/opt"})
CALLS = (StartJob, AskStatus, AskRunning, AbortJob)
ABORT = AbortJob(ID, "j", "orchesjob-flow: timeout", 2.0)


@attrs.define
class Client:
    """Answers as it is told, and remembers what it was asked."""

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

    def end_survivors(self, *looked_for: Any) -> Any:
        return self.real.end_survivors(*looked_for)


@pytest.fixture
def client() -> Client:
    """A client that answers everything with one job."""
    return Client()


@pytest.fixture
def warnings() -> SimpleQueue[str]:
    """What the performer has told."""
    return SimpleQueue()


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """The locks of the line and of the only place for calls, and for aborts."""
    return [tmp_path / name for name in ("line", "place", "abort line", "abort place")]


@pytest.fixture
def answers() -> SimpleQueue[Event]:
    """What the performer has posted."""
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
def perform(performer: Performer, answers: SimpleQueue[Event]) -> Callable[[Any], Event]:
    """Perform an effect and return its answer."""

    def answer(effect: Any) -> Event:
        performer.perform(effect)
        event = answers.get(timeout=10)
        if isinstance(effect, CALLS):
            attempt = None if isinstance(effect, AskRunning) else ID
            assert event == CallBegan(attempt)
            event = answers.get(timeout=10)
        return event

    return answer


def test_a_start(client: Client, perform: Callable[[Any], Event]) -> None:
    """A start runs in the run's directory and holds the lock of the calls (rule 5.8)."""
    assert perform(START) == StartAnswered(ID, JOB)
    ((_, run_key, command, options),) = client.asked
    assert (run_key, command) == ("k:a:1", ("echo", "x"))
    env = options.pop("env")
    assert env == {"ORCHESJOB_HOME": "/var/lib/of-a-test", "PATH": "/opt", "SHOP": "berlin"}
    assert options == {
        "strict": True,
        "cwd": "/srv",
        "start_timeout_sec": 3.0,
    }
    assert 11 in client.holds[0].descriptors


def test_an_abort(client: Client, perform: Callable[[Any], Event]) -> None:
    """An abort names the job, the reason and the grace, and holds the lock of the calls."""
    assert perform(ABORT) == AbortAnswered(ID, JOB)
    options = {"job_id": "j", "grace_sec": 2.0, "reason": ABORT.reason}
    assert client.asked == [("abort", options)]
    assert 11 in client.holds[0].descriptors


def test_a_call_has_its_place(
    client: Client, perform: Callable[[Any], Event], paths: list[Path]
) -> None:
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
def crowd(paths: list[Path]) -> Iterator[Lock]:
    """Somebody who holds the only place for calls."""
    lock = Lock.take(paths[1])
    assert lock is not None
    with suppress(OSError), closing(lock):
        yield lock


def await_line(paths: list[Path]) -> None:
    """Wait until a call waits for its place."""
    while holder(paths[0]) is None:
        os.sched_yield()


def test_a_start_that_is_called_off(
    performer: Performer,
    client: Client,
    answers: SimpleQueue[Event],
    crowd: Lock,
    paths: list[Path],
) -> None:
    """A start that waits for its place is called off at once, and never made (rule 5.11)."""
    performer.perform(START)
    await_line(paths)
    performer.perform(CallOff(ID))
    assert answers.get(timeout=10) == StartCalledOff(ID)
    performer.perform(AskStatus(ID, "k:a:1"))
    crowd.close()
    assert answers.get(timeout=10) == CallBegan(ID)
    assert answers.get(timeout=10) == StatusAnswered(ID, JOB)
    assert [asked[0] for asked in client.asked] == ["status"]
    assert answers.empty()


def test_a_start_that_has_begun(
    performer: Performer, perform: Callable[[Any], Event], answers: SimpleQueue[Event]
) -> None:
    """A start that has begun cannot be called off any more."""
    assert perform(START) == StartAnswered(ID, JOB)
    performer.perform(CallOff(ID))
    assert perform(AskStatus(ID, "k:a:1")) == StatusAnswered(ID, JOB)
    assert answers.empty()


def test_no_start_after_the_end(
    performer: Performer,
    client: Client,
    answers: SimpleQueue[Event],
    crowd: Lock,
    paths: list[Path],
) -> None:
    """A runner that has stopped makes no call whose place comes later: others may drive the run."""
    performer.perform(START)
    await_line(paths)
    performer.close()
    crowd.close()
    performer.perform(AskStatus(AttemptId(1, 1), "k:b:1"))
    assert answers.get(timeout=10) == CallBegan(AttemptId(1, 1))
    assert answers.get(timeout=10) == StatusAnswered(AttemptId(1, 1), JOB)
    assert [asked[0] for asked in client.asked] == ["status"]


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
def test_a_call_that_fails(
    client: Client, perform: Callable[[Any], Event], effect: Any, retryable: bool
) -> None:
    """A call that fails is answered by its error."""
    failure = CallFailed("orchesjob", "locked") if retryable else CallRefused("x", "y")
    client.answer = failure
    attempt = None if isinstance(effect, AskRunning) else ID
    assert perform(effect) == CallUnanswered(attempt, failure)


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyError("x"), "KeyError('x')"), (MemoryError(), "there is not enough memory")],
)
def test_a_call_that_breaks(
    client: Client, perform: Callable[[Any], Event], error: Exception, words: str
) -> None:
    """Whatever else is raised in a thread is an answer, and one that can be tried again (5.7)."""
    client.answer = error
    event = perform(START)
    assert isinstance(event, CallUnanswered)
    assert words in str(event.error)
    assert event.error.retryable


def test_a_job_that_cannot_be_watched(perform: Callable[[Any], Event]) -> None:
    """A job without a worker cannot be watched."""
    assert perform(WatchJob(ID, JOB)) == WatchAnswered(ID, Watch.UNSUPPORTED)


def test_a_worker_that_is_another_process(perform: Callable[[Any], Event]) -> None:
    """A worker whose process id is another's by now is not watched."""
    job = JOB._replace(job_id="5d1f4c1e-0b6a-4a57-9a55-3c1f", worker_pid=os.getpid())
    event = perform(WatchJob(ID, job))
    assert isinstance(event, WatchAnswered)
    assert event.watch is not Watch.WATCHING


def test_a_process_that_is_watched(perform: Callable[[Any], Event]) -> None:
    """A process that was found is watched if it is still that one (rule 5.8)."""
    ticks = proc.read_started(os.getpid())
    assert ticks is not None
    for started_ticks, watch in ((ticks, Watch.WATCHING), (ticks - 1, Watch.GONE)):
        process = Process(os.getpid(), started_ticks, "", "")
        assert perform(WatchProcess(ID, process)) == WatchAnswered(ID, watch)


def test_no_survivors(perform: Callable[[Any], Event]) -> None:
    """A search that finds nobody says so, for an attempt or for the whole run."""
    assert perform(LookForSurvivors(ID, ("k:a:1",))) == SurvivorsSeen(ID, [])
    assert perform(EndSurvivors(None, ("k:a:1",), 1.0)) == SurvivorsSeen(None, [])


def test_a_search_that_fails(perform: Callable[[Any], Event], warnings: SimpleQueue[str]) -> None:
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


@pytest.mark.parametrize(("working_dir", "cwd"), [("load/day", "/srv/load/day"), ("/mnt", "/mnt")])
def test_a_start_in_a_directory_of_its_own(
    client: Client, perform: Callable[[Any], Event], working_dir: str, cwd: str
) -> None:
    """A relative `working_dir` is taken from the run's directory (rule 9.12)."""
    perform(START._replace(working_dir=working_dir))
    assert client.asked[0][3]["cwd"] == cwd


@pytest.mark.parametrize("error", [JobNotFound("abort", "x"), JobNotRunning("abort", "x")])
def test_nothing_to_abort(
    client: Client, perform: Callable[[Any], Event], error: Exception
) -> None:
    """An abort that finds nothing to abort has an answer too (rule 5.5)."""
    client.answer = error
    assert perform(ABORT) == AbortAnswered(ID, None)
