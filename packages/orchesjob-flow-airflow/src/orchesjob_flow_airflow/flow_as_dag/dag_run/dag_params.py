"""The parameters of a flow as the params of its DAG, and the flow with the values of a run (10.2).

Airflow checks what somebody gives a run by the JSON Schema of each param; each task checks it by
the rules of the flow.
"""

import re
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from flow_spec import FlowSpec, bind_params, filled


def dag_params(flow: FlowSpec, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the params of the DAG of a flow: those that the flow declares, and the caller's.

    A value of the caller takes the place of a default.
    """
    params = dict(given or {})
    for param in flow.params:
        default = params.get(param.name, param.default)
        if not isinstance(default, Param):
            schema: dict[str, Any] = {"type": "string"}
            if param.enum:
                schema["enum"] = list(param.enum)
            if (pattern := _of_the_whole(param.pattern)) is not None:
                schema["pattern"] = pattern
            has_default = {} if default is None else {"default": default}
            params[param.name] = Param(**has_default, description=param.description, **schema)
    return params


def _of_the_whole(pattern: str | None) -> str | None:
    """Return a pattern that Airflow searches for, as one that the whole value must match.

    None if there is none: flags such as `(?i)` must begin an expression. The task checks the value.
    """
    if pattern is None:
        return None
    whole = f"^(?:{pattern})$"
    try:
        re.compile(whole)
    except re.error:
        return None
    return whole


def bound_flow(context: Mapping[str, Any], flow: FlowSpec) -> FlowSpec:
    """Return the flow with the values that this run gives its parameters.

    Raises:
        ParamsError: One of the values is not allowed.
    """
    if not flow.params:
        return flow
    params = context["params"]
    return bind_params(flow, {param.name: str(params[param.name]) for param in flow.params})


def has_params_in_lists(flow: FlowSpec) -> bool:
    """Whether the values of a run decide which list a `foreach` means (rule 10.3)."""
    here, there = (
        {"FLOW_DIR": "", **{param.name: one for param in flow.params}} for one in ("here", "there")
    )
    return any(filled(text, here) != filled(text, there) for _, text in flow.lists)
