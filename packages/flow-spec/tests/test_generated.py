"""Properties over generated flows: both formats agree, and the stored form loses nothing."""

import json
import re
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_spec import FlowFileError, FlowSpec, differences, parse_flow

IDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,11}", fullmatch=True)
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=30)
FLOW_IDS = PRINTABLE.map(lambda text: re.sub("[\xa0\u2018-\u201f]", "_", text))  # rule 2.5
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VARIABLES = st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), WORDS)
SECONDS = st.one_of(
    st.integers(0, 10**6), st.floats(0, 10**6).filter(lambda x: x > 1e-300 or not x)
)


def exit_codes(least: int, most: int, min_size: int = 0) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(least, most), unique=True, min_size=min_size, max_size=4)


CALLS = ("any(failed)", "all( finished )", "none(skipped)")


@st.composite
def conditions(draw: st.DrawFn, ids: list[str], *calls: str) -> str:
    """Return a `when` over the ids, with these calls among the operands."""
    operands = st.sampled_from(ids).flatmap(
        lambda name: st.sampled_from([name, f"{name}.failed", f"{name}.finished", *calls])
    )
    return draw(
        st.recursive(
            operands,
            lambda parts: st.one_of(
                parts.map("!{}".format),
                st.tuples(parts, st.sampled_from([" && ", "||", " ||  "]), parts).map("".join),
                parts.map("({})".format),
            ),
            max_leaves=8,
        )
    )


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Any]:
    """Return a valid flow as the data of a JSON file; steps depend on earlier ones only."""
    ids = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    steps = []
    for position, step_id in enumerate(ids):
        optional: dict[str, st.SearchStrategy[Any]] = {
            "retries": st.integers(0, 10**6),
            "retry_delay_sec": SECONDS,
            "retry_backoff": st.floats(1, 1000),
            "retry_max_delay_sec": SECONDS,
            "timeout_sec": SECONDS.filter(bool),
            "start_timeout_sec": SECONDS,
            "strict": st.booleans(),
            "description": PRINTABLE,
            "success_exit_codes": exit_codes(0, 9, min_size=1),
            "skip_exit_codes": exit_codes(10, 19),
            "retry_exit_codes": exit_codes(20, 255, min_size=1),
            "allow_failure": st.booleans(),
            "env": VARIABLES,
            "working_dir": PRINTABLE,
            "x-mine": st.one_of(st.none(), st.integers(), st.lists(PRINTABLE)),
        }
        required: dict[str, st.SearchStrategy[Any]] = {
            "id": st.just(step_id),
            "command": st.builds(lambda first, rest: [first, *rest], PRINTABLE, st.lists(WORDS)),
        }
        if position:
            earlier = ids[:position]
            listed = draw(st.lists(st.sampled_from(earlier), unique=True))
            (required if listed else optional)["depends_on"] = st.just(listed)
            optional["when"] = conditions(earlier, *(CALLS if listed else ()))
        steps.append(draw(st.fixed_dictionaries(required, optional=optional)))
    required = {"flow_id": FLOW_IDS, "steps": st.permutations(steps)}
    optional = {"env": VARIABLES, "working_dir": PRINTABLE}
    return draw(st.fixed_dictionaries(required, optional=optional))


@settings(max_examples=50, deadline=None)
@given(flows(), st.booleans())
def test_a_flow_is_the_same_in_yaml_and_in_json(flow: dict[str, Any], compact: bool) -> None:
    """What PyYAML writes and what `json` writes are read as one flow (rules 2.1 and 4.4)."""
    from_json = parse_flow(json.dumps(flow, ensure_ascii=compact), format="json")
    from_yaml = parse_flow(yaml.safe_dump(flow))
    json_in_yaml = parse_flow(json.dumps(flow))
    assert from_yaml == from_json == json_in_yaml
    assert differences(from_json, from_yaml) == ()
    assert [step.id for step in from_json.steps] == [step["id"] for step in flow["steps"]]


@settings(max_examples=50, deadline=None)
@given(flows())
def test_the_stored_form_loses_nothing(flow: dict[str, Any]) -> None:
    """`from_json` undoes `to_json`, which is itself a valid flow file in JSON."""
    spec = parse_flow(json.dumps(flow), format="json")
    text = spec.to_json()
    assert FlowSpec.from_json(text) == spec
    assert FlowSpec.from_json(text).to_json() == text
    assert parse_flow(text, format="json") == spec
    assert parse_flow(yaml.safe_dump(spec.to_data())) == spec


@settings(max_examples=25, deadline=None)
@given(flows(), flows())
def test_differences_are_those_of_meaning(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two flows differ in one direction exactly where they differ in the other (rule 4.4)."""
    old, new = (parse_flow(json.dumps(flow), format="json") for flow in (one, other))
    assert bool(differences(old, new)) == bool(differences(new, old))
    assert differences(old, old) == ()


INDICATORS = "abAB01 \n\t:-?,[]{}&*!|>'\"%@`#.<=~\\x\u00e9\u2028"
TEMPLATES = ["{}", "flow_id: f\nsteps:\n- id: A\n  when: {}\n  command: [x]\n"]


def outcome(text: str, format_: str) -> FlowSpec | str:
    try:
        return parse_flow(text, format=format_)  # type: ignore[arg-type]
    except FlowFileError as error:
        return str(error)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from(INDICATORS), max_size=60))
def test_no_text_brings_anything_but_a_flow_or_an_error(text: str) -> None:
    """Whatever a file is, or whatever follows a `when:`, is read or reported (rule 2.8)."""
    for template in TEMPLATES:
        for format_ in ("yaml", "json"):
            result = outcome(template.replace("{}", text), format_)
            assert isinstance(result, FlowSpec) or result.startswith("<flow>:")
