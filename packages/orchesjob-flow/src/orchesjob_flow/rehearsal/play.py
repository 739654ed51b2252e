"""The loop of a rehearsal: event after event through the engine, each at its virtual time.

It does what the runner's loop does, without a store, a clock and a machine. A run of a group is
played as if the group were free (rule 10.7).
"""

import heapq
from typing import NamedTuple

from flow_spec import FlowSpec
from flow_store import Attempt, FlowStatus, GroupPlace, PastAttempt, Run, Step, StepStatus
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import update
from orchesjob_flow.engine.events import Event, RunnerStarted
from orchesjob_flow.engine.limits import Limits
from orchesjob_flow.engine.run import RunState
from orchesjob_flow.rehearsal.script import Script
from orchesjob_flow.rehearsal.stage import Stage

BOOT = "a rehearsal"
"""What gives virtual times their meaning: no boot of a machine is called so."""


class Played(NamedTuple):
    """A run as it would be recorded, its times in seconds since its beginning.

    `outcomes` are those of the steps that have come to an end by themselves. A cancel that was to
    be asked for has been, if `cancelled_at` says when.
    """

    run: Run
    outcomes: dict[str, StepStatus]
    cancelled_at: float | None


def play(flow: FlowSpec, script: Script) -> Played:
    """Play a flow to its end."""
    run = unbegun(flow)
    stage = Stage(flow, script.outcome_of, script.cancel_at)
    state, attempts = play_on(stage, run)
    group = None if flow.group is None else GroupPlace(flow.group, 1)
    whole = ended(run, state, attempts)._replace(group=group)
    return Played(whole, stage.outcomes, stage.cancelled_at)


def play_on(stage: Stage, run: Run) -> tuple[RunState, dict[tuple[int, int], Attempt]]:
    """Play a run that has not begun; return it at its end, with all attempts."""
    everything = len(run.steps) + 1  # calls take no time here, and none is held back
    state = RunState.load(stage.flow, run, Limits(starts=everything))
    attempts: dict[tuple[int, int], Attempt] = {}
    coming: list[tuple[float, int, Event]] = [(0.0, 0, RunnerStarted())]
    count = 1
    while not state.status.is_terminal:
        at, _, event = heapq.heappop(coming)
        now = Now(at, at, BOOT)
        decision = update(state, event, now)
        attempts |= decision.changes.attempts
        for effect in decision.effects:
            for due, answer in stage.perform(effect, now):
                heapq.heappush(coming, (due, count, answer))
                count += 1
    return state, attempts


def unbegun(flow: FlowSpec) -> Run:
    """Return the run of a flow as `start` records it, but for what only a real one has."""
    return Run(
        run_key=flow.flow_id,
        flow_id=flow.flow_id,
        definition=flow.to_json(),
        directory="",
        status=FlowStatus.PENDING,
        error=None,
        started_at=0.0,
        finished_at=None,
        deadline=None,
        revision=0,
        cancel=None,
        steps=tuple(
            Step.waiting(position, step.id, step.retries)
            for position, step in enumerate(flow.all_steps)
        ),
        attempts={},
        params=dict(flow.values) or None,
    )


def ended(run: Run, state: RunState, attempts: dict[tuple[int, int], Attempt]) -> Run:
    """Return a run as it is recorded at its end."""
    past = [attempts[place] for place in sorted(attempts)]
    return run._replace(
        status=state.status,
        error=state.error,
        finished_at=state.finished_at,
        cancel=state.cancel,
        finally_after=state.finally_after,
        steps=tuple(step.row for step in state.steps),
        attempts={attempt.position: attempt for attempt in past},
        history=tuple(
            PastAttempt(
                attempt.position,
                attempt.number,
                attempt.status,
                attempt.started_at,
                attempt.finished_at,
                attempt.error,
                is_gate=attempt.is_gate,
            )
            for attempt in past
        ),
    )
