"""Clock jumps, restarts of the machine, and an orchesjob that has forgotten (5.10, 5.8, 4.7)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from flow_spec import StepSpec
from flow_store import FlowStore

from .jobs import Obeys
from .world import World

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_jump_during_a_delay(world: World, step: Make, jump: float) -> None:
    """A jump of the wall clock neither shortens nor lengthens a delay (rule 5.10)."""
    world.record(step("a", retries=1, retry_delay_sec=60.0))
    world.plan("a:1", code=1)
    world.machine.after(20.0, partial(world.machine.jump_wall_clock, jump))
    world.drive()
    first, second = world.executions()
    assert first.end is not None
    assert 60.0 <= second.begin - first.end < 62.0


def test_no_end_before_the_beginning(world: World, step: Make) -> None:
    """A clock that goes back while a step runs makes no time negative (rule 5.10)."""
    world.record(step("a"))
    world.plan("a:1", seconds=10.0)
    world.machine.after(5.0, partial(world.machine.jump_wall_clock, -7200.0))
    run = world.drive()
    assert run.finished_at == run.started_at
    assert run.steps[0].finished_at == run.steps[0].started_at


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_jump_and_another_runner(world: World, step: Make, jump: float) -> None:
    """A new runner, too, counts the rest of a delay on the monotonic clock (rule 5.10)."""
    world.record(step("a", retries=1, retry_delay_sec=60.0, timeout_sec=80.0))
    world.plan("a:1", code=1)
    world.plan("a:2", seconds=900.0)
    for when in (20.0, 100.0):
        world.machine.after(when, partial(world.machine.jump_wall_clock, jump))
        world.machine.after(when + 1, world.crash)
    world.drive()
    first, second = world.executions()
    assert first.end is not None
    assert second.end is not None
    assert 60.0 <= second.begin - first.end < 62.0
    assert 80.0 <= second.end - second.begin < 82.0


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_jump_during_an_attempt(world: World, step: Make, jump: float) -> None:
    """A jump of the wall clock neither fires nor stalls a timeout (rule 5.10)."""
    world.record(step("a", timeout_sec=3600.0), step("b", timeout_sec=60.0))
    world.plan("a:1", seconds=300.0)
    world.plan("b:1", seconds=900.0)
    world.machine.after(20.0, partial(world.machine.jump_wall_clock, jump))
    world.drive()
    assert world.statuses() == {"a": "SUCCEEDED", "b": "FAILED"}
    (execution,) = world.executions("b")
    assert execution.end is not None
    assert 60.0 <= execution.end - execution.begin < 62.0


def restarted(world: World, after: float = 10.0, forget: str = "") -> None:
    """Drive a run whose machine is restarted, perhaps with an orchesjob that forgets a key."""

    def restart() -> None:
        world.jobs.forget(forget)
        world.restart_machine()

    world.machine.after(after, restart)
    world.drive()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("retries", [0, 1])
def test_a_job_of_an_earlier_boot(world: World, step: Make, strict: bool, retries: int) -> None:
    """A job that ran when the machine went down is lost; a retry runs under the next key."""
    world.record(step("a", strict=strict, retries=retries))
    world.plan("a:1", seconds=900.0)
    restarted(world)
    found = world.step("a")
    assert (found.status, found.attempt_no) == ("SUCCEEDED" if retries else "FAILED", 1 + retries)
    assert "outcome unknown: orchesjob lost the job" in str(world.states_of("a"))


def test_its_process_ids_are_somebody_elses(world: World, step: Make) -> None:
    """A row of an earlier boot that says RUNNING is lost, never aborted: that could hit others."""
    world.record(step("a", timeout_sec=30.0))
    world.plan("a:1", seconds=900.0)
    world.machine.after(9.0, lambda: setattr(world.job("a:1"), "pid_reused", True))
    restarted(world)
    assert (
        world.step("a").error
        == "outcome unknown: the machine or container was restarted while it ran"
    )
    assert not world.calls.made("abort")


@pytest.mark.parametrize(("requested_after", "is_begun"), [(5.0, True), (9.99, False)])
def test_a_cancel_of_such_a_job(
    world: World, step: Make, requested_after: float, is_begun: bool
) -> None:
    """A cancel aborts no process of an earlier boot: the restart has ended that, not the cancel."""
    world.record(step("a"))
    world.plan("a:1", seconds=900.0)
    world.machine.after(8.0, lambda: setattr(world.job("a:1"), "pid_reused", True))
    world.machine.after(requested_after, world.request_cancel)
    world.calls.script("abort", "", *["fail"] * 50)
    aborts_before: list[float] = []
    world.machine.after(10.0, lambda: aborts_before.extend(world.calls.made("abort")))
    restarted(world, after=10.001)
    assert (world.run().status, world.statuses()) == ("FAILED", {"a": "FAILED"})
    assert bool(aborts_before) is is_begun
    assert world.calls.made("abort") == aborts_before


@pytest.mark.parametrize("code", [0, 4])
def test_an_outcome_of_an_earlier_boot(world: World, step: Make, code: int) -> None:
    """A job that had ended before the machine went down keeps its outcome."""
    world.calls.latency = (2.0, 2.0)
    world.record(step("a"))
    world.plan("a:1", seconds=0.5, code=code)
    restarted(world, after=3.0)
    assert world.step("a").error == ("exit code 4" if code else None)


def test_an_unknown_start_of_an_earlier_boot(world: World, step: Make) -> None:
    """A start that was committed in an earlier boot and is unknown now is never repeated."""
    world.calls.latency = (2.0, 2.0)
    world.record(step("a", retries=1))
    restarted(world, after=3.0, forget="k:a:1")
    assert world.step("a").attempt_no == 2
    error = "outcome unknown: the machine or container was restarted while it was being started"
    assert error in str(world.states_of("a"))


def test_a_forgotten_job(world: World, step: Make) -> None:
    """A job that orchesjob once reported and no longer knows is never started again."""
    world.record(step("a", retries=1, strict=False))
    world.plan("a:1", seconds=5.0)
    world.new_runner().drive(until=world.machine.mono + 3)
    world.jobs.forget("k:a:1")
    world.drive()
    assert "outcome unknown: orchesjob no longer knows the job" in str(world.states_of("a"))
    assert [found.key for found in world.executions()] == ["k:a:1", "k:a:2"]


def test_a_lost_flow_database(world: World, step: Make, tmp_path: Path) -> None:
    """With a new database the same flow finds the strict outcomes, and runs none again (4.7)."""
    steps = [step("a"), step("b", depends_on=("a",), retries=1), step("c", when="!b")]
    world.record(*steps)
    world.plan("b:1", code=1)
    world.drive()
    path = tmp_path / "new.sqlite3"
    with FlowStore.open(path) as store, World(store, path) as new:
        new.jobs.rows = world.jobs.rows
        new.record(*steps)
        assert new.drive().status == "SUCCEEDED"
        assert new.statuses() == world.statuses()
        assert not new.executions()


def test_a_survivor_is_gone_after_a_restart(world: World, step: Make) -> None:
    """A step that waited for a survivor starts its next attempt after the restart."""
    world.record(step("a", retries=1))
    world.plan("a:1", seconds=900.0, worker_lives=1.0, obeys=Obeys.NOTHING)
    restarted(world)
    assert world.statuses() == {"a": "SUCCEEDED"}
