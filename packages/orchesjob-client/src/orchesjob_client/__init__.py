"""A typed wrapper of the orchesjob command: calls, reports, waiting and finding processes."""

from orchesjob_client.client import CallLimits, OrchesjobClient
from orchesjob_client.endings import describe_failure, describe_loss, exit_code_of
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    CallTimedOut,
    JobNotFound,
    JobNotRunning,
    OrchesjobError,
    OrchesjobMissing,
)
from orchesjob_client.executable import locate
from orchesjob_client.process import Process
from orchesjob_client.processes import end_processes, is_alive, marked_processes
from orchesjob_client.report import JobReport, JobStatus
from orchesjob_client.survivors import (
    MARK,
    end_survivors,
    find_survivors,
    mark,
    marked_environment,
    orchesjob_home,
)
from orchesjob_client.watcher import JobWatcher, Watch

__all__ = [
    "MARK",
    "BadAnswer",
    "CallFailed",
    "CallLimits",
    "CallRefused",
    "CallTimedOut",
    "JobNotFound",
    "JobNotRunning",
    "JobReport",
    "JobStatus",
    "JobWatcher",
    "OrchesjobClient",
    "OrchesjobError",
    "OrchesjobMissing",
    "Process",
    "Watch",
    "describe_failure",
    "describe_loss",
    "end_processes",
    "end_survivors",
    "exit_code_of",
    "find_survivors",
    "is_alive",
    "locate",
    "mark",
    "marked_environment",
    "marked_processes",
    "orchesjob_home",
]
