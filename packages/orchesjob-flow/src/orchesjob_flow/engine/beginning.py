"""How a run begins: at once, or, in a group, when it is its turn there (rules 9.12 and 10.7).

That no other run of the group is under way then is guarded by the store, in the transaction that
records the beginning.
"""

from flow_spec import FlowSpec
from flow_store import Deadline, FlowStatus, RunHeader
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import ending
from orchesjob_flow.engine.effects import Warn
from orchesjob_flow.engine.events import QueueSeen
from orchesjob_flow.engine.turn import Turn


def beginning(flow: FlowSpec, now: Now) -> RunHeader:
    """Say what is recorded of a run that begins: among it, when its `timeout_sec` will be over."""
    limit = flow.timeout_sec
    deadline = None if limit is None else Deadline(now.wall + limit, now.mono + limit, now.boot)
    return RunHeader(FlowStatus.RUNNING, deadline=deadline)


def begin_run(turn: Turn) -> None:
    """Record that the run has begun."""
    turn.run.deadline = beginning(turn.run.flow, turn.now).deadline
    turn.record_run(FlowStatus.RUNNING, None)


def queue_seen(turn: Turn, event: QueueSeen) -> None:
    """Begin if it is the run's turn: nobody is under way, and nobody with a runner came earlier.

    Who holds the group is said once for each.
    """
    run, queue = turn.run, event.queue
    if not run.is_waiting or run.cancel is not None:
        return
    if queue.holder is None and not event.with_runner:
        turn.decision.changes.passes = frozenset(queue.waiting)
        begin_run(turn)
        ending.await_deadline(turn)
    elif queue.holder is not None and queue.holder != run.told_holder:
        run.told_holder = queue.holder
        group = "" if run.group is None else run.group.name
        turn.do(
            Warn(f"run {run.run_key!r} waits for group {group!r}, held by run {queue.holder!r}")
        )
