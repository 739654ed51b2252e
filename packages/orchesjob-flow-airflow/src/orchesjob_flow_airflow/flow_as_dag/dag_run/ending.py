"""How the steps of a run have ended before `finally`, and the wait until nothing of them is alive.

Airflow's states alone do not tell. Two things do: the task before `finally`, which is skipped if
somebody marks the run while steps have not ended; and the notes of the steps (rule 10.1).
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from flow_spec import FlowSpec
from orchesjob_flow_airflow.flow_as_dag.dag_run.step_notes import StepNote, read_note
from orchesjob_flow_airflow.flow_as_dag.dag_run.step_outcomes import (
    StepOutcomes,
    step_outcomes,
    task_states,
)

PATIENCE_SEC = 30.0
"""For how long a task may not learn that it was marked: a heartbeat, and what killing it takes."""

LOOK_SEC = 1.0
_GRACE_SEC = 2.0

type RunOutcome = Literal["SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT"]


class Ending(NamedTuple):
    """How `steps` have ended, as `finally` sees it.

    Attributes:
        outcome: What the run would be without `finally`.
        steps: The outcomes of all steps; those of `finally` may have none yet.
        open_keys: The keys of jobs that may be alive, though their steps have ended.
    """

    outcome: RunOutcome
    steps: StepOutcomes
    open_keys: frozenset[str]


def ending(context: Mapping[str, Any], flow: FlowSpec) -> Ending:
    """Ask how the steps before `finally` have ended.

    Raises:
        AirflowSkipException: The flow is a group of tasks that has not begun, because a task before
            it was skipped.
        FlowNotBegun: It has not begun, because a task before it has failed.
    """
    marked = was_marked(context)
    ended = dict(step_outcomes(context, flow))
    notes = {
        step.id: read_note(context, step.id)
        for step in flow.steps
        if marked or _says_more(flow, ended[step.id])
    }
    for step_id, note in notes.items():
        ended[step_id] = _outcome_of(ended[step_id], note, marked=marked)
    return Ending(
        _run_outcome(flow, ended, marked=marked),
        ended,
        frozenset(note.attempt_key for note in notes.values() if note.attempt_key is not None),
    )


def was_marked(context: Mapping[str, Any]) -> bool:
    """Whether the run was marked before all steps had ended, so that the flow is CANCELLED."""
    return task_states(context).get(context["task"].task_ids.before_finally) == "skipped"


def await_jobs(
    context: Mapping[str, Any], flow: FlowSpec, environ: Mapping[str, str], log: Any
) -> Ending:
    """Return how the steps have ended, once nothing is alive of those that did not succeed."""
    deadline = time.monotonic() + PATIENCE_SEC
    while (found := ending(context, flow)).open_keys and time.monotonic() < deadline:
        time.sleep(LOOK_SEC)  # the worker of a marked task is told nothing, it has to ask
    if found.open_keys:
        keys = sorted(found.open_keys)
        log.warning("nobody has seen these jobs end, perhaps on other hosts: %s", ", ".join(keys))
        end_here(keys, environ, log)
    return found


def end_here(keys: Iterable[str], environ: Mapping[str, str], log: Any) -> None:
    """End what is alive of these jobs on this host: Airflow may have killed who was to do it."""
    from orchesjob_client import OrchesjobError, end_survivors, orchesjob_home

    try:
        survivors = end_survivors(orchesjob_home(environ), tuple(keys), _GRACE_SEC)
    except (OrchesjobError, OSError) as error:
        log.error("%s", error)
        return
    for process in survivors:
        log.error("could not be ended: pid %d (%s)", process.pid, process.command)


def _says_more(flow: FlowSpec, outcome: str | None) -> bool:
    """Whether the note of a step may say more than the state of its task, in an unmarked run."""
    return outcome == "FAILED" or (outcome == "SKIPPED" and flow.timeout_sec is not None)


def _outcome_of(by_state: str | None, note: StepNote, *, marked: bool) -> str | None:
    """Return the outcome of a step, given that of its task's state.

    The note of a step that was cleared and has not begun again is an old one.
    """
    if note.outcome == "CANCELLED" and by_state != "SUCCEEDED":
        return "CANCELLED"
    return "CANCELLED" if marked and note.outcome != by_state else by_state


def _run_outcome(flow: FlowSpec, ended: StepOutcomes, *, marked: bool) -> RunOutcome:
    """Return what the run would be if there were no `finally` (rules 5.1, 5.6 and 9.12)."""
    outcomes = {ended[step.id] for step in flow.steps}
    if marked:
        return "CANCELLED"
    if "CANCELLED" in outcomes:
        return "TIMED_OUT"
    if any(ended[step.id] == "FAILED" and not step.allow_failure for step in flow.steps):
        return "FAILED"
    return "SUCCEEDED"
