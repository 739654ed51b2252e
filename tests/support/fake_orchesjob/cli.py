"""The calls and their answers."""

from __future__ import annotations

import os
import signal
import sys
import time

from .faults import Faults
from .jobs import (
    ACTIVE,
    Jobs,
    is_alive,
    job_object,
    with_times,
)
from .journal import write_call
from .words import NOT_FOUND, NOT_RUNNING, Words, complain, crash, leave, stop
from .worker import launch, run_worker

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable

    from .jobs import Row

_POLL_SEC = 0.004


def main() -> None:
    """Answer one call, or be a worker."""
    argv = sys.argv[1:]
    if argv == ["--version"]:
        print("orchesjob 1.1.0")  # noqa: T201 - the answer
        leave(0)
    words = Words(argv)
    home = os.environ.get("ORCHESJOB_HOME", "/var/lib/orchesjob")
    try:
        jobs = Jobs(home)
    except OSError as error:
        crash(f"{type(error).__name__}: {error}")
    if words.call == "_worker":
        run_worker(jobs, words.text("--job-id") or "")
        leave(0)
    write_call(home, words.call, words.text("--run-key"), argv)
    faults = Faults(jobs, words.call, _key(jobs, words))
    # The point lies before a job is looked up, but some faults are about that job.
    row = None if words.has("--running") else _find(jobs, words)
    if row is not None:
        faults.about(row["job_id"])
    faults.at("before")
    _CALLS[words.call](jobs, words, faults)
    faults.at("answered")
    leave(0)


def _start(jobs: Jobs, words: Words, faults: Faults) -> None:
    key, strict = words.text("--run-key") or "", words.has("--strict")
    with jobs.transaction():
        row = jobs.latest(key)
        existing = row is not None and (strict or row["status"] in ACTIVE)
        if row is None or not existing:
            row = jobs.insert(key, words.command, strict=strict)
    faults.about(row["job_id"])
    if not existing:
        faults.at("recorded")
        worker = launch(jobs, row["job_id"])
        jobs.update(row["job_id"], only=("STARTING",), worker_pid=worker)
        faults.at("spawned")
    row = _wait(jobs, row, words.seconds("--start-timeout", 10))
    flags = {"accepted": not existing, "existing": existing, "strict": strict}
    more = {"mode": "async", "strict_override_used": False}
    _answer(faults, {**job_object(row), **more, **flags})


def _wait(jobs: Jobs, row: Row, timeout_sec: float) -> Row:
    """Wait until the command is known to run (or has ended), its worker is dead, or time is up."""
    deadline = time.monotonic() + timeout_sec
    while True:
        row = jobs.by_id(row["job_id"]) or row
        has_begun = row["status"] == "RUNNING" and row["target_pid"] is not None
        if row["status"] not in ACTIVE or has_begun:
            return row
        if row["worker_pid"] is not None and not is_alive(row["worker_pid"]):
            return jobs.reconcile(row)
        if not time.monotonic() < deadline:
            return row
        time.sleep(_POLL_SEC)  # as the real one does: another process changes the row


def _status(jobs: Jobs, words: Words, faults: Faults) -> None:
    if words.has("--running"):
        rows = [jobs.reconcile(row) for row in jobs.active()]
        active = [_status_object(row) for row in rows if row["status"] in ACTIVE]
        _answer(faults, active)
    else:
        _answer(faults, _status_object(jobs.reconcile(_require(jobs, words))))


def _status_object(row: Row) -> Row:
    return {**job_object(row), "strict_override": None}


def _abort(jobs: Jobs, words: Words, faults: Faults) -> None:
    row = _require(jobs, words)
    job_id, now = row["job_id"], int(time.time())
    reason = words.text("--reason")
    if not jobs.update(job_id, status="ABORTED", aborted_at=now, abort_reason=reason):
        status = _require(jobs, words)["status"]
        stop(f"Job is not running: {job_id} status={status}", NOT_RUNNING)
    faults.at("recorded")
    target, worker = row["target_pid"], row["worker_pid"]
    if faults.has("no_signals"):
        target = worker = None
    send = _signal if faults.has("leader_only") else _signal_group
    sent = {
        "sent_term_target": send(target, signal.SIGTERM),
        "sent_term_worker": _signal(worker, signal.SIGTERM),
    }
    alive = [pid for pid in (target, worker) if pid is not None]
    deadline = time.monotonic() + words.seconds("--grace-seconds", 5)
    while time.monotonic() < deadline and any(map(is_alive, alive)):
        time.sleep(_POLL_SEC)  # as the real one does: these are no children of this process
    sent["sent_kill_target"] = target in filter(is_alive, alive) and send(target, signal.SIGKILL)
    sent["sent_kill_worker"] = worker in filter(is_alive, alive) and _signal(worker, signal.SIGKILL)
    _answer(faults, {**job_object(jobs.by_id(job_id) or row), "aborted": True, **sent})


def _signal(pid: int | None, number: signal.Signals) -> bool:
    return pid is not None and _delivered(os.kill, pid, number)


def _signal_group(pid: int | None, number: signal.Signals) -> bool:
    return pid is not None and _delivered(os.killpg, pid, number)


def _delivered(send: Callable[[int, int], None], pid: int, number: signal.Signals) -> bool:
    try:
        send(pid, number)
    except ProcessLookupError:
        return False
    return True


def _clean(jobs: Jobs, words: Words, faults: Faults) -> None:
    row = _find(jobs, words)
    answer: Row = {"deleted": 0, "errors": 0}
    if row is not None and row["status"] not in ACTIVE:
        item = {name: row[name] for name in ("job_id", "run_key")}
        times = {"selected_at": row["finished_at"] or row["started_at"]}
        errors = _remove(jobs, row)
        answer |= {"deleted": 1, "errors": errors, "dry_run": False}
        answer |= {"items": [with_times(item, times)]}
    _answer(faults, answer)


def _remove(jobs: Jobs, row: Row) -> int:
    """Remove a job and its output; return how many files could not be removed."""
    errors = 0
    for path in (row["stdout_file"], row["stderr_file"]):
        try:
            os.unlink(path)  # noqa: PTH108
        except FileNotFoundError:
            continue
        except OSError as error:
            complain(f"warning: {error}")
            errors += 1
    jobs.remove(row["job_id"])
    return errors


def _find(jobs: Jobs, words: Words) -> Row | None:
    job_id = words.text("--job-id")
    return jobs.by_id(job_id) if job_id else jobs.latest(words.text("--run-key") or "")


def _require(jobs: Jobs, words: Words) -> Row:
    row = _find(jobs, words)
    if row is None:
        job_id = words.text("--job-id")
        stop(f"Job not found: {job_id}" if job_id else "run_key not found", NOT_FOUND)
    return row


def _key(jobs: Jobs, words: Words) -> str:
    row = jobs.by_id(words.text("--job-id") or "")
    return words.text("--run-key") or (row["run_key"] if row else "")


def _answer(faults: Faults, answer: Row | list[Row]) -> None:
    faults.at("answer")
    sys.stdout.buffer.write(faults.change(answer).encode("utf-8", "surrogateescape"))
    sys.stdout.flush()


_CALLS = {
    "start": _start,
    "status": _status,
    "abort": _abort,
    "clean": _clean,
}
