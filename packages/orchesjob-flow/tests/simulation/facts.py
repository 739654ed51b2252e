"""What an invariant judges by: a commit with what was before it, and what a runner waits for."""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import attrs

from flow_conditions import Name
from flow_spec import FlowSpec, StepSpec
from flow_store import Attempt, Run, Step, StepStatus, attempt_key
from orchesjob_client import Watch
from orchesjob_flow.clock import Now
from orchesjob_flow.engine.messages import AttemptId, Timer, TimerDue
from orchesjob_flow.engine.state import OpenAttempt, RunState, RunStep
from orchesjob_flow.runner.loop import Runner

from .jobs import SimulatedOrchesjob
from .ports import VirtualInbox

type Attempts = Mapping[tuple[int, int], Attempt]
"""All attempts of a run, by position and number."""


class Broken(AssertionError):
    """Something does not hold; `name` is the invariant that noticed."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name = name
        self.why = why

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@attrs.define(slots=False)
class Commit:
    """One commit: the run and its attempts before and after it, when and by whom it was decided."""

    before: Run
    after: Run
    attempts_before: Attempts
    attempts: Attempts
    decided: Now
    runner: int

    def key_of(self, attempt: Attempt) -> str:
        step_id = self.after.steps[attempt.position].step_id
        return attempt_key(self.after.run_key, step_id, attempt.number)

    @property
    def may_be_out_of_time(self) -> bool:
        """Whether the run's deadline has passed; after a restart only the wall clock could tell."""
        deadline, now = self.after.deadline, self.decided
        if deadline is None:
            return False
        return deadline.boot != now.boot or now.mono >= deadline.mono - 1e-6

    @cached_property
    def newly_begun(self) -> list[Attempt]:
        return [found for key, found in self.attempts.items() if key not in self.attempts_before]

    @cached_property
    def newly_closed(self) -> list[Attempt]:
        return [
            attempt
            for key, attempt in self.attempts.items()
            if not attempt.status.is_open
            and (key not in self.attempts_before or self.attempts_before[key].status.is_open)
        ]


@attrs.define
class Decisions:
    """When each step was last decided, and when it last ended, by the place of that commit."""

    decided_at: dict[int, int] = attrs.Factory(dict)
    ended_at: dict[int, int] = attrs.Factory(dict)
    _attempts_before: dict[int, int] = attrs.Factory(dict)
    """How many attempts each step had had when a `retry` last had it decided anew."""

    def forget(self, steps: Iterable[Step]) -> None:
        """Let a `retry` have these steps decided anew, which stand as they do before it."""
        self._attempts_before |= {step.position: step.attempt_no for step in steps}

    def settle(self, positions: Iterable[int], place: int) -> None:
        """Let people have decided how the steps at these positions ended, at this place."""
        for position in positions:
            self.decided_at[position] = self.ended_at[position] = place

    def first_attempt(self, position: int) -> int:
        """Return the number of a step's first attempt since it was last decided anew."""
        return self._attempts_before.get(position, 0) + 1

    def has_begun(self, step: Step) -> bool:
        """Tell whether a step has had an attempt since it was last decided anew."""
        return step.attempt_no >= self.first_attempt(step.position)

    def add(self, commit: Commit, place: int) -> None:
        """Note which steps a commit decides: they begin, or end without having begun."""
        for before, after in zip(commit.before.steps, commit.after.steps, strict=True):
            ends = after.status.is_terminal and not before.status.is_terminal
            if ends:
                self.ended_at[after.position] = place
            if after.attempt_no > before.attempt_no or (ends and not self.has_begun(after)):
                self.decided_at[after.position] = place


def is_met(
    spec: StepSpec,
    rows: Mapping[str, Step],
    passed: Collection[str],
    end: str,
    absent: str = "SKIPPED",
) -> bool:
    """Evaluate a step's condition over committed rows (3.2, 3.3, 3.8, 3.9, 10.3).

    `end` is how the run ends for who asks, and `absent` what a step without copies counts as.
    """

    def holds(name: Name) -> bool:
        wanted = (name.predicate or "succeeded").upper()
        if name.quantifier:
            copies = [step_id for step_id in rows if step_id.startswith(f"{name.name}@")]
            each = [holds(Name(copy, name.predicate)) for copy in copies]
            if name.quantifier == "all":
                return all(each) and (bool(each) or wanted in (absent, "PASSED", "FINISHED"))
            return any(each) is not (name.quantifier == "none")
        if wanted == "PASSED":
            base = f"{name.name}@"
            return all(
                step_id in passed
                for step_id in rows
                if step_id == name.name or step_id.startswith(base)
            )
        if name.name in rows:
            return wanted == "FINISHED" or rows[name.name].status == wanted
        ended = [row.status for step_id, row in rows.items() if step_id.startswith(f"{name.name}@")]
        if wanted in ("FAILED", "CANCELLED"):
            return wanted in ended
        is_all = all(status == wanted for status in ended)
        return wanted == "FINISHED" or (is_all and (wanted == absent or bool(ended)))

    def answer(name: Name) -> bool:
        is_run = name.quantifier == "run"
        wanted = {end, "FAILED" if end == "TIMED_OUT" else end}
        return name.name.upper() in wanted if is_run else holds(name)

    return spec.condition is None or spec.condition.evaluate(answer) is True


def waits_of(flow: FlowSpec, spec: StepSpec) -> list[str]:
    """List the ids of the steps that a step waits for, all copies where these are meant (10.3).

    A step that is left out waits for none (6.14).
    """
    if spec.id in flow.left_out:
        return []
    return [step_id for name in spec.waits_for for step_id in flow.copies.get(name, (name,))]


def waits_for_place(run: RunState, step: RunStep) -> bool:
    """Tell whether so many other copies are under way that a step cannot begin (10.3).

    Each of them has its own step that must lead on.
    """
    for block in run.flow.blocks:
        inside = [
            any(is_under_way(run.by_id[name]) for name in ids)
            for ids in block.ids_of_copies
            if step.spec.id not in ids
        ]
        if any(step.spec.id in ids for ids in block.ids_of_copies):
            return block.max_parallel is not None and sum(inside) >= block.max_parallel
    return False


def is_under_way(step: RunStep) -> bool:
    """Whether a step has begun, or is about to or kept from it, and has not ended."""
    is_ahead = step.queued or step.looking or step.row.has_begun
    is_kept = step.row.status is StepStatus.DELAYED
    return (is_ahead or is_kept) and not step.row.status.is_terminal


@attrs.frozen(slots=False)
class Waiting:
    runner: Runner
    inbox: VirtualInbox
    jobs: SimulatedOrchesjob

    @cached_property
    def _timers(self) -> set[TimerDue]:
        return {event for _, _, event in self.runner._timers}

    def ending_goes_on(self) -> bool:
        """Whether a run that is being ended still looks for what is left alive."""
        return self.inbox.awaited[None] > 0 or TimerDue(Timer.RUN_SURVIVORS) in self._timers

    def deadline_will_be_noticed(self) -> bool:
        """Tell whether the end of the run's time, if that is limited, will not be missed."""
        run = self.runner.run
        return run.deadline is None or TimerDue(Timer.DEADLINE) in self._timers

    def leads_on(self, step: RunStep) -> bool:
        latest = AttemptId(step.row.position, step.row.attempt_no)
        if self.inbox.awaited[latest] > 0:
            return True
        if step.attempt is None:
            timers = (Timer.RETRY, Timer.SURVIVORS)
            ahead = self._something_else_is_ahead(step)
        else:
            timers = (Timer.ASK_STATUS, Timer.OPEN_SURVIVORS)
            ahead = self._its_end_will_be_noticed(step.attempt)
        return ahead or any(TimerDue(timer, latest) in self._timers for timer in timers)

    def _something_else_is_ahead(self, step: RunStep) -> bool:
        """Tell whether a step waits for its turn, for other steps, or for an early end."""
        run = self.runner.run
        if run.finally_after is None and step.spec.id in run.flow.finally_ids:
            waits_for = [run.by_id[spec.id] for spec in run.flow.steps]
            return run.ending_survivors or any(not one.row.status.is_terminal for one in waits_for)
        most = run.flow.max_parallel
        taken = sum(one.attempt is not None or one.keeps_slot for one in run.steps)
        is_full = most is not None and taken >= most and not step.keeps_slot
        if run.ending is not None or (step.queued and (run.starting > 0 or is_full)):
            return True
        if any(
            not run.by_id[name].row.status.is_terminal for name in waits_of(run.flow, step.spec)
        ):
            return True
        return waits_for_place(run, step)

    def _its_end_will_be_noticed(self, attempt: OpenAttempt) -> bool:
        """Tell whether an attempt that is left alone is watched or polled for."""
        if attempt.loss is not None:
            return self.jobs.is_watched(attempt.attempt_key)
        if attempt.worker_gone or attempt.row.abort_reason is not None:
            return False
        if attempt.watch is Watch.WATCHING:
            return any(job.worker_alive for job in self.jobs.ever(attempt.attempt_key))
        polled = self.inbox.awaited[None] > 0 or TimerDue(Timer.POLL) in self._timers
        return attempt.watch is Watch.UNSUPPORTED and polled
