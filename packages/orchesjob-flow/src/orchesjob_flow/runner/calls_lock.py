"""The calls of a runner that has died: awaited, and ended when their time is over (rule 5.7).

Each start and abort of a runner inherits the run's calls lock, and so holds it even if the runner
dies. Who takes the run over takes that lock first, and then knows that no call of a dead runner can
still have an effect. A call that hangs is ended after the time that a living runner would give it.

Whom this can end: a process that has the file of this run's lock open, is this user's, and has the
words of a start or an abort of one of this run's jobs; with it the process group of that call. We
hold the run's own lock, so no other runner waits for its answer. orchesjob lets its worker, and so
the job, inherit no descriptor; should one of them have the lock all the same, it has other words,
and a group of its own. So has whatever else holds the lock: it is named, and left alone.
"""

import time
from pathlib import Path

from flow_store import Run
from orchesjob_client import CallLimits, RunningCall, read_call
from orchesjob_flow.attempt_key import attempt_key
from orchesjob_flow.errors import CallsInFlight
from orchesjob_flow.home.locks import PATIENCE_WITH_READERS_SEC, Lock, has_open, processes_with
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.scarcity import scarcity_named
from orchesjob_flow.views.streams import warn


def take_calls_lock(handle: RunHandle, run: Run, limits: CallLimits) -> Lock:
    """Wait until no call of an earlier runner is under way, and take the lock that shows this.

    Raises:
        CallsInFlight: Somebody holds it who is no call, or a call that cannot be ended, for longer
            than the patience lasts.
        Scarcity: This process has no descriptors or memory left to see who it is.
    """
    path = handle.calls_lock_path
    began = time.monotonic()
    until = began + handle.settings.patience_sec
    tried: set[RunningCall] = set()
    told: set[RunningCall] = set()
    wait_sec = PATIENCE_WITH_READERS_SEC
    while (lock := Lock.take(path, wait_sec=wait_sec)) is None:
        with scarcity_named(f"cannot see who holds {path}"):
            calls = find_calls(path, run, limits) - tried
            ends = {call: call.must_end_by(began) for call in calls}
            overdue = {call for call, end in ends.items() if end <= time.monotonic()}
            for call in overdue:
                warn(f"{call} of the last runner did not answer in time, and is ended")
                call.end()
        tried |= overdue
        now = time.monotonic()
        if now >= until and not calls:
            raise CallsInFlight(handle.run_key, round(now - began, 1), processes_with(path))
        if now >= until:  # its step lets it take longer
            for call in calls - tried - told:
                warn(f"waiting for {call} of the last runner, up to {ends[call] - now:.0f} s more")
            told |= calls
        next_look = min((end for end in (*ends.values(), until) if end > now), default=now)
        wait_sec = max(PATIENCE_WITH_READERS_SEC, next_look - now)
    return lock


def find_calls(calls_lock: Path, run: Run, limits: CallLimits) -> set[RunningCall]:
    """Find the calls for this run that hold its calls lock."""
    ids = {step.position: step.step_id for step in run.steps}
    keys = {attempt_key(run.run_key, ids[one.position], one.number) for one in run.history}
    jobs = {attempt.job_id for attempt in run.attempts.values() if attempt.job_id is not None}
    found = (
        read_call(pid, job_keys=keys, job_ids=jobs, limits=limits)
        for pid in processes_with(calls_lock)
    )
    # Asked again, because another process may have had that number a moment ago.
    return {call for call in found if call is not None and has_open(call.process.pid, calls_lock)}
