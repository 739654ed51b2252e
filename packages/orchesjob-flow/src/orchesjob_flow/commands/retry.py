"""`retry`: a run that has ended is decided anew in part, and goes on (rule 9.7)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flow_spec import FlowSpec, load_flow
from flow_store import Run
from orchesjob_flow.commands.advance import Manner
from orchesjob_flow.commands.flow_files import flow_dir_of, ready_to_run, with_given
from orchesjob_flow.commands.given import Given
from orchesjob_flow.commands.reopening import Plan, reopen
from orchesjob_flow.commands.value_lists import lists_to_retry, recorded_run
from orchesjob_flow.engine.reopening import plan_retry
from orchesjob_flow.home.runs import RunHandle


class Repeat(NamedTuple):
    """What of a run is to run again, and with which flow file; None keeps the recorded flow.

    With `only`, what depends on the named steps keeps its outcome. Parameters that are not given
    keep the values that they have in the run.
    """

    steps: Sequence[str]
    only: bool
    flow_file: str | None
    env: Mapping[str, str]
    params: Mapping[str, str]


def retry(handle: RunHandle, repeat: Repeat, manner: Manner) -> int:
    """Open a run that has ended again, and advance it."""
    file = repeat.flow_file
    new = None if file is None else new_flow(handle, file, repeat.params)

    def plan(run: Run) -> Plan:
        flow = repeated_flow(run, new, repeat)
        reopening = plan_retry(run, flow, steps=repeat.steps, only=repeat.only)
        return Plan(flow, reopening._replace(flow_dir=None if file is None else flow_dir_of(file)))

    return reopen(handle, plan, manner)


def new_flow(handle: RunHandle, flow_file: str, params: Mapping[str, str]) -> FlowSpec:
    """Read the flow file with which a run goes on; `params` go before the values that it has.

    Raises:
        FlowFileError: It is no valid flow.
    """
    run = recorded_run(handle)
    return load_flow(
        flow_file,
        read_list=lists_to_retry(run, flow_file),
        params={**(run.params or {}), **params},
    )


def repeated_flow(run: Run, flow: FlowSpec | None, repeat: Repeat) -> FlowSpec:
    """Return the flow with which a run goes on: that of a new file, or None for the recorded one.

    Raises:
        FlowFileError, ParamsError: It cannot have the values, or cannot run here.
    """
    recorded = run.params or {}
    if flow is None or repeat.flow_file is None:
        given = Given(repeat.env, {**recorded, **repeat.params})
        return with_given(FlowSpec.from_json(run.definition), given)
    kept = {param.name: recorded[param.name] for param in flow.params if param.name in recorded}
    return ready_to_run(flow, repeat.flow_file, Given(repeat.env, {**kept, **repeat.params}))
