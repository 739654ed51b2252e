"""The tasks of a flow: one for each step, and those that begin, join and end them.

What Airflow counts as a try is in `tries`, and how steps end in `ending`. How an attempt goes
through orchesjob is in `attempts`, which only workers import: the DAG processor runs a DAG file
again and again. A task tells Airflow what follows by the type of its exception.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airflow.sdk import BaseOperator, BaseXCom
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)

from flow_spec import (
    FlowSpec,
    ListError,
    ParamsError,
    StepSpec,
    base_of,
    note_files,
    unwritten,
)
from orchesjob_flow_airflow.errors import (
    AttemptFailed,
    AttemptTimedOut,
    DefinitionChanged,
    FilesUnwritten,
    FlowNotBegun,
    ForeignJob,
    GateFailed,
    RunDirUnusable,
)
from orchesjob_flow_airflow.flow_as_dag import ending
from orchesjob_flow_airflow.flow_as_dag.ending import (
    RunDeadline,
    RunTimedOut,
    StepNote,
    StepOutcomes,
)
from orchesjob_flow_airflow.flow_as_dag.run import (
    RunFacts,
    TaskIds,
    digest,
    flow_of_dag_run,
    make_run_dir,
    read_record,
    xcom_of_run,
)
from orchesjob_flow_airflow.flow_as_dag.tries import (
    AttemptKeys,
    InfrastructureFault,
    RetriedFailure,
    Tries,
    fault_settings,
)
from orchesjob_flow_airflow.secrets import masked, render_secrets

if TYPE_CHECKING:
    from orchesjob_client import JobReport
    from orchesjob_flow_airflow.flow_as_dag.attempts import TaskAttempt

_LOOK_SEC = 30.0
"""How long a look at the files of `produces` may take."""


class BeginningOperator(BaseOperator):
    """The first task of a flow, and those before and after `finally`: they do nothing.

    No worker runs one: the scheduler ends it like an EmptyOperator, whose module takes longer
    to import than all of this package. So Airflow never deletes its XComs, and what is recorded
    with a run is in those of the first task.
    """

    ui_color = "#e8e8e8"
    inherits_from_empty_operator = True

    def __init__(self, **kwargs: Any) -> None:
        """Override what `default_args` may hold for steps: a callback would need a worker."""
        super().__init__(
            depends_on_past=False,
            wait_for_downstream=False,
            pre_execute=None,
            post_execute=None,
            on_execute_callback=None,
            on_success_callback=None,
            on_failure_callback=None,
            email_on_failure=False,
            inlets=None,
            outlets=None,
            **kwargs,
        )

    def execute(self, context: Mapping[str, Any]) -> None:
        """Do nothing."""


class StepOperator(BaseOperator):
    """Runs one step of a flow through the orchesjob of the worker's host."""

    ui_color = "#dcecf5"
    shallow_copy_attrs = ("flow", "step")
    template_fields = ("command", "only_if", "environment", "condition", "definition")
    template_fields_renderers: ClassVar[dict[str, str]] = {"environment": "json"}
    overwrite_rtif_after_execution = True

    def __init__(  # noqa: PLR0913 - what a task needs
        self,
        *,
        flow: FlowSpec,
        step: StepSpec,
        task_ids: TaskIds,
        flow_dir: str,
        folder: str,
        run_dirs: str | None,
        definition: str,
        secrets: Mapping[str, str] | None,
        **kwargs: Any,
    ) -> None:
        """Prepare the task of a step.

        The `definition` is the digest of the flow: with it, any change of the flow makes a new
        version of the DAG, though Airflow truncates long fields. Commands run in `folder`.
        """
        super().__init__(**kwargs)
        self.secrets = secrets
        self.step_id = step.id
        self.task_ids = task_ids
        self.flow_dir = flow_dir
        self.folder = folder
        self.run_dirs = run_dirs
        self._attempt: TaskAttempt | None = None
        self._was_killed = False
        self._keeps_definition = step.id not in flow.finally_ids
        self._run_outcome: str | None = None
        self.flow = flow
        self.step = step
        self._use(flow, definition)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render nothing: a command may contain double braces of its own."""

    def execute(self, context: Mapping[str, Any]) -> None:
        """Run the step as this try of the task, if its condition is true.

        An `InfrastructureFault` is raised if it could not be tried: it has not failed (rule 13.2).
        """
        try:
            self._execute(context)
        except (AirflowFailException, AirflowSkipException) as error:
            if self._keeps_definition and not self._was_killed and context["ti"].try_number:
                ending.skip_rest(context, self.flow, self.step_id, error)
            raise
        except (InfrastructureFault, RetriedFailure):
            raise
        except Exception as error:  # every failure of the command itself is one of those above
            raise InfrastructureFault(error) from error

    def on_kill(self) -> None:
        """End the job, because the task is cancelled or cleared."""
        self._was_killed = True
        self._end_job()

    def _execute(self, context: Mapping[str, Any]) -> None:
        """Run the step; note how this try ends, unless it is a fault: its job may be alive."""
        ti = context["ti"]
        try:
            self._run_if_due(context)
        except (AirflowFailException, AirflowSkipException) as error:
            if self._attempt is None and ti.try_number > 1:  # earlier tries may have jobs (5.8)
                from orchesjob_flow_airflow.flow_as_dag.attempts import end_jobs_here

                keys = AttemptKeys.before(_task_key(ti), ti.try_number)
                end_jobs_here(keys, os.environ, self.log)
            outcome = "FAILED" if isinstance(error, AirflowFailException) else "SKIPPED"
            self._note_end(context, "CANCELLED" if isinstance(error, RunTimedOut) else outcome)
            raise
        except RetriedFailure:
            self._note_end(context, None)
            raise
        self._note_end(context, "SUCCEEDED")

    def _note_end(self, context: Mapping[str, Any], outcome: str | None) -> None:
        """Note for `finally` how the step ends; unless it succeeded, end what it left running.

        An end that Airflow has brought about does not say how the step ended.
        """
        if self._is_noted:
            if outcome not in {None, "SUCCEEDED"}:
                self._end_job()
            note = StepNote(None if self._was_killed else outcome)
            ending.write_note(context, self.step_id, note)

    def _run_if_due(self, context: Mapping[str, Any]) -> None:
        in_file = self.flow
        try:
            flow = flow_of_dag_run(context, in_file)
            self.flow = flow
            if self.step.id not in flow.finally_ids:  # which may tell somebody
                flow.refuse_empty_lists(self.flow_dir)
            name = base_of(self.step_id)
            if self.step_id not in flow.copies.get(name, [self.step_id]):  # 10.3, 13.3
                raise AirflowSkipException(
                    f"{self.step_id} is none of the copies with which this run began: "
                    "its list is longer now"
                )
            facts = RunFacts.of(context, self.flow_dir, self.run_dirs)
            filled = facts.filled(flow)
            if filled is not in_file:
                self._use(filled, digest(flow))
            ended = self._outcomes(context)
        except DefinitionChanged as error:
            self._keeps_definition = False
            raise AirflowFailException(str(error)) from None
        except (ListError, ParamsError) as error:
            raise ending.NothingCanRun(str(error)) from None
        except FlowNotBegun as error:
            raise AirflowSkipException(str(error)) from None
        tries, deadline = Tries(context), RunDeadline(context, flow, self.step)
        this = _Try(context, facts, ended, tries, deadline)
        if deadline.is_over:
            raise RunTimedOut(deadline.message)
        if self.step.condition is not None and not tries.is_test:
            waits = [other.id for name in self.step.waits_for for other in self.flow.named(name)]
            ending.check_ended(ended, waits)
            reason = ending.why_skipped(self.flow, self.step, ended, self._run_outcome)
            if reason is not None:
                raise AirflowSkipException(reason)
        try:
            if self.step.only_if and not tries.passed_at:
                self._run_gate(this)
            self._run_to_end(this)
        except AttemptFailed as error:
            if error.exit_code is None and deadline.is_over:
                raise RunTimedOut(deadline.message) from None
            counts = not self._was_killed  # else Airflow has ended the task, not the command
            failure = failure_of_attempt(
                self.step, error, tries, deadline.remaining_sec, counts=counts
            )
            raise failure from None  # its message says all, and Airflow logs the whole chain

    @property
    def _is_noted(self) -> bool:
        """Whether `finally` has to know how the step ends."""
        return bool(self.flow.finally_) and self.step_id not in self.flow.finally_ids

    def _outcomes(self, context: Mapping[str, Any]) -> StepOutcomes:
        """Return the outcomes so far; for a step of `finally`, those of all steps before it."""
        if self.step_id not in self.flow.finally_ids:
            return ending.step_outcomes(context, self.flow)
        found = ending.await_jobs(context, self.flow, os.environ, self.log)
        self._run_outcome = found.outcome
        if self.step.asks_run:
            ends = ending.seen_ends(self.flow, found.steps, found.outcome)
            self._run_outcome = ends.run_status or found.outcome
        return found.steps

    def _end_job(self) -> None:
        if self._attempt is not None:
            self._attempt.end()

    def _use(self, flow: FlowSpec, definition: str) -> None:
        """Use the step of this flow, which has this digest, and show it on Airflow's page."""
        self.flow = flow
        self.definition = definition
        self.step = step = flow.step(self.step_id)
        self.command = list(step.command)
        self.only_if = list(step.only_if) or None
        self.environment = {**dict(flow.env), **dict(step.env), **dict(flow.values)}
        self.condition = None if step.condition is None else str(step.condition)

    def _run_gate(self, this: "_Try") -> None:
        try:
            self._run_to_end(this, is_gate=True)
        except AttemptFailed as error:
            raise GateFailed(str(error)) from error
        this.tries.record("passed")  # before the command begins (rule 10.8)

    def _run_to_end(self, this: "_Try", *, is_gate: bool = False) -> None:
        try:
            report = self._run(this, is_gate=is_gate)
        except AttemptTimedOut as error:
            self._end_job()
            # A job that had ended by itself counts (rule 5.5).
            ended = None if self._attempt is None else self._attempt.ended_by_itself()
            if ended is None:
                limit_sec = self.step.timeout_sec
                if limit_sec is None or this.deadline.is_over:
                    raise RunTimedOut(this.deadline.message) from None
                cause = f"timed out after {limit_sec:g} s, and its job was ended"
                raise AttemptFailed(cause) from error
            report = ended
        check_job(self.step, report, is_gate=is_gate)
        if not is_gate:
            self._check_files(this, report)

    def _note_files(self, this: "_Try", directory: str) -> bool:
        """Record the files of `produces` before an attempt; return whether no try has done that."""
        xcom = _xcom_of_files(this, this.tries.number)
        if not self.step.produces or read_record(xcom) is not None:
            return False
        noted = _look_at_files(lambda: note_files(self.step.produces, directory))
        BaseXCom.set(value=noted, **xcom)
        return True

    def _check_files(self, this: "_Try", report: "JobReport") -> None:
        """Return if the job has written what its step `produces`, or nobody knows (10.10)."""
        attempt = self._attempt
        if not self.step.produces or attempt is None or attempt.was_noted_late:
            return
        noted = read_record(_xcom_of_files(this, AttemptKeys.try_of(report.job_key)))
        if noted is not None:
            look = _look_at_files(lambda: unwritten(self.step.produces, attempt.directory, noted))
            if look is not None:
                raise FilesUnwritten(look, 0)

    def _run(self, this: "_Try", *, is_gate: bool) -> "JobReport":
        """Run the attempt of this try, or take over the job of the try before."""
        from orchesjob_client import OrchesjobError

        try:
            if this.facts.run_dir is not None:
                make_run_dir(this.facts.run_dir)
            self._attempt = attempt = self._new_attempt(this, is_gate=is_gate)
            if self._was_killed or this.deadline.is_over:
                raise AttemptFailed("the task was ended before its job began")
            if self._is_noted:
                ending.write_note(this.context, self.step_id, StepNote(attempt_key=attempt.key))
            return attempt.run(this.deadline.remaining_sec)
        except ForeignJob as error:
            raise AirflowFailException(str(error)) from None
        except (OrchesjobError, RunDirUnusable) as error:
            raise InfrastructureFault(error) from None

    def _new_attempt(self, this: "_Try", *, is_gate: bool) -> "TaskAttempt":
        from orchesjob_client import EXECUTABLE, OrchesjobClient, locate
        from orchesjob_flow_airflow.flow_as_dag.attempts import (
            Execution,
            RetryingClient,
            TaskAttempt,
        )

        orchesjob = locate(None, os.environ)
        ti = this.context["ti"]
        environ = {
            **this.facts.environ(os.environ),
            **render_secrets(self, this.context, self.secrets),
            EXECUTABLE: orchesjob,
        }

        def variables() -> Mapping[str, str]:
            of_step = self.flow.environment(
                self.step,
                run_key=ti.run_id,
                attempt_no=this.tries.attempt,
                failed=[step_id for step_id, outcome in this.ended.items() if outcome == "FAILED"],
                outcome=self._run_outcome,
            )
            return {**environ, **of_step}

        working_dir = self.step.working_dir or self.flow.working_dir or ""
        execution = Execution(
            self.step.command_of(is_gate=is_gate),
            os.path.join(self.folder, working_dir),  # noqa: PTH118 - text, as given
            variables,
            self.flow.env_files_of(self.step),
            self.folder,
            self.step.start_timeout_sec,
            self.step.timeout_sec,
        )
        keys = AttemptKeys.of(_task_key(ti), this.tries, is_gate=is_gate)
        client = RetryingClient(OrchesjobClient(orchesjob), self.log)
        note = {} if is_gate else {"note_files": partial(self._note_files, this)}

        def on_abort(key: str) -> None:
            this.tries.record("aborted", keys.try_of(key))

        return TaskAttempt(client, execution, keys, self.log, on_abort, mask=masked, **note)


class _Try(NamedTuple):
    context: Mapping[str, Any]
    facts: RunFacts
    ended: StepOutcomes
    tries: Tries
    deadline: RunDeadline


def _task_key(ti: Any) -> str:
    return f"{ti.dag_id}:{ti.run_id}:{ti.task_id}"


def _xcom_of_files(this: _Try, number: int) -> dict[str, Any]:
    return xcom_of_run(this.context, f"files_of_{this.context['ti'].task_id}:{number}")


def _look_at_files[Seen](look: Callable[[], Seen]) -> Seen:
    try:
        return ThreadPoolExecutor(1).submit(look).result(_LOOK_SEC)
    except (ListError, OSError) as error:  # a TimeoutError is one
        cause = f"its files cannot be looked at: {str(error) or f'not within {_LOOK_SEC:g} s'}"
        raise FilesUnwritten(cause, 0) from None


def check_job(step: StepSpec, report: "JobReport", *, is_gate: bool = False) -> None:
    """Skip or fail unless the job, or the gate, has succeeded (rules 5.3, 9.12 and 10.8)."""
    from orchesjob_client import JobStatus, describe_failure, describe_loss, exit_code_of

    code = exit_code_of(report)
    outcome = None if code is None else step.outcome_of(code, is_gate=is_gate)
    if outcome == "SKIPPED":
        what = "its only_if said no: exit code" if is_gate else "exit code"
        raise AirflowSkipException(f"{what} {code} skips the step")
    if outcome == "SUCCEEDED":
        return
    match report.known_status:
        case JobStatus.LOST:
            cause = describe_loss(report)
        case JobStatus.ABORTED | JobStatus.CANCELLED:
            cause = "its job was aborted"
        case _:
            cause = describe_failure(report)
    raise AttemptFailed(cause, code)


def failure_of_attempt(
    step: StepSpec, error: AttemptFailed, tries: Tries, remaining_sec: float, *, counts: bool = True
) -> AirflowException:
    """Return the exception for a failed attempt; its type says whether it is retried (9.12).

    Unless it `counts`, it is not recorded, and uses up no retry. A retry is due no later than at
    the run's deadline, which is `remaining_sec` away. The codes of `retry_exit_codes` are those of
    the command, not of the gate (rule 10.8).
    """
    is_final = step.retry_exit_codes and error.exit_code not in step.retry_exit_codes
    if is_final and not isinstance(error, GateFailed | FilesUnwritten):
        return AirflowFailException(f"{error}; only retry_exit_codes are retried")
    if tries.retries_used == step.retries:
        return AirflowFailException(str(error))
    delay_sec = step.delay_after(tries.retries_used + 1)
    if counts:
        tries.record("failed")
    return RetriedFailure(str(error), min(delay_sec, remaining_sec))


FINALLY_INTERVAL = timedelta(seconds=15)
"""Between two looks of a marked run at its `finally`; between them it takes no worker's slot."""


class OutcomeOperator(BaseOperator):
    """The last task of a flow: fails if the flow is FAILED, and so gives the DAG run its outcome.

    Airflow judges a run by the leaves of its DAG alone. Without this task, a run with a failed step
    would be a success if the alert after that step succeeded (rule 5.1).
    """

    ui_color = "#e8e8e8"

    def __init__(
        self, *, flow: FlowSpec, task_ids: TaskIds, infrastructure_retries: int, **kwargs: Any
    ) -> None:
        """Have the task retried if its worker dies, never because the flow FAILED."""
        super().__init__(**fault_settings(infrastructure_retries), **kwargs)
        self.flow = flow
        self.task_ids = task_ids

    def execute(self, context: Mapping[str, Any]) -> None:
        """Succeed or fail by the outcomes of all steps."""
        try:
            flow = flow_of_dag_run(context, self.flow)
            if flow.finally_:
                _check_time_and_marks(context, flow)
            flow.refuse_empty_lists()  # all steps may be copies, and so no task has
            ended = ending.step_outcomes(context, flow)
        except (DefinitionChanged, FlowNotBegun, ListError, ParamsError) as error:
            raise AirflowFailException(str(error)) from None
        if self.is_teardown and None in ended.values():  # `finally` may take as long as it does
            later = datetime.now(UTC) + FINALLY_INTERVAL
            raise AirflowRescheduleException(later)  # type: ignore[no-untyped-call]
        statuses = ((step, ended[step.id]) for step in flow.all_steps)
        if failed := [
            step.id for step, status in statuses if status == "FAILED" and not step.allow_failure
        ]:
            noun = "step" if len(failed) == 1 else "steps"
            raise AirflowFailException(f"{len(failed)} {noun} failed: {', '.join(failed)}")
        ending.check_ended(ended, ended)  # one may have been cleared


def _check_time_and_marks(context: Mapping[str, Any], flow: FlowSpec) -> None:
    try:
        outcome = ending.before_finally(context, flow).outcome
    except AirflowSkipException:  # a group that the mark has kept from beginning is cancelled too
        if not ending.was_marked(context):
            raise
        outcome = "CANCELLED"
    if outcome == "CANCELLED":
        raise AirflowFailException("the run was marked before all steps had ended")
    if outcome == "TIMED_OUT":
        raise AirflowFailException(ending.timeout_message(flow))
