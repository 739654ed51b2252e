"""`prune`: remove runs that ended long ago, or that are named, with all that is theirs (9.10)."""

import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click

from flow_store import EndedRun, FlowStore
from orchesjob_flow.cli.completion import NEWEST, complete_ended_run, named_run
from orchesjob_flow.cli.options import (
    Duration,
    Misused,
    flow_id_option,
    format_option,
    tell_unknown_flow,
)
from orchesjob_flow.errors import NotPruned, RunnerBusy, RunNotTerminal
from orchesjob_flow.home import RunHandle, Settings, open_store, open_to_read, read_store
from orchesjob_flow.pruning import Pruned, Pruner
from orchesjob_flow.reasons import clock_time
from orchesjob_flow.views.terminal import (
    OutputFormat,
    as_json,
    counted,
    print_json,
    print_lines,
    size_text,
    status_line,
    visible,
    warn,
)

OLD = "orchesjob-flow prune --older-than 30d --dry-run"
KEPT = "orchesjob-flow prune --older-than 0s --keep N --dry-run"
NOTE = "without --dry-run it removes them"


@click.command()
@click.option(
    "--older-than",
    "older_than_sec",
    type=Duration(zero=True, needs_unit=True),
    metavar="AGE",
    help="Remove runs that ended at least this long ago: 30d, 12h, 90m.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    help="Keep the N newest runs of each flow, however old.",
)
@flow_id_option
@click.option("--keep-output", is_flag=True, help="Keep orchesjob's jobs and their output.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, without removing it.")
@format_option
@click.argument("run_keys", metavar="[KEY...]", nargs=-1, shell_complete=complete_ended_run)
@click.pass_obj
def prune(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    older_than_sec: float | None,
    keep: int | None,
    flow_id: str | None,
    keep_output: bool,
    dry_run: bool,
    output_format: OutputFormat,
    run_keys: tuple[str, ...],
) -> None:
    """Remove the named runs, or all that ended long ago, with their logs and output.

    A run that has not ended stays. Steps of a removed run may run again under its key.

    \b
    Example:
      orchesjob-flow prune --older-than 30d --keep 10 --dry-run
      orchesjob-flow prune nightly-2026-05-07
    """  # noqa: D301 - click reads \b
    selection = {"--flow-id": flow_id, "--keep": keep, "--older-than": older_than_sec}
    check_selection(run_keys, [name for name, value in selection.items() if value is not None])
    handles = [named_run(run_key, settings) for run_key in dict.fromkeys(run_keys)]
    if NEWEST in run_keys:
        warn(f"the newest run is {handles[run_keys.index(NEWEST)].run_key}")
    ended_by = math.inf if older_than_sec is None else time.time() - older_than_sec
    pruned: Sequence[Pruned] = ()
    failed: Mapping[str, str] = {}

    def choose(store: FlowStore) -> Sequence[EndedRun]:
        if handles:
            return [ended_run(store, handle) for handle in handles]
        return store.ended_runs(finished_by=ended_by, keep=keep or 0, flow_id=flow_id)

    ask = partial(FlowStore.not_started, flow_id=flow_id)
    turned_away = () if handles else read_store(settings, ask) or ()
    not_started = sum(one.last_at <= ended_by for one in turned_away)
    if not settings.home.database.exists():
        settings.home.refuse_missing()
        if handles:
            raise handles[0].not_found()
    elif dry_run:
        with open_to_read(settings) as store:
            pruner = Pruner(store, settings, keeps_output=keep_output, warn=warn)
            pruned = pruner.foresee(choose(store))
    else:
        with open_store(settings) as store, status_line() as say:
            pruner = Pruner(store, settings, keeps_output=keep_output, warn=warn)
            pruned = pruner.remove(choose(store), ended_by=ended_by, report=say)
            failed = pruner.failed
            if not_started:
                store.forget_not_started(by=ended_by, flow_id=flow_id)
    if not pruned and not failed and not not_started:
        tell_unknown_flow(settings, flow_id)
    if output_format is OutputFormat.JSON:
        print_json({**pruned_json(pruned, dry_run=dry_run), "not_started": not_started})
    else:
        print_lines(pruned_lines(pruned, not_started, dry_run=dry_run))
    if failed:
        raise NotPruned(failed)
    for handle in handles:
        if not dry_run and handle.is_recorded():  # somebody has used it meanwhile
            runner = handle.holder()
            raise RunnerBusy(handle.run_key, None if runner is None else runner.pid)


def check_selection(run_keys: Sequence[str], options: Sequence[str]) -> None:
    """Refuse a call that names runs and chooses others too, or that does neither.

    Raises:
        Misused: The selection is missing, or is made twice.
    """
    given = " and ".join(options)
    if run_keys and options:
        raise Misused(
            f"give either the keys of runs or {given}",
            f"orchesjob-flow prune KEY  # removes one run; to remove old ones instead: {OLD}",
        )
    if not run_keys and "--older-than" not in options:
        needs = f"{given} {'need' if len(options) > 1 else 'needs'} --older-than"
        raise Misused(
            needs if options else "say which runs to remove: give their keys, or --older-than",
            f"{KEPT}  # all that have ended but the newest N of each flow; {NOTE}"
            if "--keep" in options
            else f"{OLD}  # {NOTE}; to remove one run, give its key",
        )


def ended_run(store: FlowStore, handle: RunHandle) -> EndedRun:
    """Return a run to remove.

    Raises:
        RunNotFound: It is not recorded.
        RunNotTerminal: It has not ended.
    """
    found = store.ended_run(handle.run_key)
    if found is None:
        handle.load(store)
        raise RunNotTerminal(handle.run_key, has_runner=handle.holder() is not None)
    return found


def pruned_lines(removed: Sequence[Pruned], not_started: int, *, dry_run: bool) -> list[str]:
    """Name the runs that were removed, or would be, and count them and their output."""
    lines = [f"{visible(run.run_key)}  {clock_time(run.finished_at)}" for run, _ in removed]
    would = "would be " if dry_run else ""
    total = f"{counted(len(removed), 'run')} {would}removed"
    if any(output.jobs for _, output in removed):
        size = sum(output.size for _, output in removed)
        total += f", {size_text(size)} of output {would}freed"
    if not_started:
        total += f", and what is known of {counted(not_started, 'key')} that did not start"
    return [*lines, total]


def pruned_json(removed: Sequence[Pruned], *, dry_run: bool) -> dict[str, Any]:
    """Describe what was removed, or would be."""
    return {
        "dry_run": dry_run,
        "removed": [
            {
                **as_json(run, "run_key", "flow_id", "status", "finished_at"),
                **as_json(output, "jobs", "output_bytes=size"),
            }
            for run, output in removed
        ],
    }
