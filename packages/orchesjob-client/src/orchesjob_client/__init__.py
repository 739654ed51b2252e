"""A typed wrapper of the orchesjob command: calls, reports, and the processes of jobs."""

from orchesjob_client.backoff import FIRST_BACKOFF_SEC, longer, pauses
from orchesjob_client.call import Hold
from orchesjob_client.client import (
    DEFAULT_GRACE_SEC,
    DEFAULT_START_TIMEOUT_SEC,
    CallLimits,
    EndedJob,
    OrchesjobClient,
    locate,
)
from orchesjob_client.environment import (
    EXECUTABLE,
    MARK,
    HomeFolder,
    folder_of_home,
    is_marked,
    mark,
    marked_environment,
    orchesjob_home,
    unmarked,
)
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
)
from orchesjob_client.forkserver.launcher import ForkServer
from orchesjob_client.processes.cgroups import (
    JobCgroups,
    discard_empty_cgroups,
    enclosing_marks,
    leave_cgroups,
    usable_cgroup_folder,
)
from orchesjob_client.processes.proc import Process, is_alive
from orchesjob_client.processes.survivors import (
    end_processes,
    end_survivors,
    find_survivors,
    foreign_target,
    marked_processes,
)
from orchesjob_client.processes.watcher import JobWatcher, Watch, has_exited
from orchesjob_client.report import (
    JobReport,
    JobStatus,
    describe_failure,
    describe_loss,
    exit_code_of,
)
from orchesjob_client.running_calls import RunningCall, read_call

__all__ = [
    "DEFAULT_GRACE_SEC",
    "DEFAULT_START_TIMEOUT_SEC",
    "EXECUTABLE",
    "FIRST_BACKOFF_SEC",
    "MARK",
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
    "JobCgroups",
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
    "RunningCall",
    "Watch",
    "describe_failure",
    "describe_loss",
    "discard_empty_cgroups",
    "enclosing_marks",
    "end_processes",
    "end_survivors",
    "exit_code_of",
    "find_survivors",
    "folder_of_home",
    "foreign_target",
    "has_exited",
    "is_alive",
    "is_marked",
    "leave_cgroups",
    "locate",
    "longer",
    "mark",
    "marked_environment",
    "marked_processes",
    "orchesjob_home",
    "pauses",
    "read_call",
    "unmarked",
    "usable_cgroup_folder",
]
