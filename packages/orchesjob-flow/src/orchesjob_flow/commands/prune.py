"""`prune`: runs that ended long ago are removed, with all that is theirs (rule 9.10)."""

import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from flow_store import EndedRun, FlowStore
from orchesjob_client import discard_empty_cgroups
from orchesjob_flow.commands.prune_output import Cleaner, Output, Pruned, output_of
from orchesjob_flow.commands.removal import Removal, shrink
from orchesjob_flow.commands.rests import Rests
from orchesjob_flow.errors import NotPruned
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.runs import open_store
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.run_json import print_json
from orchesjob_flow.views.status_line import status_line
from orchesjob_flow.views.streams import Form, print_lines
from orchesjob_flow.views.text import clock_time, size_text, visible

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])")


class Pruning(NamedTuple):
    """What is removed: what ended `older_than_sec` ago, but not the newest `keep` of a flow.

    With `keep_output`, orchesjob keeps the jobs of these runs and what they have printed.
    """

    older_than_sec: float
    keep: int = 0
    flow_id: str | None = None
    keep_output: bool = False


def parse_age(text: str) -> float:
    """Read an age, such as `30d` or `12h`, in seconds.

    >>> parse_age("30d"), parse_age("1.5h")
    (2592000.0, 5400.0)

    Raises:
        ValueError: The text is not an age.
    """
    match = AGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an age; write a number and s, m, h, d or w, as in 30d")
    return float(match[1]) * UNITS[match[2]]


def prune(settings: Settings, pruning: Pruning, form: Form, *, dry_run: bool) -> int:
    """Remove runs and print them; with `dry_run` only print them.

    Raises:
        NotPruned: Of at least one, the output or the directory could not be removed.
    """
    kept: dict[str, str] = {}
    removed = remove_runs(settings, pruning, kept, dry_run=dry_run)
    if form is Form.JSON:
        print_json(pruned_json(removed, dry_run=dry_run))
    else:
        print_lines(pruned_lines(removed, dry_run=dry_run))
    if kept:
        raise NotPruned(kept)
    return DONE


def remove_runs(
    settings: Settings, pruning: Pruning, kept: dict[str, str], *, dry_run: bool
) -> list[Pruned]:
    """Remove runs and return them, the newest first; with `dry_run` only return them.

    Into `kept` comes, by run key, why the output or the directory of a run could not be removed.
    """
    if not settings.home.database.exists():
        settings.home.refuse_missing()
        return []
    now = time.time()
    ended_by = now - pruning.older_than_sec
    if dry_run:
        with FlowStore.open_readonly(settings.home.database) as store:
            return [
                Pruned(run, Output() if pruning.keep_output else output_of(store, run.run_key))
                for run in removable(store, pruning, ended_by)
            ]
    with open_store(settings) as store, status_line() as line:
        cleaner = None if pruning.keep_output else Cleaner(settings, now)
        chosen = removable(store, pruning, ended_by)
        rests = Rests()
        removal = Removal(store, settings, ended_by, cleaner, rests, say=line.say)
        removed = removal.remove(chosen, kept)
        line.say("giving the space back to the disk")
        shrink(store, rests)
    discard_empty_cgroups()
    return [Pruned(run, removed[run.run_key]) for run in chosen if run.run_key in removed]


def removable(store: FlowStore, pruning: Pruning, ended_by: float) -> Sequence[EndedRun]:
    """Return the runs that had ended by this time, the newest first."""
    return store.ended_runs(finished_by=ended_by, keep=pruning.keep, flow_id=pruning.flow_id)


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
