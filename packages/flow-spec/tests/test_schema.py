"""The JSON Schema says what the reader says, as far as a schema can (rule 9.2)."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
import yaml
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from flow_spec import FlowFileError, json_schema, parse_flow
from flow_spec.fields.records import Record
from flow_spec.flow import FLOW
from flow_spec.foreach import ITEM_STEP
from flow_spec.step import DEFAULTS


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(json.dumps(json_schema())))
    assert json_schema()["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize(
    ("record", "declared"),
    [
        (json_schema(), FLOW),
        (json_schema()["properties"]["steps"]["items"]["else"], ITEM_STEP),
        (json_schema()["properties"]["defaults"], DEFAULTS),
    ],
    ids=["flow", "step", "defaults"],
)
def test_it_knows_every_field(record: dict[str, Any], declared: Record) -> None:
    """Each field has its sentence and an example that the schema itself allows."""
    described = {name: of for name, of in record["properties"].items() if name != "$schema"}
    assert list(described) == list(declared.fields)
    for schema in described.values():
        assert schema["description"]
        assert schema["examples"]
        for example in schema["examples"]:
            Draft202012Validator(schema).validate(example)


# JSON Schema and reader agree on every value, but for spellings that a schema never sees (9.2).

FILES = {
    "flow_id": "flow_id: VALUE\nsteps: [{id: a, command: [x]}]",
    "id": "flow_id: f\nsteps: [{id: VALUE, command: [x]}]",
    "program": "flow_id: f\nsteps: [{id: a, command: [VALUE]}]",
    "argument": "flow_id: f\nsteps: [{id: a, command: [x, VALUE]}]",
    "script": "flow_id: f\nsteps: [{id: a, script: VALUE}]",
    "shell": "flow_id: f\nsteps: [{id: a, script: x, shell: VALUE}]",
    "shell of a command": "flow_id: f\nsteps: [{id: a, command: [x], shell: VALUE}]",
    "script and command": "flow_id: f\nsteps: [{id: a, command: [x], script: VALUE}]",
    "command": "flow_id: f\nsteps: [{id: a, command: VALUE}]",
    "variable": "flow_id: f\nenv: {A: VALUE}\nsteps: [{id: a, command: [x]}]",
    **{
        f"defaults.{field}": (
            f"flow_id: f\ndefaults: {{{field}: VALUE}}\nsteps: [{{id: a, command: [x]}}]"
        )
        for field in (
            *("retries", "timeout_sec", "skip_exit_codes", "env", "shell"),
            *("id", "when", "script", "x-own"),
        )
    },
    "whole": "VALUE",
    "flow without an id": "steps: VALUE",
    "step without a command": "flow_id: f\nsteps: [{id: a, x-own: VALUE}]",
    "steps": "flow_id: f\nsteps: VALUE",
    **{
        field: f"flow_id: f\nsteps: [{{id: a, command: [x], {field}: VALUE}}]"
        for field in (
            *("retries", "retry_delay_sec", "timeout_sec", "strict", "description"),
            *("skip_exit_codes", "env", "env_file", "x-own"),
            *("foreach", "max_parallel", "only_if", "allow_failure", "retry_backoff"),
            *("retry_max_delay_sec", "retry_exit_codes", "working_dir"),
        )
    },
    "foreach of steps": "flow_id: f\nsteps: [{foreach: VALUE, steps: [{id: a, command: [x]}]}]",
    "foreach in foreach": (
        "flow_id: f\nsteps: [{foreach: [p], steps: [{id: a, command: [x], foreach: VALUE}]}]"
    ),
    "foreach in finally": (
        "flow_id: f\nsteps: [{id: b, command: [x]}]\n"
        "finally: [{id: a, command: [x], foreach: VALUE}]"
    ),
    "list": "flow_id: f\nsteps: [{id: a, command: [x], foreach: {A: VALUE}}]",
    "at": "flow_id: f\nsteps: [{id: a, command: [x], foreach: {split: p q, at: VALUE}}]",
    "bound": "flow_id: f\nsteps: [{id: a, command: [x], foreach: [p], max_parallel: VALUE}]",
    **{
        f"{field} of the flow": f"flow_id: f\n{field}: VALUE\nsteps: [{{id: a, command: [x]}}]"
        for field in (
            *("defaults", "env_file", "working_dir", "max_parallel", "$schema", "unknown"),
            *("description", "concurrency", "timeout_sec"),
        )
    },
}

VALUES = [
    *("3", "0", "-1", "1.5", "0.5", "256", "99999999999999999999", "-5", "1.50"),
    *("true", "false", "text", "'text'", '"3"', "''", "a b", "-a", "a-b", "_", "y"),
    *("90s", "'1h30m'", "0s", "0d0s", "5 min", "1.5h", "1m1m", "30m1h", "-1s", "m", "1w"),
    *("1w1d", "1d1w", "0.5s", "0.0s", "1.h", "'.5h'", "1.5h0.5m", "1y"),
    *("[]", "{}", "[x]", "['']", "[3]", "[3, 4]", "[3, 3]", "[[3]]"),
    *("{'A B': c}", "{1A: b}", "{ORCHESJOB_X: b}", "{PYTHONHOME: b}", "{LD_X: b}", "{'': b}"),
    *("{group: g}", "{on_conflict: skip}", "{on_conflict: Skip}", "{retries: 1}", "1001", "[75]"),
    *("{a: b}", "{A: b}", "{A: [b]}", "[{A: b}]", "[{A: b}, c]"),
    *("{split: p q}", "{split: ' '}", "{split: p, by: q}", "{split: p, at: ','}"),
    *('"a\\nb"', '"a\\tb"', '"\\u0000"', '"\\u0007"', '"\\u0085"', '"\\u2028"', "größe", '"x y"'),
    *('"#!/bin/sh"', '"\\n #!x"', '" "', '"\\n\\t"', '"ls\\nls"', '" #x"'),
]
"""Values that every reader of YAML understands in one way."""

SPELLINGS = {
    "another spelling of a number": (
        *("+3", "-0", "3.0", "3.", ".5", "1e3", "1E+3", "1e-3", "0x10", "0o17", "017", "0b11"),
        *("1_000", "1:30", "12:30:00"),
    ),
    "no finite number": (".inf", ".nan", "1e400"),
    "another spelling of true or false": ("yes", "no", "on", "True", "TRUE"),
    "null": ("null", "~", ""),
    "a date": ("2026-05-07", "2026-05-07T10:00:00Z"),
    "an operator of YAML": ("=", "<<"),
    "a tag": ("!!str 3", "!x y"),
}
"""Scalars of which an editor sees a value, and the reader characters: see flow-files.md."""


def by_yaml_1_1(text: str) -> Any:
    return yaml.safe_load(text)


def by_yaml_1_2(text: str) -> Any:
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    return reader.load(text)


def is_taken(text: str) -> bool:
    try:
        parse_flow(text)
    except FlowFileError:
        return False
    return True


VALIDATORS: list[Callable[[Any], bool]] = [
    Draft202012Validator(json_schema()).is_valid,
    jsonschema_rs.validator_for(json_schema()).is_valid,
]


@pytest.mark.parametrize("value", VALUES)
def test_every_reader_understands_the_values(value: str) -> None:
    """Whether an editor reads YAML 1.1 or 1.2 makes no difference to them, in either style."""
    for text in (FILES["steps"], FILES["id"]):
        file = text.replace("VALUE", value)
        assert by_yaml_1_1(file) == by_yaml_1_2(file)


@pytest.mark.parametrize("field", FILES)
def test_they_agree(field: str) -> None:
    """What one takes the other takes, in every field."""
    for value in VALUES:
        text = FILES[field].replace("VALUE", value)
        document = by_yaml_1_1(text)
        verdicts = [is_valid(document) for is_valid in VALIDATORS]
        assert verdicts == [is_taken(text)] * 2, text


@pytest.mark.parametrize("spellings", SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_in_quotes(spellings: tuple[str, ...]) -> None:
    """In quotes an editor sees the characters too, and they agree on any spelling."""
    for spelling in spellings:
        for field, file in FILES.items():
            text = file.replace("VALUE", json.dumps(spelling))
            document = by_yaml_1_1(text)
            verdicts = [is_valid(document) for is_valid in VALIDATORS]
            assert verdicts == [is_taken(text)] * 2, (field, spelling)


@pytest.mark.parametrize(("key", "is_right"), [("$schema", True), ("$id", False)])
def test_a_json_flow_names_its_schema(key: str, is_right: bool) -> None:
    """A JSON flow may say where its schema is, as editors want it; nothing else with `$`."""
    document = {key: "s.json", "flow_id": "f", "steps": [{"id": "a", "command": ["x"]}]}
    assert [is_valid(document) for is_valid in VALIDATORS] == [is_right] * 2
    if is_right:
        del document[key]
        assert parse_flow(json.dumps({key: "s.json", **document}), format="json") == parse_flow(
            json.dumps(document), format="json"
        )
    else:
        with pytest.raises(FlowFileError, match="unknown key"):
            parse_flow(json.dumps(document), format="json")
