"""How the steps of a DAG run end: their outcomes so far, the run's time limit, what `finally` sees.

Outcomes are read from the states of the tasks. For `finally` these are not enough: when somebody
marks a run, Airflow gives a step that ran the state of a failed one, and a step that waited the
state of a skipped one. Its states also change at once, while the worker of a task learns of that
only with its next heartbeat, and then ends the job. So the task of a step also records its job and
how the step ended, and the task before `finally` is skipped if a run is marked while steps have not
ended (rule 10.1).
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from airflow.sdk import BaseXCom
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flow_spec import FlowSpec, StepEnds, StepSpec
from orchesjob_flow_airflow.errors import FlowNotBegun
from orchesjob_flow_airflow.flow_as_dag.run import (
    BEGINNING,
    FINALLY,
    read_record,
    recorded_with_run,
    xcom_of_run,
)
from orchesjob_flow_airflow.flow_as_dag.tries import InfrastructureFault

MARK_PATIENCE_SEC = 30.0
"""How long a marked task may take to notice and to end its job: a heartbeat, and the kill."""

_MARK_POLL_SEC = 1.0

type StepOutcomes = Mapping[str, str | None]
"""By step id: SUCCEEDED, FAILED, SKIPPED or CANCELLED; None where the task has not ended."""

type RunOutcome = Literal["SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT"]

_OUTCOME_OF_STATE: Mapping[str | None, str] = {
    "success": "SUCCEEDED",
    "failed": "FAILED",
    "upstream_failed": "FAILED",
    "skipped": "SKIPPED",
    "removed": "SKIPPED",  # a later version of the DAG lacks it: it will never run
}


def step_outcomes(context: Mapping[str, Any], flow: FlowSpec) -> StepOutcomes:
    """Return the outcomes of all steps so far, from the states of their tasks (rules 3.2, 5.2).

    If a task before the group of a flow was skipped, this one is; if one failed, `FlowNotBegun`.
    """
    states, task_ids = task_states(context), context["task"].task_ids
    match states.get(f"{task_ids.prefix}{BEGINNING}"):
        case "skipped":
            raise AirflowSkipException("the flow did not begin: a task before it was skipped")
        case "failed" | "upstream_failed":
            raise FlowNotBegun
    return {
        step.id: _OUTCOME_OF_STATE.get(states.get(task_ids.of_step(step.id)))
        for step in flow.all_steps
    }


def task_states(context: Mapping[str, Any]) -> Mapping[str, str]:
    """Ask Airflow for the states of the tasks of this DAG run that have one."""
    ti = context["ti"]
    states: Mapping[str, Mapping[str, str]]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])
    return states.get(ti.run_id, {})


def was_marked(context: Mapping[str, Any]) -> bool:
    """Return whether the run was marked before `finally` began; a step may have been cancelled."""
    before = f"{context['task'].task_ids.prefix}{FINALLY}"
    return task_states(context).get(before) == "skipped"


def check_ended(ended: StepOutcomes, step_ids: Iterable[str]) -> None:
    """Raise a fault unless all of these have ended: one was cleared after others had begun."""
    if running := [step_id for step_id in step_ids if ended[step_id] is None]:
        names = ", ".join(running)
        raise InfrastructureFault(f"not ended, perhaps cleared in the meantime: {names}")


def seen_ends(flow: FlowSpec, ended: StepOutcomes, after: str | None) -> StepEnds[str]:
    """Return what conditions see of the steps; `after` is how `steps` have ended (3.2 to 3.9).

    Airflow has one state for all skipped tasks. If a step was SKIPPED although its condition was
    true, that was its own decision (rule 3.8).
    """
    fates = {name: None if status is None else (status, None) for name, status in ended.items()}
    return StepEnds(flow, fates.__getitem__, after)


def why_skipped(
    flow: FlowSpec, step: StepSpec, ended: StepOutcomes, after: str | None = None
) -> str | None:
    """Say which outcomes make the condition of a step false; None if it is true.

    What it names has ended, as `seen_ends` sees it. Of copies, the reason counts which have what.
    """

    def described(name: str) -> str:
        if name not in flow.copies:
            return f"{name} {ended[name]}"
        counts = Counter(str(ended[step_id]) for step_id in flow.copies[name])
        counted = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        return f"{name} ({counted or 'no copies'})"

    condition = step.condition
    if condition is None or condition.evaluate(seen_ends(flow, ended, after).value):
        return None
    reasons = ", ".join(map(described, step.waits_for))
    return f"`{condition}` is false: {f'the run ends {after}' if step.asks_run else reasons}"


class RunTimedOut(AirflowSkipException):
    """The run's time limit was reached before a step ended: as in Airflow, the step is skipped."""


class NothingCanRun(AirflowFailException):
    """No step of the run can start, because a value of the run is wrong."""


def skip_rest(context: Mapping[str, Any], flow: FlowSpec, step_id: str, error: Exception) -> None:
    """Skip the tasks that can no longer run, now that a step ends with this exception.

    Each of them would otherwise cost a process that only skips itself, and does so if this fails:
    the message to Airflow is internal, and may be missing.
    """
    log, task_ids = context["task"].log, context["task"].task_ids
    try:
        from airflow.sdk.execution_time import comms, task_runner

        ended = {**step_outcomes(context, flow)}
        ended[step_id] = "FAILED" if isinstance(error, AirflowFailException) else "SKIPPED"
        states = task_states(context)
        is_over = isinstance(error, RunTimedOut | NothingCanRun)
        waiting = [
            step
            for step in flow.steps
            if (state := states.get(task_ids.of_step(step.id))) is None
            # It waits for a place, and no earlier try of it can have left anything.
            or (is_over and state == "scheduled" and read_note(context, step.id) is None)
        ]
        outcome = "CANCELLED" if isinstance(error, RunTimedOut) else "SKIPPED"
        never = [step.id for step in waiting] if is_over else _never_true(flow, waiting, ended, log)
        if flow.finally_:
            for name in never:
                write_note(context, name, StepNote(outcome))
        if never:
            tasks = [task_ids.of_step(name) for name in never]
            task_runner.SUPERVISOR_COMMS.send(comms.SkipDownstreamTasks(tasks=tasks))
            log.info("skipped with this task: %s", ", ".join(never))
    except Exception as failure:  # noqa: BLE001 - skipping them here only saves time
        log.info("the other tasks skip themselves: %r", failure)


def _never_true(
    flow: FlowSpec, waiting: Sequence[StepSpec], ended: dict[str, str | None], log: Any
) -> Sequence[str]:
    """Return which of the waiting steps have a condition that is false by now, and add them."""
    found: list[str] = []
    size = -1
    while size < len(found):
        size = len(found)
        for step in waiting:
            before = [ended[other.id] for name in step.waits_for for other in flow.named(name)]
            is_due = ended[step.id] is None and None not in before
            if is_due and (reason := why_skipped(flow, step, ended)):
                ended[step.id] = "SKIPPED"
                found.append(step.id)
                log.info("%s: %s", step.id, reason)
    return found


class RunDeadline:
    """When a step has to end because of the run's time limit, if the flow also has `finally`.

    Airflow's `dagrun_timeout` would start no more tasks, those of `finally` included. So each task
    of a step ends its job at the deadline, and one that begins later runs nothing (9.12, 10.1).
    """

    def __init__(self, context: Mapping[str, Any], flow: FlowSpec, step: StepSpec) -> None:
        """Take the time from the run; the steps of `finally` have no deadline."""
        self._at = float("inf")
        if flow.finally_ and flow.timeout_sec is not None and step.id not in flow.finally_ids:
            self._at = _beginning(context).timestamp() + flow.timeout_sec
        self.message = timeout_message(flow)

    @property
    def remaining_sec(self) -> float:
        """The seconds until then, at least 0; infinity without a deadline."""
        return max(0.0, self._at - datetime.now(UTC).timestamp())

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.remaining_sec == 0


def _beginning(context: Mapping[str, Any]) -> datetime:
    """Return when a run began, or was last cleared.

    `airflow tasks test` and `dags test` give a run the date that they are given; then it began when
    the first of its tasks asked.
    """
    run = context["dag_run"]
    if run.start_date != run.logical_date:
        return run.start_date  # type: ignore[no-any-return]
    return datetime.fromisoformat(
        recorded_with_run(context, "began", datetime.now(UTC).isoformat())
    )


def timeout_message(flow: FlowSpec) -> str:
    """Say that the run took too long; "" if the flow has no time limit."""
    return "" if flow.timeout_sec is None else f"the run timed out after {flow.timeout_sec:g} s"


class StepNote(NamedTuple):
    """What the last try of a step recorded for `finally`; without an outcome, it was killed.

    Attributes:
        outcome: SUCCEEDED, FAILED, SKIPPED or CANCELLED; None if the step has not ended.
        attempt_key: The key of a job that may be alive, or None.
    """

    outcome: str | None = None
    attempt_key: str | None = None


def read_note(context: Mapping[str, Any], step_id: str) -> StepNote | None:
    """Return the note of a step of this run; None if no try of it has begun."""
    found = read_record(xcom_of_run(context, f"end_of_{step_id}"))
    return None if found is None else StepNote(*found)


def write_note(context: Mapping[str, Any], step_id: str, note: StepNote) -> None:
    """Replace the note of a step of this run."""
    BaseXCom.set(value=list(note), **xcom_of_run(context, f"end_of_{step_id}"))


class BeforeFinally(NamedTuple):
    """How the steps before `finally` have ended.

    Attributes:
        outcome: What the run would be without `finally`.
        steps: The outcomes of all steps; those of `finally` may have none yet.
        open_keys: The keys of jobs that may be alive, though their steps have ended.
    """

    outcome: RunOutcome
    steps: StepOutcomes
    open_keys: frozenset[str]


def before_finally(context: Mapping[str, Any], flow: FlowSpec) -> BeforeFinally:
    """Ask how the steps before `finally` have ended; raise what `step_outcomes` does.

    A mark after the end of the last step cancels nothing (rules 5.1, 5.6 and 9.12).
    """
    marked = was_marked(context)
    ended = dict(step_outcomes(context, flow))
    # In an unmarked run, a note may say more than these.
    doubtful = {"FAILED"} if flow.timeout_sec is None else {"FAILED", "SKIPPED"}
    notes = {
        step.id: read_note(context, step.id) or StepNote()
        for step in flow.steps
        if marked or ended[step.id] in doubtful
    }
    for step_id, note in notes.items():
        # The note of a step that was cleared, and has not begun again, is an old one.
        was_cut = note.outcome == "CANCELLED" and ended[step_id] != "SUCCEEDED"
        if was_cut or (marked and note.outcome != ended[step_id]):
            ended[step_id] = "CANCELLED"
    outcome: RunOutcome = "SUCCEEDED"
    if "CANCELLED" in {ended[step.id] for step in flow.steps}:
        outcome = "CANCELLED" if marked else "TIMED_OUT"
    elif any(ended[step.id] == "FAILED" and not step.allow_failure for step in flow.steps):
        outcome = "FAILED"
    open_keys = {note.attempt_key for note in notes.values()} - {None}
    return BeforeFinally(outcome, ended, frozenset(map(str, open_keys)))


def await_jobs(
    context: Mapping[str, Any], flow: FlowSpec, environ: Mapping[str, str], log: Any
) -> BeforeFinally:
    """Return how the steps have ended, once the jobs of those that did not succeed are gone.

    It waits `MARK_PATIENCE_SEC` at most, then ends the jobs that are on this host.
    """
    from orchesjob_flow_airflow.flow_as_dag.attempts import end_jobs_here

    deadline = time.monotonic() + MARK_PATIENCE_SEC
    while (found := before_finally(context, flow)).open_keys and time.monotonic() < deadline:
        time.sleep(_MARK_POLL_SEC)  # Airflow does not notify the worker of a marked task
    if found.open_keys:
        keys = sorted(found.open_keys)
        log.warning("nobody has seen these jobs end, perhaps on other hosts: %s", ", ".join(keys))
        end_jobs_here(keys, environ, log)
    return found
