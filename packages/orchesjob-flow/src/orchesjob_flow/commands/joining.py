"""How a run that `start` records or `retry` opens again joins the group of its flow (rule 10.7)."""

from collections.abc import Iterator
from contextlib import contextmanager

from flow_spec import FlowSpec, OnConflict
from flow_store import FlowStore, GroupTaken, Joining, Parent
from orchesjob_flow.clock import now
from orchesjob_flow.engine.lifecycle import beginning
from orchesjob_flow.errors import Skipped
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.runs import RunHandle, has_runner
from orchesjob_flow.runner.run_facts import built_in_names
from orchesjob_flow.views.run_json import print_json
from orchesjob_flow.views.streams import Form, write_result
from orchesjob_flow.views.text import visible


def waits_for_its_turn(flow: FlowSpec) -> bool:
    """Tell whether the runs of a flow wait while another one of their group is under way."""
    return flow.concurrency is not None and flow.concurrency.on_conflict is OnConflict.WAIT


def joining_of(
    handle: RunHandle, store: FlowStore, flow: FlowSpec, flow_dir: str, parent: Parent | None
) -> Joining | None:
    """Say how a run of a flow joins its group at this moment; None if it has none.

    The name of the group is filled for this run, whose flow file lies in `flow_dir` (rule 10.2).
    `parent` is the attempt inside which this process runs.
    """
    group = flow.filled(built_in_names(flow_dir, handle)).group
    if group is None:
        return None
    inside = None if parent is None else parent.run_key
    if waits_for_its_turn(flow):
        return Joining(group, inside=inside)
    waiting = store.queue_of_group(group).waiting
    passes = frozenset(key for key in waiting if not has_runner(handle._replace(run_key=key)))
    return Joining(group, begins=beginning(flow, now()), passes=passes, inside=inside)


@contextmanager
def skipping(flow: FlowSpec) -> Iterator[None]:
    """Let a flow that is not to run beside another be skipped where its group is taken.

    Raises:
        Skipped: It is.
        GroupTaken: The flow wants that to be an error.
    """
    try:
        yield
    except GroupTaken as taken:
        if flow.concurrency is not None and flow.concurrency.on_conflict is OnConflict.SKIP:
            raise Skipped(taken.by) from taken
        raise


def show_skipped(skipped: Skipped, form: Form) -> int:
    """Print that there is no run, and why; that is what the flow wants."""
    if form is Form.JSON:
        print_json({"skipped": True, "held_by": skipped.held_by})
    else:
        write_result(f"skipped: run {visible(skipped.held_by)} of the same group is under way\n")
    return DONE
