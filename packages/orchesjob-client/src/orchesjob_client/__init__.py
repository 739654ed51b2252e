"""A typed wrapper of the orchesjob command: calls, reports, and the processes of jobs.

The names in `__all__` are public, and the README explains them. The others are for the packages of
this repository, which are released together; they may change with any version.
"""

from orchesjob_client.call import Hold
from orchesjob_client.call import longer as longer
from orchesjob_client.call import pauses as pauses
from orchesjob_client.client import OrchesjobClient
from orchesjob_client.defaults import DEFAULT_GRACE_SEC, DEFAULT_START_TIMEOUT_SEC, CallLimits
from orchesjob_client.defaults import FIRST_BACKOFF_SEC as FIRST_BACKOFF_SEC
from orchesjob_client.environment import EXECUTABLE, HomeFolder, folder_of_home, locate
from orchesjob_client.environment import MARK as MARK
from orchesjob_client.environment import is_marked as is_marked
from orchesjob_client.environment import mark as mark
from orchesjob_client.environment import marked_environment as marked_environment
from orchesjob_client.environment import orchesjob_home as orchesjob_home
from orchesjob_client.environment import unmarked as unmarked
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    CallTimedOut,
    HomeExposed,
    HomeReplaced,
    JobNotFound,
    JobNotRunning,
    OrchesjobError,
    OrchesjobMissing,
    ProcessesKeepAppearing,
    WaitStopped,
    WaitTimedOut,
)
from orchesjob_client.processes.cgroups import discard_empty_cgroups as discard_empty_cgroups
from orchesjob_client.processes.cgroups import enclosing_marks as enclosing_marks
from orchesjob_client.processes.cgroups import leave_cgroups as leave_cgroups
from orchesjob_client.processes.cgroups import usable_cgroup_folder as usable_cgroup_folder
from orchesjob_client.processes.proc import Process, is_alive
from orchesjob_client.processes.survivors import end_processes, marked_processes
from orchesjob_client.processes.survivors import end_survivors as end_survivors
from orchesjob_client.processes.survivors import foreign_target as foreign_target
from orchesjob_client.processes.watcher import JobWatcher, Watch
from orchesjob_client.processes.watcher import has_exited as has_exited
from orchesjob_client.report import (
    JobReport,
    JobStatus,
    describe_failure,
    describe_loss,
    exit_code_of,
)
from orchesjob_client.running_calls import RunningCall as RunningCall
from orchesjob_client.running_calls import read_call as read_call
from orchesjob_client.trust import ORCHESJOB_DATABASE as ORCHESJOB_DATABASE
from orchesjob_client.trust import Exposure as Exposure
from orchesjob_client.trust import exposure_of_home as exposure_of_home
from orchesjob_client.trust import find_exposure as find_exposure

__all__ = [
    "DEFAULT_GRACE_SEC",
    "DEFAULT_START_TIMEOUT_SEC",
    "EXECUTABLE",
    "BadAnswer",
    "CallFailed",
    "CallLimits",
    "CallRefused",
    "CallTimedOut",
    "Hold",
    "HomeExposed",
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
    "WaitStopped",
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
