"""Runs of one group: one is under way at a time, whatever is killed and whenever (rule 10.7)."""

from pathlib import Path

import pytest

from .crowd import Crowd


@pytest.mark.parametrize("seed", range(12))
def test_crowds(database: Path, seed: int) -> None:
    """One at a time, first come first served, none lost, and a cancel ends one that waits."""
    with Crowd(database, seed, runs=4) as crowd:
        crowd.live()


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
