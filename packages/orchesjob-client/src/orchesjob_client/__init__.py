"""A typed wrapper of the orchesjob command: calls, reports, and the processes of jobs.

The names in `__all__` are public, and the README explains them. `internals` is not public.
"""

from orchesjob_client.call import Hold
from orchesjob_client.client import (
    DEFAULT_GRACE_SEC,
    DEFAULT_START_TIMEOUT_SEC,
    CallLimits,
    EndedJob,
    OrchesjobClient,
    locate,
)
from orchesjob_client.environment import EXECUTABLE, HomeFolder, folder_of_home
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    CallTimedOut,
    HomeReplaced,
    JobNotFound,
    JobNotRunning,
    OrchesjobError,
    OrchesjobMissing,
    ProcessesKeepAppearing,
    WaitTimedOut,
)
from orchesjob_client.forkserver.launcher import ForkServer
from orchesjob_client.processes.proc import Process, is_alive
from orchesjob_client.processes.survivors import end_processes, marked_processes
from orchesjob_client.processes.watcher import JobWatcher, Watch
from orchesjob_client.report import (
    JobReport,
    JobStatus,
    describe_failure,
    describe_loss,
    exit_code_of,
)

__all__ = [
    "DEFAULT_GRACE_SEC",
    "DEFAULT_START_TIMEOUT_SEC",
    "EXECUTABLE",
    "BadAnswer",
    "CallFailed",
    "CallLimits",
    "CallRefused",
    "CallTimedOut",
    "EndedJob",
    "ForkServer",
    "Hold",
    "HomeFolder",
    "HomeReplaced",
    "JobNotFound",
    "JobNotRunning",
    "JobReport",
    "JobStatus",
    "JobWatcher",
    "OrchesjobClient",
    "OrchesjobError",
    "OrchesjobMissing",
    "Process",
    "ProcessesKeepAppearing",
    "WaitTimedOut",
    "Watch",
    "describe_failure",
    "describe_loss",
    "end_processes",
    "exit_code_of",
    "folder_of_home",
    "is_alive",
    "locate",
    "marked_processes",
]
