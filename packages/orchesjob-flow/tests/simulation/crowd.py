"""Several runs of one group in one database: real runners that take turns, killed and cancelled.

Each run has a world with a time of its own, for nothing that is promised of a group depends on
clocks. Between any two points of one runner the others may act. What must hold of the group is
checked here, by what is recorded and what really ran (rule 10.7).
"""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Self

from flow_spec import Concurrency, OnConflict, StepSpec
from flow_store import FlowStore, RunStatus
from orchesjob_flow.runner.loop import Runner

from .facts import Broken
from .world import Crash, World

GROUP = "g"
MOST_TURNS = 4_000
DEEPEST = 2
"""How many runners can be in the middle of a turn at once."""


class Crowd:
    """Some runs of one group, and who drives them; so many of them replace those before them."""

    def __init__(self, path: Path, seed: int, runs: int, replacing: float = 0.0) -> None:
        self.random = Random(seed)  # noqa: S311 - reproducible on purpose
        self.replacing = replacing
        self.order: list[str] = []
        """The runs that have not begun, the one that came first first."""
        self.runners: dict[str, Runner] = {}
        """The runners that live."""
        self.acting: list[str] = []
        """The runs whose runners are in the middle of a turn, one within the other."""
        self.passed: dict[str, set[str]] = {}
        """By the run whose runner looks in this turn: those that it saw to have no runner."""
        self.ended_early: set[str] = set()
        """The runs that were to be cancelled while they waited."""
        self.asked: dict[str, str | None] = {}
        """The runs that are to be cancelled, each with the run that replaces it, if one does."""
        self.disturbances = 0
        self.is_in_peace = False
        self._opened = ExitStack()
        self.worlds = {key: self._world(path, key) for key in map(str, range(runs))}

    def _world(self, path: Path, key: str) -> World:
        store = self._opened.enter_context(FlowStore.open(path))
        world = self._opened.enter_context(
            World(store, path, run_key=key, seed=self.random.randrange(10**6))
        )
        world.on_point = partial(self._pass_point, key)
        world.on_look = world.on_point
        world.has_runner = partial(self._has_runner, key)
        world.end = partial(self._end, key)
        return world

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def record(self, key: str, on_conflict: OnConflict | None = None) -> None:
        """Record a run of two steps and `finally`, of which one may fail."""
        world = self.worlds[key]
        if on_conflict is None:
            replaces = self.replacing > 0 and self.random.random() < self.replacing
            on_conflict = OnConflict.REPLACE if replaces else OnConflict.WAIT
        world.record(
            StepSpec("a", ("a",)),
            StepSpec("b", ("b",), depends_on=("a",)),
            finally_=(StepSpec("z", ("z",)),),
            timeout_sec=self.random.choice((None, 2.0, 500.0)),
            concurrency=Concurrency(GROUP, on_conflict),
        )
        for step in "abz":
            code = int(self.random.random() < 1 / 4)
            world.plan(f"{step}:1", seconds=self.random.uniform(0, 5), code=code)
        self._has_joined(key)

    # What happens.

    def live(self) -> None:
        """Let the runs come, go on, be killed and cancelled; then leave them in peace."""
        coming = list(self.worlds)
        for _ in range(40 * len(self.worlds)):
            if coming and self.random.random() < 1 / 4:
                self.record(coming.pop(0))
            else:
                self._act()
        for key in coming:
            self.record(key)
        self.leave_in_peace()

    def leave_in_peace(self) -> None:
        """Let all runs go on to their ends, and nothing happen to them."""
        self.is_in_peace = True
        turns = 0
        while unfinished := [key for key in self.worlds if not self.status(key).is_terminal]:
            turns += 1
            require(turns < MOST_TURNS, "every_run_ends", f"{unfinished}: {self.order} wait")
            self.run_once(self.random.choice(unfinished))

    def _act(self) -> None:
        free = [key for key in self.order_of_all() if key not in self.acting]
        if not free:
            return
        key = self.random.choice(free)
        chance = self.random.random()
        if self.status(key).is_terminal:
            if chance < 1 / 20:
                self.retry(key)
        elif chance < 1 / 50:
            self.cancel(key)
        else:
            self.run_once(key)

    def kill_runners(self) -> None:
        for key in self.runners:
            self.worlds[key].calls.abandon()
        self.runners.clear()

    def order_of_all(self) -> list[str]:
        return [key for key, world in self.worlds.items() if world.history]

    def retry(self, key: str) -> None:
        world = self.worlds[key]
        if all(step.status == "SUCCEEDED" for step in world.run().steps):
            return
        self.runners.pop(key, None)
        self.ended_early.discard(key)
        self.asked.pop(key, None)
        world.retry()
        self._has_joined(key)

    def _has_joined(self, key: str) -> None:
        """Note that a run has joined the group, and which others it has asked to end."""
        for other in self.order_of_all() if self._replaces(key) else ():
            if other != key and not self.status(other).is_terminal:
                self._is_asked(other, key)
                self.worlds[other].cancel_is_recorded(self.worlds[other].run().cancel)
        self.order.append(key)

    def _replaces(self, key: str) -> bool:
        group = self.worlds[key].flow.concurrency
        return group is not None and group.on_conflict is OnConflict.REPLACE

    def cancel(self, key: str) -> None:
        self.worlds[key].request_cancel()
        self._is_asked(key, None)

    def _is_asked(self, key: str, successor: str | None) -> None:
        self.asked.setdefault(key, successor)
        if key in self.order:
            self.ended_early.add(key)

    def run_once(self, key: str) -> None:
        """Let the runner of a run, or a new one, take a turn, which may kill it."""
        self.disturbances += 1
        before, free = self.disturbances, self.is_free_for(key)
        self.acting.append(key)
        self.passed[key] = set()
        try:
            if key not in self.runners:
                self.runners[key] = self.worlds[key].new_runner()
            self.runners[key].run_once()
        except Crash:
            del self.runners[key]
            self.worlds[key].calls.abandon()
        finally:
            self.acting.remove(key)
        if self.status(key).is_terminal:
            self.runners.pop(key, None)
        self._see(key)
        if free and self.disturbances == before and key in self.runners:
            require(key not in self.order, "a_free_group_is_taken", f"{key} waits for nobody")

    def _pass_point(self, key: str) -> None:
        self._see(key)
        if self.is_in_peace:
            return
        chance = self.random.random()
        if chance < 1 / 60:
            self.disturbances += 1
            self.worlds[key].crash()
        elif chance < 1 / 6 and len(self.acting) < DEEPEST:
            self.disturbances += 1
            self._act()

    def _has_runner(self, asker: str, key: str) -> bool:
        if key not in self.runners:
            self.passed[asker].add(key)
        return key in self.runners

    def _end(self, asker: str, key: str) -> bool:
        """Give a run that is to end a runner; that may fail."""
        require(self._replaces(asker), "only_a_successor_ends_others", f"{asker} ends {key}")
        require(key in self.asked, "only_what_is_asked_is_ended", f"{asker} ends {key}")
        if key in self.acting or (not self.is_in_peace and self.random.random() < 1 / 5):
            return False
        self.runners[key] = self.worlds[key].new_runner()
        self.passed[asker].discard(key)
        return True

    # What must hold then.

    def status(self, key: str) -> RunStatus:
        return self.worlds[key].run().status

    def is_free_for(self, key: str) -> bool:
        """Whether a run waits, and nobody is before it who has a runner."""
        if key not in self.order or key in self.ended_early:
            return False
        earlier = self.order[: self.order.index(key)]
        awaited = set(self.runners) | (self.ended_early if self._replaces(key) else set())
        return not self.under_way() and awaited.isdisjoint(earlier)

    def under_way(self) -> list[str]:
        return [key for key in self.order_of_all() if self.status(key) is RunStatus.RUNNING]

    def _see(self, key: str) -> None:
        """Check what must hold of the group after any change that the runner of a run has made."""
        under_way = self.under_way()
        require(len(under_way) <= 1, "one_run_at_a_time", f"{under_way} are under way")
        for other, world in self.worlds.items():
            running = [found.key for found in world.executions() if found.end is None]
            require(
                not running or other in under_way, "nothing_runs_outside", f"{running} of {other}"
            )
            if world.history and world.run().status is RunStatus.CANCELLED:
                self._see_cancelled(other)
        if key not in self.order or self.status(key) is RunStatus.PENDING:
            return
        earlier = self.order[: self.order.index(key)]
        self.order.remove(key)
        if self.status(key) is RunStatus.CANCELLED:
            return
        require(key not in self.ended_early, "cancelled_at_once", f"{key} has begun")
        ignored = set(earlier) - self.passed[key]
        require(not ignored, "first_come_first_served", f"{key} begins before {ignored}")

    def _see_cancelled(self, key: str) -> None:
        """Check that somebody has asked for the end of a run, and that its error names a run."""
        run = self.worlds[key].run()
        is_settled = run.cancel is None  # a step kept an early end
        require(is_settled or key in self.asked, "none_ends_unasked", f"{key} is cancelled")
        successor = self.asked.get(key)
        expected = None if successor is None else f"replaced by run {successor!r}"
        require(run.error == expected, "the_first_successor_is_named", f"{key}: {run.error}")


def require(holds: bool, invariant: str, why: str) -> None:
    """Demand that an invariant holds.

    Raises:
        Broken: It does not.
    """
    if not holds:
        raise Broken(invariant, why)
