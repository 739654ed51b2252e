"""`start`: a run is recorded, unless it is already, and advanced to its end (rules 4.3 to 4.5).

What reads a flow is imported when it is read; `launch.start` says why.
"""

from functools import partial
from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.options import (
    FLOW_FILES,
    CommandThatNames,
    check_detach,
    name_run,
    run_key_option,
    start_options,
)
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.launch.start import Start
from orchesjob_flow.views.terminal import OutputFormat, warn

if TYPE_CHECKING:
    from flow_spec import FlowSpec


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
    detach: bool,
    reports: tuple[tuple[str, str], ...],
    follow: bool,
    progress: str,
    output_format: OutputFormat,
    flow_file: str,
) -> int:
    """Start a run of FLOW_FILE under your key, or continue it.

    Repeating the command is safe. `start` reports a run that has ended, waits for one in progress,
    and resumes one without a runner.

    \b
    Example:
      orchesjob-flow start nightly-2026-05-07 -d nightly.yaml
    """  # noqa: D301 - click reads \b
    check_detach(detach=detach, progress=progress, follow=follow, reports=reports)

    def read() -> "FlowSpec":
        from orchesjob_flow.launch.inputs import load_to_start
        from orchesjob_flow.launch.recording import lists_to_start

        read_list = lists_to_start(handle, flow_file)
        flow = load_to_start(flow_file, variables, params, read_list).with_until(until)
        if handle.run_key.endswith(FLOW_FILES):
            warn(f"the run key is {handle.run_key!r}, like a flow file; the file is {flow_file}")
        return flow

    on_record = partial(name_run, ctx, handle.run_key)
    started = Start(handle, flow_file, read, own_jobs=jobs == "own", on_record=on_record)
    if detach:
        return started.in_background(output_format)
    return started.in_foreground(output_format, progress, reports, follow=follow)
