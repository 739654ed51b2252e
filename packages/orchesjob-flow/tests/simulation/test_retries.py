"""How a failed attempt is charged, described, and retried (rules 4.2, 5.3, 5.4, 5.9)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec

from .world import World

Make = Callable[..., StepSpec]

FAILURES = [
    ("exit code", {"code": 3}, "exit code 3"),
    ("signal", {"code": -11}, "killed by signal 11 (SIGSEGV)"),
    (
        "no such command",
        {"spawns": False},
        "could not be started: not found, not executable, or no process left",
    ),
    ("aborted", {"aborted_after": 0.5}, "aborted from outside this run"),
    ("lost", {"worker_lives": 0.5}, "outcome unknown: orchesjob lost the job"),
]


@pytest.mark.parametrize(("plan", "error"), [row[1:] for row in FAILURES])
def test_failures(world: World, step: Make, plan: dict[str, object], error: str) -> None:
    """Whatever a job ends with but SUCCEEDED fails the attempt, and the error says how (5.3)."""
    world.record(step("a"))
    world.plan("a:1", **plan)
    assert world.drive().status == "FAILED"
    found = world.step("a")
    assert (found.status, found.attempt_no, found.failures) == ("FAILED", 1, 1)
    assert error in str(found.error)


def test_the_run_names_the_steps_that_failed(world: World, step: Make) -> None:
    """The error of a FAILED run lists its failed steps in the order of the file (rule 5.1)."""
    world.record(step("a"), step("b"), step("c", depends_on=("a",)), step("d"))
    world.plan("a:1", code=1)
    world.plan("d:1", code=1)
    assert world.drive().error == "2 steps failed: a, d"


def test_without_a_delay(world: World, step: Make) -> None:
    """A step with retries left and no delay is PENDING, and then runs again (rule 5.4)."""
    world.record(step("a", retries=1))
    world.plan("a:1", code=1)
    assert world.drive().status == "SUCCEEDED"
    assert world.states_of("a") == [
        ("PENDING", None),
        ("RUNNING", None),
        ("PENDING", "exit code 1"),
        ("RUNNING", None),
        ("SUCCEEDED", None),
    ]
    assert [found.key for found in world.executions("a")] == ["k:a:1", "k:a:2"]


def test_with_a_delay(world: World, step: Make) -> None:
    """A step with a delay is DELAYED until `next_attempt_at`, on the wall clock (rule 5.4)."""
    world.record(step("a", retries=1, retry_delay_sec=20.0))
    world.plan("a:1", code=1)
    world.drive()
    assert [status for status, _ in world.states_of("a")] == [
        "PENDING",
        "RUNNING",
        "DELAYED",
        "RUNNING",
        "SUCCEEDED",
    ]
    delayed = next(run for run in world.history if run.steps[0].status == "DELAYED")
    failed_at = delayed.attempts[0].finished_at
    assert failed_at is not None
    assert delayed.steps[0].next_attempt_at == failed_at + 20.0
    first, second = world.executions("a")
    assert first.end is not None
    assert 20.0 <= second.begin - first.end < 21.5
    assert world.step("a").next_attempt_at is None


def test_the_budget(world: World, step: Make) -> None:
    """`retries: 2` makes three attempts, and the last failure is the step's (rule 5.2)."""
    world.record(step("a", retries=2))
    for number in (1, 2, 3):
        world.plan(f"a:{number}", code=number)
    assert world.drive().status == "FAILED"
    assert len(world.executions("a")) == 3
    assert world.step("a").error == "exit code 3"


@pytest.mark.parametrize("pause", [0.0, 10.0, 100.0])
def test_a_delay_outlives_its_runner(world: World, step: Make, pause: float) -> None:
    """A new runner waits out what is left of a delay, and no more (rule 5.4)."""
    world.record(step("a", retries=1, retry_delay_sec=20.0))
    world.plan("a:1", code=1, seconds=1.0)
    world.new_runner().drive(until=world.machine.mono + 5)
    assert world.step("a").status == "DELAYED"
    world.machine.pass_time(world.machine.mono + pause)
    world.drive()
    first, second = world.executions("a")
    assert first.end is not None
    assert max(20.0, pause) <= second.begin - first.end < max(20.0, pause) + 6


def test_a_delay_that_grows(world: World, step: Make) -> None:
    """Each failure multiplies the delay, up to the longest; a dead start does not (rule 9.12)."""
    spec = step("a", retries=4, retry_delay_sec=10.0, retry_backoff=3.0, retry_max_delay_sec=50.0)
    world.record(spec)
    for number in (1, 2, 4, 5):
        world.plan(f"a:{number}", code=1, seconds=1.0)
    world.calls.script("start", "a:3", "dead")
    assert world.drive().status == "SUCCEEDED"
    begun = [found.begin for found in world.executions("a")]
    ended = [found.end or 0.0 for found in world.executions("a")]
    waited = [begin - end for end, begin in zip(ended, begun[1:], strict=False)]
    assert [round(seconds, -1) for seconds in waited] == [10.0, 30.0, 50.0, 50.0]


@pytest.mark.parametrize("jump", [-86_400.0, 0.0, 10.0])
def test_a_delay_after_a_restart(world: World, step: Make, jump: float) -> None:
    """After a restart of the machine a delay is at most as long as ever (rule 5.10)."""
    world.record(step("a", retries=1, retry_delay_sec=200.0))
    world.plan("a:1", code=1)

    def restart() -> None:
        world.machine.jump_wall_clock(jump)
        world.restart_machine()

    world.machine.after(10.0, restart)
    world.drive()
    waited = world.executions("a")[1].begin
    assert waited <= 204.0
    assert jump == -86_400.0 or waited < 145


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize(
    ("fault", "error"),
    [("refuse", "orchesjob start was refused"), ("prevent", "env_file is missing")],
)
def test_a_call_that_can_never_work(
    world: World, step: Make, retries: int, fault: str, error: str
) -> None:
    """A start that is refused, or not made at all, fails the attempt (rules 5.7 and 10.4)."""
    world.record(step("a", retries=retries))
    world.calls.script("start", "a:1", fault)
    run = world.drive()
    assert run.status == ("SUCCEEDED" if retries else "FAILED")
    errors = [str(found) for _, found in world.states_of("a")]
    assert any(f"could not be started: {error}" in found for found in errors)
    assert len(world.executions("a")) == retries


def test_a_foreign_job(world: World, step: Make) -> None:
    """Another command under the attempt's key fails the step at once, retries or not (5.9)."""
    world.record(step("a", retries=5), step("b", when="a.failed"))
    world.jobs.insert("k:a:1", ["rm", "x"], status="SUCCEEDED")
    assert world.drive().status == "FAILED"
    found = world.step("a")
    assert (found.status, found.attempt_no) == ("FAILED", 1)
    assert "k:a:1" in str(found.error)
    assert "['rm', 'x']" in str(found.error)
    assert "['a']" in str(found.error)
    assert world.statuses()["b"] == "SUCCEEDED"
    assert not world.executions("a")


def test_a_foreign_job_is_never_aborted(world: World, step: Make) -> None:
    """A foreign job that runs is left alone, also by a cancel (rule 5.9)."""
    world.record(step("a"), step("b"))
    world.plan("b:1", seconds=50.0)
    world.jobs.insert("k:a:1", ["else"], status="RUNNING", worker_pid=7, worker_alive=True)
    world.machine.after(10.0, world.request_cancel)
    assert world.drive().steps[0].status == "FAILED"
    assert world.job("a:1").status == "RUNNING"
    assert not world.calls.made("abort", "a:1")
