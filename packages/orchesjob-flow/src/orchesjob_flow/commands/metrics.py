"""`metrics`: the figures of `stats`, and how the newest runs stand, for Prometheus (rule 12.2)."""

from pathlib import Path

from flow_store import FlowStore, StoreMissing
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.runs import UNFINISHED, find_runs
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.reports.written_file import write_file
from orchesjob_flow.stats.counts import flow_stats
from orchesjob_flow.stats.formats import as_prometheus
from orchesjob_flow.views.streams import write_result

FOR_ALL = 0o644
"""The mode of the file: another user's node_exporter reads it."""


def metrics(settings: Settings, output: str | None) -> int:
    """Write the figures of all flows to stdout, or into a file that is replaced in one step.

    Raises:
        ReportNotWritten: The file cannot be written; what was there is unchanged.
    """
    text = measure(settings)
    if output is None:
        write_result(text)
    else:
        write_file(Path(output), text, mode=FOR_ALL)
    return DONE


def measure(settings: Settings) -> str:
    """Read what there is to tell. An empty home has nothing.

    Raises:
        HomeMissing: There is no such home (rule 6.13).
    """
    try:
        with FlowStore.open_readonly(settings.home.database) as store:
            flows, newest = flow_stats(store, settings.home), store.newest_runs()
    except StoreMissing:
        settings.home.refuse_missing()
        return ""
    return as_prometheus(flows, newest, find_runs(settings, statuses=UNFINISHED))
