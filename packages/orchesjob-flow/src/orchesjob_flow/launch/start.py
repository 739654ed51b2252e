"""Starting a run: it is recorded, unless it is already, and advanced to its end (rules 4.3 to 4.5).

A new run needs orchesjob soon. So its fork server begins first, and loads while this process
imports what reads and advances a flow. That is why functions import it here, and not the module.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flow_store import Run, StoreError
from orchesjob_client import ForkServer, OrchesjobError, leave_cgroups, locate
from orchesjob_flow.errors import FlowError, Skipped
from orchesjob_flow.home.orchesjob_home import home_of_new_run, named_home
from orchesjob_flow.home.paths import ORCHESJOB_HOME, Settings, check_run_key
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.views.results import show_background, show_foreground, show_skipped
from orchesjob_flow.views.terminal import OutputFormat

if TYPE_CHECKING:
    from flow_spec import FlowSpec


class Start(NamedTuple):
    """A run to start or to continue.

    `read` returns the flow of the file. It is called once, as the file may be a pipe. `own_jobs`
    gives a new run an orchesjob home of its own (rule 4.8). `on_record` is called before the run is
    recorded or found. A command that is interrupted before that has started nothing (rule 6.9).
    """

    handle: RunHandle
    flow_file: str
    read: "Callable[[], FlowSpec]"
    own_jobs: bool
    on_record: Callable[[], object] = int

    def in_background(self, output_format: OutputFormat) -> int:
        """Record the run, leave it to a background process, and show it."""
        check_run_key(self.handle.run_key)
        from orchesjob_flow.launch.recording import record
        from orchesjob_flow.runner.background import await_runner, begin_runner

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
        with closing(EarlyForkServer(handle.settings)) as fork_server:
            begin_for_new_run(fork_server, handle, own_jobs=own_jobs)
            from orchesjob_flow.launch.recording import record
            from orchesjob_flow.runner.assembly import drive_or_wait

            store, lock, flow = record(
                handle, flow_file, read, own_jobs=own_jobs, on_record=on_record
            )
            with store:
                return drive_or_wait(handle, store, lock, flow=flow, get_launcher=fork_server.take)


class EarlyForkServer:
    """A fork server that is started before the run is recorded, and kept until a runner takes it.

    If the runner cannot use it, the runner closes it and starts another one.
    """

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._begun: ForkServer | None = None

    def begin(self, home: str) -> None:
        """Start it for a run whose jobs will be in this orchesjob home."""
        environ = self._settings.environ
        if environ.get(ORCHESJOB_HOME) or home != named_home(environ):
            environ = {**environ, ORCHESJOB_HOME: home}
        leave_cgroups(environ)  # as its runner will: it is useless in another cgroup
        try:
            executable = locate(self._settings.orchesjob, environ)
        except OrchesjobError:
            return  # the runner reports this
        self._begun = ForkServer(executable, environ)

    def take(self, executable: str, environ: Mapping[str, str]) -> ForkServer:
        """Return a launcher for these calls: the early one, if it can launch them."""
        begun, self._begun = self._begun, None
        if begun is not None:
            if begun.is_born_for(executable, environ):
                return begun
            begun.close()
        return ForkServer(executable, environ)

    def close(self) -> None:
        """End the fork server if no runner has taken it."""
        if self._begun is not None:
            self._begun.close()


def begin_for_new_run(fork_server: EarlyForkServer, handle: RunHandle, *, own_jobs: bool) -> None:
    """Begin the fork server, unless the run is recorded already: then it has probably ended."""
    run_key, settings = handle
    # What is in the way is found again where the run is recorded, and reported there.
    with suppress(FlowError, StoreError, OSError):
        if not handle.is_recorded():
            fork_server.begin(home_of_new_run(settings, run_key, own_jobs=own_jobs))
