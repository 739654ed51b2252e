"""What must hold in every world, whatever happens in it: one function for each invariant.

A world calls each group where its docstring says. The functions judge by what is committed and by
what really happened (the list of executions, the rows of orchesjob), never by what a runner
believes; only `something_is_awaited` looks into one, to find out what it waits for.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from flow_spec import StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    Outcome,
    Run,
    RunStatus,
    Step,
    StepStatus,
    attempt_key,
)
from orchesjob_flow.engine.messages import AbortJob, AttemptId, Effect, EndSurvivors, StartJob
from orchesjob_flow.errors import GaveUp
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.runner.loop import Runner

from .facts import Broken, Commit, Waiting, is_met, waits_of
from .jobs import Execution
from .ports import VirtualInbox

if TYPE_CHECKING:
    from .world import World

QUESTIONS_AT_ONCE = 8
DEAD_STARTS = 3


def check[*Facts](invariants: tuple[Callable[[*Facts], None], ...], *facts: *Facts) -> None:
    """Check some invariants.

    Raises:
        Broken: One of them does not hold.
    """
    for invariant in invariants:
        try:
            invariant(*facts)
        except AssertionError as error:
            raise Broken(invariant.__name__, str(error)) from error


# When a command begins.


def recorded_before_it_begins(world: "World", execution: Execution) -> None:
    """An attempt is committed as open before it begins, and it is its step's latest (4.2)."""
    step, attempt = attempt_of(world, execution.key)
    recorded = world.recorded.get(attempt)
    assert recorded is not None, f"{execution.key} begins without a record"
    assert recorded.status.is_open, f"{execution.key} begins after its end"
    assert step.attempt_no == attempt.number, f"{execution.key} is not the latest attempt"


def nothing_runs_twice(world: "World", execution: Execution) -> None:
    """No attempt is executed a second time, whatever is killed and whenever (4.2)."""
    keys = [found.key for found in world.jobs.executions]
    assert execution.key not in keys, f"{execution.key} runs twice"


def no_attempt_beside_its_predecessor(world: "World", execution: Execution) -> None:
    """No attempt begins while a process of another attempt of its step is alive (5.8)."""
    step, _ = attempt_of(world, execution.key)
    for other in world.executions(f"{step.step_id}:"):
        assert other.end is not None, f"{execution.key} runs beside {other.key}"
        assert other.left_pid is None, f"{execution.key} runs beside what {other.key} has left"


def nothing_begins_beside_what_it_waits_for(world: "World", execution: Execution) -> None:
    """No command begins while that of a step that its step waits for runs, seen or unseen (5.8)."""
    step, _ = attempt_of(world, execution.key)
    for name in waits_of(world.flow, spec_of(world, step)):
        alive = [other.key for other in world.executions(f"{name}:") if other.end is None]
        assert not alive, f"{execution.key} begins while {alive} run"


def its_own_command(world: "World", execution: Execution) -> None:
    """What runs under an attempt's key is its step's command, or its gate (1.3, 5.9, 10.8)."""
    assert execution.command == command_of(world, execution.key), (
        f"{execution.key} runs another command"
    )


def its_gate_has_let_it_run(world: "World", execution: Execution) -> None:
    """A command begins when its gate has ended with 0 since its step was last decided (10.8)."""
    step, attempt = attempt_of(world, execution.key)
    spec = spec_of(world, step)
    if not spec.only_if or world.recorded[attempt].is_gate:
        return
    numbers = range(world.decisions.first_attempt(step.position), attempt.number)
    yes = [
        number
        for number in numbers
        if (asked := world.recorded[step.position, number]).is_gate
        and asked.status is AttemptStatus.SUCCEEDED
    ]
    assert yes, f"{execution.key} begins though its gate has not let it run"
    key = attempt_key(world.run_key, step.step_id, yes[-1])
    said = [found.code for found in world.jobs.executions if found.key == key]
    assert not said or said == [0], f"{execution.key} begins, and its gate has said {said}"


def nothing_begins_after_the_end(world: "World", execution: Execution) -> None:
    """Once a run has ended, nothing of it begins any more (5.1, 5.6)."""
    assert not world.history[-1].status.is_terminal, f"{execution.key} begins after the run's end"


def finally_begins_after_all_else(world: "World", execution: Execution) -> None:
    """A step of `finally` begins when all others have ended and nothing of them is alive (10.1).

    What a step that succeeded has left behind, it was meant to leave.
    """
    step, _ = attempt_of(world, execution.key)
    if step.step_id not in world.flow.finally_ids:
        return
    run = world.history[-1]
    assert run.finally_after is not None, f"{execution.key} begins before how all ended is recorded"
    for other in steps_of(world, run, in_finally=False):
        assert other.status.is_terminal, f"{execution.key} begins while {other.step_id} is open"
        if other.status is not StepStatus.SUCCEEDED:
            assert not alive(world, other), f"{execution.key} begins while {other.step_id} is alive"


AT_A_BEGINNING = (
    recorded_before_it_begins,
    nothing_runs_twice,
    no_attempt_beside_its_predecessor,
    nothing_begins_beside_what_it_waits_for,
    its_own_command,
    its_gate_has_let_it_run,
    nothing_begins_after_the_end,
    finally_begins_after_all_else,
)


# After a commit.


def ended_is_final(_: "World", commit: Commit) -> None:
    """What is terminal never changes: the run, a step, an attempt (5.1)."""
    assert not commit.before.status.is_terminal, "a run that has ended is changed"
    for before, after in zip(commit.before.steps, commit.after.steps, strict=True):
        assert not before.status.is_terminal or before == after, f"{before.step_id} changed"
    for key, attempt in commit.attempts_before.items():
        unchanged = commit.attempts.get(key) == attempt
        assert attempt.status.is_open or unchanged, f"attempt {key} changed after its end"


def steps_move_forwards(world: "World", commit: Commit) -> None:
    """Numbers only grow, what has begun is not skipped, no end lies before its beginning (5.2)."""
    for before, after in zip(commit.before.steps, commit.after.steps, strict=True):
        skipped = after.status is StepStatus.SKIPPED
        latest = commit.attempts.get((after.position, after.attempt_no))
        by_itself = latest is not None and latest.status is AttemptStatus.SKIPPED
        settled = after.position in commit.after.settled
        assert not skipped or by_itself or settled or not world.decisions.has_begun(after), (
            f"{after.step_id} had begun"
        )
        assert after.has_begun is world.decisions.has_begun(after), f"{after.step_id}: {after}"
        assert after.attempt_no >= before.attempt_no, f"{after.step_id} lost a number"
        assert after.failures >= before.failures, f"{after.step_id} lost a failure"
        assert (after.finished_at is not None) == after.status.is_terminal, after
        if after.finished_at is not None:
            assert (after.started_at or 0.0) <= after.finished_at, f"{after.step_id} ends too early"
    header = commit.after
    assert header.finished_at is None or header.started_at <= header.finished_at, "the run's times"


def attempts_are_numbered(_: "World", commit: Commit) -> None:
    """Attempts are numbered from 1 without a gap; only a RUNNING step's latest is open (4.2)."""
    numbers: dict[int, list[int]] = {}
    for (position, number), attempt in sorted(commit.attempts.items()):
        numbers.setdefault(position, []).append(number)
        step = commit.after.steps[position]
        if attempt.status.is_open:
            assert number == step.attempt_no, f"attempt {number} of {step.step_id} is left open"
            assert step.status is StepStatus.RUNNING, f"{step.step_id} does not run: {step.status}"
    for step in commit.after.steps:
        expected = list(range(1, step.attempt_no + 1))
        assert numbers.get(step.position, []) == expected, f"{step.step_id}: {numbers}"
        latest = commit.attempts.get((step.position, step.attempt_no))
        ending = commit.after.cancel is not None or commit.may_be_out_of_time
        if step.status is StepStatus.RUNNING and not ending:
            assert latest is not None, f"{step.step_id} runs without an attempt"
            assert latest.status.is_open, f"{step.step_id} runs without an open attempt"


def what_is_settled_is_kept(_: "World", commit: Commit) -> None:
    """A step that a person has settled has that outcome, and no attempt begins (12.3)."""
    assert commit.after.settlements == commit.before.settlements, "a settlement was changed"
    for position, settlement in commit.after.settled.items():
        step = commit.after.steps[position]
        assert step.status is settlement.status, f"{step.step_id} is {step.status}"
        begun = [one.number for one in commit.newly_begun if one.position == position]
        assert not begun, f"{step.step_id} runs though it is settled"


def begun_and_skipped_rightly(world: "World", commit: Commit) -> None:
    """A step begins, or is skipped, when all that it waits for has ended, as its condition says.

    Judged by committed rows alone (3.2 to 3.5).
    """
    rows = {step.step_id: step for step in commit.after.steps}
    for before, after in zip(commit.before.steps, commit.after.steps, strict=True):
        begun = after.attempt_no > before.attempt_no
        skipped = after.status is StepStatus.SKIPPED and not before.status.is_terminal
        skipped = skipped and not world.decisions.has_begun(after)
        if not begun and not skipped:
            continue
        spec = spec_of(world, after)
        for name in waits_of(world.flow, spec):
            assert rows[name].status.is_terminal, f"{after.step_id} is decided before {name} ended"
        end = run_end(world, commit.after)
        is_due = is_met(spec, rows, passed_in(world, commit.after), end)
        is_due = is_due and spec.id not in world.flow.left_out
        assert is_due is begun, f"{after.step_id} is decided against its condition"


def decided_after_what_it_waits_for(world: "World", commit: Commit) -> None:
    """When a run ends, each step was decided after all that it waits for had ended last.

    So whatever depends on a step that a `retry` runs again is decided again (3.4, 9.7).
    """
    if not commit.after.status.is_terminal:
        return
    by_id = {step.step_id: step for step in commit.after.steps}
    for step in commit.after.steps:
        if step.status is StepStatus.CANCELLED or step.position in commit.after.settled:
            continue
        decided = world.decisions.decided_at[step.position]
        for name in waits_of(world.flow, spec_of(world, step)):
            ended = world.decisions.ended_at[by_id[name].position]
            assert decided >= ended, f"{step.step_id} keeps an outcome of before {name} ran again"


def nothing_starts_after_a_cancel(world: "World", commit: Commit) -> None:
    """Once a cancel is recorded, no further attempt is recorded as starting (5.6).

    None but those of `finally`, and not even these once their end is asked for too (10.1).
    """
    if world.attempts_at_cancel is not None:
        for position, _ in commit.attempts.keys() - world.attempts_at_cancel:
            late = commit.after.steps[position].step_id
            assert late in world.flow.finally_ids, f"{late} started after the cancel"
    if world.attempts_at_now is not None:
        assert commit.attempts.keys() == world.attempts_at_now, "started after the cancel of all"


def cancelled_means_gone(world: "World", commit: Commit) -> None:
    """A run is ended early when no process of what has not succeeded is alive (5.6, 6.7, 9.12)."""
    if commit.after.status is RunStatus.CANCELLED:
        if commit.after.cancel is None and world.keeps_an_early_end:
            return  # this time it has ended by itself
        assert commit.after.cancel is not None, "nobody asked for a cancel"
    elif not has_timed_out(commit.after):
        return
    for step in commit.after.steps:
        if step.status is not StepStatus.SUCCEEDED:
            left = alive(world, step)
            assert not left, f"{step.step_id} is alive in a run that was ended: {left}"


def what_waits_begins_or_is_cancelled(_: "World", commit: Commit) -> None:
    """A run that waits for its group begins before anything of it does, unless cancelled (10.7).

    Then every step that was not decided ends CANCELLED, those of `finally` too.
    """
    if commit.before.queue is None:
        return
    if not ended_before_it_began(commit):
        assert commit.after.status is RunStatus.RUNNING, f"it waits, and is {commit.after.status}"
        assert commit.before.cancel is None, "it begins, and is to be cancelled"
        return
    assert commit.attempts == commit.attempts_before, "something of a run that waits has begun"
    for before, after in zip(commit.before.steps, commit.after.steps, strict=True):
        ends = before.status.is_terminal or after.status is StepStatus.CANCELLED
        assert ends, f"{after.step_id} is {after.status}"


def how_all_ended_is_recorded(world: "World", commit: Commit) -> None:
    """How `steps` have ended is recorded once, with their end, before any of `finally` (10.1)."""
    if ended_before_it_began(commit):
        return
    before, after = commit.before.finally_after, commit.after.finally_after
    assert before in (None, after), f"{before} is now {after}"
    steps = steps_of(world, commit.after, in_finally=False)
    if after is None:
        for step in steps_of(world, commit.after, in_finally=True):
            waits = step.status is StepStatus.PENDING or step.position in world.kept
            assert waits, f"{step.step_id} is {step.status} too early"
        ended = commit.after.status.is_terminal
        assert not (ended and world.flow.finally_), "the run has ended without its finally"
        return
    assert world.flow.finally_, "there is no finally"
    assert all(step.status.is_terminal for step in steps), f"{after}, with steps that are open"
    cut = any(step.status is StepStatus.CANCELLED for step in steps)
    failed = any(makes_fail(world, step) for step in steps)
    match after:
        case Outcome.CANCELLED:
            asked = commit.after.cancel is not None or world.keeps_an_early_end
            assert asked, "nobody asked for a cancel"
            assert cut, "cancelled, with all steps ended by themselves"
        case Outcome.TIMED_OUT:
            assert cut, "timed out, with all steps ended by themselves"
        case _:
            expected = Outcome.FAILED if failed else Outcome.SUCCEEDED
            assert (after, cut) == (expected, False), f"{after}, and not {expected}"


def finally_is_run_to_its_end(world: "World", commit: Commit) -> None:
    """When a run ends, each step of `finally` has run or was skipped by its condition (10.1).

    However the others have ended; only a request to end these too keeps them from it.
    """
    if not commit.after.status.is_terminal or ended_before_it_began(commit):
        return
    rows = {step.step_id: step for step in commit.after.steps}
    for step in steps_of(world, commit.after, in_finally=True):
        if step.position in world.kept:
            continue
        if step.status is StepStatus.CANCELLED:
            request = commit.after.cancel
            assert request is not None, f"{step.step_id} is cancelled for nothing"
            assert request.now_at is not None, f"{step.step_id} is cancelled by a first request"
        else:
            end = run_end(world, commit.after)
            is_due = is_met(spec_of(world, step), rows, passed_in(world, commit.after), end)
            assert world.decisions.has_begun(step) is is_due, (
                f"{step.step_id} is {step.status} against its condition"
            )


def run_end(world: "World", run: Run) -> str:
    """Return how a run ends, as it stands before the first step that asks that (3.9)."""
    if run.finally_after in (Outcome.CANCELLED, Outcome.TIMED_OUT):
        return run.finally_after
    late: set[str] = set()
    for _ in world.flow.finally_:
        late |= {
            spec.id
            for spec in world.flow.finally_
            if "run(" in (spec.when or "") or late.intersection(spec.waits_for)
        }
    judged = [step for step in run.steps if step.step_id not in late]
    if any(makes_fail(world, step) for step in judged):
        return "FAILED"
    cut = any(step.status is StepStatus.CANCELLED for step in judged)
    return "CANCELLED" if cut else "SUCCEEDED"


def passed_in(world: "World", run: Run) -> set[str]:
    """List the steps that have passed (3.8, 12.3).

    Of those SKIPPED, these that had an attempt, or that would have run if all that passed without
    running had SUCCEEDED.
    """
    passed = {
        step.step_id
        for step in run.steps
        if step.status is StepStatus.SUCCEEDED
        or (step.status is StepStatus.FAILED and spec_of(world, step).allow_failure)
        or (
            step.status is StepStatus.SKIPPED
            and (world.decisions.has_begun(step) or step.position in run.settled)
        )
    }
    rows = {step.step_id: step for step in run.steps}
    idle = {one for one in passed if rows[one].status is StepStatus.SKIPPED}
    for spec in chain.from_iterable((*world.flow.ranks, *world.flow.finally_ranks)):
        if rows[spec.id].status is not StepStatus.SKIPPED or spec.id in world.flow.left_out:
            continue
        if_run = rows | {one: rows[one]._replace(status=StepStatus.SUCCEEDED) for one in idle}
        end = run_end(world, run)
        if spec.id not in passed and is_met(spec, if_run, passed, end, absent="SUCCEEDED"):
            passed.add(spec.id)
            idle.add(spec.id)
    return passed


def the_gate_is_asked_first(world: "World", commit: Commit) -> None:
    """The gate is asked until it answers, and then no more; only a command succeeds (10.8).

    So the first attempt of a step with a gate, since it was last decided, is one at the gate, and
    so is each that follows one at the gate that has not ended with 0.
    """
    for attempt in commit.newly_begun:
        step = commit.after.steps[attempt.position]
        is_first = attempt.number == world.decisions.first_attempt(attempt.position)
        last = commit.attempts.get((attempt.position, attempt.number - 1))
        passed = not is_first and last is not None
        if last is not None and last.is_gate:
            passed = passed and last.status is AttemptStatus.SUCCEEDED
        expected = bool(spec_of(world, step).only_if) and not passed
        assert attempt.is_gate is expected, (
            f"{commit.key_of(attempt)} is {'' if attempt.is_gate else 'not '}one at the gate"
        )
    for attempt in commit.newly_closed:
        step = commit.after.steps[attempt.position]
        if attempt.is_gate and attempt.number == step.attempt_no:
            assert step.status is not StepStatus.SUCCEEDED, f"{step.step_id}: its gate alone ran"


def retries_are_accounted_for(world: "World", commit: Commit) -> None:
    """A step's failures are its failed attempts, and it FAILED with no retries left (4.2, 5.2).

    A `retry` begins the account anew (9.7).
    A job of somebody else under its key fails a step whatever is left (5.9), and so does what is
    none of its `retry_exit_codes` (9.12).
    """
    failed: dict[int, int] = {}
    for (position, number), attempt in commit.attempts.items():
        if number >= world.decisions.first_attempt(position):
            failed[position] = failed.get(position, 0) + (attempt.status is AttemptStatus.FAILED)
    for step in commit.after.steps:
        assert step.failures == failed.get(step.position, 0), f"{step.step_id} is charged wrongly"
        if step.position in commit.after.settled:
            continue
        used_up = step.failures == step.max_retries + 1
        foreign = "as another command" in (step.error or "")
        if step.status is StepStatus.FAILED:
            final = is_final(step.error, spec_of(world, step))
            assert used_up or foreign or final, f"{step.step_id} failed with retries left"
        else:
            assert step.failures <= step.max_retries + (step.status is StepStatus.CANCELLED)
        if step.status is StepStatus.SUCCEEDED:
            latest = commit.attempts[step.position, step.attempt_no]
            assert latest.status is AttemptStatus.SUCCEEDED, f"{step.step_id} did not succeed"


def no_more_at_once_than_allowed(world: "World", commit: Commit) -> None:
    """No more attempts are open than the flow's `max_parallel` allows (9.12).

    Nobody takes the place of a step between its gate and its command (10.8).
    """
    most = world.flow.max_parallel
    attempting = [key for key, found in commit.attempts.items() if found.status.is_open]
    between = [
        (step.position, step.attempt_no)
        for step in commit.after.steps
        if not step.status.is_terminal and world.decisions.has_begun(step) and step.attempt_no > 0
        if (latest := commit.attempts[step.position, step.attempt_no]).is_gate
        and latest.status is AttemptStatus.SUCCEEDED
    ]
    at_once = [*attempting, *between]
    assert most is None or len(at_once) <= most, f"{at_once} are under way at once"


def no_more_copies_than_allowed(world: "World", commit: Commit) -> None:
    """No more copies are under way than the `max_parallel` of their block allows (10.3).

    One is from the beginning of a step of it to its end, whatever lies between its attempts.
    """
    under_way = {
        step.step_id
        for step in commit.after.steps
        if step.has_begun and not step.status.is_terminal
    }
    for block in world.flow.blocks:
        inside = [ids for ids in block.ids_of_copies if not under_way.isdisjoint(ids)]
        assert block.max_parallel is None or len(inside) <= block.max_parallel, inside


def is_final(error: str | None, spec: StepSpec) -> bool:
    """Tell whether a failure is none of those after which a step is retried (9.12).

    The gate has no such list (10.8), nor what was not written (10.10).
    """
    if (error or "").startswith(("only_if: ", "has not written")):
        return False
    retried = [f"exit code {code}" for code in spec.retry_exit_codes]
    return bool(retried) and error not in retried


def outcomes_are_true(world: "World", commit: Commit) -> None:
    """What is recorded of an attempt's end is what happened (4.2, 5.3, 5.9).

    SUCCEEDED or SKIPPED: its very command ended with such a code; the gate with 0 or 1 (10.8).
    FAILED or CANCELLED: orchesjob knows no such end of it. NEVER_RAN: it never ran.
    """
    for attempt in commit.newly_closed:
        run_key = commit.key_of(attempt)
        spec = spec_of(world, commit.after.steps[attempt.position])
        command = command_of(world, run_key)
        jobs = [job for job in world.jobs.ever(run_key) if job.command == command]
        ended = [job for job in jobs if job.status in ("SUCCEEDED", "FAILED")]
        good = {
            AttemptStatus.SUCCEEDED: (0,) if attempt.is_gate else spec.success_exit_codes,
            AttemptStatus.SKIPPED: (1,) if attempt.is_gate else spec.skip_exit_codes,
        }
        succeeded = any(
            job.exit_code in (*good[AttemptStatus.SUCCEEDED], *good[AttemptStatus.SKIPPED])
            for job in ended
        )
        executions = [found for found in world.jobs.executions if found.key == run_key]
        match attempt.status:
            case AttemptStatus.SUCCEEDED | AttemptStatus.SKIPPED as status:
                right = good[status]
                assert any(job.exit_code in right for job in ended), f"no job of {run_key} did so"
                assert all(found.code in right for found in executions), f"{run_key}: {executions}"
                compared = status is AttemptStatus.SUCCEEDED and not attempt.is_gate
                silent = [job for job in jobs if not job.plan.writes]
                assert not (compared and spec.produces and silent), f"{run_key} wrote nothing"
            case AttemptStatus.NEVER_RAN:
                assert not executions, f"{run_key} is recorded as never run, and it ran"
            case AttemptStatus.FAILED if attempt.files is not None:
                unseen = "longer than" in (attempt.error or "")
                wrote = any(job.plan.writes for job in jobs)
                assert unseen or not wrote, f"{run_key} wrote its file"
            case _:
                assert not succeeded or world.jobs.latest(run_key) is None, (
                    f"{run_key} is {attempt.status}, and it succeeded"
                )
                if attempt.error and attempt.error.startswith("exit code"):
                    codes = [f"exit code {found.code}" for found in executions]
                    assert not codes or attempt.error in codes, f"{run_key}: {attempt.error}"


def ended_means_gone(world: "World", commit: Commit) -> None:
    """No attempt is closed, and so no step terminal, while its command runs, LOST or not (5.8)."""
    for attempt in commit.newly_closed:
        key = commit.key_of(attempt)
        alive = [one for one in world.jobs.executions if one.key == key and one.end is None]
        assert not alive, f"{key} is {attempt.status} while it runs"


def timeouts_are_true(world: "World", commit: Commit) -> None:
    """An attempt that timed out had run, or been starting, for as long as it may (5.5, 5.10)."""
    for attempt in commit.newly_closed:
        key = commit.key_of(attempt)
        limit = spec_of(world, commit.after.steps[attempt.position]).timeout_sec
        if limit is None or not (attempt.error or "").startswith("timed out"):
            continue
        if attempt.boot_id == commit.decided.boot and attempt.running_mono is not None:
            ran = commit.decided.mono - attempt.running_mono
            assert ran >= limit - 1e-6, f"{key} timed out after {ran:.3f} of {limit} s"
        for job in world.jobs.ever(key):
            found = job.execution
            if found is None or found.boot != world.machine.boot or job.plan.aborted_after:
                continue
            assert found.end is not None, f"{key} has timed out and runs"
            ran = found.end - found.begin
            by_itself = found.code is not None
            assert by_itself or ran >= limit - 1e-6, f"{key} was ended after {ran} of {limit} s"


def flow_timeouts_are_true(world: "World", commit: Commit) -> None:
    """A run that timed out had its time, and begins nothing when that is over (5.10, 9.12)."""
    limit, began = world.flow.timeout_sec, world.began
    if limit is None or began is None or began.boot != commit.decided.boot:
        return
    lasted = commit.decided.mono - began.mono
    if has_timed_out(commit.after):
        assert lasted >= limit - 1e-6, f"the run timed out after {lasted:.3f} of {limit} s"
    for attempt in commit.newly_begun:
        if commit.after.steps[attempt.position].step_id not in world.flow.finally_ids:
            assert lasted <= limit + 1e-6, f"{commit.key_of(attempt)} begins after {lasted:.3f} s"


def delays_are_kept(world: "World", commit: Commit) -> None:
    """Between a failure and the next attempt lies the delay, on any clock (5.4, 5.10, 9.12)."""
    for attempt in commit.newly_begun:
        last = attempt.position, attempt.number - 1
        closed, failed = world.closed.get(last), commit.attempts.get(last)
        if closed is None or failed is None or failed.status is not AttemptStatus.FAILED:
            continue
        first = world.decisions.first_attempt(attempt.position)
        if attempt.number == first:
            continue
        step = commit.after.steps[attempt.position]
        waited = commit.decided.mono - closed.mono
        spec = spec_of(world, step)
        numbers = range(first, attempt.number)
        past = [commit.attempts[attempt.position, number] for number in numbers]
        failures = sum(one.status is AttemptStatus.FAILED for one in past)
        delay = spec.retry_delay_sec * spec.retry_backoff ** (failures - 1)
        if spec.retry_max_delay_sec is not None:
            delay = min(delay, spec.retry_max_delay_sec)
        assert closed.boot != commit.decided.boot or waited >= delay - 1e-6, (
            f"{step.step_id} is tried again after {waited:.3f} of {delay} s"
        )


def the_run_is_its_steps(world: "World", commit: Commit) -> None:
    """The run's status and its error follow from its steps' (5.1, 5.6, 9.12).

    A step of `finally` that was ended makes a run CANCELLED that would have SUCCEEDED; `finally`
    hides neither a cancel nor a failure, and its own failure counts (10.1).
    """
    run, has_finally = commit.after, bool(world.flow.finally_)
    ended = all(step.status.is_terminal for step in run.steps)
    failed = [step.step_id for step in run.steps if makes_fail(world, step)]
    cancelled = [step for step in run.steps if step.status is StepStatus.CANCELLED]
    anew = any(step.position not in world.kept for step in cancelled)
    assert (run.finished_at is not None) == run.status.is_terminal, "the run's end"
    if not run.status.is_terminal:
        ending = has_finally or run.cancel is not None or commit.may_be_out_of_time
        assert run.status is RunStatus.RUNNING, run.status
        assert ending or not ended, "all steps have ended, and the run has not"
        assert ending or run.error is None, f"a running run says {run.error}"
        assert has_finally or not anew, "a step is CANCELLED in a run that goes on"
        return
    assert ended, f"{run.status}, with steps that have not ended"
    if has_timed_out(run):
        was_ended = run.finally_after is Outcome.TIMED_OUT if has_finally else anew
        assert was_ended, "timed out, with all steps ended by themselves"
        return
    assert run.finally_after is not Outcome.TIMED_OUT, f"timed out, and {run.status}: {run.error}"
    if any(step.step_id not in world.flow.finally_ids for step in cancelled):
        expected = RunStatus.CANCELLED
    elif failed:
        expected = RunStatus.FAILED
    else:
        expected = RunStatus.CANCELLED if cancelled else RunStatus.SUCCEEDED
    assert run.status is expected, f"{run.status}, and not {expected}: {run.steps}"
    if expected is RunStatus.FAILED:
        assert all(name in (run.error or "") for name in failed), f"{failed} not in {run.error}"
    else:
        successor = expected is RunStatus.CANCELLED and run.cancel and run.cancel.successor
        error = f"replaced by run {successor!r}" if successor else None
        assert run.error == error, f"a run that is {run.status} says {run.error}"


def what_had_ended_is_not_cancelled(world: "World", commit: Commit) -> None:
    """An attempt that had ended before it was to be ended has its own outcome (5.5, 5.6).

    Unless orchesjob has forgotten it, or took it for running and was told to abort it. What a
    command left alive may be what was ended (5.8).
    """
    for attempt in commit.newly_closed:
        key = commit.key_of(attempt)
        since = world.to_be_ended.get((attempt.position, attempt.number))
        job = world.jobs.latest(key)
        if attempt.status is not AttemptStatus.CANCELLED or job is None:
            continue
        if job.abort_reason or job.plan.leaves:
            continue
        for found in world.jobs.executions:
            if found.key == key and found.end is not None and since is not None:
                had_time = f"boot-{found.boot}" == since.boot and found.end >= since.mono
                assert had_time, f"{key} is CANCELLED, and had ended: {found}"


def nothing_unseen_is_overwritten(world: "World", commit: Commit) -> None:
    """A runner commits only what it decided on the rows as they are: nobody came between (4.5)."""
    seen = world.seen_revision[commit.runner]
    assert seen == commit.before.revision, (
        f"runner {commit.runner} has seen revision {seen} and overwrites {commit.before.revision}"
    )


AFTER_A_COMMIT = (
    ended_is_final,
    steps_move_forwards,
    what_is_settled_is_kept,
    attempts_are_numbered,
    begun_and_skipped_rightly,
    decided_after_what_it_waits_for,
    nothing_starts_after_a_cancel,
    cancelled_means_gone,
    what_waits_begins_or_is_cancelled,
    how_all_ended_is_recorded,
    finally_is_run_to_its_end,
    the_gate_is_asked_first,
    retries_are_accounted_for,
    no_more_at_once_than_allowed,
    no_more_copies_than_allowed,
    outcomes_are_true,
    ended_means_gone,
    timeouts_are_true,
    flow_timeouts_are_true,
    delays_are_kept,
    the_run_is_its_steps,
    what_had_ended_is_not_cancelled,
    nothing_unseen_is_overwritten,
)


# Before an effect is performed.


def started_as_recorded(world: "World", runner: int, effect: Effect) -> None:
    """A start is asked for after its record is committed, and never once a cancel is (4.2, 5.6)."""
    if not isinstance(effect, StartJob):
        return
    recorded = world.recorded.get(effect.attempt)
    assert recorded is not None, f"{effect.attempt_key} is started without a record"
    assert recorded.status is AttemptStatus.STARTING, f"{effect.attempt_key} is {recorded.status}"
    spec = world.flow.all_steps[effect.attempt.position]
    is_noted = recorded.files is not None or recorded.is_gate or not spec.produces
    assert is_noted, f"{effect.attempt_key} is started before its files are recorded"
    assert recorded.boot_id == world.machine.now().boot, "a start of an earlier boot is repeated"
    seen = world.seen_revision[runner]
    assert seen == world.history[-1].revision, (
        f"runner {runner} starts {effect.attempt_key} too late"
    )


def ended_as_recorded(world: "World", _runner: int, effect: Effect) -> None:
    """No attempt is ended that may still succeed: its end is decided in a commit first (5.5)."""
    if isinstance(effect, EndSurvivors | AbortJob) and effect.attempt is not None:
        recorded = world.recorded[effect.attempt]
        decided = recorded.abort_reason is not None or not recorded.status.is_open
        assert decided, f"attempt {effect.attempt} is ended without a recorded reason"


def foreign_jobs_are_left_alone(world: "World", _runner: int, effect: Effect) -> None:
    """No process of a job with another command is ended, though it lies under our key (5.9)."""
    for key in effect.attempt_keys if isinstance(effect, EndSurvivors) else ():
        ours = world.jobs.processes([key], command_of(world, key))
        assert world.jobs.processes([key]) == ours, f"the foreign job of {key} is ended"


def nothing_is_done_after_the_end(world: "World", runner: int, effect: Effect) -> None:
    """Once a run has ended nothing is asked or ended for it any more (5.1).

    A runner that was stopped may still do what it had decided, until it notices that it was
    overtaken; a start is never among that.
    """
    overtaken = world.seen_revision[runner] < world.history[-1].revision
    assert overtaken or not world.history[-1].status.is_terminal, f"{effect} after the run's end"


BEFORE_AN_EFFECT = (
    started_as_recorded,
    ended_as_recorded,
    foreign_jobs_are_left_alone,
    nothing_is_done_after_the_end,
)


# When a call of orchesjob has been made.


def unrelated_processes_are_left_alone(world: "World", key: str) -> None:
    """No signal hits a process that only has the id of one of ours (5.8)."""
    assert not world.jobs.unrelated_hit, f"the abort of {key} hit an unrelated process"


def a_quiet_run_is_quiet(world: "World", key: str) -> None:
    """While nothing is new about a job, it is asked for once in a poll interval at most (6.2)."""
    since, count = world.questions.get(key, (world.machine.mono, 0))
    allowed = QUESTIONS_AT_ONCE + (world.machine.mono - since) / world.limits.poll_interval_sec
    assert count <= allowed, f"{count} questions about {key or 'all jobs'} without any news"


AFTER_A_QUESTION = (unrelated_processes_are_left_alone, a_quiet_run_is_quiet)


# When somebody wants to drive a run that has a runner.


def one_runner_at_a_time(world: "World", lock: Lock | None) -> None:
    """While a runner lives nobody else gets the run's lock (4.5)."""
    assert lock is None, f"a second runner takes over while runner {world.driver} lives"


# When a runner gives up because of a call.


def patience_was_over(world: "World", inbox: VirtualInbox) -> None:
    """One call that hangs is no reason to give up: the patience is over, in vain (5.7).

    Calls for one key were made for so long and at least twice, or one hangs that nobody can end; or
    orchesjob has not carried out three starts in a row of one step. To wait for a place among the
    calls of all runners uses up no patience (5.11).
    """
    for call in inbox.calls:
        if call.at is None or not (call.is_under_way or call.is_unanswered):
            continue
        later = [one for one in inbox.calls if one.key == call.key and one.asked > call.at]
        waited = sum(one.waited_sec for one in later)
        tried = world.machine.mono - call.at - waited
        is_hopeless = call.is_under_way or any(one.is_unanswered for one in later)
        if is_hopeless and tried >= world.limits.patience_sec - 1e-6:
            return
    never_ran = Counter(
        attempt.position
        for attempt in world.recorded.values()
        if attempt.status is AttemptStatus.NEVER_RAN
    )
    assert max(never_ran.values(), default=0) >= DEAD_STARTS, "given up before the patience is over"


# When a runner begins to wait.


def the_run_ends(world: "World", _runner: Runner, _inbox: VirtualInbox) -> None:
    """A run whose runner lives comes to an end (5.7)."""
    assert world.machine.mono < world.deadline, "the run hangs"


def something_is_awaited(world: "World", runner: Runner, inbox: VirtualInbox) -> None:
    """No run waits for what cannot come: each step that has not ended has something ahead (5.7).

    What a run of a group waits for before it begins is known to its crowd.
    """
    if inbox.events or runner.run.gave_up or runner.run.is_waiting:
        return
    ahead = Waiting(runner, inbox, world.jobs)
    for step in runner.run.steps:
        if not step.row.status.is_terminal:
            assert ahead.leads_on(step), f"{step.spec.id} waits for nothing"
    if runner.run.ending_survivors:
        assert ahead.ending_goes_on(), "the search for what is left alive waits for nothing"
    if runner.run.ending is None:
        is_over = runner.run.finally_after is not None or runner.run.open_steps == 0
        assert is_over or ahead.deadline_will_be_noticed(), "nobody minds the deadline"
    elif not any(runner.run.open_attempts()):
        assert ahead.ending_goes_on(), "the early end waits for nothing"


def a_run_that_goes_on_was_not_given_up(
    world: "World", _runner: Runner, inbox: VirtualInbox
) -> None:
    """Once orchesjob has told a runner of a job, the run no longer says that one gave up (5.7)."""
    overtaken = inbox is not world.inbox
    if inbox.told_of_a_job and not inbox.events and not overtaken and not world.store_is_locked:
        assert world.run().gave_up is None, "a run that goes on says that its runner gave up"


BEFORE_A_WAIT = (the_run_ends, something_is_awaited, a_run_that_goes_on_was_not_given_up)


# When a runner has given up.


def a_run_says_that_it_was_given_up(world: "World", runner: int, error: GaveUp) -> None:
    """A run whose runner gave up says why, unless its database is what failed (5.7)."""
    overtaken = world.seen_revision[runner] < world.history[-1].revision
    if not overtaken and not world.store_is_locked:
        given_up = world.run().gave_up
        assert given_up is not None, "nothing tells that the runner gave up"
        assert (given_up.at, given_up.error) == (world.machine.wall, error.cause), given_up


# What the invariants share.


def ended_before_it_began(commit: Commit) -> bool:
    """Whether a run has ended while it waited for its group (rule 10.7)."""
    return commit.before.queue is not None and commit.after.status.is_terminal


def attempt_of(world: "World", key: str) -> tuple[Step, AttemptId]:
    """Find the committed step of an attempt's key, and name the attempt."""
    step_id, number = key.removeprefix(f"{world.run_key}:").rsplit(":", 1)
    step = next(step for step in world.history[-1].steps if step.step_id == step_id)
    return step, AttemptId(step.position, int(number))


def spec_of(world: "World", step: Step) -> StepSpec:
    return world.specs[step.step_id]


def steps_of(world: "World", run: Run, *, in_finally: bool) -> list[Step]:
    """List the steps that are in `finally`, or those that are not (10.1)."""
    return [step for step in run.steps if (step.step_id in world.flow.finally_ids) is in_finally]


def command_of(world: "World", key: str) -> tuple[str, ...]:
    """Find what is to run under an attempt's key: its step's command, or its gate (10.8)."""
    step, attempt = attempt_of(world, key)
    spec = spec_of(world, step)
    return spec.only_if if world.recorded[attempt].is_gate else spec.command


def makes_fail(world: "World", step: Step) -> bool:
    """Tell whether a step makes its run FAILED (9.12)."""
    return step.status is StepStatus.FAILED and not spec_of(world, step).allow_failure


def alive(world: "World", step: Step) -> object:
    keys = [attempt_key(world.run_key, step.step_id, n + 1) for n in range(step.attempt_no)]
    return [
        process for key in keys for process in world.jobs.processes([key], command_of(world, key))
    ]


def has_timed_out(run: Run) -> bool:
    """Tell whether a run has been ended by its own timeout (9.12)."""
    return run.status is RunStatus.FAILED and (run.error or "").startswith("timed out")


# After a settlement.


def attempts_stay_as_they_are(
    world: "World", _: Run, _settled: Collection[int], attempts: Sequence[Attempt]
) -> None:
    """What is recorded of attempts is not changed by what a person decides (12.3)."""
    assert world.attempts() == attempts, "a settlement has changed an attempt"


def all_that_depends_is_decided_again(
    world: "World", before: Run, settled: Collection[int], _: Sequence[Attempt]
) -> None:
    """What waits for a settled step, directly or not, waits again; all else is as it was (12.3).

    So do the steps of `finally`, unless the settled ones are among them.
    """
    after = world.history[-1]
    touched = named = {after.steps[position].step_id for position in settled}
    grown = True
    while grown:
        more = {
            spec.id
            for spec in world.flow.all_steps
            if not touched.isdisjoint(waits_of(world.flow, spec))
        }
        grown = not more <= touched
        touched = touched | more
    if not named <= world.flow.finally_ids:
        touched = touched | world.flow.finally_ids
    for was, step in zip(before.steps, after.steps, strict=True):
        if step.step_id in named:
            continue
        waits = step.status is StepStatus.PENDING and not step.has_begun
        assert waits if step.step_id in touched else step == was, f"{step.step_id}: {step}"


AFTER_A_SETTLEMENT = (attempts_stay_as_they_are, all_that_depends_is_decided_again)
