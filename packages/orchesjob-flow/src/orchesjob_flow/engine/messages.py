"""Events and effects: what goes into the engine, and what comes out. Data only.

An event is something that happened to a run; `update` says what it means. An effect is something
that the shell performs after the commit. Each effect except `CallOff`, `SetTimer`, `Warn` and
`GiveUp` is answered by exactly one event; `CallBegan` precedes the answer to a call of orchesjob
and to a look at files.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from flow_spec import EnvFile, Product
from flow_store import CancelRequest, Queue
from orchesjob_client import JobReport, OrchesjobError, Process, Watch


class AttemptId(NamedTuple):
    """One attempt: the step's position in the flow, from 0, and the attempt's number, from 1."""

    position: int
    number: int


class Timer(StrEnum):
    """What a timer is for."""

    RETRY = "the delay before the next attempt is over"
    TIMEOUT = "the attempt has run for timeout_sec"
    ASK_STATUS = "it is time to ask orchesjob again"
    OVERDUE = "a call has been running for too long"
    SURVIVORS = "it is time to look for survivors of a closed attempt again"
    OPEN_SURVIVORS = (
        "it is time to look again at what is alive of an attempt that cannot be closed yet"
    )
    POLL = "it is time to ask for the jobs that cannot be watched"
    RUN_SURVIVORS = "it is time to end the survivors of the run again"
    DEADLINE = "the run's time is over"


class RunnerStarted(NamedTuple):
    """A runner takes the run over, or begins it; no call of an earlier runner is in progress."""


class StartAnswered(NamedTuple):
    """`orchesjob start` answered with a job."""

    attempt: AttemptId
    report: JobReport


class StartPrevented(NamedTuple):
    """`orchesjob start` was not called: a file cannot be read.

    If the step can run without some files, these are in `without` (rule 10.4).
    """

    attempt: AttemptId
    reason: str
    without: tuple[EnvFile, ...] = ()


class FilesNoted(NamedTuple):
    """The files that an attempt may write, as they are before it; or as None, why nobody knows."""

    attempt: AttemptId
    files: str | None
    flaw: str | None = None


class FilesChecked(NamedTuple):
    """What an attempt has not written although it was to; None if it has written everything."""

    attempt: AttemptId
    flaw: str | None


class StatusAnswered(NamedTuple):
    """`orchesjob status` answered with a job, or, as None, that it knows no such key."""

    attempt: AttemptId
    report: JobReport | None


class AbortAnswered(NamedTuple):
    """`orchesjob abort` answered: with the job, or, as None, that there was nothing to abort."""

    attempt: AttemptId
    report: JobReport | None


class CallBegan(NamedTuple):
    """A call has its slot and begins now (rule 5.11), or a look at files begins (rule 10.10).

    `attempt` is None for the poll.
    """

    attempt: AttemptId | None


class StartCalledOff(NamedTuple):
    """A start without a slot was called off: it was not made and will not be."""

    attempt: AttemptId


class RunningAnswered(NamedTuple):
    """`orchesjob status --running` answered with the keys of all active jobs of its home."""

    job_keys: frozenset[str]


class CallUnanswered(NamedTuple):
    """A call of orchesjob gave no answer; `attempt` is None for the poll."""

    attempt: AttemptId | None
    error: OrchesjobError


class WatchAnswered(NamedTuple):
    """The watcher has answered the request to watch a process of an attempt.

    `foreign_target` is the process of the command, if only its living worker shows whose it is.
    """

    attempt: AttemptId
    watch: Watch
    foreign_target: Process | None = None


class JobExited(NamedTuple):
    """The watched process of an attempt has exited: its worker, or a process that it left."""

    attempt: AttemptId


class SurvivorsSeen(NamedTuple):
    """These processes are still alive; `attempt` is None for those of the whole run."""

    attempt: AttemptId | None
    survivors: Sequence[Process]


class TimerDue(NamedTuple):
    """A timer has expired."""

    timer: Timer
    attempt: AttemptId | None = None


class QueueSeen(NamedTuple):
    """These runs are ahead of a run that waits for its group (rule 10.7).

    `with_runner` are the waiting ones that a process advances, or is to advance soon, and the runs
    inside those that this one replaces.
    """

    queue: Queue
    with_runner: frozenset[str]
    holder_is_to_end: bool = False


class CancelSeen(NamedTuple):
    """A request to cancel the run was recorded."""

    request: CancelRequest


type Answer = (
    FilesNoted
    | StartAnswered
    | StartPrevented
    | StartCalledOff
    | StatusAnswered
    | AbortAnswered
    | RunningAnswered
    | CallUnanswered
    | WatchAnswered
    | FilesChecked
    | SurvivorsSeen
)
"""The answer to an effect: exactly one of these."""

type Event = Answer | RunnerStarted | CallBegan | JobExited | TimerDue | QueueSeen | CancelSeen


class NoteFiles(NamedTuple):
    """Note the files that an attempt is to write, before it starts."""

    attempt: AttemptId
    working_dir: str | None
    """Where its command runs, as in `StartJob`."""
    produces: Sequence[Product]


class CheckFiles(NamedTuple):
    """Look whether an attempt has written what it is to write, after its command has succeeded."""

    attempt: AttemptId
    working_dir: str | None
    produces: Sequence[Product]
    noted: str
    """What `FilesNoted` has told of them."""


class StartJob(NamedTuple):
    """Call `orchesjob start` for an attempt."""

    attempt: AttemptId
    attempt_key: str
    command: Sequence[str]
    strict: bool
    start_timeout_sec: float | None
    working_dir: str | None
    """Where the command runs, relative to the run's directory; None is that directory."""
    env: Mapping[str, str]
    """Variables that override the runner's own environment."""
    env_files: Sequence[EnvFile] = ()
    """Files of variables, read when the call is made; they override the runner's environment only.

    Paths are relative to the run's directory."""


class CallOff(NamedTuple):
    """Call off the start of an attempt; `StartCalledOff` confirms that it had not begun."""

    attempt: AttemptId


class AskStatus(NamedTuple):
    """Call `orchesjob status` for an attempt's key."""

    attempt: AttemptId
    attempt_key: str


class AskRunning(NamedTuple):
    """Call `orchesjob status --running` once, for all jobs that cannot be watched."""


class AbortJob(NamedTuple):
    """Call `orchesjob abort` for the job of an attempt."""

    attempt: AttemptId
    job_id: str
    reason: str
    grace_sec: float


class WatchJob(NamedTuple):
    """Watch the worker of an attempt's job, so that its end is reported."""

    attempt: AttemptId
    job: JobReport


class WatchProcess(NamedTuple):
    """Watch a process that an attempt has left alive, so that its end is reported."""

    attempt: AttemptId
    process: Process


class LookForSurvivors(NamedTuple):
    """Look for living processes of any of these attempts; `known` were found earlier."""

    attempt: AttemptId
    attempt_keys: Sequence[str]
    known: Sequence[Process] = ()


class EndSurvivors(NamedTuple):
    """End the living processes of these attempts: TERM, the grace time, KILL."""

    attempt: AttemptId | None
    attempt_keys: Sequence[str]
    grace_sec: float
    known: Sequence[Process] = ()


class SetTimer(NamedTuple):
    """Put `event` into the inbox when the monotonic clock reaches `at` seconds."""

    at: float
    event: TimerDue


class Warn(NamedTuple):
    """Print a message that decides nothing."""

    message: str


class GiveUp(NamedTuple):
    """Stop the runner and leave the run as it is, resumable (rule 5.7)."""

    reason: str


type Effect = (
    NoteFiles
    | StartJob
    | CallOff
    | AskStatus
    | AskRunning
    | AbortJob
    | WatchJob
    | WatchProcess
    | CheckFiles
    | LookForSurvivors
    | EndSurvivors
    | SetTimer
    | Warn
    | GiveUp
)
