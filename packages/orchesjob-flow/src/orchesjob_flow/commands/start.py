"""`start`: a run is recorded, unless it is already, and advanced to its end (rules 4.3 to 4.5).

Where the run is new, orchesjob is needed soon. So the helper that launches it is begun first, and
loads while what reads and advances a flow is loaded here: that is why it is imported so late.
"""

from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from flow_store import Run, StoreError
from orchesjob_flow.commands.advance import Manner, show_background, show_foreground
from orchesjob_flow.commands.given import FlowSource, Given
from orchesjob_flow.errors import FlowError, Skipped
from orchesjob_flow.home.orchesjob_home import home_of_new_run
from orchesjob_flow.home.paths import check_run_key
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.runner.fork_server import EarlyHelper

if TYPE_CHECKING:
    from flow_spec import FlowSpec


class StartOptions(NamedTuple):
    """How a run is started; `own_jobs` gives a new one an orchesjob home of its own (rule 4.8).

    `reports` are formats and files: what is to be written when it has ended (rule 12.1).
    """

    manner: Manner
    own_jobs: bool = False
    reports: Sequence[tuple[str, str]] = ()


def start(handle: RunHandle, flow_file: str, given: Given, options: StartOptions) -> int:
    """Start a run of a flow file or resume it."""

    def read() -> "FlowSpec":
        from orchesjob_flow.commands.flow_files import load_to_run
        from orchesjob_flow.commands.value_lists import lists_to_start

        return load_to_run(flow_file, given, lists_to_start(handle, flow_file))

    return start_from(handle, FlowSource(flow_file, read), options)


def start_from(handle: RunHandle, source: FlowSource, options: StartOptions) -> int:
    """Start a run or resume it.

    A flow that is not to run while another run of its group does may be skipped (rule 10.7).
    """
    check_run_key(handle.run_key)
    try:
        if options.manner.detach:
            return start_in_background(handle, source, options)
        if options.reports:
            from orchesjob_flow.reports.written_file import refuse_missing_folders

            refuse_missing_folders(file for _, file in options.reports)
        advance = partial(start_here, handle, source, options)
        return show_foreground(handle, options.manner, advance)
    except Skipped as skipped:
        from orchesjob_flow.commands.joining import show_skipped

        return show_skipped(skipped, options.manner.form)


def start_in_background(handle: RunHandle, source: FlowSource, options: StartOptions) -> int:
    """Record a run, let a background process advance it, and show it.

    Raises:
        Skipped: Nothing was recorded, and the flow wants it so.
    """
    from orchesjob_flow.commands.recording import recorded
    from orchesjob_flow.runner.background import await_runner, begin_runner

    with recorded(handle, source, own_jobs=options.own_jobs) as (store, lock):
        runner = begin_runner(handle, store, lock)
    return show_background(handle, await_runner(handle, runner), options.manner.form)


def start_here(handle: RunHandle, source: FlowSource, options: StartOptions) -> Run:
    """Record a run, bring it to its end, and write its reports.

    Raises:
        Skipped: Nothing was recorded, and the flow wants it so.
    """
    run = advance_here(handle, source, options)
    if options.reports:
        from orchesjob_flow.commands.report import write_reports

        write_reports(handle, options.reports)
    return run


def advance_here(handle: RunHandle, source: FlowSource, options: StartOptions) -> Run:
    """Record a run, and bring it to its end."""
    with closing(EarlyHelper(handle.settings)) as helper:
        begin_for_new_run(helper, handle, options)
        from orchesjob_flow.commands.recording import recorded
        from orchesjob_flow.runner.assembly import drive_or_wait

        with recorded(handle, source, own_jobs=options.own_jobs) as (store, lock):
            return drive_or_wait(handle, store, lock, get_launcher=helper.take)


def begin_for_new_run(helper: EarlyHelper, handle: RunHandle, options: StartOptions) -> None:
    """Begin the helper, unless the run is recorded already: then it has probably ended."""
    run_key, settings = handle
    # Whatever is in the way is found again where the run is recorded, and told there.
    with suppress(FlowError, StoreError, OSError):
        if not handle.is_recorded():
            helper.begin(home_of_new_run(settings, run_key, own_jobs=options.own_jobs))
