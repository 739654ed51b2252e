"""`start` and `run`: a run is recorded, unless it is already, and advanced to its end (4.3 to 4.5).

`run` makes the key itself, so each call is another run (rule 6.12).
"""

import random
import string
import time
from functools import partial

import click
from click.core import ParameterSource

from flow_spec import FlowSpec, read_document
from orchesjob_flow.cli.options import (
    FLOW_FILES,
    PERIOD,
    CommandThatNames,
    name_run,
    run_key_option,
    start_options,
)
from orchesjob_flow.home import Lock, RunHandle, Settings, key_for_flow, patiently
from orchesjob_flow.launch.inputs import list_reader, load_to_start, read_as_given
from orchesjob_flow.launch.recording import PERIODS, lists_to_start, start_of_period, start_run
from orchesjob_flow.views.terminal import Course, warn


@click.command(cls=CommandThatNames)
@run_key_option
@click.option(
    "--every",
    PERIOD,
    type=click.Choice(list(PERIODS)),
    help="In place of KEY: run once in each.",
)
@start_options
@click.pass_context
def start(  # noqa: PLR0913, PLR0917 - its options
    ctx: click.Context,
    period: str | None,
    until: tuple[str, ...],
    params: dict[str, str],
    variables: dict[str, str],
    jobs: str,
    course: Course,
    flow_file: str,
    handle: RunHandle | None = None,
) -> int:
    """Start a run of FLOW_FILE under your key, or continue it.

    A repeated `start` reports the run, waits for its end or resumes it.

    \b
    Example:
      orchesjob-flow start nightly-2026-05-07 -d nightly.yaml
    """  # noqa: D301 - click reads \b
    document = read_document(flow_file) if handle is None else None

    def begin(handle: RunHandle, lock: Lock | None = None) -> int:
        def read() -> FlowSpec:
            read_list = lists_to_start(handle, flow_file)
            source = document or read_document(flow_file)
            flow = load_to_start(source, variables, params, read_list).with_until(until)
            if handle.run_key.endswith(FLOW_FILES):
                key = repr(handle.run_key)
                warn(f"the run key is {key}, like a flow file; the file is {flow_file}")
            return flow

        own, name = jobs == "own", partial(name_run, ctx, handle.run_key)
        return start_run(
            handle, flow_file, read, course, own_jobs=own, on_record=lambda _: name(), lock=lock
        )

    if handle is not None:
        return begin(handle)
    assert document is not None and period is not None  # noqa: S101, PT018 - click requires one
    # Where nothing is to be started, its lists may be gone.
    flow_id = read_as_given(document, params, lambda *_: ("",)).flow.flow_id
    given = ctx.get_parameter_source("output_format")
    course = course._replace(quiet=given is not ParameterSource.COMMANDLINE)
    asked = {**params, "flow_id": flow_id}
    return start_of_period(ctx.obj, period, asked, course, begin)


@click.command()
@start_options
@click.pass_context
def run(  # noqa: PLR0913, PLR0917 - its options
    ctx: click.Context,
    until: tuple[str, ...],
    params: dict[str, str],
    variables: dict[str, str],
    jobs: str,
    course: Course,
    flow_file: str,
) -> int:
    """Run FLOW_FILE once, under a new key: the flow's id, the time, and a random mark.

    The key is shown once the run is recorded. Each call is another run. To be able to repeat a
    call, use `start` with a key of your own.

    \b
    Example:
      orchesjob-flow run nightly.yaml
    """  # noqa: D301 - click reads \b
    settings: Settings = ctx.obj
    reader = list_reader(flow_file)
    flow = load_to_start(read_document(flow_file), variables, params, reader).with_until(until)
    handle = RunHandle(_fresh_key(flow.flow_id), settings)
    while patiently(settings, handle.is_recorded):
        handle = RunHandle(_fresh_key(flow.flow_id), settings)

    def on_record(is_recorded: bool) -> None:
        name_run(ctx, handle.run_key)
        if is_recorded and not course.is_drawn:
            warn(f"the run key is {handle.run_key}")

    return start_run(
        handle, flow_file, lambda: flow, course, own_jobs=jobs == "own", on_record=on_record
    )


def _fresh_key(flow_id: str) -> str:
    mark = "".join(random.SystemRandom().choices(string.ascii_lowercase + string.digits, k=4))
    return key_for_flow(flow_id, f"-{time.strftime('%Y%m%dT%H%M%S')}-{mark}")
