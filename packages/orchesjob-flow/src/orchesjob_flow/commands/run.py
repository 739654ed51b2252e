"""`run`: a flow file is run once, under a key made for that (rule 6.12)."""

import random
import string
import time

import click

from flow_spec import read_document
from orchesjob_flow.cli.options import name_run, start_options
from orchesjob_flow.home import RunHandle, Settings, key_for_flow, patiently
from orchesjob_flow.launch.inputs import list_reader, load_to_start
from orchesjob_flow.launch.recording import start_run
from orchesjob_flow.views.terminal import Course, warn

LETTERS = string.ascii_lowercase + string.digits
MARK_LENGTH = 4
TIME_FORMAT = "%Y%m%dT%H%M%S"


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
    mark = "".join(random.SystemRandom().choices(LETTERS, k=MARK_LENGTH))
    return key_for_flow(flow_id, f"-{time.strftime(TIME_FORMAT)}-{mark}")
