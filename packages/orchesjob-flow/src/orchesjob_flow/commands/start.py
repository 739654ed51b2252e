"""`start`: a run is recorded, unless it is already, and advanced to its end (rules 4.3 to 4.5)."""

from functools import partial

import click

from flow_spec import FlowSpec
from orchesjob_flow.cli.options import (
    FLOW_FILES,
    CommandThatNames,
    name_run,
    run_key_option,
    start_options,
)
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.launch.inputs import load_to_start
from orchesjob_flow.launch.recording import lists_to_start, start_run
from orchesjob_flow.views.terminal import Course, warn


@click.command(cls=CommandThatNames)
@run_key_option
@start_options
@click.pass_context
def start(  # noqa: PLR0913, PLR0917 - its options
    ctx: click.Context,
    handle: RunHandle,
    until: tuple[str, ...],
    params: dict[str, str],
    variables: dict[str, str],
    jobs: str,
    course: Course,
    flow_file: str,
) -> int:
    """Start a run of FLOW_FILE under your key, or continue it.

    Repeating the command is safe. `start` reports a run that has ended, waits for one in progress,
    and resumes one without a runner.

    \b
    Example:
      orchesjob-flow start nightly-2026-05-07 -d nightly.yaml
    """  # noqa: D301 - click reads \b

    def read() -> FlowSpec:
        read_list = lists_to_start(handle, flow_file)
        flow = load_to_start(flow_file, variables, params, read_list).with_until(until)
        if handle.run_key.endswith(FLOW_FILES):
            warn(f"the run key is {handle.run_key!r}, like a flow file; the file is {flow_file}")
        return flow

    own, name = jobs == "own", partial(name_run, ctx, handle.run_key)
    return start_run(handle, flow_file, read, course, own_jobs=own, on_record=lambda _: name())
