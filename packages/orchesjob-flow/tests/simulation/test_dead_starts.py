"""A start that orchesjob records and never carries out (rule 4.2)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec
from flow_store import AttemptStatus
from orchesjob_flow.errors import GaveUp

from .world import World

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("strict", [True, False])
def test_a_number_but_no_retry(world: World, step: Make, strict: bool) -> None:
    """A dead start is aborted, which proves it never ran; its number is used, no retry is."""
    world.record(step("a", strict=strict))
    world.calls.script("start", "a:1", "dead")
    run = world.drive()
    found = world.step("a")
    assert (run.status, found.attempt_no, found.failures) == ("SUCCEEDED", 2, 0)
    assert world.job("a:1").status == "ABORTED"
    assert [execution.key for execution in world.executions()] == ["k:a:2"]


def test_its_attempt_says_so(world: World, step: Make) -> None:
    """The attempt of a dead start ends NEVER_RAN, and shows what orchesjob reported last."""
    world.record(step("a"))
    world.calls.script("start", "a:1", "dead")
    world.drive()
    first, second = world.attempts()
    assert (first.status, second.status) == (AttemptStatus.NEVER_RAN, AttemptStatus.SUCCEEDED)
    assert first.error == "orchesjob never started it"
    assert '"status":"ABORTED"' in str(first.job)


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
def test_a_worker_that_is_late(world: World, step: Make, strict: bool) -> None:
    """While a launcher is alive the start is not dead: its worker is waited for and adopted."""
    world.record(step("a", strict=strict))
    world.calls.script("start", "a:1", "late")
    world.plan("a:1", seconds=30.0)
    assert world.drive().status == "SUCCEEDED"
    assert world.step("a").attempt_no == 1
    assert len(world.executions()) == 1
    assert not world.calls.made("abort")


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


def test_cancelled(world: World, step: Make) -> None:
    """A cancel meets a dead start as it meets any other: aborted, CANCELLED, nothing ran."""
    world.record(step("a"))
    world.calls.script("start", "a:1", "dead")
    world.machine.after(0.2, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert world.statuses() == {"a": "CANCELLED"}
    assert not world.executions()
