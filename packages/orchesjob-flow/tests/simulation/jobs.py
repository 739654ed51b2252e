"""The simulated orchesjob: rows, workers and commands, and the ledger of what really ran.

It behaves as orchesjob does where the engine can tell the difference: what `start` does with a key
that exists, when a row turns LOST, that `abort` writes first and signals afterwards.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum

import attrs

from orchesjob_client import JobReport, Process

from .machine import Machine

ACTIVE = {"STARTING", "RUNNING"}


class Obeys(Enum):
    """Which signal ends a command."""

    TERM = "at once"
    KILL = "after the grace time"
    NOTHING = "only by itself: it waits for a dead disk"


@attrs.frozen
class Plan:
    """What a command does when it is executed under a key.

    It runs for `seconds` (0: it ends before `start` answers) and ends with `code`, -N for signal N.
    Its worker vanishes after `worker_lives` seconds, somebody else aborts it after `aborted_after`;
    it is seen to run `born_after` seconds after its worker began; without `spawns` there is no such
    program.
    """

    seconds: float = 1.0
    code: int = 0
    worker_lives: float | None = None
    aborted_after: float | None = None
    born_after: float = 0.0
    spawns: bool = True
    obeys: Obeys = Obeys.TERM


@attrs.define(eq=False)
class Execution:
    """An entry of the ledger: one command that really ran, from `begin` to `end` (monotonic)."""

    key: str
    command: tuple[str, ...]
    pid: int
    obeys: Obeys
    begin: float
    end: float | None = None


@attrs.define(eq=False)
class Job:
    """A row of orchesjob, and whether the processes that it names are alive."""

    job_id: str
    key: str
    command: tuple[str, ...]
    plan: Plan
    status: str = "STARTING"
    exit_code: int | None = None
    worker_pid: int | None = None
    target_pid: int | None = None
    worker_alive: bool = False
    launcher_alive: bool = False
    pid_reused: bool = False
    execution: Execution | None = None
    on_exit: list[Callable[[], None]] = attrs.Factory(list)

    def report(self, *, existing: bool = False) -> JobReport:
        """Describe the row as orchesjob does."""
        return JobReport.from_payload(
            {
                "job_id": self.job_id,
                "run_key": self.key,
                "command": list(self.command),
                "status": self.status,
                "exit_code": self.exit_code,
                "worker_pid": self.worker_pid,
                "target_pid": self.target_pid,
                "existing": existing,
            }
        )


class SimulatedOrchesjob:
    """One orchesjob home on a machine."""

    def __init__(self, machine: Machine, on_begin: Callable[[Execution], None]) -> None:
        self.machine = machine
        self.plans: dict[str, Plan] = {}
        self.rows: dict[str, list[Job]] = {}
        self.ledger: list[Execution] = []
        self._jobs: list[Job] = []
        self._on_begin = on_begin

    def insert(self, key: str, command: Sequence[str], **fields: object) -> Job:
        """Put a row into the database."""
        jobs = self.rows.setdefault(key, [])
        plan = self.plans.get(key, Plan())
        job = Job(f"job-{key}-{len(jobs) + 1}", key, tuple(command), plan)
        for name, value in fields.items():
            setattr(job, name, value)
        jobs.append(job)
        self._jobs.append(job)
        return job

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
        """Let the worker begin, which executes the command."""
        job.launcher_alive = False
        if job.status != "STARTING":
            return
        job.worker_pid = self.machine.new_pid()
        if not job.plan.spawns:
            job.status, job.exit_code = "FAILED", -1
            return
        job.worker_alive = True
        if job.plan.born_after:
            self.machine.after(job.plan.born_after, lambda: self._execute(job))
        else:
            self._execute(job)

    def _execute(self, job: Job) -> None:
        if job.status != "STARTING" or not job.worker_alive:
            return
        plan = job.plan
        job.status, job.target_pid = "RUNNING", self.machine.new_pid()
        job.execution = Execution(
            job.key, job.command, job.target_pid, plan.obeys, self.machine.mono
        )
        self._on_begin(job.execution)
        self.ledger.append(job.execution)
        if plan.seconds == 0:
            self._end(job)
            return
        self.machine.after(plan.seconds, lambda: self._end(job))
        if plan.worker_lives is not None:
            self.machine.after(plan.worker_lives, lambda: self.kill_worker(job))
        if plan.aborted_after is not None:
            self.machine.after(plan.aborted_after, lambda: self._abort_row(job, 0))

    def _end(self, job: Job) -> None:
        if job.execution is None or job.execution.end is not None:
            return
        job.execution.end = self.machine.mono
        if job.worker_alive and job.status in ACTIVE:
            job.status = "FAILED" if job.plan.code else "SUCCEEDED"
            job.exit_code = job.plan.code
        self.kill_worker(job)

    def kill_worker(self, job: Job) -> None:
        """Let a worker vanish, which whoever watches it is told."""
        if job.worker_alive:
            job.worker_alive = False
            for told in job.on_exit:
                told()

    def status(self, key: str) -> JobReport | None:
        """`status`: notices first which workers have vanished."""
        self._reconcile()
        job = self.latest(key)
        return None if job is None else job.report()

    def running(self) -> frozenset[str]:
        """`status --running`: the keys of all active jobs."""
        self._reconcile()
        return frozenset(key for key in self.rows if self.rows[key][-1].status in ACTIVE)

    def _reconcile(self) -> None:
        for job in self.jobs():
            seen_dead = job.worker_pid is not None and not (job.worker_alive or job.pid_reused)
            if job.status in ACTIVE and seen_dead:
                job.status = "LOST"

    def abort(self, job_id: str, grace_sec: float) -> JobReport | None:
        """`abort`: None if the job has ended or was never there."""
        job = self.find(job_id)
        if job is None or job.status not in ACTIVE:
            return None
        self._abort_row(job, grace_sec)
        return job.report()

    def _abort_row(self, job: Job, grace_sec: float) -> None:
        if job.status in ACTIVE:
            job.status = "ABORTED"
            self._signal(job, grace_sec)

    def _signal(self, job: Job, grace_sec: float) -> None:
        self.kill_worker(job)
        if job.plan.obeys is Obeys.TERM:
            self._end(job)
        elif job.plan.obeys is Obeys.KILL:
            self.machine.after(grace_sec, lambda: self._end(job))

    def processes(self, keys: Iterable[str]) -> list[Process]:
        """List the living processes of some keys, launchers and workers included."""
        alive: list[Process] = []
        for job in self._of(keys):
            if job.execution is not None and job.execution.end is None:
                alive.append(Process(job.execution.pid, 1, " ".join(job.command), "mark"))
            if job.worker_alive and job.worker_pid is not None:
                alive.append(Process(job.worker_pid, 1, "worker", "mark"))
            if job.launcher_alive:
                alive.append(Process(999, 1, "launcher", "mark"))
        return alive

    def end_processes(self, keys: Iterable[str], grace_sec: float) -> None:
        """Send the living processes of some keys TERM, and KILL after the grace time."""
        for job in self._of(keys):
            self._signal(job, grace_sec)

    def _of(self, keys: Iterable[str]) -> Iterator[Job]:
        wanted = set(keys)
        return (job for job in self._jobs if job.key in wanted)

    def restart(self) -> None:
        """End every process as a power cut does: nobody writes anything any more."""
        for job in self._jobs:
            job.worker_alive = job.launcher_alive = False
            job.on_exit.clear()
            if job.execution is not None and job.execution.end is None:
                job.execution.end = self.machine.mono

    def latest(self, key: str) -> Job | None:
        """Return the latest row of a key."""
        jobs = self.rows.get(key)
        return jobs[-1] if jobs else None

    def find(self, job_id: str) -> Job | None:
        """Return the row with this id."""
        return next((job for job in self.jobs() if job.job_id == job_id), None)

    def jobs(self) -> list[Job]:
        """List all rows."""
        return [job for jobs in self.rows.values() for job in jobs]
