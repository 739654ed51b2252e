"""A storm: one randomised run. Its seed makes a flow, the fates of its attempts, and the faults.

Each seed turns on only some kinds of faults, so that they do not hide each other. While the storm
lasts, they happen at random points and in random calls. After it nothing goes wrong any more, and
the run must end.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from signal import SIGTERM

import attrs

from flow_store import FlowStore, RunStatus, RunTakenOver, StepStatus
from orchesjob_flow.engine.messages import AttemptId
from orchesjob_flow.engine.state import Limits
from orchesjob_flow.errors import GaveUp, Interrupted

from .facts import Broken
from .fates import build, check, retry, settle
from .jobs import Obeys
from .model import Case, generate
from .world import Crash, PowerCut, World

MOST_STEPS = 5
MOST_RUNNERS_AFTERWARDS = 12
CROWD_SEC = (0.0, 0.0, 0.3, 20.0, 400.0)
LONGEST_CALL_SEC = 1000.0
"""How long a call that hangs may delay a run; a storm may leave some behind."""
LONGEST_ATTEMPT_SEC = 60.0
SOON_SEC = 10.0
SURVIVAL_SEC = 45.0
LEAVING = 0.3
"""Which part of the commands that fail leave a process behind."""
RETRIED = 0.3
"""Which part of the runs is retried after its end."""
SETTLED = 0.5
"""Of which part of the runs that did not end well a person settles a step."""

CALL_FAULTS = {
    "failing calls": {"start": "fail", "status": "fail", "running": "fail", "abort": "fail"},
    "lost answers": {"start": "lose", "status": "lose", "running": "lose", "abort": "lose"},
    "hanging calls": {"start": "hang", "status": "hang", "running": "hang", "abort": "hang"},
    "stalled calls": {"start": "stall", "abort": "stall"},
    "late workers": {"start": "late"},
}
"""What can go wrong with which call."""
MOMENTS = (
    "crashes",
    "power cuts",
    "signals",
    "clock jumps",
    "second runners",
    "stopped runners",
    "cancels",
    "recycled process ids",
    "forgotten jobs",
    "locked database",
)
"""What can happen at a point of the run."""
CIRCUMSTANCES = ("no watcher", "disorder", "little patience", "stubborn commands")
"""What can be so from the beginning of a run to its end."""
CROWD = "a crowd"
"""Calls wait for their places, some for minutes."""
LITTLE_TIME = "little time"
"""The flow's `timeout_sec` is short."""
OTHER_OUTCOMES = {"power cuts", "cancels", "recycled process ids", "forgotten jobs", LITTLE_TIME}
"""The faults that can change the outcome: without them it is the one of `model`."""


class Storm:
    def __init__(self, store: FlowStore, path: Path, seed: int) -> None:
        self.seed = seed
        self.random = self._drawn("storm")
        self.case: Case = generate(seed, MOST_STEPS)
        self.faults = self._choose_faults()
        self.world: World = build(store, path, seed, self.case, self._choose_timeout_sec())
        self.lasts_until = self.random.choice((30, 60, 120, 300))
        """The last point at which anything happens."""
        self._retries = self._drawn("retry")
        self._settlements = self._drawn("settle")
        self._rate = self.random.choice((0.05, 0.2, 0.5))
        self._stop_sec: float | None = None
        self._stopped = False
        self._recycles = False
        self._leave_processes()
        self._arrange()

    def _drawn(self, what: str) -> Random:
        """Return what decides one matter: drawn apart, so that older seeds still mean the same."""
        return Random(f"{what} {self.seed}")  # noqa: S311 - reproducible on purpose

    def _choose_faults(self) -> frozenset[str]:
        share = self.random.choice((0.1, 0.25, 0.5))
        known = (*CALL_FAULTS, *MOMENTS, *CIRCUMSTANCES)
        return frozenset(fault for fault in known if self.random.random() < share)

    def _choose_timeout_sec(self) -> float | None:
        apart = self._drawn("time")
        if apart.random() < 0.7:
            return None
        self.faults |= {LITTLE_TIME}
        return apart.choice((0.5, 4.0, 20.0, 90.0))

    def _arrange(self) -> None:
        world, random = self.world, self.random
        world.calls.pidfd = not self.faults & {"no watcher"}
        if "recycled process ids" in self.faults:
            world.calls.pidfd = True  # a poll cannot tell one process from another
        world.disorder = random if "disorder" in self.faults else None
        patience = random.choice((1.0, 5.0)) if "little patience" in self.faults else 60.0
        world.limits = Limits(starts=random.choice((1, 2, 3)), patience_sec=patience)
        world.calls.fault = self._fault_of_call
        world.on_wait = self._stand_still
        self._gather_crowd()
        if "stubborn commands" in self.faults:
            self._make_stubborn()
        for moment in MOMENTS:
            if moment in self.faults:
                for _ in range(1 if moment == "cancels" else random.randint(1, 4)):
                    point = random.randint(1, self.lasts_until)
                    world.at_point[point] = partial(self._happens, moment)
        apart = self._drawn("cancel")
        if "cancels" in self.faults and apart.random() < 0.6:
            again = partial(world.request_cancel, now=apart.random() < 0.5)
            world.at_point.setdefault(apart.randint(1, self.lasts_until), again)

    def _leave_processes(self) -> None:
        """Let commands that fail leave a process behind, now and then."""
        apart = self._drawn("left")
        plans = self.world.jobs.plans
        for key, plan in plans.items():
            if plan.code and apart.random() < LEAVING:
                plans[key] = attrs.evolve(plan, leaves=apart.choice((0.1, 3.0, 30.0)))

    def _gather_crowd(self) -> None:
        """Let other runners take all places, now and then.

        Answers come in order then, and once: the thread that makes a call also says when it began.
        And no runner is stopped, that would make calls which nobody knows of when it goes on.
        """
        apart = self._drawn("crowd")
        if apart.random() < 0.7 or self.faults & {"disorder", "stopped runners"}:
            return
        self.faults |= {CROWD}
        self.world.calls.wait_sec = lambda: 0.0 if self.is_over else apart.choice(CROWD_SEC)

    def _make_stubborn(self) -> None:
        """Let commands ignore TERM, and those that end soon by themselves even KILL.

        What outlives its worker takes its time, so that it is in the way of what comes next.
        """
        plans = self.world.jobs.plans
        for key, plan in plans.items():
            obeys = self.random.choice((Obeys.KILL, Obeys.NOTHING))
            if plan.worker_lives is not None and plan.seconds > plan.worker_lives:
                plans[key] = attrs.evolve(plan, obeys=obeys, seconds=SURVIVAL_SEC)
            elif plan.seconds < SOON_SEC:
                plans[key] = attrs.evolve(plan, obeys=obeys)
            else:
                plans[key] = attrs.evolve(plan, obeys=Obeys.KILL)

    @property
    def is_over(self) -> bool:
        return self.world.points > self.lasts_until

    # What happens to the run.

    def _fault_of_call(self, call: str, key: str) -> str:
        if self.is_over or self.random.random() >= self._rate:
            return ""
        active = [fault for fault in CALL_FAULTS if fault in self.faults]
        fault = CALL_FAULTS[self.random.choice(active)].get(call, "") if active else ""
        return "" if fault == "late" and self.world.jobs.latest(key) is not None else fault

    def _happens(self, moment: str) -> None:
        actions: dict[str, Callable[[], None]] = {
            "crashes": self.world.crash,
            "power cuts": self._cut_power,
            "signals": partial(self.world.stop_runner, SIGTERM),
            "clock jumps": self._set_clock,
            "second runners": self.world.come_second,
            "stopped runners": self._stop,
            "cancels": partial(self.world.request_cancel, self.random.choice((None, 0.0, 7.0))),
            "recycled process ids": self._crash_for_long,
            "forgotten jobs": self._forget,
            "locked database": self._lock,
        }
        actions[moment]()

    def _cut_power(self) -> None:
        """Take the machine down; orchesjob may lose what it wrote last, and PIDs are given anew."""
        jobs = self.world.jobs
        jobs.lose_writes(self.random.choice((0, 0, 1, 2, 5)))
        for job in jobs.jobs():
            job.pid_reused = self.random.random() < 0.3
        self.world.store_locked_until = 0.0
        self.world.restart_machine()

    def _set_clock(self) -> None:
        self.world.machine.jump_wall_clock(self.random.choice((-1e6, -3600, -40, 40, 3600, 1e6)))

    def _stop(self) -> None:
        """Stop the runner when it waits next, for a while in which another one drives the run.

        A process that is stopped holds its lock: only where that was removed can this happen. Not
        between a commit and its effects, since the calls that a stopped process makes later are out
        of anybody's sight.
        """
        self._stop_sec = self.random.choice((0.5, 5.0, 60.0))

    def _stand_still(self) -> None:
        if self._stop_sec is None or self._stopped:
            return
        seconds, self._stop_sec, self._stopped = self._stop_sec, None, True
        try:
            self.world.drive_beside(seconds)
        except PowerCut:
            raise
        except (Crash, GaveUp, Interrupted):
            pass  # that of the other runner
        finally:
            self._stopped = False

    def _crash_for_long(self) -> None:
        """Kill the runner; before the next one comes, a worker dies and its PID is given anew."""
        self._recycles = True
        self.world.crash()

    def _forget(self) -> None:
        """Let orchesjob forget a job that it has reported."""
        reported = [one for one in self.world.recorded.values() if one.job_id is not None]
        if reported:
            attempt = self.random.choice(reported)
            self.world.jobs.forget(self.world.key_of(AttemptId(attempt.position, attempt.number)))

    def _lock(self) -> None:
        until = self.world.machine.mono + self.random.choice((0.3, 5.0, 90.0))
        self.world.store_locked_until = until

    # Driving.

    def drive(self) -> None:
        """Drive the run to its end, and check it there; perhaps change it, and do so once more.

        It may be retried, and then a person may decide how a step has ended.

        Raises:
            Broken: An invariant does not hold.
        """
        self._drive_to_the_end()
        if self._retries.random() < RETRIED:
            self._retry()
            self._drive_to_the_end()
        while self._settlements.random() < SETTLED and (steps := self._steps_to_settle()):
            self._settle(steps)
            self._drive_to_the_end()
        self._check_that_it_is_left_alone()

    def _retry(self) -> None:
        """Reopen the run, as the model does where the run has ended as the model says."""
        if not self.faults & OTHER_OUTCOMES:
            self.case = retry(self.world, self._retries, self.case)
            return
        named: list[str] = []
        if self.world.run().status is RunStatus.SUCCEEDED:
            named = [self._retries.choice(self.case.steps).id]
        self.world.retry(*named)

    def _steps_to_settle(self) -> list[str]:
        bad = (StepStatus.FAILED, StepStatus.CANCELLED)
        return [step.step_id for step in self.world.run().steps if step.status in bad]

    def _settle(self, steps: list[str]) -> None:
        """Settle a step, as the model does where the run has ended as the model says."""
        if not self.faults & OTHER_OUTCOMES:
            self.case = settle(self.world, self._settlements, self.case)
            return
        status = self._settlements.choice((StepStatus.SUCCEEDED, StepStatus.SKIPPED))
        self.world.settle(self._settlements.choice(steps), status)

    def _drive_to_the_end(self) -> None:
        calm_since: float | None = None
        runners_in_calm = 0
        while not self.world.run().status.is_terminal:
            if self.is_over:
                calm_since = calm_since or self.world.machine.mono
                runners_in_calm += 1
                self.world.store_locked_until = 0.0
            if runners_in_calm > MOST_RUNNERS_AFTERWARDS:
                raise Broken("the_run_ends", "one runner after another gives up")
            try:
                self.world.drive_once()
            except (Crash, GaveUp, Interrupted, RunTakenOver) as end:
                self.world.note("runner ends", end)
                self.world.calls.abandon()
                self._between_runners()
        self._check_the_end(calm_since)

    def _between_runners(self) -> None:
        self._stop_sec = None
        if self._recycles:
            self._recycles = False
            self.world.calls.wait_for_all()
            running = [job for job in self.world.jobs.jobs() if job.worker_alive]
            if running:
                job = self.random.choice(running)
                job.pid_reused = True
                self.world.jobs.kill_worker(job)
        if not self.is_over:
            seconds = self.random.choice((0.0, 0.0, 1.0, 30.0))
            self.world.machine.pass_time(self.world.machine.mono + seconds)

    def _check_the_end(self, calm_since: float | None) -> None:
        world = self.world
        if not self.faults & OTHER_OUTCOMES:
            try:
                check(world, self.case)
            except AssertionError as error:
                raise Broken("the_outcome_is_the_models", str(error)) from error
        if calm_since is not None and world.machine.mono - calm_since > self._longest_calm():
            raise Broken("the_run_ends_soon", f"after {world.machine.mono - calm_since:.0f} s")

    def _check_that_it_is_left_alone(self) -> None:
        world = self.world
        run, points, seen = world.run(), world.points, len(world.log)
        world.request_cancel()
        world.drive_once()
        done = [what for _, what, _ in world.log[seen:] if what in ("effect", "commit", "begins")]
        if (world.run(), world.points, done) != (run, points, []):
            raise Broken("an_ended_run_is_left_alone", f"{done} after the run's end")

    def _longest_calm(self) -> float:
        """Return how many seconds a run may take after the storm, whatever that has left behind."""
        attempts = sum(map(len, self.case.fates.values()))
        return LONGEST_CALL_SEC + LONGEST_ATTEMPT_SEC * (attempts + 1)
