"""The simulated orchesjob: rows, workers and commands, and the list of what really ran.

It behaves as orchesjob does where the engine can tell the difference: what `start` does with a key
that exists, when a row turns LOST, that `abort` writes first and signals afterwards, that it trusts
process ids blindly, and that a power cut can take back what it wrote last.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum

import attrs

from orchesjob_client import JobReport, Process, Watch

from .machine import Machine

LAUNCHER_PID = 999  # that of every launcher: nobody needs to tell them apart
ACTIVE = {"STARTING", "RUNNING"}


class Obeys(Enum):
    TERM = "at once"
    KILL = "after the grace time"
    NOTHING = "only by itself: it waits for a dead disk"


@attrs.frozen
class Plan:
    """What a command does when it is executed under a key.

    It runs for `seconds` (0: it ends before `start` answers) and ends with `code`, -N for signal N.
    Its worker vanishes after `worker_lives` seconds, somebody else aborts it after `aborted_after`;
    it is seen to run `born_after` seconds after its worker began; without `spawns` there is no such
    program. Unless it `writes`, it leaves what its step produces as it is. When it has ended, it
    leaves a process behind for `leaves` seconds. From `sheds_mark_after` on, as under sudo, only
    its parent shows whose it is.
    """

    seconds: float = 1.0
    code: int = 0
    worker_lives: float | None = None
    aborted_after: float | None = None
    born_after: float = 0.0
    spawns: bool = True
    obeys: Obeys = Obeys.TERM
    leaves: float = 0.0
    writes: bool = True
    sheds_mark_after: float | None = None


@attrs.define(eq=False)
class Execution:
    """One command that really ran, from `begin` to `end` (monotonic).

    `code` is its exit code if it ended by itself; `boot` is what gives `begin` its meaning;
    `left_pid` is that of what it has left alive.
    """

    key: str
    command: tuple[str, ...]
    pid: int
    obeys: Obeys
    begin: float
    boot: int
    end: float | None = None
    code: int | None = None
    left_pid: int | None = None


@attrs.define(eq=False)
class Job:
    """A row of orchesjob, and whether the processes that it names are alive."""

    job_id: str
    key: str
    command: tuple[str, ...]
    plan: Plan
    status: str = "STARTING"
    exit_code: int | None = None
    abort_reason: str | None = None
    worker_pid: int | None = None
    target_pid: int | None = None
    worker_alive: bool = False
    launcher_alive: bool = False
    pid_reused: bool = False
    execution: Execution | None = None
    on_exit: list[Callable[[], None]] = attrs.Factory(list)

    def report(self, *, existing: bool = False) -> JobReport:
        return JobReport.from_payload(
            {
                "job_id": self.job_id,
                "run_key": self.key,
                "command": list(self.command),
                "status": self.status,
                "exit_code": self.exit_code,
                "abort_reason": self.abort_reason,
                "worker_pid": self.worker_pid,
                "target_pid": self.target_pid,
                "existing": existing,
            }
        )


def step_of(key: str) -> str:
    """Return the part of an attempt's key that all attempts at its step share."""
    return key.rpartition(":")[0]


class SimulatedOrchesjob:
    def __init__(self, machine: Machine, on_begin: Callable[[Execution], None]) -> None:
        self.machine = machine
        self.plans: dict[str, Plan] = {}
        self.rows: dict[str, list[Job]] = {}
        self.executions: list[Execution] = []
        self.written: Counter[str] = Counter()
        """How often commands have written what their step produces, by its key without a number."""
        self.unrelated_hit: list[str] = []
        """The keys whose abort sent signals to processes that were none of the job's."""
        self.on_write: Callable[[str], None] = lambda _: None
        """Is called with the key of every row that is written."""
        self._jobs: list[Job] = []
        self._on_end: dict[int, list[Callable[[], None]]] = {}
        """Who is to be told of the end of a process, by its id."""
        self._on_begin = on_begin
        self._written: list[tuple[Job, dict[str, object]]] = []
        """Each write's row, and what was overwritten: nothing where the row was made."""

    def insert(self, key: str, command: Sequence[str], **fields: object) -> Job:
        jobs = self.rows.setdefault(key, [])
        plan = self.plans.get(key, Plan())
        job = Job(f"job-{key}-{len(jobs) + 1}", key, tuple(command), plan)
        for name, value in fields.items():
            setattr(job, name, value)
        jobs.append(job)
        self._jobs.append(job)
        self._written.append((job, {}))
        self.on_write(key)
        return job

    def _write(self, job: Job, **columns: object) -> None:
        self._written.append((job, {name: getattr(job, name) for name in columns}))
        for name, value in columns.items():
            setattr(job, name, value)
        self.on_write(job.key)

    def lose_writes(self, count: int) -> None:
        """Take back the latest writes, as a power cut does; what was done stays done."""
        for _ in range(min(count, len(self._written))):
            job, overwritten = self._written.pop()
            for name, value in overwritten.items():
                setattr(job, name, value)
            if not overwritten and job in self.rows.get(job.key, []):
                self.rows[job.key].remove(job)
                if not self.rows[job.key]:
                    self.forget(job.key)

    def forget(self, key: str) -> None:
        """Lose the rows of a key; its processes are no less alive."""
        self.rows.pop(key, None)

    def start(self, key: str, command: Sequence[str], *, strict: bool) -> JobReport:
        """`start`: returns what is active, and with `strict` whatever is there; else runs."""
        job = self.latest(key)
        if job is not None and (strict or job.status in ACTIVE):
            return job.report(existing=True)
        job = self.insert(key, command)
        self.give_worker(job)
        return job.report()

    def give_worker(self, job: Job) -> None:
        job.launcher_alive = False
        if job.status != "STARTING" or not self._is_there(job):
            return
        self._write(job, worker_pid=self.machine.new_pid())
        if not job.plan.spawns:
            self._write(job, status="FAILED", exit_code=-1)
            return
        job.worker_alive = True
        if job.plan.born_after:
            self.machine.after(job.plan.born_after, lambda: self._execute(job))
        else:
            self._execute(job)

    def _execute(self, job: Job) -> None:
        if not self._is_there(job):
            self.kill_worker(job)
        if job.status != "STARTING" or not job.worker_alive:
            return
        plan = job.plan
        pid = self.machine.new_pid()
        self._write(job, status="RUNNING", target_pid=pid)
        job.execution = Execution(
            job.key, job.command, pid, plan.obeys, self.machine.mono, self.machine.boot
        )
        self._on_begin(job.execution)
        self.executions.append(job.execution)
        if plan.seconds == 0:
            self._finish(job)
            return
        self.machine.after(plan.seconds, lambda: self._finish(job))
        if plan.worker_lives is not None:
            self.machine.after(plan.worker_lives, lambda: self.kill_worker(job))
        if plan.aborted_after is not None:
            self.machine.after(plan.aborted_after, lambda: self._abort_row(job, 0))

    def _is_there(self, job: Job) -> bool:
        """Tell whether a worker finds its row; without one it leaves."""
        return job in self.rows.get(job.key, ())

    def _finish(self, job: Job) -> None:
        """End a command by itself, which its worker writes down if it is there to see it."""
        if job.execution is None or job.execution.end is not None:
            return
        job.execution.code = job.plan.code
        self.written[step_of(job.key)] += job.plan.writes
        if job.worker_alive and job.status in ACTIVE:
            status = "FAILED" if job.plan.code else "SUCCEEDED"
            self._write(job, status=status, exit_code=job.plan.code)
        if job.plan.leaves:
            job.execution.left_pid = self.machine.new_pid()
            self.machine.after(job.plan.leaves, lambda: self._end_left(job))
        self._end(job)

    def _end_left(self, job: Job) -> None:
        if job.execution is not None and job.execution.left_pid is not None:
            pid, job.execution.left_pid = job.execution.left_pid, None
            self._tell_end(pid)

    def _end(self, job: Job) -> None:
        if job.execution is None or job.execution.end is not None:
            return
        job.execution.end = self.machine.mono
        self.kill_worker(job)
        self._tell_end(job.execution.pid)

    def kill_worker(self, job: Job) -> None:
        if job.worker_alive:
            job.worker_alive = False
            for tell in job.on_exit:
                tell()
            self._tell_end(job.worker_pid)

    def _tell_end(self, pid: int | None) -> None:
        for tell in self._on_end.pop(pid or 0, ()):
            tell()

    def watch(self, process: Process, tell: Callable[[], None]) -> Watch:
        """Let somebody be told of the end of a process, if that is alive and no launcher."""
        if process.pid == LAUNCHER_PID:
            return Watch.UNSUPPORTED
        if process.pid not in {found.pid for found in self.processes(self.rows_ever())}:
            return Watch.GONE
        self._on_end.setdefault(process.pid, []).append(tell)
        return Watch.WATCHING

    def is_watched(self, key: str) -> bool:
        """Tell whether somebody will be told of the end of a living process of a key."""
        return any(process.pid in self._on_end for process in self.processes([key]))

    def rows_ever(self) -> set[str]:
        return {job.key for job in self._jobs}

    def status(self, key: str) -> JobReport | None:
        """`status`: notices first which workers have vanished."""
        self._reconcile()
        job = self.latest(key)
        return None if job is None else job.report()

    def running(self) -> frozenset[str]:
        self._reconcile()
        return frozenset(key for key in self.rows if self.rows[key][-1].status in ACTIVE)

    def _reconcile(self) -> None:
        for job in self.jobs():
            seen_dead = job.worker_pid is not None and not (job.worker_alive or job.pid_reused)
            if job.status in ACTIVE and seen_dead:
                self._write(job, status="LOST")

    def abort(self, job_id: str, reason: str, grace_sec: float) -> JobReport | None:
        """`abort`: None if the job has ended or was never there."""
        job = self.find(job_id)
        if job is None or job.status not in ACTIVE:
            return None
        if job.pid_reused:
            self.unrelated_hit.append(job.key)
        self._abort_row(job, grace_sec, reason)
        return job.report()

    def _abort_row(self, job: Job, grace_sec: float, reason: str | None = None) -> None:
        if job.status in ACTIVE:
            self._write(job, status="ABORTED", abort_reason=reason)
            self._signal(job, grace_sec)

    def _signal(self, job: Job, grace_sec: float) -> None:
        self.kill_worker(job)
        if job.plan.obeys is Obeys.TERM:
            self._end_all(job)
        elif job.plan.obeys is Obeys.KILL:
            self.machine.after(grace_sec, lambda: self._end_all(job))

    def _end_all(self, job: Job) -> None:
        self._end(job)
        self._end_left(job)

    def processes(
        self, keys: Iterable[str], command: tuple[str, ...] | None = None
    ) -> list[Process]:
        """List the living processes of some keys, launchers and workers included.

        With `command`, only those of jobs that execute it.
        """
        alive: list[Process] = []
        for job in self._of(keys):
            if command is not None and job.command != command:
                continue
            if job.execution is not None and job.execution.end is None:
                alive.append(Process(job.execution.pid, 1, " ".join(job.command), "mark"))
            if job.execution is not None and job.execution.left_pid is not None:
                alive.append(Process(job.execution.left_pid, 1, "left", "mark"))
            if job.worker_alive and job.worker_pid is not None:
                alive.append(Process(job.worker_pid, 1, "worker", "mark"))
            if job.launcher_alive:
                alive.append(Process(LAUNCHER_PID, 1, "launcher", "mark"))
        return alive

    def found(self, keys: Iterable[str], known: Iterable[Process]) -> list[Process]:
        """List those of the living processes of some keys that a search finds."""
        keys = set(keys)
        orphans = {
            job.execution.pid
            for job in self._of(keys)
            if job.execution is not None and self._shows_no_mark(job) and not job.worker_alive
        }
        unseen = orphans - {process.pid for process in known}
        return [process for process in self.processes(keys) if process.pid not in unseen]

    def foreign_target(self, job: Job) -> Process | None:
        if job.execution is None or job.execution.end is not None or not self._shows_no_mark(job):
            return None
        return Process(job.execution.pid, 1, "", "mark")

    def _shows_no_mark(self, job: Job) -> bool:
        after = job.plan.sheds_mark_after
        begun = job.execution
        return after is not None and begun is not None and self.machine.mono >= begun.begin + after

    def end_processes(self, keys: Iterable[str], grace_sec: float) -> None:
        """Send the living processes of some keys TERM, and KILL after the grace time."""
        for job in self._of(keys):
            job.launcher_alive = False
            self._signal(job, grace_sec)

    def _of(self, keys: Iterable[str]) -> Iterator[Job]:
        wanted = set(keys)
        return (job for job in self._jobs if job.key in wanted)

    def restart(self) -> None:
        """End every process as a power cut does: nobody writes anything any more."""
        self._on_end.clear()
        for job in self._jobs:
            job.worker_alive = job.launcher_alive = False
            job.on_exit.clear()
            if job.execution is not None:
                job.execution.left_pid = None
                if job.execution.end is None:
                    job.execution.end = self.machine.mono

    def latest(self, key: str) -> Job | None:
        jobs = self.rows.get(key)
        return jobs[-1] if jobs else None

    def find(self, job_id: str) -> Job | None:
        return next((job for job in self.jobs() if job.job_id == job_id), None)

    def ever(self, key: str) -> Iterator[Job]:
        """Yield the jobs that were ever made under a key, forgotten ones included.

        Also those whose rows come from another world, as where a flow database is lost.
        """
        yield from self._of([key])
        yield from (job for job in self.rows.get(key, ()) if job not in self._jobs)

    def jobs(self) -> list[Job]:
        return [job for jobs in self.rows.values() for job in jobs]
