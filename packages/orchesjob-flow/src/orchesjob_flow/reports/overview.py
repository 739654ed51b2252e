"""The overview of many runs: a page about all flows, and beside it the reports of their last runs.

A server of files shows the folder; nothing else is needed (rule 12.4). A report is written again
only if its run has changed: its head identifies the run as it was then. The page itself comes last,
so it leads to no report that is missing.
"""

import os
import stat
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import quote

from flow_spec import StoredFlowError
from flow_store import DamagedRecord, FlowStore, NotStarted, RunStatus, RunSummary, StoreMissing
from orchesjob_flow.clock import now
from orchesjob_flow.errors import (
    NotOurReport,
    ReportNotWritten,
    RunNotFound,
    UnusableOrchesjobHome,
)
from orchesjob_flow.home import (
    UNFINISHED_STATUSES,
    Listed,
    RunHandle,
    Settings,
    Snapshot,
    encode_run_key,
    open_to_read,
    with_runners,
)
from orchesjob_flow.reasons import clock_time, not_started_text
from orchesjob_flow.reports.facts import Facts, StepFacts, headline
from orchesjob_flow.reports.page import as_html, origin_of, our_version, page_from
from orchesjob_flow.reports.reporting import facts_now, read_head, write_file
from orchesjob_flow.views.terminal import duration_text, warn

PAGE, REPORTS = "index.html", "reports"
"""The names of the page and of the folder with the reports, in the folder of the overview."""
UNREADABLE = (StoredFlowError, DamagedRecord, RunNotFound, UnusableOrchesjobHome)
"""Why a run has no report, while all others have."""
OVERVIEW_LINES = 5
"""How many lines of a failed step's output the page shows; its report shows more."""
MOST_FAILED_STEPS = 3
"""Of so many failed steps of a run the page shows the output."""
MOST_TROUBLES = 50
"""So many runs that need a look are described; the others are only in the table."""
SLOW = 1.5
"""A run is called slow if it took so many times the median."""
LOWEST_MARK = 30
"""The height of the mark of a run that took no time, in percent."""


class RunMark(NamedTuple):
    """A run in the strip of its flow; `height` in percent tells how long it took."""

    listed: Listed
    height: int

    @property
    def run(self) -> RunSummary:
        """The run."""
        return self.listed.run

    @property
    def is_abandoned(self) -> bool:
        """Whether the run has not ended and no process advances it."""
        return self.listed.is_abandoned

    @property
    def report(self) -> str:
        """The name of its report: a file in the folder of the reports, whatever the key."""
        return f"{encode_run_key(self.run.run_key)}.html"

    @property
    def href(self) -> str:
        """Where its report is, as a page links to it."""
        return f"{REPORTS}/{quote(self.report)}"

    @property
    def words(self) -> str:
        """What the mark says to people who do not see its colour."""
        run = self.run
        took = "" if run.finished_at is None else f", took {duration_text(_run_seconds(run))}"
        runner = ", has no runner" if self.is_abandoned else ""
        return f"{run.run_key} {run.status}, began {clock_time(run.started_at)}{took}{runner}"


class FlowLine(NamedTuple):
    """A flow: its last runs, the oldest first, and how the newest compares with them.

    Attributes:
        median_sec: The median duration of its last runs that SUCCEEDED; None if there are none.
        last_success_at: When its latest run that SUCCEEDED had ended.
    """

    flow_id: str
    marks: Sequence[RunMark]
    median_sec: float | None
    last_success_at: float | None

    @property
    def newest(self) -> RunMark:
        """The run that was recorded last."""
        return self.marks[-1]

    @property
    def took_sec(self) -> float | None:
        """How long the newest run took; None if it has not ended."""
        run = self.newest.run
        return None if run.finished_at is None else _run_seconds(run)

    @property
    def slowness(self) -> float | None:
        """How many times the median the newest run took, if that is slow; else None."""
        if self.took_sec is None or not self.median_sec:
            return None
        ratio = self.took_sec / self.median_sec
        return ratio if ratio >= SLOW else None

    @property
    def went_wrong(self) -> bool:
        """Whether the newest run FAILED or was CANCELLED."""
        return self.newest.run.status in (RunStatus.FAILED, RunStatus.CANCELLED)


class Trouble(NamedTuple):
    """A run that needs a look: what happened, and the failed steps with their last words."""

    mark: RunMark
    headline: str
    steps: Sequence[tuple[StepFacts, str]]


class Written(NamedTuple):
    """What was written: how many flows the page has, and how many reports are new or changed."""

    page: Path
    flows: int
    reports: int


def write_overview(settings: Settings, folder: Path, limit: int) -> Written:
    """Write the page and the reports that are new or changed; remove those that nothing leads to.

    `limit` is how many of its last runs each flow shows.

    Raises:
        ReportNotWritten: The folder is a link or not a folder, or cannot be written.
        NotOurReport: Another file has a name that is needed.
        HomeMissing: There is no such home (rule 6.13).
    """
    reports, page = folder / REPORTS, folder / PAGE
    if folder.suffix == page.suffix and not folder.exists():
        cause = "it looks like a file, and a folder is needed, for the page and its reports"
        raise ReportNotWritten(folder, cause, "folder")
    for place in (folder, reports):
        make_folder(place)
    read_head(page)
    try:
        with open_to_read(settings) as store:
            lines, abandoned = read_flows(store, settings, limit)
            not_started = store.not_started(by_flow=True)
        every = [*abandoned, *(mark for line in lines for mark in line.marks)]
        marks = list({mark.run.run_key: mark for mark in every}.values())
        stale = [mark for mark in marks if not is_current(reports / mark.report, mark.run)]
        write_run_reports(settings, reports, stale)
        with open_to_read(settings) as store:
            troubles = [
                trouble
                for mark in [*abandoned, *(line.newest for line in lines if line.went_wrong)]
                if (trouble := trouble_of(store, settings, mark)) is not None
            ]
    except StoreMissing:
        settings.home.refuse_missing()
        lines, marks, stale, troubles, not_started = [], [], [], [], ()
    _remove_others(reports, marks)
    written = [mark for mark in stale if (reports / mark.report).exists()]
    missing = {mark.run.run_key for mark in stale} - {mark.run.run_key for mark in written}
    text = overview_page(lines, troubles, missing, not_started, os.uname().nodename, now().wall)
    write_file(page, text)
    return Written(page, len(lines), len(written))


def overview_page(  # noqa: PLR0913, PLR0917 - what it shows
    lines: Sequence[FlowLine],
    troubles: Sequence[Trouble],
    missing: Collection[str],
    not_started: Sequence[NotStarted],
    host: str,
    written_at: float,
) -> str:
    """Write the page about flows of a host, and about the runs that need a look.

    The runs with the keys in `missing` have no report.
    """
    return page_from(
        "overview.html",
        lines=lines,
        abandoned=[one for one in troubles if one.mark.is_abandoned],
        failed=[one for one in troubles if not one.mark.is_abandoned][:MOST_TROUBLES],
        wrong=[line for line in lines if line.went_wrong],
        runs=sum(len(line.marks) for line in lines),
        missing=missing,
        not_started=[not_started_text(f"runs of {one.flow_id} were", one) for one in not_started],
        host=host,
        now=written_at,
    )


def make_folder(folder: Path) -> None:
    """Create a folder whose parent is there, unless it is there already.

    Raises:
        ReportNotWritten: It is a link or not a folder, or cannot be created.
    """
    try:
        with suppress(FileExistsError):
            folder.mkdir()
        mode = folder.lstat().st_mode
    except OSError as error:
        cause = error.strerror or str(error)
        if isinstance(error, FileNotFoundError):
            above = folder.parent  # it may be there nevertheless, as /proc is
            fact = "no folder can be made in" if above.is_dir() else "there is no folder"
            cause = f"{fact} {above}"
        raise ReportNotWritten(folder, cause, "folder") from error
    if not stat.S_ISDIR(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "not a folder"
        raise ReportNotWritten(folder, f"it is {what}", "folder")


def read_flows(
    store: FlowStore, settings: Settings, limit: int
) -> tuple[list[FlowLine], list[RunMark]]:
    """Read the last runs of each flow, and further runs without a runner."""
    lines = []
    for flow_id in store.flow_ids():
        runs = store.runs(flow_id=flow_id, limit=limit)[::-1]
        if not runs:  # they have just been removed
            continue
        longest = max(map(_run_seconds, runs))
        marks = [_run_mark(listed, longest) for listed in with_runners(settings, runs)]
        good = [run for run in runs if run.status is RunStatus.SUCCEEDED]
        middle = median(map(_run_seconds, good)) if good else None
        latest = store.runs(flow_id=flow_id, statuses=[RunStatus.SUCCEEDED], limit=1)
        lines.append(FlowLine(flow_id, marks, middle, latest[0].finished_at if latest else None))
    unfinished = with_runners(settings, store.runs(statuses=UNFINISHED_STATUSES))
    lines.sort(key=lambda line: not line.went_wrong)
    return lines, [_run_mark(listed, 0.0) for listed in unfinished if listed.is_abandoned]


def _run_mark(listed: Listed, longest_sec: float) -> RunMark:
    height = LOWEST_MARK + (100 - LOWEST_MARK) * _run_seconds(listed.run) / (longest_sec or 1)
    return RunMark(listed, round(min(height, 100)))


def _run_seconds(run: RunSummary) -> float:
    return 0.0 if run.finished_at is None else max(0.0, run.finished_at - run.started_at)


def write_run_reports(settings: Settings, reports: Path, marks: Sequence[RunMark]) -> None:
    """Write the reports of runs; warn about each that cannot be reported.

    Raises:
        ReportNotWritten: A report cannot be written.
    """
    with open_to_read(settings) as store:
        for mark in marks:
            try:
                text = as_html(facts_of_run(store, settings, mark))
            except UNREADABLE as error:
                warn(f"run {mark.run.run_key!r} has no report: {error}")
            else:
                write_file(reports / mark.report, text)


def facts_of_run(store: FlowStore, settings: Settings, mark: RunMark) -> Facts:
    """Collect what happened in a run.

    Raises:
        RunNotFound: It was removed meanwhile.
        StoredFlowError, DamagedRecord: Its record cannot be read.
        UnusableOrchesjobHome: Others could have written its output.
    """
    handle = RunHandle(mark.run.run_key, settings)
    run = handle.load(store)
    return facts_now(Snapshot(run, mark.listed.runner), store.attempts(handle.run_key))


def is_current(path: Path, run: RunSummary) -> bool:
    """Whether a report shows a run as it is now; one that has not ended changes with the time.

    Raises:
        NotOurReport: Another file has its name.
    """
    head = read_head(path)
    marks = (f'orchesjob-flow {our_version()}">', f'<meta name="run" content="{origin_of(run)}">')
    return run.status.is_terminal and all(mark.encode() in head for mark in marks)


def trouble_of(store: FlowStore, settings: Settings, mark: RunMark) -> Trouble | None:
    """Describe a run that needs a look; None if its record cannot be read."""
    try:
        facts = facts_of_run(store, settings, mark)
    except UNREADABLE:
        return None
    wrong = [one for one in facts.steps if one.went_wrong]
    return Trouble(
        mark, headline(facts), [(one, _last_output(one)) for one in wrong[:MOST_FAILED_STEPS]]
    )


def _last_output(one: StepFacts) -> str:
    text = next((tail.text for tail in one.tails if tail.text), "")
    return "\n".join(text.split("\n")[-OVERVIEW_LINES:])


def _remove_others(reports: Path, marks: Sequence[RunMark]) -> None:
    wanted = {mark.report for mark in marks}
    for path in reports.iterdir():
        if path.suffix == ".html" and path.name not in wanted:
            with suppress(NotOurReport, FileNotFoundError):
                read_head(path)
                path.unlink()
