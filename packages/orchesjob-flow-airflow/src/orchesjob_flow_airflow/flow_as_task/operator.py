"""The operator that runs a whole flow as one task, and what the outcome of its run means for it.

Here the task starts, retries, resumes or cancels its run. A deferred task waits in `trigger`.
Airflow retries a task that raises `AirflowException` as it is configured to, and never one that
raises `AirflowFailException`.
"""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferralTimeout,
)

from orchesjob_flow_airflow.errors import ProgramMissing
from orchesjob_flow_airflow.flow_as_task.program import (
    ENDED,
    Answer,
    HostRun,
    Program,
    RunJson,
    RunWatch,
    failed_in,
    find_program,
    home_variables,
    progress,
)
from orchesjob_flow_airflow.secrets import masked, render_secrets

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFAULT_RUN_KEY = (
    "{{ dag.dag_id }}:{{ dag_run.run_id }}:{{ task.task_id }}"
    "{{ ':%d' % ti.map_index if ti.map_index >= 0 else '' }}"
)
DEFAULT_POLL_INTERVAL_SEC = 5.0
DEFAULT_SETTLE_SEC = 10.0
LATE_CANCEL_SEC = 60.0
"""How long after a try begins a cancel may still come from the end of the try before."""
RUNNER_EXIT_SEC = 10.0
RUNNER_EXIT_INTERVAL_SEC = 0.1

TAIL_LINES = 10
MAX_TAILS = 10


class RunReport(BaseOperatorLink):
    """The link from a task to the report of its run."""

    @property
    def name(self) -> str:
        """The words of the link."""
        return "Report of the run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's names
        """Return the URL; the worker calls this with a rendered task when a try has ended."""
        return str(operator.report_url)


class OrchesjobFlowOperator(BaseOperator):
    """Runs a whole flow on the worker's host, as one run of orchesjob-flow.

    The task starts the run in the background and defers: it holds no worker slot while the run
    runs. Each transition of a step is written to the task log, and the run's JSON is the task's
    result. A run that FAILED or has lost its runner fails the task, and Airflow's retry continues
    the run. A run that somebody cancelled, a wrong flow file and other mistakes fail the task
    without a retry. If the task is ended from outside or takes longer than `execution_timeout`,
    the run is cancelled.

    Everything that belongs to a run is on one host. If there are several, the task needs a queue
    that only one of them serves, and either a triggerer on that host or `deferrable=False`.
    """

    template_fields: Sequence[str] = (
        "flow_file",
        "run_key",
        "env",
        "flow_params",
        "until",
        "db",
        "working_dir",
        "report",
        "report_url",
        "program",
        "orchesjob_bin",
    )
    ui_color = "#e8f0e4"

    def __init__(  # noqa: PLR0913 - its options
        self,
        *,
        flow_file: str | os.PathLike[str],
        run_key: str = DEFAULT_RUN_KEY,
        env: Mapping[str, str] | None = None,
        flow_params: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        until: str | Sequence[str] = (),
        db: str | os.PathLike[str] | None = None,
        working_dir: str | os.PathLike[str] | None = None,
        report: str | os.PathLike[str] | None = None,
        report_url: str | None = None,
        program: str | None = None,
        orchesjob_bin: str | None = None,
        poll_interval: float = DEFAULT_POLL_INTERVAL_SEC,
        settle_sec: float = DEFAULT_SETTLE_SEC,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        """Describe the run. All but the last three are templates.

        Args:
            flow_file: The flow file; a relative path is resolved in the folder of the DAG file.
            run_key: The run's name on its host. The default names DAG, DAG run, task and, in a
                mapped task, the index.
            env: Variables for all steps; they override the `env` of the flow. They are recorded
                with the run.
            flow_params: Values of the flow's parameters, recorded likewise.
            secrets: Variables that only the processes of the run see, masked in task logs; the
                `env` of the flow overrides them.
            until: The step, or the steps, for which the run is made: these, what they wait for, and
                `finally`; by default all.
            db: The flow database; None is the default of orchesjob-flow.
            working_dir: The directory in which the steps run, resolved as `flow_file` is; None is
                the folder of the DAG file.
            report: A file on the worker's host into which the report of the run is written when it
                has ended, resolved as `flow_file` is. Its path is the XCom `report`.
            report_url: The URL of that file, to which the task then has a link.
            program: orchesjob-flow; None is the one on `PATH`, else the one beside Python.
            orchesjob_bin: orchesjob; None is the default of orchesjob-flow.
            poll_interval: Seconds between two polls of the run.
            settle_sec: Minimum seconds for which a deferred task stays deferred, however soon its
                run ends. If a task resumes before Airflow's scheduler has noticed the deferral, the
                scheduler takes it for killed.
            deferrable: Whether the triggerer waits; else the worker does, and holds its slot.
            kwargs: The arguments of every operator.

        Raises:
            ValueError: The `poll_interval` is not positive.
        """
        super().__init__(**kwargs)
        if poll_interval <= 0:
            raise ValueError(f"poll_interval must be more than 0 seconds, not {poll_interval!r}")
        self.flow_file = flow_file
        self.run_key = run_key
        self.until = until
        self.env = env
        self.flow_params = flow_params
        self.secrets = secrets
        self._secret_values: Mapping[str, str] = {}
        self.db = db
        self.working_dir = working_dir
        self.report = report
        self.report_url = report_url
        if report_url is not None:
            self.operator_extra_links = (RunReport(),)
        self.program = program
        self.orchesjob_bin = orchesjob_bin
        self.poll_interval = poll_interval
        self.settle_sec = settle_sec
        self.deferrable = deferrable
        self._is_killed = False

    def execute(self, context: "Context") -> RunJson:
        """Start the run or continue it, and wait for its end.

        Raises:
            AirflowFailException: The run cannot succeed, and a retry would not change that.
            AirflowException: The run has not succeeded.
        """
        self._secret_values = render_secrets(self, context, self.secrets)
        memory: dict[str, Any] = {"since": time.time(), "host": socket.gethostname()}
        ti = context["ti"]
        before = None if ti.try_number == 1 else self._run_before()
        if before is None:
            return self._follow(context, self._start(context), memory)
        again: list[str] = []
        if before["status"] == "SUCCEEDED":
            # Airflow gives a task that is cleared all of its retries once more.
            if ti.try_number + (self.retries or 0) == ti.max_tries + 1:
                again = [f"--step={step['id']}" for step in before["steps"] if step["attempts"]]
            if not again:  # the last try could not tell Airflow how its run has ended
                return self._conclude(context, before, memory)
        if before["status"] in ENDED:
            return self._follow(context, self._retry(context, *again), memory)
        self.log.info("run %r has not ended: %s", self.run_key, progress(before))
        resumed = self._begun(self._host_run().call("resume", "-d"))
        return self._follow(context, resumed, {**memory, "was_running": True})

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> RunJson:
        """Continue after the trigger has fired."""
        self._secret_values = render_secrets(self, context, self.secrets)
        if event["problem"] is None:
            return self._end_with(context, self._run_started_on(event["host"]), event)
        self.log.warning(
            "the triggerer cannot see run %r, so this worker waits for its end and keeps its slot; "
            "run a triggerer on the host of the run, or use deferrable=False: %s",
            self.run_key,
            event["problem"],
        )
        return self._end_with(context, self._await_end(event), event)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context"
    ) -> Any:
        """Continue after a deferral; cancel the run if that took too long."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            self.on_kill()
            raise

    def on_kill(self) -> None:
        """Cancel the run: Airflow ends the task while a worker executes it."""
        self._is_killed = True
        self._host_run().cancel()

    def _run_before(self) -> RunJson | None:
        """Return the run as earlier tries left it, after a cancel that was requested."""
        run_here = self._host_run()
        answer = run_here.status()
        if answer.run is None:
            self.log.warning("starting the run, because %s", answer.error)
            return None
        if answer.run["cancel_requested_at"] is not None and answer.run["status"] not in ENDED:
            run_here.complete_cancel(answer.run)
            return printed_run(run_here.status())
        return answer.run

    def _run_started_on(self, host: str) -> RunJson:
        """Return a run that was started by a worker on `host`."""
        answer = self._host_run().status()
        if answer.run is None:
            raise AirflowException(
                f"{answer.error}; the run was started on {host}, and this worker is on "
                f"{socket.gethostname()}: give the task a queue that only one host serves"
            )
        return answer.run

    def _start(self, context: "Context") -> RunJson:
        flow_file = str(self._path(context, self.flow_file))
        directory = self._path(context, self.working_dir or "")
        until = [self.until] if isinstance(self.until, str) else self.until
        steps = (f"--until={name}" for name in until)
        words = ("-d", *self._input_options(), *steps, "--", flow_file)
        answer = self._host_run().call("start", *words, cwd=directory)
        if answer.held_by is not None:
            raise AirflowSkipException(f"nothing is run: {answer.error}")
        return self._begun(answer)

    def _retry(self, context: "Context", *steps: str) -> RunJson:
        self._await_runner_exit()
        flow_file = self._path(context, self.flow_file)
        words = ("-d", *self._input_options(), *steps, f"--file={flow_file}")
        return self._begun(self._host_run().call("retry", *words))

    def _begun(self, answer: Answer) -> RunJson:
        """Return the run that a call has left to a runner, which orchesjob may yet answer."""
        log = answer.trying_runner_log
        if log is None:
            return printed_run(answer)
        self.log.warning("%s", answer.error)
        return {**printed_run(self._host_run().status()), "stderr_log": log}

    def _await_runner_exit(self) -> None:
        """Wait for the runner's exit: it holds its lock for a moment after the run has ended."""
        run_here = self._host_run()
        deadline = time.monotonic() + RUNNER_EXIT_SEC
        while printed_run(run_here.status())["runner"] is not None and time.monotonic() < deadline:
            time.sleep(RUNNER_EXIT_INTERVAL_SEC)

    def _follow(self, context: "Context", begun: RunJson, memory: dict[str, Any]) -> RunJson:
        """Wait for the end of a run that has a runner in the background; defer if possible."""
        if self._is_killed:
            self._host_run().cancel()
            raise AirflowException(f"the task was ended, so run {self.run_key!r} was cancelled")
        self.log.info("run %r is %s: %s", self.run_key, begun["status"], progress(begun))
        memory = {**memory, "log": begun["stderr_log"]}
        if self.deferrable and begun["status"] not in ENDED:
            self._defer(memory)
        return self._end_with(context, self._await_end(memory), memory)

    def _defer(self, memory: dict[str, Any]) -> NoReturn:
        # Imported late: it takes time, and the DAG processor runs a DAG file again and again.
        from orchesjob_flow_airflow.flow_as_task.trigger import FlowRunTrigger

        self.defer(
            trigger=FlowRunTrigger(
                program=self._program()._asdict(),
                run_key=self.run_key,
                poll_interval=self.poll_interval,
                settle_sec=self.settle_sec,
                memory=memory,
            ),
            method_name="execute_complete",
            timeout=self.execution_timeout,
        )

    def _await_end(self, memory: dict[str, Any]) -> RunJson:
        """Wait in this worker until the run has ended or cannot be seen; log each transition."""
        run_here = self._host_run()
        watch = RunWatch(memory["since"])
        while True:
            asked_at = time.monotonic()
            answer = run_here.call("wait", f"--timeout={self.poll_interval}")
            for transition in watch.see(answer, time.monotonic()):
                self.log.info("%s", transition)
            if watch.over:
                return printed_run(answer)
            if answer.run is None:
                time.sleep(max(0.0, asked_at + self.poll_interval - time.monotonic()))

    def _end_with(self, context: "Context", run: RunJson, memory: dict[str, Any]) -> RunJson:
        """Conclude with the outcome of the run, unless the end of the last try cancelled it."""
        if run["status"] == "CANCELLED" and is_late_cancel(run, memory) and not self._is_killed:
            self.log.info("run %r was cancelled with the last try; retrying it", self.run_key)
            memory = {key: memory[key] for key in ("since", "host")}
            return self._follow(context, self._retry(context), memory)
        return self._conclude(context, run, memory)

    def _conclude(self, context: "Context", run: RunJson, memory: dict[str, Any]) -> RunJson:
        """Return the run if it SUCCEEDED, else fail the task; write the report before."""
        if self.report is not None:
            path = str(self._path(context, self.report))
            if self._host_run().write_report(path):
                context["ti"].xcom_push("report", path)
        if run["status"] == "FAILED":
            for step in failed_in(run)[:MAX_TAILS]:
                if printed := self._host_run().log_tail(step["id"], TAIL_LINES):
                    self.log.error("the last lines of %s:\n%s", step["id"], masked(printed))
        check_success(run, is_killed=self._is_killed, runner_log=memory.get("log", ""))
        self.log.info("run %r SUCCEEDED", self.run_key)
        return run

    def _host_run(self) -> HostRun:
        program = self._program()
        variables = {**self._secret_values, **program.variables}
        return HostRun(program._replace(variables=variables), self.run_key, self.log)

    def _program(self) -> Program:
        """Return the program without the secrets: Airflow stores the arguments of a trigger."""
        try:
            path = find_program(self.program)
        except ProgramMissing as error:
            raise AirflowException(str(error)) from None
        options = () if self.db is None else (f"--db={os.path.abspath(self.db)}",)  # noqa: PTH100
        variables = home_variables()
        if self.orchesjob_bin:
            variables["ORCHESJOB_BIN"] = self.orchesjob_bin
        return Program(path, options, variables)

    def _input_options(self) -> list[str]:
        params = [f"--param={name}={text}" for name, text in (self.flow_params or {}).items()]
        return params + [f"--env={name}={text}" for name, text in (self.env or {}).items()]

    def _path(self, context: "Context", path: str | os.PathLike[str]) -> Path:
        return Path(context["dag"].folder, path)


def is_late_cancel(run: RunJson, memory: dict[str, Any]) -> bool:
    """Return whether a run that this try found running was cancelled because the last try ended.

    Airflow starts the next try of a cleared task while the triggerer is still ending the last one.
    """
    requested_at: float | None = run["cancel_requested_at"]
    was_running = memory.get("was_running", False) and not run.get("replaced_by")
    limit = memory["since"] + LATE_CANCEL_SEC
    return was_running and requested_at is not None and requested_at < limit


_MAX_LINE = 500


def printed_run(answer: Answer) -> RunJson:
    """Return the run that a call has printed, or fail; without a retry if that cannot help."""
    if answer.run is not None:
        return answer.run
    if answer.is_recorded:
        raise AirflowException(f"{answer.error}; a retry of this task continues the run")
    kind = AirflowFailException if answer.is_mistake else AirflowException
    raise kind(answer.error)


def check_success(run: RunJson, *, is_killed: bool, runner_log: str) -> None:
    """Raise what follows for the task unless a run that has ended, or lost its runner, SUCCEEDED.

    `is_killed`: Airflow ended the task, and the task therefore cancelled the run.
    """
    run_key = run["run_key"]
    match run["status"]:
        case "SUCCEEDED":
            return
        case "FAILED":
            causes = [f"\n  {step['id']}: {step['error']}" for step in failed_in(run)]
            raise AirflowException(f"run {run_key!r} FAILED: {run['error']}{''.join(causes)}")
        case "CANCELLED":
            # If Airflow ended the task, it is also Airflow's to decide about a retry.
            kind = AirflowException if is_killed else AirflowFailException
            reason = f": {run['error']}" if run["error"] else ""  # which run has replaced it
            raise kind(f"run {run_key!r} was cancelled{reason}")
        case _:
            gave_up = run.get("gave_up")
            last = f"The last line of the runner's log: {_last_log_line(runner_log)}"
            cause = last if gave_up is None else f"Its runner gave up: {gave_up['error']}"
            raise AirflowException(
                f"run {run_key!r} has lost its runner ({progress(run)}). Steps that have begun "
                "keep running under orchesjob; a retry of this task, or `orchesjob-flow resume`, "
                f"continues the run. {cause}"
            )


def _last_log_line(path: str) -> str:
    """Return the last line of a runner's log that is not blank, at most 500 characters of it."""
    try:
        lines = Path(path).read_text("utf-8", errors="replace").split("\n")
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    written = [line for line in lines if line.strip()]
    return written[-1][:_MAX_LINE] if written else "(it is empty)"
