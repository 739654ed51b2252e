"""Rule 10.4: `defaults` gives every step the fields that it does not set itself."""

import json
from collections.abc import Callable

import pytest

from flow_spec import StepSpec, parse_flow
from flow_spec.fields.records import attribute_of, declarations

type Complaints = Callable[..., list[str]]

DEFAULT = {
    "retries": (3, 3),
    "retry_delay_sec": ("1m", 60.0),
    "retry_backoff": (2, 2.0),
    "retry_max_delay_sec": ("1h", 3600.0),
    "env": ({"A": "1"}, (("A", "1"),)),
    "env_file": ("x.env", ("x.env",)),
    "working_dir": ("/x", "/x"),
    "timeout_sec": (5, 5.0),
    "success_exit_codes": ([7, 0], (0, 7)),
    "skip_exit_codes": ([4], (4,)),
    "retry_exit_codes": ([75], (75,)),
    "allow_failure": (True, True),
    "strict": (False, False),
    "start_timeout_sec": (0, 0.0),
    "x-airflow": ({"queue": "q"}, (("queue", '"q"'),)),
}


@pytest.mark.parametrize("is_first", [True, False])
def test_a_step_takes_what_it_does_not_set(*, is_first: bool) -> None:
    """Every field of a step but its own can have a default, wherever it stands (rule 10.4)."""
    defaults = {"defaults": {name: spelled for name, (spelled, _) in DEFAULT.items()}}
    steps = {"flow_id": "f", "steps": [{"id": "A", "command": ["x"]}]}
    flow = parse_flow(json.dumps({**defaults, **steps} if is_first else {**steps, **defaults}))
    own = {"id", "command", "when", "depends_on", "only_if", "description", "allow_warnings"}
    own |= {"produces"}
    assert declarations(StepSpec).keys() == DEFAULT.keys() | own
    for name, (_, value) in DEFAULT.items():
        assert getattr(flow.steps[0], attribute_of(name)) == value, name


def test_what_a_step_sets_wins() -> None:
    """A step's own value replaces the default, a list as a whole and a default too (rule 10.4)."""
    flow = parse_flow(
        "{flow_id: f, defaults: {retries: 3, strict: false, skip_exit_codes: [4, 5], "
        "timeout_sec: 9}, steps: [{id: A, command: [x], retries: 0, strict: true, "
        "skip_exit_codes: [5]}, {id: B, command: [y], timeout_sec: 1h}]}"
    )
    assert flow.steps == (
        StepSpec("A", ("x",), skip_exit_codes=(5,), timeout_sec=9.0),
        StepSpec("B", ("y",), retries=3, strict=False, skip_exit_codes=(4, 5), timeout_sec=3600.0),
    )


def test_variables_are_merged_by_name() -> None:
    """A step's `env` is laid over that of `defaults`, and this over the flow's (rule 10.4)."""
    flow = parse_flow(
        "{flow_id: f, env: {A: flow, B: flow, C: flow}, defaults: {env: {B: all, C: all}}, "
        "steps: [{id: s, command: [x], env: {C: step, D: step}}, {id: t, command: [x], env: {}}]}"
    )
    s, t = flow.steps
    assert s.env == (("B", "all"), ("C", "step"), ("D", "step"))
    assert t.env == (("B", "all"), ("C", "all"))
    environment = flow.environment(s, run_key="k", attempt_no=1, failed=())
    assert [environment[name] for name in "ABCD"] == ["flow", "all", "step", "step"]


STEPS = "steps: [{id: A, command: [x]}, {id: B, command: [x]}]"
EXTRA = "and an exit code has one meaning"
WRONG = [
    ("[]", "2:11: defaults: must be a mapping, got an empty list"),
    ("{id: x}", "2:12: defaults.id: cannot have a default; write it"),
    ("{when: A}", "2:12: defaults.when: cannot have a default; write it"),
    ("{env: {ORCHESJOB_HOME: x}}", "2:18: defaults.env.ORCHESJOB_HOME: must not begin with"),
    (
        "{skip_exit_codes: [4], retry_exit_codes: [4]}",
        f"2:52: defaults.retry_exit_codes: 4 is already in skip_exit_codes, {EXTRA}",
    ),
]


@pytest.mark.parametrize(("defaults", "start"), WRONG)
def test_a_mistake_is_reported_once(complaints: Complaints, defaults: str, start: str) -> None:
    """A problem of `defaults` is one, however many steps there are (rule 10.4)."""
    (line,) = complaints(f"flow_id: f\ndefaults: {defaults}\n{STEPS}")
    assert line.startswith(f"f:{start}")


APART = [
    ("retry_exit_codes: [4]", "skip_exit_codes: [4]", "4 is already in defaults.retry_exit_codes"),
    (
        "success_exit_codes: [0, 4]",
        "skip_exit_codes: [4]",
        "4 is already in defaults.success_exit_",
    ),
    ("retries: 1", "skip_exit_codes: [0]", "0 is already in success_exit_codes"),
]


@pytest.mark.parametrize(("default", "own", "message"), APART)
def test_a_code_of_a_step_and_of_defaults(
    complaints: Complaints, default: str, own: str, message: str
) -> None:
    """An exit code has one meaning, wherever it comes from (rules 10.4 and 9.12)."""
    text = "flow_id: f\ndefaults: {%s}\nsteps:\n- id: A\n  command: [x]\n  %s\n"
    (line,) = complaints(text % (default, own))
    assert line.startswith("f:6:")
    assert f"steps[0].{own.partition(':')[0]}: {message}" in line
    assert not complaints(text % (default, "retries: 2"))


@pytest.mark.parametrize(
    ("default", "own"),
    [
        ("skip_exit_codes: [4]", "{skip_exit_codes: [5], retry_exit_codes: [4]}"),
        ("skip_exit_codes: [4]", "{skip_exit_codes: [], success_exit_codes: [0, 4]}"),
    ],
)
def test_a_code_that_a_step_does_not_take_from_defaults(default: str, own: str) -> None:
    """Codes that a step replaces by its own mean nothing there (rule 10.4)."""
    text = "flow_id: f\ndefaults: {%s}\nsteps: [{id: a, command: [x], <<: %s}]"
    given = parse_flow(text % (default, own)).steps[0]
    assert given == parse_flow(text % ("retries: 0", own)).steps[0]


def test_a_merged_step_has_its_own_fields() -> None:
    """What a step merges it sets itself, before `defaults` is asked (rule 10.4)."""
    flow = parse_flow(
        "{flow_id: f, x-b: &b {retries: 1}, defaults: {retries: 2, <<: {allow_failure: true}}, "
        "steps: [{id: A, command: [x], <<: *b}]}"
    )
    assert flow.steps == (StepSpec("A", ("x",), retries=1, allow_failure=True),)
