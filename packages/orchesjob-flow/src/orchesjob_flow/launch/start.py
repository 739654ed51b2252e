"""Starting a run: record it, unless it exists, and advance it to its end (rules 4.3 to 4.5)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from flow_spec import FlowSpec
from flow_store import Run
from orchesjob_flow.errors import Skipped
from orchesjob_flow.home.paths import check_run_key
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.launch.recording import record
from orchesjob_flow.runner.assembly import drive_or_wait
from orchesjob_flow.runner.background import await_runner, begin_runner
from orchesjob_flow.views.results import show_background, show_foreground, show_skipped
from orchesjob_flow.views.terminal import OutputFormat


class Start(NamedTuple):
    """A run to start or to continue.

    `read` returns the flow of the file. It is called once, as the file may be a pipe. `own_jobs`
    gives a new run an orchesjob home of its own (rule 4.8). `on_record` is called before the run is
    recorded or found. A command that is interrupted before that has started nothing (rule 6.9).
    """

    handle: RunHandle
    flow_file: str
    read: Callable[[], FlowSpec]
    own_jobs: bool
    on_record: Callable[[], object] = int

    def in_background(self, output_format: OutputFormat) -> int:
        """Record the run, leave it to a background process, and show it."""
        check_run_key(self.handle.run_key)
        handle, flow_file, read, own_jobs, on_record = self
        try:
            store, lock, _ = record(handle, flow_file, read, own_jobs=own_jobs, on_record=on_record)
            with store:
                runner = begin_runner(handle, store, lock)
        except Skipped as skipped:
            return show_skipped(skipped.held_by, output_format)
        return show_background(handle, await_runner(handle, runner), output_format)

    def in_foreground(
        self,
        output_format: OutputFormat,
        progress: str,
        reports: Sequence[tuple[str, str]] = (),
        *,
        follow: bool = False,
    ) -> int:
        """Record the run, bring it to its end, write its reports, and show it.

        `reports` are formats and files (rule 12.1).
        """
        check_run_key(self.handle.run_key)
        if reports:
            from orchesjob_flow.reports.reporting import refuse_destination

            for _, file in reports:
                refuse_destination(Path(file), self.flow_file)

        def advance() -> Run:
            run = self._advance()
            if reports:
                from orchesjob_flow.reports.reporting import write_reports

                write_reports(self.handle, reports)
            return run

        try:
            return show_foreground(self.handle, output_format, progress, advance, follow=follow)
        except Skipped as skipped:
            return show_skipped(skipped.held_by, output_format)

    def _advance(self) -> Run:
        """Record the run, and bring it to its end.

        Raises:
            Skipped: Nothing was recorded, as the flow says (rule 10.7).
        """
        handle, flow_file, read, own_jobs, on_record = self
        store, lock, flow = record(handle, flow_file, read, own_jobs=own_jobs, on_record=on_record)
        with store:
            return drive_or_wait(handle, store, lock, flow=flow)
