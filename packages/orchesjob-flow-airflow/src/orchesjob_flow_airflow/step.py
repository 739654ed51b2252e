"""A step as a task: decides whether it runs, runs one attempt, and says what came of it.

Airflow owns retries, delays and timeouts; how an attempt goes through orchesjob is `attempt`'s
matter, which is imported on the worker only: a DAG file is read all the time.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from flow_spec import FlowSpec, StepSpec, holds
from orchesjob_flow_airflow.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from orchesjob_flow_airflow.states import Outcomes, outcomes

if TYPE_CHECKING:
    from orchesjob_client import JobReport
    from orchesjob_flow_airflow.attempt import Attempt


class StepOperator(BaseOperator):
    """Runs one step of a flow through the orchesjob of the worker's host."""

    ui_color = "#dcecf5"
    shallow_copy_attrs = ("flow", "step")

    def __init__(self, *, flow: FlowSpec, step: StepSpec, folder: str, **kwargs: Any) -> None:
        """Take a flow, one of its steps, and the directory that stands for that of `start`."""
        super().__init__(**kwargs)
        self.flow = flow
        self.step = step
        self.folder = folder
        self._attempt: Attempt | None = None

    def execute(self, context: Mapping[str, Any]) -> None:
        """Run the step, if its condition is true, as this try of the task.

        Raises:
            AirflowSkipException: The condition is false, or an exit code skips the step.
            AirflowFailException: It failed, and is not to be tried again.
            AirflowException: It failed.
        """
        ended = outcomes(context, self.flow)
        refuse_to_run(self.step, ended)
        from orchesjob_flow_airflow.attempt import NoOutcome

        try:
            conclude(self.step, self._run(context["ti"], ended))
        except NoOutcome as error:
            raise failure(self.step, str(error)) from error
        except AirflowTaskTimeout:
            self.on_kill()
            self._conclude_timeout()

    def on_kill(self) -> None:
        """End the job, because the task is cancelled, cleared or over its time."""
        if self._attempt is not None:
            self._attempt.end()

    def _run(self, ti: Any, ended: Outcomes) -> "JobReport":
        """Run this try's attempt, or go on with the one of the try before."""
        from orchesjob_client import OrchesjobClient, OrchesjobError, locate
        from orchesjob_flow_airflow.attempt import Attempt, ForeignJob

        failed = [step_id for step_id, outcome in ended.items() if outcome == "FAILED"]
        variables = self.flow.environment(
            self.step, run_key=ti.run_id, attempt=ti.try_number, failed=failed
        )
        prefix = f"{ti.dag_id}:{ti.run_id}:{self.step.id}"
        try:
            self._attempt = Attempt(
                OrchesjobClient(locate(None, os.environ)),
                self.step,
                keys=[f"{prefix}:{number}" for number in range(1, ti.try_number + 1)],
                directory=os.path.join(self.folder, self._working_dir),  # noqa: PTH118
                environ={**os.environ, **variables},
                log=self.log,
            )
            return self._attempt.run(is_retry=is_retry(ti.try_number, ti.max_tries, self.step))
        except ForeignJob as error:
            raise AirflowFailException(str(error)) from error
        except OrchesjobError as error:
            raise AirflowException(str(error)) from error

    @property
    def _working_dir(self) -> str:
        return self.step.working_dir or self.flow.working_dir or ""

    def _conclude_timeout(self) -> None:
        """Fail the attempt, unless the job had ended by itself: then that counts (rule 5.5)."""
        report = None if self._attempt is None else self._attempt.ended_by_itself()
        if report is None:
            limit = self.step.timeout_sec
            raise failure(self.step, f"timed out after {limit:g} s, and its job was ended")
        conclude(self.step, report)


def is_retry(try_number: int, max_tries: int, step: StepSpec) -> bool:
    """Tell whether Airflow takes the try before for a failure; clearing a task begins anew.

    `max_tries` is the number of the last try but one that the task may make; when a task is
    cleared, Airflow counts its retries from there.
    """
    return try_number > max_tries - step.retries + 1


def refuse_to_run(step: StepSpec, ended: Outcomes) -> None:
    """Raise unless the step's condition is true (rules 3.2 to 3.5).

    Raises:
        AirflowSkipException: It is false.
        AirflowException: It cannot be known yet, because a task was cleared meanwhile.
    """
    if step.condition is None:
        return
    seen = {other: ended[other] for other in step.waits_for}
    known = {other: outcome for other, outcome in seen.items() if outcome is not None}
    if missing := seen.keys() - known.keys():
        raise AirflowException(f"has not ended, perhaps it was cleared: {', '.join(missing)}")
    if not step.condition.evaluate(lambda name: holds(name.predicate, known[name.name])):
        states = ", ".join(f"{other} {outcome}" for other, outcome in known.items())
        raise AirflowSkipException(f"`{step.condition}` is false: {states}")


def conclude(step: StepSpec, report: "JobReport") -> None:
    """Return if the job succeeded (rules 5.3 and 9.12).

    Raises:
        AirflowSkipException: It ended with a code that skips the step.
        AirflowFailException: It failed with a code that is not retried.
        AirflowException: It failed.
    """
    from orchesjob_client import JobStatus, describe_failure, describe_loss, exit_code_of

    code = exit_code_of(report)
    if code is not None and step.outcome_of(code) == "SKIPPED":
        raise AirflowSkipException(f"exit code {code} skips the step")
    if code is not None and step.outcome_of(code) == "SUCCEEDED":
        return
    match report.known_status:
        case JobStatus.LOST:
            words = describe_loss(report)
        case JobStatus.ABORTED | JobStatus.CANCELLED:
            words = "its job was aborted"
        case _:
            words = describe_failure(report)
    raise failure(step, words, code)


def failure(step: StepSpec, words: str, code: int | None = None) -> AirflowException:
    """Return the error of a failed attempt, which says whether it is tried again (rule 9.12)."""
    if step.retry_exit_codes and code not in step.retry_exit_codes:
        return AirflowFailException(f"{words}; only retry_exit_codes are tried again")
    return AirflowException(words)
