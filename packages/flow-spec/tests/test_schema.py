"""The JSON Schema says what the reader says, as far as a schema can (rule 9.2)."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from flow_spec import FlowFileError, json_schema, parse_flow
from flow_spec.fields.records import Record
from flow_spec.flow import FLOW
from flow_spec.foreach import ITEM_STEP
from flow_spec.step import DEFAULTS

VALIDATOR = Draft202012Validator(json_schema())
STEP = {"id": "a", "command": ["x"]}


def flow(*steps: Any, **fields: Any) -> dict[str, Any]:
    return {"flow_id": "f", "steps": list(steps or [STEP]), **fields}


def test_it_is_a_schema() -> None:
    """The document is JSON Schema of 2020-12, and says so."""
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
    assert list(described) == list(declared.fields())
    for schema in described.values():
        assert schema["description"]
        assert schema["examples"]
        for example in schema["examples"]:
            Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(
    "document",
    [
        flow({"id": "a", "command": ["x"], "when": None}, {"id": "b", "command": ["x"]}),
        [],
        "text",
        {},
        {"steps": [STEP]},
        {"flow_id": "f"},
        flow(flow_id=""),
        flow(flow_id="x" * 256),
        flow(flow_id=["f"]),
        flow(steps=[]),
        flow(steps={"a": STEP}),
        flow(steps=["a"]),
        flow(extra=1),
        flow(defaults=[]),
        flow(defaults={"retries": "many"}),
        flow(defaults={"retrys": 1}),
        *(
            flow(defaults={name: value})
            for name, value in {
                **STEP,
                "when": "a",
                "depends_on": ["a"],
                "description": "d",
            }.items()
        ),
        flow({}),
        flow({"id": "a"}),
        flow({"id": "a", "retries": 1}),
        flow({**STEP, "script": "ls"}),
        flow({**STEP, "shell": ["sh", "-c"]}),
        flow({"id": "a", "script": "#!/bin/sh"}),
        flow({"id": "a", "script": ""}),
        flow({"id": "a", "script": ["ls"]}),
        flow({"id": "a", "script": "ls", "shell": "sh"}),
        flow(defaults={"script": "ls"}),
        flow({"command": ["x"]}),
        flow({**STEP, "id": "-a"}),
        flow({**STEP, "id": "a b"}),
        flow({**STEP, "id": ""}),
        flow({**STEP, "id": "x" * 129}),
        flow({**STEP, "command": "echo hi"}),
        flow({**STEP, "command": []}),
        flow({**STEP, "command": [""]}),
        flow({**STEP, "command": [["x"]]}),
        flow({**STEP, "only_if": "true"}),
        flow({**STEP, "only_if": []}),
        flow({**STEP, "only_if": ["", "x"]}),
        flow({"id": "a", "only_if": ["x"]}),
        flow(defaults={"only_if": ["x"]}),
        flow({**STEP, "comand": ["x"]}),
        flow({**STEP, "depends_on": "b"}),
        flow({**STEP, "depends_on": [["b"]]}),
        flow(STEP, {"id": "b", "command": ["x"], "depends_on": ["a", "a"]}),
        flow({**STEP, "retries": -1}),
        flow({**STEP, "retries": 1.5}),
        flow({**STEP, "retries": "many"}),
        flow({**STEP, "retries": True}),
        flow({**STEP, "retries": 10_000_000}),
        flow({**STEP, "retry_delay_sec": -0.1}),
        flow({**STEP, "retry_delay_sec": "1"}),
        flow({**STEP, "retry_backoff": 0.9}),
        flow({**STEP, "retry_backoff": 1001}),
        flow({**STEP, "retry_max_delay_sec": -1}),
        flow({**STEP, "timeout_sec": 0}),
        flow({**STEP, "timeout_sec": 1e12}),
        flow({**STEP, "timeout_sec": "0s"}),
        flow({**STEP, "timeout_sec": "1.h"}),
        flow({**STEP, "timeout_sec": ""}),
        flow({**STEP, "strict": "maybe"}),
        flow({**STEP, "strict": 1}),
        flow({**STEP, "description": ["x"]}),
        flow({**STEP, "success_exit_codes": []}),
        flow({**STEP, "success_exit_codes": 3}),
        flow({**STEP, "success_exit_codes": [256]}),
        flow({**STEP, "skip_exit_codes": [-1]}),
        flow({**STEP, "skip_exit_codes": [4, 4]}),
        flow({**STEP, "skip_exit_codes": ["4"]}),
        flow({**STEP, "retry_exit_codes": []}),
        flow({**STEP, "retry_exit_codes": [7.5]}),
        flow({**STEP, "allow_failure": 1}),
        flow(env=["A=1"]),
        flow(env={"A B": "1"}),
        flow(env={"1A": "1"}),
        flow(env={"A-B": "1"}),
        flow(env={"": "1"}),
        flow(env={"ORCHESJOB_HOME": "/x"}),
        flow(env={"ORCHESJOB_FLOW_STEP": "a"}),
        flow(env={"PYTHONHOME": "/x"}),
        flow(env={"PYTHONUNBUFFERED2": "1"}),
        flow({**STEP, "env": {"LD_PRELOAD": "x.so"}}),
        flow(env={"x-own": "1"}),
        flow(env={"A": ["1"]}),
        flow({**STEP, "env": {"A": {"b": "1"}}}),
        flow(working_dir=""),
        flow({**STEP, "working_dir": ["/x"]}),
    ],
)
def test_wrong_shapes(document: Any) -> None:
    """What the reader refuses for its shape, the schema refuses too."""
    with pytest.raises(FlowFileError):
        parse_flow(json.dumps(document), format="json")
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    "text",
    [
        "flow_id: 5\nsteps: [{id: no, command: [sleep, 5, 1e3, yes, null, ~, 2026]}]",
        "flow_id: f\nx-own: {any: [thing]}\nsteps: [{id: a, command: [x], x-team: 7}]",
        "flow_id: f\nsteps: [{id: a, command: [x], retries: 3, timeout_sec: 0.5, strict: false}]",
        "flow_id: f\nsteps: [{id: a, command: [x, '']}, {id: 1, command: [x], depends_on: [a]}]",
        "flow_id: f\nenv: {A: 1, _b2: no, C: ''}\nworking_dir: 5\nsteps: [{id: a, command: [x]}]",
        "flow_id: f\nsteps: [{id: a, command: [x], env: {LANG: C, E: ''}, working_dir: /x}]",
        "flow_id: f\ndefaults: {shell: [sh, -c]}\nsteps: [{id: a, script: ls}]",
        "flow_id: f\nsteps: [{id: a, script: 5, shell: [sh, -c]}]",
        "flow_id: f\ndefaults: {retries: 1, env: {A: 1}, x-a: 1}\nsteps: [{id: a, command: [x]}]",
        "flow_id: f\nx-b: &b {command: [x]}\nsteps: [{id: a, <<: *b, timeout_sec: 1h30m}]",
        "flow_id: f\nenv: {PYTHONUNBUFFERED: 1, LDFLAGS: -s}\nsteps: [{id: a, command: [x]}]",
    ],
)
def test_right_shapes(text: str) -> None:
    """What the reader takes, the schema takes, though an editor sees other types in it (2.5)."""
    parse_flow(text)
    VALIDATOR.validate(yaml.safe_load(text))
