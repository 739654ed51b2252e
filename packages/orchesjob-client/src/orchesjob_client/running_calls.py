"""Find and end calls of orchesjob whose caller has died.

A call that changes something is known by its words, which name the job: `start --run-key=KEY` or
`abort --job-id=ID`. orchesjob's worker has no such words, nor has a job's command, unless it calls
orchesjob about the very same job. Whether a process is a call of ours, and not one that a person
makes by hand, needs another proof, such as a lock that it holds. The caller checks that.
"""

import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from orchesjob_client.defaults import DEFAULT_GRACE_SEC, DEFAULT_START_TIMEOUT_SEC, CallLimits
from orchesjob_client.processes.proc import Process, is_alive, read_all, read_own
from orchesjob_client.processes.survivors import end_processes


class RunningCall(NamedTuple):
    """A call of orchesjob that is in progress.

    Attributes:
        name: The name of the call, such as `orchesjob start`.
        process: The process of the call.
        group: Its process group. Workers and jobs are in others.
        limit_sec: How long it may take.
    """

    name: str
    process: Process
    group: int
    limit_sec: float

    def __str__(self) -> str:
        """Name the call in a message."""
        return f"`{self.name}` (process {self.process.pid})"

    def must_end_by(self, seen_at: float) -> float:
        """Return when its time limit ends, on the monotonic clock.

        The time counts from the start of the process. On a machine that has slept, the kernel puts
        that later than the clock shows; so it counts from `seen_at` at the latest.
        """
        began_at = self.process.started_ticks / os.sysconf("SC_CLK_TCK")
        return min(began_at, seen_at) + self.limit_sec

    def end(self) -> bool:
        """Kill the process and its group; tell whether all of them are gone."""
        members = [
            Process(entry.pid, entry.started_ticks, entry.command, self.process.value)
            for entry in read_all()
            if entry.group == self.group
        ]
        # If it lived until now, the group is its own, and so are the members that were found.
        return not is_alive(self.process) or not end_processes(members, grace_sec=0)


class _Kind(NamedTuple):
    verb: str
    about: str
    waits: str
    default_wait_sec: float


_START = _Kind("start", "--run-key=", "--start-timeout=", DEFAULT_START_TIMEOUT_SEC)
_ABORT = _Kind("abort", "--job-id=", "--grace-seconds=", DEFAULT_GRACE_SEC)


def read_call(
    pid: int, *, job_keys: Collection[str], job_ids: Collection[str], limits: CallLimits
) -> RunningCall | None:
    """Return the call that this process makes to start or abort one of these jobs, or None."""
    found = read_own(pid)
    if found is None:
        return None
    entry, words = found
    for kind, jobs, limit_sec in (
        (_START, job_keys, limits.start_sec),
        (_ABORT, job_ids, limits.abort_sec),
    ):
        options = _options(words, kind, jobs)
        if options is not None:
            process = Process(pid, entry.started_ticks, " ".join(words), "")
            told = (word for word in options if word.startswith(kind.waits))
            wait_sec = float(next(told, "").removeprefix(kind.waits) or kind.default_wait_sec)
            most_sec = limit_sec + max(0.0, wait_sec)
            return RunningCall(f"orchesjob {kind.verb}", process, entry.group, most_sec)
    return None


def _options(words: Sequence[str], kind: _Kind, jobs: Collection[str]) -> Sequence[str] | None:
    """Return the options after the verb and one of these jobs; None if it is another call."""
    told = {f"{kind.about}{job}" for job in jobs}
    for place, word in enumerate(words[1:], 1):
        if word in told and words[place - 1] == kind.verb:
            options = words[place + 1 :]
            return options[: options.index("--")] if "--" in options else options
    return None
