"""The JSON Schema says what the reader says, as far as a schema can (rule 9.2)."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flow_spec import json_schema
from flow_spec.fields.records import Record
from flow_spec.flow import FLOW
from flow_spec.foreach import ITEM_STEP
from flow_spec.step import DEFAULTS


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
