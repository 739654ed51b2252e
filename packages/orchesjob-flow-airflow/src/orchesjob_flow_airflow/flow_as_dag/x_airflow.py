"""`x-airflow` of a step: the arguments that its task gets from the flow file (rule 13.4).

Arguments that place a task or show it are passed on, and Airflow checks their values. Any other is
an import error that names its place in the file: outcomes belong to the other fields of the step,
functions to the DAG file.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flow_spec import FlowFileError, FlowSpec, MissingValuesError, StepSpec, closest_words, filled
from orchesjob_flow_airflow.flow_as_dag.refusals import REFUSED_DEFAULTS

_KEY = "x-airflow"
_ASSETS = ("inlets", "outlets")
_ARGUMENTS = (
    "queue",
    "pool",
    "pool_slots",
    "priority_weight",
    "weight_rule",
    "max_active_tis_per_dag",
    "executor",
    "executor_config",
    "owner",
    "task_display_name",
    "doc_md",
    *_ASSETS,
)
_REFUSED = {
    **REFUSED_DEFAULTS,
    "start_date": "whether a step runs is for `when` to say",
    "end_date": "whether a step runs is for `when` to say",
}


class _Refused(Exception):
    """A step cannot have an argument, or not this value."""


def arguments_of_steps(path: str, flow: FlowSpec) -> Mapping[str, Mapping[str, Any]]:
    """Return the arguments of the steps' tasks, by step id; Airflow has yet to check the values.

    If some are unknown or refused, or assets are invalid, a `FlowFileError` holds all problems.
    """
    arguments: dict[str, dict[str, Any]] = {}
    problems: list[tuple[StepSpec, str, str]] = []
    for step in flow.all_steps:
        arguments[step.id] = {}
        for name, text in step.x_airflow:
            try:
                value = _value(name, json.loads(text), flow.values_of(step.id))
            except _Refused as error:
                problems.append((step, name, str(error)))
            else:
                if value is not None:
                    arguments[step.id][name] = value
    if problems:
        raise _located(path, flow, problems)
    return arguments


def objection(path: str, flow: FlowSpec, step: StepSpec, error: Exception) -> FlowFileError:
    """Return the error of a flow file for one with which Airflow refuses the task of a step."""
    return _located(path, flow, [(step, "", f"Airflow refuses the task: {error}")])


def common_place(arguments: Mapping[str, Mapping[str, Any]], flow: FlowSpec) -> dict[str, Any]:
    """Return the queue and the executor that all steps of a flow have in common.

    The tasks that stand for no step need these: elsewhere there may be no worker for them.
    """
    first, *others = [arguments.get(step.id, {}) for step in flow.all_steps] or [{}]
    return {
        name: first[name]
        for name in ("queue", "executor")
        if name in first and all(other.get(name) == first[name] for other in others)
    }


def _located(
    path: str, flow: FlowSpec, problems: Sequence[tuple[StepSpec, str, str]]
) -> FlowFileError:
    """Return the error of a flow file, which is read again to find the places in it."""
    from flow_spec import read_flow

    lists = flow.lists
    read = read_flow(path, read_list=lambda origin, text, _: lists.get((origin, text), ()))
    # Steps have the same problem if they are copies, or take the value from `defaults`.
    found = {
        read.problem(message, step.id, *([_KEY] if step.x_airflow else []), *filter(None, [name]))
        for step, name, message in problems
    }
    return FlowFileError(
        path, tuple(sorted(found, key=lambda one: (one.line or 0, one.column or 0, str(one))))
    )


def _value(name: str, given: Any, values: Mapping[str, str]) -> Any:
    if name in _REFUSED:
        raise _Refused(f"is refused: {_REFUSED[name]}; take it out of {_KEY}")
    if name not in _ARGUMENTS:
        close = closest_words(name, _ARGUMENTS)
        known = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(_ARGUMENTS)}"
        raise _Refused(f"a flow file has no such argument; {known}")
    try:
        value = _filled(given, values)
    except MissingValuesError as error:
        raise _Refused(
            f"${{{{ {error.names[0]} }}}} has no value before a run; here only names of a "
            "`foreach` have one"
        ) from None
    return _assets(value) if name in _ASSETS and value is not None else value


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str():
            return filled(value, values)
        case list():
            return [_filled(item, values) for item in value]
        case dict():
            return {name: _filled(item, values) for name, item in value.items()}
        case _:
            return value


def _assets(value: Any) -> list[Any]:
    from airflow.sdk import Asset

    if not isinstance(value, list):
        raise _Refused("must be a list of assets, such as [s3://shop/orders]")
    try:
        return [Asset(**one) if isinstance(one, dict) else Asset(one) for one in value]
    except (TypeError, ValueError) as error:
        raise _Refused(f"Airflow refuses an asset: {error}") from None
