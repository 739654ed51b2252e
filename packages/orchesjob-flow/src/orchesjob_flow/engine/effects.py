"""What the engine may ask for: the effects. Data only; the shell performs them after the commit.

Every effect but `CallOff`, `SetTimer`, `Warn` and `GiveUp` is answered by exactly one event. Before
the answer to a call of orchesjob comes `CallBegan`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flow_spec import EnvFile
from orchesjob_client import JobReport, Process
from orchesjob_flow.engine.events import AttemptId, TimerDue


class StartJob(NamedTuple):
    """Call `orchesjob start` for an attempt."""

    attempt: AttemptId
    attempt_key: str
    command: Sequence[str]
    strict: bool
    start_timeout_sec: float | None
    working_dir: str | None
    """Where the command runs, seen from the run's own directory; None is there."""
    env: Mapping[str, str]
    """What is laid over the runner's own environment."""
    env_files: Sequence[EnvFile] = ()
    """What is laid between both when the call is made; paths are seen from the run's directory."""


class CallOff(NamedTuple):
    """Call the start of an attempt off; `StartCalledOff` says that it had not begun."""

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
    """Watch the worker of an attempt's job, so that its end announces itself."""

    attempt: AttemptId
    job: JobReport


class WatchProcess(NamedTuple):
    """Watch a process that an attempt has left alive, so that its end announces itself."""

    attempt: AttemptId
    process: Process


class LookForSurvivors(NamedTuple):
    """Look for living processes of any of these attempts."""

    attempt: AttemptId
    attempt_keys: Sequence[str]


class EndSurvivors(NamedTuple):
    """End the living processes of these attempts: TERM, the grace time, KILL."""

    attempt: AttemptId | None
    attempt_keys: Sequence[str]
    grace_sec: float


class SetTimer(NamedTuple):
    """Put `event` into the inbox when the monotonic clock reaches `at` seconds."""

    at: float
    event: TimerDue


class Warn(NamedTuple):
    """Tell whoever watches the runner something that decides nothing."""

    message: str


class GiveUp(NamedTuple):
    """Stop the runner and leave the run as it is, resumable (rule 5.7)."""

    reason: str


type Effect = (
    StartJob
    | CallOff
    | AskStatus
    | AskRunning
    | AbortJob
    | WatchJob
    | WatchProcess
    | LookForSurvivors
    | EndSurvivors
    | SetTimer
    | Warn
    | GiveUp
)
