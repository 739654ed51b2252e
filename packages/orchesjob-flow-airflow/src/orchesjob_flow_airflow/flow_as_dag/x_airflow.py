"""`x-airflow` of a step: the arguments that its task gets from the flow file (rule 13.4).

Arguments that place a task or show it are passed on. Any other is an import error that names every
place in the file: outcomes belong to the other fields of the step, functions to the DAG file.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flow_spec import FlowFileError, FlowSpec, MissingValuesError, StepSpec, closest_words, filled
from orchesjob_flow_airflow.flow_as_dag.refusals import REFUSED_DEFAULTS

_KEY = "x-airflow"
_LONGEST = 250
"""Characters of a name; Airflow's database has room for a few more."""

_WEIGHT_RULES = ("absolute", "downstream", "upstream")
_ASSET_FIELDS = ("name", "uri", "group", "extra")


class _Flaw(Exception):
    """A problem with a value: the message, and the keys that lead to the value."""

    def __init__(self, message: str, *keys: str | int) -> None:
        super().__init__(message, keys)
        self.message = message
        self.keys = keys


def arguments_of_steps(path: str, flow: FlowSpec) -> Mapping[str, Mapping[str, Any]]:
    """Return the arguments of the steps' tasks, by step id.

    Args:
        path: The flow file.
        flow: The flow.

    Raises:
        FlowFileError: Arguments are unknown, refused or have invalid values; holds all problems.
    """
    arguments: dict[str, Mapping[str, Any]] = {}
    flaws: list[tuple[StepSpec, _Flaw]] = []
    for step in flow.all_steps:
        if step.x_airflow:
            of_step: dict[str, Any] = {}
            for name, text in step.x_airflow:
                try:
                    of_step |= _argument(name, _filled(json.loads(text), flow.values_of(step.id)))
                except _Flaw as flaw:
                    flaws.append((step, _Flaw(flaw.message, name, *flaw.keys)))
            arguments[step.id] = of_step
    if flaws:
        raise _located(path, flow, flaws)
    return arguments


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


def _located(path: str, flow: FlowSpec, flaws: Sequence[tuple[StepSpec, _Flaw]]) -> FlowFileError:
    """Return the error of a flow file, which is read again to find the places in it."""
    from flow_spec import read_flow

    lists = flow.lists
    read = read_flow(path, read_list=lambda origin, text, _: lists.get((origin, text), ()))
    # Steps have the same problem if they are copies, or take the value from `defaults`.
    problems = {read.problem(flaw.message, step.id, _KEY, *flaw.keys) for step, flaw in flaws}
    return FlowFileError(
        path, tuple(sorted(problems, key=lambda one: (one.line or 0, one.column or 0, str(one))))
    )


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """Fill the names of a `foreach` in a value; others have no value before a run."""
    match value:
        case str():
            try:
                return filled(value, values)
            except MissingValuesError as error:
                name = error.names[0]
                raise _Flaw(
                    f"${{{{ {name} }}}} has no value before a run; here only names of a `foreach` "
                    "have one"
                ) from None
        case list():
            return [_filled(item, values) for item in value]
        case dict():
            return {name: _filled(item, values) for name, item in value.items()}
        case _:
            return value


def _argument(name: str, value: Any) -> dict[str, Any]:
    """Return an argument as Airflow takes it; no argument if the value is null.

    Raises:
        _Flaw: It is unknown or refused, or its value is invalid.
    """
    if name not in _CHECKS:
        raise _Flaw(_refusal(name))
    return {} if value is None else {name: _CHECKS[name](value)}


def _refusal(name: str) -> str:
    """Return why a flow file cannot have an argument."""
    from inspect import signature

    from airflow.sdk import BaseOperator

    if name in _REFUSED:
        return f"would change outcomes: {_REFUSED[name]}; take it out of {_KEY}"
    if name in signature(BaseOperator.__init__).parameters:
        return "is nothing that a flow file can say; give it in the DAG file, with default_args"
    close = closest_words(name, _CHECKS)
    advice = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(sorted(_CHECKS))}"
    return f"unknown argument; {advice}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        is_collection = isinstance(value, list | dict)
        raise _wrong("text", value, "" if is_collection else "; put it in quotes")
    return value


def _name(value: Any) -> str:
    text = _text(value)
    if not text.strip() or len(text) > _LONGEST:
        raise _wrong(f"text of 1 to {_LONGEST} characters", value)
    return text


def _weight_rule(value: Any) -> str:
    if value not in _WEIGHT_RULES:
        raise _wrong(f"one of {', '.join(_WEIGHT_RULES)}", value)
    return str(value)


def _integer(least: int) -> Callable[[Any], int]:
    """Return a check for integers from `least` to the largest that Airflow's database holds."""

    def check(value: Any) -> int:
        if type(value) is not int or not least <= value < 2**31:
            raise _wrong(f"an integer from {least} to {2**31 - 1}", value)
        return value

    return check


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong("a mapping", value)
    return value


def _assets(value: Any) -> list[Any]:
    """Make assets from names or URIs, or from mappings of the arguments of `Asset`."""
    if not isinstance(value, list):
        raise _wrong("a list of assets, such as [s3://shop/orders]", value)
    return [_asset(at, item) for at, item in enumerate(value)]


def _asset(at: int, item: Any) -> Any:
    from airflow.sdk import Asset

    fields = {"name": item} if isinstance(item, str) else item
    if not isinstance(fields, dict):
        expected = "the name or URI of an asset, or a mapping of its name, uri, group and extra"
        raise _Flaw(f"must be {expected}, got {_got(item)}", at)
    for name in fields:
        if name not in _ASSET_FIELDS:
            raise _Flaw(
                f"unknown field of an asset; there are {', '.join(_ASSET_FIELDS)}", at, name
            )
    try:
        return Asset(**fields)
    except (ValueError, TypeError) as error:
        raise _Flaw(f"is no asset to Airflow: {error}", at) from None


def _wrong(expected: str, value: Any, remedy: str = "") -> _Flaw:
    return _Flaw(f"must be {expected}, got {_got(value)}{remedy}")


def _got(value: Any) -> str:
    match value:
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return json.dumps(value, ensure_ascii=False)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "queue": _name,
    "pool": _name,
    "pool_slots": _integer(1),
    "priority_weight": _integer(-(2**31)),
    "weight_rule": _weight_rule,
    "max_active_tis_per_dag": _integer(1),
    "executor": _name,
    "executor_config": _mapping,
    "owner": _name,
    "task_display_name": _name,
    "doc_md": _text,
    "inlets": _assets,
    "outlets": _assets,
    "do_xcom_push": _boolean,
}
"""The arguments that a step may have, and what checks their values."""

_REFUSED = {
    **REFUSED_DEFAULTS,
    "start_date": "whether a step runs is for `when` to say",
    "end_date": "whether a step runs is for `when` to say",
    "ignore_first_depends_on_past": REFUSED_DEFAULTS["depends_on_past"],
}
