"""`prune`: runs that ended long ago, or that are named, are removed with all that is theirs (9.10).

`deletion` removes the runs and yields the database to others meanwhile; `output` has orchesjob
remove what their steps printed, and `spans` finds what it can remove in one call.
"""

import math
import shlex
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import click

from flow_store import EndedRun, FlowStore
from orchesjob_client import discard_empty_cgroups
from orchesjob_flow.cli.completion import NEWEST, complete_ended_run, named_run
from orchesjob_flow.cli.options import (
    Duration,
    Misused,
    flow_id_option,
    format_option,
    option_given_once,
)
from orchesjob_flow.commands.prune.deletion import Deletion, Yielder, shrink
from orchesjob_flow.commands.prune.output import Cleaner, Output, Pruned, output_of
from orchesjob_flow.errors import NotPruned, RunnerBusy, RunNotTerminal
from orchesjob_flow.home.paths import Settings
from orchesjob_flow.home.runs import RunHandle, open_store
from orchesjob_flow.views.terminal import (
    OutputFormat,
    clock_time,
    print_json,
    print_lines,
    size_text,
    status_line,
    visible,
    warn,
)


@click.command()
@option_given_once(
    "--older-than",
    "older_than_sec",
    type=Duration(zero=True, needs_unit=True),
    metavar="AGE",
    help="Remove the runs that ended at least so long ago: 30d, 12h, 90m.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    help="Keep the N newest runs of each flow, however old.",
)
@flow_id_option
@click.option("--keep-output", is_flag=True, help="Leave orchesjob's jobs, and what they printed.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and remove nothing.")
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
    age = None if older_than_sec is None else f"{older_than_sec:g}s"
    selection = {"--older-than": age, "--keep": keep, "--flow-id": flow_id}
    given = {name: str(value) for name, value in selection.items() if value is not None}
    check_selection(run_keys, given)
    handles = [named_run(run_key, settings) for run_key in dict.fromkeys(run_keys)]
    if NEWEST in run_keys:
        warn(f"the newest run is {handles[run_keys.index(NEWEST)].run_key}")
    now = time.time()
    ended_by = math.inf if older_than_sec is None else now - older_than_sec
    pruned: Sequence[Pruned] = ()
    not_pruned: dict[str, str] = {}

    def choose(store: FlowStore) -> Sequence[EndedRun]:
        if handles:
            return [ended_run(store, handle) for handle in handles]
        return store.ended_runs(finished_by=ended_by, keep=keep or 0, flow_id=flow_id)

    if not settings.home.database.exists():
        settings.home.refuse_missing()
        if handles:
            raise handles[0].not_found()
    elif dry_run:
        with FlowStore.open_readonly(settings.home.database) as store:
            pruned = [
                Pruned(run, Output() if keep_output else output_of(store, run.run_key))
                for run in choose(store)
            ]
    else:
        with open_store(settings) as store, status_line() as line:
            cleaner = None if keep_output else Cleaner(settings, now)
            yielder = Yielder()
            chosen = choose(store)
            deletion = Deletion(store, settings, ended_by, cleaner, yielder, report=line.say)
            removed = deletion.remove(chosen, not_pruned)
            line.say("giving the space back to the disk")
            shrink(store, yielder)
        discard_empty_cgroups()
        pruned = [Pruned(run, removed[run.run_key]) for run in chosen if run.run_key in removed]
    if output_format is OutputFormat.JSON:
        print_json(pruned_json(pruned, dry_run=dry_run))
    else:
        print_lines(pruned_lines(pruned, dry_run=dry_run))
    if not_pruned:
        raise NotPruned(not_pruned)
    for handle in handles:
        if not dry_run and handle.is_recorded():  # somebody has used it meanwhile
            runner = handle.holder()
            raise RunnerBusy(handle.run_key, None if runner is None else runner.pid)


def check_selection(run_keys: Sequence[str], options: Mapping[str, str]) -> None:
    """Refuse a call that names runs and chooses others too, or that does neither.

    Raises:
        Misused: The selection is missing, or is made twice.
    """
    chosen = chain.from_iterable({"--older-than": "30d", **options}.items())
    by_age = shlex.join(["orchesjob-flow", "prune", *chosen, "--dry-run"])
    if run_keys and options:
        named = shlex.join(["orchesjob-flow", "prune", *run_keys])
        raise Misused(
            f"run {run_keys[0]!r} and {', '.join(sorted(options))} are both given",
            f"{named}  # the named runs; by age instead: {by_age}",
        )
    if not run_keys and "--older-than" not in options:
        raise Misused(
            "which runs to remove is missing: name them, or say how long ago they ended",
            f"{by_age}  # without --dry-run it removes them; to remove one run, give its key",
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


def pruned_lines(removed: Sequence[Pruned], *, dry_run: bool) -> list[str]:
    """Name the runs that were removed, or would be, and count them and their output."""
    lines = [f"{visible(run.run_key)}  {clock_time(run.finished_at)}" for run, _ in removed]
    would = "would be " if dry_run else ""
    noun = "run" if len(removed) == 1 else "runs"
    total = f"{len(removed)} {noun} {would}removed"
    if any(output.jobs for _, output in removed):
        size = sum(output.size for _, output in removed)
        total += f", {size_text(size)} of output {would}freed"
    return [*lines, total]


def pruned_json(removed: Sequence[Pruned], *, dry_run: bool) -> dict[str, Any]:
    """Describe what was removed, or would be."""
    return {
        "dry_run": dry_run,
        "removed": [
            {
                "run_key": run.run_key,
                "flow_id": run.flow_id,
                "status": run.status.value,
                "finished_at": run.finished_at,
                "jobs": output.jobs,
                "output_bytes": output.size,
            }
            for run, output in removed
        ],
    }
