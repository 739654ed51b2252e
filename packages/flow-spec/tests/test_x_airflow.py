"""`x-airflow` of a step: kept for Airflow as it is written, and without a meaning here (13.4)."""

import json
from typing import Any

import pytest

from flow_spec import FlowFileError, StepSpec, differences, parse_flow


def step(x_airflow: str, *, defaults: str = "{}") -> StepSpec:
    text = f"{{flow_id: f, defaults: {defaults}, steps: [{{id: a, command: [x], {x_airflow}}}]}}"
    return parse_flow(text).steps[0]


def values(step: StepSpec) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in step.x_airflow}


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        ("import-hosts", "import-hosts"),
        ("2", 2),
        ("1e3", 1000.0),
        ("'2'", "2"),
        ("true", True),
        ("null", None),
        ("~", "~"),
        ("0x1F", "0x1F"),
        ("1" * 5000, "1" * 5000),
        ("1e999", "1e999"),
        ("[a, 1, [true]]", ["a", 1, [True]]),
        ("{uri: b, extra: {n: 1}}", {"uri": "b", "extra": {"n": 1}}),
    ],
)
def test_a_value_is_what_json_has(spelled: str, value: object) -> None:
    """Without quotes, numbers, truth values and null are read as in JSON (rule 13.4)."""
    read = values(step(f"x-airflow: {{v: {spelled}}}"))
    assert read == {"v": value}
    assert type(read["v"]) is type(value)


def test_json_and_yaml_say_the_same() -> None:
    """A flow file in JSON has the types of JSON (rules 2.1 and 13.4)."""
    given = {"queue": "q", "pool_slots": 2, "do_xcom_push": True, "executor": None, "o": ["a"]}
    flow = {"flow_id": "f", "steps": [{"id": "a", "command": ["x"], "x-airflow": given}]}
    text = json.dumps(flow)
    assert parse_flow(text, format="json") == parse_flow(text)
    assert values(parse_flow(text, format="json").steps[0]) == given


def test_defaults_are_laid_under() -> None:
    """A step takes from `defaults` the arguments that it does not give itself (13.4, 10.4)."""
    defaults = "{x-airflow: {queue: all, pool: all}}"
    assert values(step("x-airflow: {pool: own}", defaults=defaults)) == {
        "queue": "all",
        "pool": "own",
    }
    assert values(step("", defaults=defaults)) == {"queue": "all", "pool": "all"}


def test_it_makes_no_other_flow() -> None:
    """An edit of it alone changes nothing of what a run does (rules 4.4 and 13.4)."""
    flows = [
        parse_flow(f"{{flow_id: f, steps: [{{id: a, command: [x], x-airflow: {{queue: {q}}}}}]}}")
        for q in "pq"
    ]
    assert differences(*flows) == ()
    assert flows[0].to_json() != flows[1].to_json()


def test_where_it_would_be_without_effect() -> None:
    """It is not taken for a key of the user's own where someone may expect an effect (2.6)."""
    with pytest.raises(FlowFileError, match="x-airflow: belongs to a step; write it in defaults:"):
        parse_flow("{flow_id: f, x-airflow: {queue: q}, steps: [{id: a, command: [x]}]}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("[q]", "steps[0].x-airflow: must be a mapping, such as {queue: import-hosts, pool: shop}"),
        ("{outlets: [a, !Ref b]}", "steps[0].x-airflow.outlets[1]: YAML tags such as !Ref"),
        ('{queue: "a\\eb"}', "steps[0].x-airflow.queue: "),
    ],
)
def test_what_no_program_could_read(given: str, message: str) -> None:
    """It is checked as far as it can be without Airflow (rules 2.6 and 2.7)."""
    with pytest.raises(FlowFileError) as raised:
        step(f"x-airflow: {given}")
    assert message in str(raised.value)
