"""A step as a task: whether it runs, and one attempt at it in each try.

What Airflow counts as a try is in `retries`, and what an attempt means for the task in `verdicts`.
How an attempt goes through orchesjob is in `attempts`, which is imported on the worker only: a DAG
file is read all the time.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from flow_spec import FlowSpec, ParamsError, StepSpec
from orchesjob_flow_airflow.errors import (
    AttemptFailed,
    DefinitionChanged,
    FlowNotBegun,
    ForeignJob,
    GateFailed,
    NoOutcome,
    RunDirUnusable,
)
from orchesjob_flow_airflow.flow_as_dag.attempts.last_line import last_line
from orchesjob_flow_airflow.flow_as_dag.dag_run.deadline import Deadline, RunTimedOut
from orchesjob_flow_airflow.flow_as_dag.dag_run.definition import digest, flow_of_run
from orchesjob_flow_airflow.flow_as_dag.dag_run.ending import await_jobs, end_here
from orchesjob_flow_airflow.flow_as_dag.dag_run.gate import Gate
from orchesjob_flow_airflow.flow_as_dag.dag_run.retries import Tries
from orchesjob_flow_airflow.flow_as_dag.dag_run.run_dir import make_run_dir
from orchesjob_flow_airflow.flow_as_dag.dag_run.run_facts import RunFacts
from orchesjob_flow_airflow.flow_as_dag.dag_run.step_notes import StepNote, noted_end, write_note
from orchesjob_flow_airflow.flow_as_dag.dag_run.step_outcomes import StepOutcomes, step_outcomes
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_ids import TaskIds
from orchesjob_flow_airflow.flow_as_dag.operators.verdicts import (
    check_condition,
    check_copy,
    check_job,
    judged,
)

if TYPE_CHECKING:
    from orchesjob_client import JobReport
    from orchesjob_flow_airflow.flow_as_dag.attempts.attempt import Attempt


class StepOperator(BaseOperator):
    """Runs one step of a flow through the orchesjob of the worker's host."""

    ui_color = "#dcecf5"
    shallow_copy_attrs = ("flow", "step")
    template_fields = ("command", "only_if", "environment", "condition", "definition")
    template_fields_renderers: ClassVar[dict[str, str]] = {"environment": "json"}
    overwrite_rtif_after_execution = True

    def __init__(  # noqa: PLR0913 - what a task needs, and what is asked of it
        self,
        *,
        flow: FlowSpec,
        step: StepSpec,
        task_ids: TaskIds,
        flow_dir: str,
        folder: str,
        run_dirs: str | None,
        definition: str,
        do_xcom_push: bool = False,
        **kwargs: Any,
    ) -> None:
        """Prepare the task of a step.

        Args:
            flow: The flow.
            step: The step.
            task_ids: The ids of the flow's tasks.
            flow_dir: The folder of the flow file.
            folder: The folder that stands for the flow's directory.
            run_dirs: The folder for the directories of runs, if there is one.
            definition: The digest of the flow. Airflow cuts long fields off; this makes any change
                of the flow a new version of the DAG.
            do_xcom_push: Whether the last line that the command prints is the task's XCom. Output
                may hold secrets, so nothing is passed on that nobody has asked for.
            **kwargs: The arguments of every operator.
        """
        super().__init__(do_xcom_push=do_xcom_push, **kwargs)
        self.step_id = step.id
        self.task_ids = task_ids
        self.flow_dir = flow_dir
        self.folder = folder
        self.run_dirs = run_dirs
        self._attempt: Attempt | None = None
        self._was_killed = False
        self._run_outcome: str | None = None
        self._take(flow, definition)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Leave everything as it is written: a command may well have double braces of its own."""

    def execute(self, context: Mapping[str, Any]) -> str | None:
        """Run the step as this try of the task, if its condition is true.

        Returns:
            The last line that the command has printed, if it is asked for.

        Raises:
            AirflowSkipException: The condition is false, or an exit code skips the step.
            AirflowFailException: The step failed, and is not retried.
            RetriedFailure: It failed, and has retries left.
            AirflowException: It could not be tried: that is no failure of the step (rule 13.2).
        """
        if self._is_noted:
            with noted_end(context, self.step_id, self._end_job, lambda: self._was_killed):
                return self._execute(context)
        return self._execute(context)

    def on_kill(self) -> None:
        """End the job, because the task is cancelled or cleared."""
        self._was_killed = True
        self._end_job()

    def _execute(self, context: Mapping[str, Any]) -> str | None:
        """Run the step; if it ends without that, end what earlier tries have left (rule 5.8)."""
        from orchesjob_flow_airflow.flow_as_dag.attempts.attempt_keys import keys_before

        try:
            return self._run_if_due(context)
        except (AirflowFailException, AirflowSkipException):
            if self._attempt is None and (keys := keys_before(context)):
                end_here(keys, os.environ, self.log)
            raise

    def _run_if_due(self, context: Mapping[str, Any]) -> str | None:
        try:
            flow = flow_of_run(context, self.flow)
            check_copy(flow, self.step)
            facts = RunFacts.of(context, self.flow_dir, self.run_dirs)
            filled = facts.filled(flow)
            if filled is not self.flow:
                self._take(filled, digest(flow))
            ended = self._ended(context)
        except (DefinitionChanged, ParamsError) as error:
            raise AirflowFailException(str(error)) from error
        except FlowNotBegun as error:
            raise AirflowSkipException(str(error)) from error
        tries, deadline = Tries(context), Deadline(context, flow, self.step)
        this = _Try(context, facts, ended, tries, Gate(context, self.step, tries), deadline)
        if deadline.is_over:
            if tries.number > 1:  # an earlier one may have left its job
                self._attempt = self._prepared(this, is_gate=False)
            raise RunTimedOut(deadline.words)
        if not tries.is_rehearsal:
            check_condition(self.flow, self.step, ended)
        try:
            if this.gate.is_to_be_asked:
                self._ask_gate(this)
            report = self._run_to_end(this)
        except AttemptFailed as error:
            if error.exit_code is None and deadline.is_over:
                raise RunTimedOut(deadline.words) from error
            raise judged(self.step, error, tries, deadline.remaining_sec) from error
        return last_line(report.stdout_file, self.log) if self.do_xcom_push else None

    @property
    def _is_noted(self) -> bool:
        """Whether `finally` is to know how the step ends."""
        return bool(self.flow.finally_) and self.step_id not in self.flow.finally_ids

    def _ended(self, context: Mapping[str, Any]) -> StepOutcomes:
        """Return how the steps have ended; a step of `finally` sees how all of `steps` have."""
        if self.step_id not in self.flow.finally_ids:
            return step_outcomes(context, self.flow)
        found = await_jobs(context, self.flow, os.environ, self.log)
        self._run_outcome = found.outcome
        return found.steps

    def _end_job(self) -> None:
        if self._attempt is not None:
            self._attempt.end()

    def _take(self, flow: FlowSpec, definition: str) -> None:
        """Take the step, and what Airflow's page shows of it, from a flow with this digest."""
        self.flow = flow
        self.definition = definition
        self.step = step = flow.step(self.step_id)
        self.command = list(step.command)
        self.only_if = list(step.only_if) or None
        self.environment = {**dict(flow.env), **dict(step.env), **dict(flow.values)}
        self.condition = None if step.condition is None else str(step.condition)

    def _ask_gate(self, this: "_Try") -> None:
        """Return if the gate lets the step run, once that is noted (rule 10.8)."""
        try:
            self._run_to_end(this, is_gate=True)
        except AttemptFailed as error:
            raise GateFailed(str(error)) from error
        this.gate.record_passed()

    def _run_to_end(self, this: "_Try", *, is_gate: bool = False) -> "JobReport":
        """Return the last report of the attempt's job, if it has succeeded."""
        try:
            report = self._run(this, is_gate=is_gate)
            check_job(self.step, report, is_gate=is_gate)
        except NoOutcome as error:
            raise AttemptFailed(str(error)) from error
        except AirflowTaskTimeout:
            self._end_job()
            return self._timed_out_job(is_gate=is_gate)
        return report

    def _run(self, this: "_Try", *, is_gate: bool) -> "JobReport":
        """Run the attempt of this try, or take over the job of the try before."""
        from orchesjob_client import OrchesjobError

        try:
            if this.facts.run_dir is not None:
                make_run_dir(this.facts.run_dir)
            self._attempt = attempt = self._prepared(this, is_gate=is_gate)
            if self._was_killed or this.deadline.is_over:
                raise NoOutcome("the task was ended before its job began")
            if self._is_noted:
                write_note(this.context, self.step_id, StepNote(attempt_key=attempt.key))
            with this.deadline.kept_by(attempt.end), self._limited():
                return attempt.run()
        except ForeignJob as error:
            raise AirflowFailException(str(error)) from error
        except (OrchesjobError, RunDirUnusable) as error:
            raise AirflowException(str(error)) from error

    def _prepared(self, this: "_Try", *, is_gate: bool) -> "Attempt":
        """Prepare the attempt of this try."""
        from orchesjob_client import OrchesjobClient, locate
        from orchesjob_flow_airflow.flow_as_dag.attempts.attempt import Attempt
        from orchesjob_flow_airflow.flow_as_dag.attempts.attempt_keys import AttemptKeys
        from orchesjob_flow_airflow.flow_as_dag.attempts.execution import Execution
        from orchesjob_flow_airflow.flow_as_dag.attempts.patient_orchesjob import PatientOrchesjob

        ti = this.context["ti"]
        variables = self.flow.environment(
            self.step,
            run_key=ti.run_id,
            attempt=this.gate.attempt,
            failed=[step_id for step_id, outcome in this.ended.items() if outcome == "FAILED"],
            outcome=self._run_outcome,
        )
        execution = Execution.of(
            self.flow,
            self.step,
            is_gate=is_gate,
            folder=self.folder,
            variables={**this.facts.environ(os.environ), **variables},
        )
        task = f"{ti.dag_id}:{ti.run_id}:{ti.task_id}"
        keys = AttemptKeys.of(task, this.tries, this.gate, is_gate=is_gate)
        client = OrchesjobClient(locate(None, os.environ))
        orchesjob = PatientOrchesjob(client, os.environ, self.log)
        return Attempt(orchesjob, execution, keys, self.log)

    def _limited(self) -> AbstractContextManager[object]:
        """Limit an attempt, if Airflow does not limit the whole try (see `task_settings`)."""
        from airflow.sdk.execution_time.timeout import timeout

        limited: Callable[[float], AbstractContextManager[object]] = timeout
        limit_sec = self.step.timeout_sec
        if limit_sec is None or self.execution_timeout is not None:
            return nullcontext()
        return limited(limit_sec)

    def _timed_out_job(self, *, is_gate: bool) -> "JobReport":
        """Fail the attempt, unless its job had ended by itself: then that counts (rule 5.5)."""
        report = None if self._attempt is None else self._attempt.ended_by_itself()
        if report is None:
            limit = self.step.timeout_sec
            raise AttemptFailed(f"timed out after {limit:g} s, and its job was ended")
        check_job(self.step, report, is_gate=is_gate)
        return report


class _Try(NamedTuple):
    """What is known when a try of a task begins."""

    context: Mapping[str, Any]
    facts: RunFacts
    ended: StepOutcomes
    tries: Tries
    gate: Gate
    deadline: Deadline
