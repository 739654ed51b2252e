"""The classes are the schema: every declared field has a kind, a sentence and a way to be read."""

import attrs
import pytest

from flow_spec import FlowSpec, StepSpec, differences, parse_flow
from flow_spec.fields.records import Declaration, attribute_of, declarations

FIELDS = [
    (cls, name, field) for cls in (FlowSpec, StepSpec) for name, field in declarations(cls).items()
]


@pytest.mark.parametrize(
    ("cls", "name", "field"), FIELDS, ids=[f"{cls.__name__}-{name}" for cls, name, _ in FIELDS]
)
def test_a_field_is_documented_by_one_sentence(cls: type, name: str, field: Declaration) -> None:
    assert field.doc[0].isupper()
    assert field.doc.endswith(".")
    assert field.required == (
        getattr(attrs.fields(cls), attribute_of(name)).default is attrs.NOTHING
    )


def test_a_step_built_in_code_has_the_defaults_of_a_file() -> None:
    """`StepSpec(id, command)` is what a file with these two keys gives (rule 2.2)."""
    flow = parse_flow("flow_id: f\nsteps: [{id: A, command: [x]}]")
    assert flow == FlowSpec("f", (StepSpec("A", ("x",)),))


def test_a_description_changes_nothing() -> None:
    """That of the flow is recorded, and is no part of what the flow does (rules 4.4 and 10.9)."""
    text = "flow_id: f\n{}steps: [{{id: A, command: [x]}}]"
    flow = parse_flow(text.format("description: |\n  Gets the\n    day's orders.\n"))
    assert flow.description == "Gets the\n  day's orders.\n"
    assert flow.about == "Gets the day's orders."
    assert FlowSpec.from_json(flow.to_json()) == flow
    plain = parse_flow(text.format(""))
    assert (plain.about, differences(plain, flow), differences(flow, plain)) == ("", (), ())


def test_a_flow_is_immutable() -> None:
    flow = FlowSpec("f", (StepSpec("A", ("x",)),))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        flow.flow_id = "g"  # type: ignore[misc]
    assert {flow: 1}[FlowSpec("f", (StepSpec("A", ("x",)),))] == 1
