"""The definition with which a DAG run began, and with which it goes on (rule 13.3).

Airflow runs the DAG file again for each try of each task, and a bundle without versions holds the
file of today. So the first task of a run that begins on a worker records the flow with the run.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseXCom

from flow_spec import FlowSpec, StoredFlowError, base_of
from orchesjob_flow_airflow.errors import DefinitionChanged
from orchesjob_flow_airflow.flow_as_dag.dag_run.dag_params import bound_flow
from orchesjob_flow_airflow.flow_as_dag.dag_run.run_record import place_in_run
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_settings import obeyed_by_airflow


def digest(flow: FlowSpec) -> str:
    """Return what tells two definitions apart."""
    return hashlib.sha256(flow.to_json().encode()).hexdigest()[:16]


def flow_of_run(context: Mapping[str, Any], flow: FlowSpec) -> FlowSpec:
    """Return the flow as it was when this run began, or when a task of it was last cleared.

    Its parameters have the values of the run.

    Args:
        context: The context of the task.
        flow: The flow as the file says now.

    Raises:
        DefinitionChanged: The file says otherwise now in what Airflow obeys, so the run cannot go
            on as it began.
        ParamsError: A value of the run is not allowed.
    """
    from flow_spec import differences
    from orchesjob_flow_airflow.flow_as_dag.dag_run.list_changes import list_changes

    flow = bound_flow(context, flow)
    text = flow.to_json()
    recorded = recorded_with_run(context, "flow", text)
    if recorded == text:
        return flow
    try:
        began_with = FlowSpec.from_json(recorded)
    except StoredFlowError as error:
        raise DefinitionChanged([str(error)]) from error
    changes = [*differences(began_with, flow), *list_changes(began_with, flow)]
    if not can_go_on(began_with, flow):
        raise DefinitionChanged(changes)
    if changes:
        context["task"].log.warning(
            "the flow file has changed since this run began; the run goes on as it began: %s",
            "; ".join(changes),
        )
    return began_with


def can_go_on(began_with: FlowSpec, now: FlowSpec) -> bool:
    """Whether what Airflow obeys now is what it is to do in a run that began with another flow.

    Copies that were added to those of a step do no harm: their tasks do nothing in that run.
    """
    was, is_now = obeyed_by_airflow(began_with), obeyed_by_airflow(now)
    added = is_now.keys() - was.keys()
    return (
        all(base_of(step_id) in began_with.copies for step_id in added)
        and {step_id: is_now[step_id] for step_id in is_now.keys() - added} == was
    )


def recorded_with_run(
    context: Mapping[str, Any], name: str, text: str, *, for_good: bool = False
) -> str:
    """Return what is recorded with the run under this name; record `text` if nothing is.

    Who clears a task wants the file as it is now, so each clearing has a record of its own, unless
    what is recorded is `for_good`.
    """
    key = name if for_good else f"{name}_{context['dag_run'].clear_number}"
    place = place_in_run(context, key)
    recorded = BaseXCom.get_one(**place)
    if recorded is None:
        BaseXCom.set(value=text, **place)
        recorded = BaseXCom.get_one(**place)  # tasks that begin at once go on with the same one
    return str(recorded)
