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

from flow_spec import StepSpec
from flow_store import FlowStatus, FlowStore
from orchesjob_flow.runner.loop import Runner

from .facts import Broken
from .world import Crash, World

GROUP = "g"
MOST_TURNS = 4_000
DEEPEST = 2
"""How many runners can be in the middle of a turn at once."""


class Crowd:
    """Some runs of one group, and who drives them."""

    def __init__(self, path: Path, seed: int, runs: int) -> None:
        self.random = Random(seed)  # noqa: S311 - reproducible on purpose
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
        return world

    def __enter__(self) -> Self:
        """Return the crowd; leaving the block lets go of its stores."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the stores."""
        self._opened.close()

    def record(self, key: str) -> None:
        """Record a run of two steps and `finally`, of which one may fail."""
        world = self.worlds[key]
        world.record(
            StepSpec("a", ("a",)),
            StepSpec("b", ("b",), depends_on=("a",)),
            finally_=(StepSpec("z", ("z",)),),
            timeout_sec=self.random.choice((None, 2.0, 500.0)),
            group=GROUP,
        )
        for step in "abz":
            code = int(self.random.random() < 1 / 4)
            world.plan(f"{step}:1", seconds=self.random.uniform(0, 5), code=code)
        self.order.append(key)

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
        """Let one run go on, or something happen to it."""
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

    def order_of_all(self) -> list[str]:
        """List the runs that are recorded."""
        return [key for key, world in self.worlds.items() if world.history]

    def retry(self, key: str) -> None:
        """Open a run again: it comes last."""
        world = self.worlds[key]
        if all(step.status == "SUCCEEDED" for step in world.run().steps):
            return
        self.runners.pop(key, None)
        self.ended_early.discard(key)
        world.retry()
        self.order.append(key)

    def cancel(self, key: str) -> None:
        """Ask for the end of a run, which may wait."""
        self.worlds[key].request_cancel()
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
        """Let something happen in the middle of a turn of a runner."""
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

    # What must hold then.

    def status(self, key: str) -> FlowStatus:
        """Read the status of a run."""
        return self.worlds[key].run().status

    def is_free_for(self, key: str) -> bool:
        """Whether a run waits, and nobody is before it who has a runner."""
        if key not in self.order or key in self.ended_early:
            return False
        earlier = self.order[: self.order.index(key)]
        return not self.under_way() and not any(other in self.runners for other in earlier)

    def under_way(self) -> list[str]:
        """List the runs that have begun and not ended."""
        return [key for key in self.order_of_all() if self.status(key) is FlowStatus.RUNNING]

    def _see(self, key: str) -> None:
        """Check what must hold of the group after any change that the runner of a run has made."""
        under_way = self.under_way()
        require(len(under_way) <= 1, "one_run_at_a_time", f"{under_way} are under way")
        for other, world in self.worlds.items():
            running = [found.key for found in world.executions() if found.end is None]
            require(
                not running or other in under_way, "nothing_runs_outside", f"{running} of {other}"
            )
        if key not in self.order or self.status(key) is FlowStatus.PENDING:
            return
        earlier = self.order[: self.order.index(key)]
        self.order.remove(key)
        if self.status(key) is FlowStatus.CANCELLED:
            return
        require(key not in self.ended_early, "cancelled_at_once", f"{key} has begun")
        ignored = set(earlier) - self.passed[key]
        require(not ignored, "first_come_first_served", f"{key} begins before {ignored}")


def require(holds: bool, invariant: str, why: str) -> None:
    """Demand that an invariant holds.

    Raises:
        Broken: It does not.
    """
    if not holds:
        raise Broken(invariant, why)
