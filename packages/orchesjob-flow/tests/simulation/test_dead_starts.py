"""A start that orchesjob records and never carries out (rule 4.2)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec
from orchesjob_flow.errors import GaveUp

from .world import World

Make = Callable[..., StepSpec]


def test_three_in_a_row(world: World, step: Make) -> None:
    """After three dead starts in a row the runner gives up; the step's retries are untouched."""
    world.record(step("a", retries=1))
    world.calls.script("start", "", "dead", "dead", "dead")
    with pytest.raises(GaveUp, match="3 starts in a row died"):
        world.drive()
    found = world.step("a")
    assert (found.status, found.attempt_no, found.failures) == ("PENDING", 3, 0)
    assert world.drive().status == "SUCCEEDED"
    assert world.step("a").attempt_no == 4


def test_the_row_is_counted_anew(world: World, step: Make) -> None:
    """Two dead starts, an attempt that ran, and two more are no three in a row."""
    world.record(step("a", retries=1))
    world.calls.script("start", "", "dead", "dead", "", "dead", "dead", "")
    world.plan("a:3", code=1)
    assert world.drive().status == "SUCCEEDED"
    assert world.step("a").attempt_no == 6


@pytest.mark.parametrize("strict", [True, False])
def test_a_worker_that_comes_before_the_abort(world: World, step: Make, strict: bool) -> None:
    """A job that is born while its start is taken for dead ends as what is known of it: failed."""
    world.record(step("a", retries=1, strict=strict))
    world.calls.script("start", "a:1", "dead")
    world.plan("a:1", seconds=30.0)
    runner = world.new_runner()
    while not world.calls.made("abort", "a:1"):
        runner.run_once()
    world.jobs.give_worker(world.job("a:1"))
    runner.drive()
    first, second = world.executions("a")
    assert first.end is not None
    assert second.begin >= first.end
    assert "its job was ended" in str(world.states_of("a"))
