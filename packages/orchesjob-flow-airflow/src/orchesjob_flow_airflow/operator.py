"""A whole flow as one task: `OrchesjobFlowOperator`."""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator

from orchesjob_flow_airflow.exceptions import (
    AirflowException,
    AirflowFailException,
    TaskDeferralTimeout,
)
from orchesjob_flow_airflow.program import (
    Answer,
    Program,
    ProgramMissing,
    find_program,
    surroundings,
)
from orchesjob_flow_airflow.watching import ENDED, Run, Watch, count_done, failed_steps

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFAULT_RUN_KEY = (
    "{{ dag.dag_id }}:{{ dag_run.run_id }}:{{ task.task_id }}"
    "{{ ':%d' % ti.map_index if ti.map_index >= 0 else '' }}"
)
DEFAULT_POLL_INTERVAL_SEC = 5.0
DEFAULT_SETTLE_SEC = 10.0
ECHO_SEC = 60.0
"""For how long the cancel that ended the task's last try may still arrive in its next one."""
EXIT_SEC = 10.0
LOOK_SEC = 0.1

TAIL_LINES = 10
MOST_TAILS = 10
LONGEST_CAUSE = 500


class OrchesjobFlowOperator(BaseOperator):
    """Runs a whole flow on the worker's host, as one run of orchesjob-flow.

    The task starts the run in the background and defers: it holds no worker slot until the run has
    ended. Each transition of a step is written to the task log, and the run's JSON is the task's
    result. A run that FAILED, or that nobody advances any more, fails the task, and Airflow's retry
    goes on with the run where it stands. A run that somebody has cancelled, a wrong flow file and
    other mistakes fail it without a retry. If the task is ended from outside or takes longer than
    `execution_timeout`, the run is cancelled.

    Everything of a run is on one host. Where there are several, the task needs a queue that only
    one of them serves, and either a triggerer there or `deferrable=False`.
    """

    template_fields: Sequence[str] = (
        "flow_file",
        "run_key",
        "env",
        "db",
        "working_dir",
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
        db: str | os.PathLike[str] | None = None,
        working_dir: str | os.PathLike[str] | None = None,
        program: str | None = None,
        orchesjob_bin: str | None = None,
        poll_interval: float = DEFAULT_POLL_INTERVAL_SEC,
        settle_sec: float = DEFAULT_SETTLE_SEC,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        """Describe the run. All but the last three are templates.

        Args:
            flow_file: The flow file; a relative path is taken from the folder of the DAG file.
            run_key: The run's name on its host. The default names DAG, DAG run, task and, in a
                mapped task, the index.
            env: Variables for all steps, over the `env` of the flow. They are recorded with the
                run: no place for secrets.
            db: The flow database; None is where orchesjob-flow looks by itself.
            working_dir: The directory in which the steps run, relative as `flow_file` is; None is
                the folder of the DAG file.
            program: orchesjob-flow; None is the one on `PATH`, else the one beside Python.
            orchesjob_bin: orchesjob; None is where orchesjob-flow looks by itself.
            poll_interval: Seconds between two looks at the run.
            settle_sec: Seconds for which a deferred task stays so, however soon its run ends: a
                task that goes on before Airflow's scheduler has noticed its deferral is taken for
                one that was killed.
            deferrable: Whether the triggerer waits, or the worker, which then holds its slot.
            kwargs: What every operator takes.

        Raises:
            ValueError: The `poll_interval` is not positive.
        """
        super().__init__(**kwargs)
        if poll_interval <= 0:
            raise ValueError(f"poll_interval must be more than 0 seconds, not {poll_interval!r}")
        self.flow_file = flow_file
        self.run_key = run_key
        self.env = env
        self.db = db
        self.working_dir = working_dir
        self.program = program
        self.orchesjob_bin = orchesjob_bin
        self.poll_interval = poll_interval
        self.settle_sec = settle_sec
        self.deferrable = deferrable
        self._is_killed = False

    def execute(self, context: "Context") -> Run:
        """Start the run, or go on with it, and wait for its end."""
        memory: dict[str, Any] = {"since": time.time(), "host": socket.gethostname()}
        if context["ti"].try_number == 1:
            return self._follow(context, self._start(context), memory)
        before = self._see_before()
        if before is None:
            return self._follow(context, self._start(context), memory)
        if before["status"] == "SUCCEEDED":
            return self._conclude(before, memory)
        if before["status"] in ENDED:
            return self._follow(context, self._retry(context), memory)
        self.log.info("run %r has not ended: %s", self.run_key, count_done(before))
        resumed = self._get("resume", "-d")
        return self._follow(context, resumed, {**memory, "was_running": True})

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> Run:
        """Go on when the trigger has fired."""
        if event["problem"] is None:
            return self._end_with(context, self._see_again(event["host"]), event)
        self.log.warning(
            "the triggerer cannot see run %r, so this worker waits for its end and holds its slot; "
            "a triggerer must run on the host of the run, else use deferrable=False: %s",
            self.run_key,
            event["problem"],
        )
        return self._end_with(context, self._await_end(event), event)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context"
    ) -> Any:
        """Go on after having been deferred; cancel the run if that took too long."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            self.on_kill()
            raise

    def on_kill(self) -> None:
        """Cancel the run: Airflow ends the task while a worker executes it."""
        self._is_killed = True
        self._cancel()

    def _see_before(self) -> Run | None:
        """Look at the run as earlier tries have left it; one to be cancelled is brought to that."""
        answer = self._call("status")
        if answer.run is None:
            self.log.warning("the run is started, for %s", answer.complaint["error"])
            return None
        if answer.run["cancel_requested_at"] is not None and answer.run["status"] not in ENDED:
            self._cancel()
            return self._get("status")
        return answer.run

    def _see_again(self, host: str) -> Run:
        """Look at a run that was started by a worker on `host`."""
        answer = self._call("status")
        if answer.run is None:
            raise AirflowException(
                f"{answer.complaint['error']}; the run was started on {host}, and this worker is "
                f"on {socket.gethostname()}: the task needs a queue that only one host serves"
            )
        return answer.run

    def _start(self, context: "Context") -> Run:
        flow_file = self._path(context, self.flow_file)
        directory = self._path(context, self.working_dir or "")
        options = self._env_options()
        return self._get("start", "-d", *options, "--", str(flow_file), cwd=str(directory))

    def _retry(self, context: "Context") -> Run:
        self._let_the_runner_go()
        flow_file = self._path(context, self.flow_file)
        return self._get("retry", "-d", *self._env_options(), f"--file={flow_file}")

    def _let_the_runner_go(self) -> None:
        """Wait for the runner's exit: it holds the lock of a run that has ended a moment longer."""
        deadline = time.monotonic() + EXIT_SEC
        while self._get("status")["runner"] is not None and time.monotonic() < deadline:
            time.sleep(LOOK_SEC)

    def _follow(self, context: "Context", begun: Run, memory: dict[str, Any]) -> Run:
        """Wait for the end of a run that a background process advances; defer if that may be."""
        if self._is_killed:
            self._cancel()
            raise AirflowException(f"the task was ended, so run {self.run_key!r} was cancelled")
        self.log.info("run %r is %s: %s", self.run_key, begun["status"], count_done(begun))
        memory = {**memory, "log": begun["stderr_log"]}
        if self.deferrable and begun["status"] not in ENDED:
            self._defer(memory)
        return self._end_with(context, self._await_end(memory), memory)

    def _defer(self, memory: dict[str, Any]) -> NoReturn:
        from orchesjob_flow_airflow.trigger import FlowRunTrigger  # dear, and not for the parser

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

    def _await_end(self, memory: dict[str, Any]) -> Run:
        """Wait here until there is nothing more to wait for, logging each transition."""
        watch = Watch(memory["since"])
        while True:
            asked_at = time.monotonic()
            answer = self._call("wait", f"--timeout={self.poll_interval}")
            for transition in watch.see(answer, time.monotonic()):
                self.log.info("%s", transition)
            if watch.over:
                return self._run_of(answer)
            if answer.run is None:
                time.sleep(max(0.0, asked_at + self.poll_interval - time.monotonic()))

    def _end_with(self, context: "Context", run: Run, memory: dict[str, Any]) -> Run:
        """Let the outcome of the run be that of the task, unless it is the last try's."""
        if run["status"] == "CANCELLED" and is_echo(run, memory) and not self._is_killed:
            self.log.info("run %r was cancelled with the task's last try: it goes on", self.run_key)
            memory = {key: memory[key] for key in ("since", "host")}
            return self._follow(context, self._retry(context), memory)
        return self._conclude(run, memory)

    def _conclude(self, run: Run, memory: dict[str, Any]) -> Run:
        """Return the run if it SUCCEEDED, else fail."""
        status = run["status"]
        if status == "SUCCEEDED":
            self.log.info("run %r has SUCCEEDED", self.run_key)
            return run
        if status == "FAILED":
            self._show_tails(run)
            causes = [f"\n  {step['id']}: {step['error']}" for step in failed_steps(run)]
            raise AirflowException(
                f"run {self.run_key!r} has FAILED: {run['error']}{''.join(causes)}"
            )
        if status == "CANCELLED":
            # After the end of a task that Airflow wanted, a retry is Airflow's to decide.
            kind = AirflowException if self._is_killed else AirflowFailException
            raise kind(f"run {self.run_key!r} was cancelled")
        raise AirflowException(
            f"nobody advances run {self.run_key!r} any more ({count_done(run)}); steps that have "
            "begun run on under orchesjob, and a retry of this task, or `orchesjob-flow resume`, "
            f"goes on with it. The last that its runner said: {last_words(memory['log'])}"
        )

    def _show_tails(self, run: Run) -> None:
        """Log what the failed steps have printed last."""
        for step in failed_steps(run)[:MOST_TAILS]:
            answer = self._call("logs", f"--tail={TAIL_LINES}", "--", step["id"])
            printed = answer.stdout.rstrip() if answer.exit_code == 0 else ""
            if printed:
                self.log.error("%s has printed last:\n%s", step["id"], printed)

    def _cancel(self) -> None:
        answer = self._call("cancel")
        if answer.exit_code == 0:
            self.log.info("run %r was cancelled", self.run_key)
        else:
            error = answer.complaint["error"]
            self.log.error("run %r could not be cancelled: %s", self.run_key, error)

    def _get(self, *words: str, cwd: str | None = None) -> Run:
        """Give a command that prints the run; return what it has printed."""
        return self._run_of(self._call(*words, cwd=cwd))

    def _run_of(self, answer: Answer) -> Run:
        """Return the run of an answer, or fail with what is wrong."""
        if answer.run is not None:
            return answer.run
        complaint = answer.complaint
        # What no repetition can mend: each of these tells of a mistake, with its details.
        is_mistake = complaint.keys() & {"problems", "differences", "conflicts", "help"}
        kind = AirflowFailException if is_mistake else AirflowException
        raise kind(complaint["error"])

    def _call(self, command: str, *words: str, cwd: str | None = None) -> Answer:
        return self._program().call(command, f"--run-key={self.run_key}", *words, cwd=cwd)

    def _program(self) -> Program:
        try:
            path = find_program(self.program)
        except ProgramMissing as error:
            raise AirflowException(str(error)) from None
        options = () if self.db is None else (f"--db={os.path.abspath(self.db)}",)  # noqa: PTH100
        variables = surroundings()
        if self.orchesjob_bin:
            variables["ORCHESJOB_BIN"] = self.orchesjob_bin
        return Program(path, options, variables)

    def _env_options(self) -> list[str]:
        return [f"--env={name}={text}" for name, text in (self.env or {}).items()]

    def _path(self, context: "Context", path: str | os.PathLike[str]) -> Path:
        """Take a path from the folder of the DAG file."""
        return Path(context["dag"].folder, path)


def is_echo(run: Run, memory: dict[str, Any]) -> bool:
    """Tell whether a run that this try has found running was cancelled because the last try ended.

    Airflow starts the next try of a cleared task while the triggerer is still ending the last one.
    """
    requested_at: float | None = run["cancel_requested_at"]
    was_running = memory.get("was_running", False)
    return was_running and requested_at is not None and requested_at < memory["since"] + ECHO_SEC


def last_words(log: str) -> str:
    """Return the last line of a runner's log."""
    try:
        lines = Path(log).read_text("utf-8", errors="replace").split("\n")
    except OSError as error:
        return f"{log} cannot be read: {error.strerror}"
    said = [line for line in lines if line.strip()]
    return said[-1][:LONGEST_CAUSE] if said else "nothing"
