"""Runs of one group: one is under way at a time, whatever is killed and whenever (rule 10.7)."""

from pathlib import Path

import pytest

from flow_spec import OnConflict
from flow_store import RunStatus

from .crowd import Crowd

MOST_TURNS = 200
"""More turns than three runs take, of all their runners."""


@pytest.mark.parametrize("seed", range(12))
def test_crowds(database: Path, seed: int) -> None:
    """One at a time, first come first served, none lost, and a cancel ends one that waits."""
    with Crowd(database, seed, runs=4) as crowd:
        crowd.live()


@pytest.mark.parametrize("seed", range(12))
def test_crowds_that_replace(database: Path, seed: int) -> None:
    """The same if some runs replace those before them: these end first, and are never begun."""
    with Crowd(database, seed, runs=5, replacing=0.5) as crowd:
        crowd.live()


@pytest.mark.parametrize("turns", range(1, 16))
@pytest.mark.parametrize("is_killed_again", [False, True])
def test_a_holder_without_a_runner(database: Path, turns: int, is_killed_again: bool) -> None:
    """A run that replaces others has them end, whose runners died at any point (rule 10.7).

    Nothing else gives them a runner. It begins after their end, and `finally` has run once.
    """
    with Crowd(database, 0, runs=3) as crowd:
        crowd.is_in_peace = True
        holder, waiting, newest = crowd.worlds
        crowd.record(holder)
        for world in crowd.worlds.values():
            for step in "abz":
                world.plan(f"{step}:1", seconds=2)
        while turns > 0 and not crowd.status(holder).is_terminal:
            crowd.run_once(holder)
            turns -= 1
        before = crowd.worlds[holder].run()
        crowd.record(waiting, OnConflict.REPLACE)
        crowd.record(newest, OnConflict.REPLACE)
        crowd.kill_runners()
        for _ in range(MOST_TURNS):
            for key in [newest, *crowd.runners]:
                if not crowd.status(key).is_terminal:
                    crowd.run_once(key)
            if is_killed_again and crowd.under_way() == [holder]:
                is_killed_again = False
                crowd.kill_runners()
        runs = {key: world.run() for key, world in crowd.worlds.items()}
        assert runs[newest].status.is_terminal
        assert (runs[waiting].status, runs[waiting].error) == (
            "CANCELLED",
            f"replaced by run {newest!r}",
        )
        assert not crowd.worlds[waiting].executions()
        has_begun = before.status is not RunStatus.PENDING
        assert len(crowd.worlds[holder].executions("z")) == int(has_begun)
        if before.finally_after is None:
            assert (runs[holder].status, runs[holder].error) == (
                "CANCELLED",
                f"replaced by run {waiting!r}",
            )
        else:
            assert (runs[holder].status, runs[holder].error) == ("SUCCEEDED", None)


@pytest.mark.parametrize("happens", ["another begins", "a cancel"])
def test_between_the_look_and_the_beginning(database: Path, happens: str) -> None:
    """What happens after a run was seen to be next is not overlooked: it waits still, or ends."""
    with Crowd(database, 0, runs=2) as crowd:
        crowd.is_in_peace = True
        first, second = crowd.worlds
        crowd.record(first)
        crowd.record(second)
        crowd.worlds[second].at_point[1] = (  # before its commit
            (lambda: crowd.cancel(second))
            if happens == "a cancel"
            else (lambda: crowd.run_once(first))
        )
        crowd.run_once(second)  # nobody drives the first one yet
        run = crowd.worlds[second].run()
        assert run.status == ("CANCELLED" if happens == "a cancel" else "PENDING")
        assert not run.attempts
        crowd.leave_in_peace()
        assert crowd.worlds[first].executions()
        assert bool(crowd.worlds[second].executions()) is (happens == "another begins")
