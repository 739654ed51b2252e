# ruff: noqa: PTH103, PTH110, PTH118, PTH123 - importing pathlib takes as long as half a call
"""The jobs of one home: their rows, their locks and what a job object looks like.

Transitions that any caller may make live here; processes are begun elsewhere.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager

ACTIVE = ("STARTING", "RUNNING")
TIMES = ("started_at", "finished_at", "updated_at", "aborted_at")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, run_key TEXT, command BLOB, status TEXT, exit_code INTEGER,
    worker_pid INTEGER, target_pid INTEGER, stdout_file TEXT, stderr_file TEXT, attempt_no INTEGER,
    strict INTEGER, rerun_of_job_id TEXT, rerun_reason TEXT, abort_reason TEXT,
    started_at INTEGER, finished_at INTEGER, updated_at INTEGER, aborted_at INTEGER);
CREATE INDEX IF NOT EXISTS jobs_of_key ON jobs (run_key, attempt_no);
"""

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Row = dict[str, Any]


class Jobs:
    """The job database of one home."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.logs = os.path.join(home, "logs")
        for folder in (home, self.logs):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self.path = os.path.join(home, "orchesjob.db")
        is_new = not os.path.exists(self.path)
        if is_new:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self.open()
        with self.transaction():
            if is_new or not self._all("SELECT 1 FROM sqlite_master"):
                for statement in _SCHEMA.split(";"):
                    self.database.execute(statement)

    def open(self) -> None:
        self.database = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        self.database.row_factory = sqlite3.Row
        self.database.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock; commit at the end."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")

    def _all(self, query: str, *values: object) -> list[Row]:
        return [dict(row) for row in self.database.execute(query, values)]

    def latest(self, run_key: str) -> Row | None:
        query = "SELECT * FROM jobs WHERE run_key = ? ORDER BY attempt_no DESC LIMIT 1"
        rows = self._all(query, run_key)
        return rows[0] if rows else None

    def by_id(self, job_id: str) -> Row | None:
        rows = self._all("SELECT * FROM jobs WHERE job_id = ?", job_id)
        return rows[0] if rows else None

    def active(self) -> list[Row]:
        return self._all("SELECT * FROM jobs WHERE status IN (?, ?) ORDER BY started_at", *ACTIVE)

    def insert(self, run_key: str, command: list[str], *, strict: bool) -> Row:
        """Add a STARTING row as the key's latest."""
        before = self.latest(run_key)
        job_id, now = new_id(), int(time.time())
        row: Row = {
            "job_id": job_id,
            "run_key": run_key,
            "command": b"\0".join(map(os.fsencode, command)),
            "status": "STARTING",
            "stdout_file": os.path.join(self.logs, f"{job_id}.stdout"),
            "stderr_file": os.path.join(self.logs, f"{job_id}.stderr"),
            "attempt_no": before["attempt_no"] + 1 if before else 1,
            "strict": int(strict),
            "rerun_of_job_id": before["job_id"] if before else None,
            "started_at": now,
            "updated_at": now,
        }
        marks = ", ".join("?" * len(row))
        self.database.execute(
            f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})",  # noqa: S608 - own names
            tuple(row.values()),
        )
        return row

    def update(self, job_id: str, *, only: tuple[str, ...] = ACTIVE, **values: object) -> bool:
        """Change a row if its status is one of `only`; the first terminal status wins."""
        values.setdefault("updated_at", int(time.time()))
        if "status" in values and values["status"] not in ACTIVE:
            values.setdefault("finished_at", values["updated_at"])
        names = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" * len(only))
        with self.transaction():
            cursor = self.database.execute(
                f"UPDATE jobs SET {names} WHERE job_id = ? AND status IN ({marks})",  # noqa: S608
                (*values.values(), job_id, *only),
            )
        return cursor.rowcount > 0

    def forget(self, run_key: str) -> None:
        with self.transaction():
            self.database.execute("DELETE FROM jobs WHERE run_key = ?", (run_key,))

    def remove(self, job_id: str) -> None:
        """Drop one execution; if it is its key's latest, the key is free again."""
        with self.transaction():
            self.database.execute("DELETE FROM jobs WHERE job_id = ?", (job_id,))

    def reconcile(self, row: Row) -> Row:
        """Return the row as it is now; LOST if its worker is gone."""
        now = self.by_id(row["job_id"]) or row
        worker = now["worker_pid"]
        if now["status"] in ACTIVE and worker is not None and not is_alive(worker):
            self.update(row["job_id"], status="LOST")
            now = self.by_id(row["job_id"]) or now
        return now


def command_of(row: Row) -> list[str]:
    return [os.fsdecode(word) for word in row["command"].split(b"\0")]


def job_object(row: Row) -> Row:
    """Return what every answer says about a job."""
    known = {"target": row.get("target_pid"), "worker": row.get("worker_pid")}
    kind = next((name for name, pid in known.items() if pid is not None), None)
    answer = {
        "job_id": row["job_id"],
        "run_key": row["run_key"],
        "command": command_of(row),
        "pid": known[kind] if kind else None,
        "pid_kind": kind,
        **{name: row.get(name) for name in ("worker_pid", "target_pid", "status", "exit_code")},
        **{name: row.get(name) for name in ("stdout_file", "stderr_file", "attempt_no")},
        "strict": bool(row["strict"]),
        **{name: row.get(name) for name in ("rerun_of_job_id", "rerun_reason", "abort_reason")},
    }
    return with_times(answer, {name: row.get(name) for name in TIMES})


def with_times(answer: Row, times: Row) -> Row:
    for name, seconds in times.items():
        answer[name] = seconds
        answer[f"{name}_iso"] = None if seconds is None else _iso(seconds)
    return answer


def _iso(seconds: int) -> str:
    text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))
    return f"{text[:-2]}:{text[-2:]}"


def new_id() -> str:
    """Return a random UUID; the module `uuid` is slow to import."""
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF << 76) | 4 << 76  # the version
    number = number & ~(0b11 << 62) | 0b10 << 62  # the variant
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_alive(pid: int) -> bool:
    """Tell whether a PID belongs to a process that is no zombie; it may be an unrelated one."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            if file.read().rpartition(b")")[2].split()[0] == b"Z":
                return False
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
