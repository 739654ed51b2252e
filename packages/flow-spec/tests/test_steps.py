"""The fields of a step: `script`, `defaults`, durations, exit codes, and what runs ask of them."""

import json
from collections.abc import Callable

import attrs
import pytest

from flow_spec import End, FlowSpec, StepSpec, differences, holds, parse_duration, parse_flow
from flow_spec.fields.records import attribute_of, declarations
from flow_spec.step import SHELL

# The classes are the schema: every declared field has a kind, a sentence and a way to be read.


@pytest.mark.parametrize("cls", [FlowSpec, StepSpec])
def test_a_field_is_documented_by_one_sentence(cls: type) -> None:
    for name, field in declarations(cls).items():
        default = getattr(attrs.fields(cls), attribute_of(name)).default
        assert (field.doc[0].isupper(), field.doc[-1]) == (True, "."), name
        assert field.required == (default is attrs.NOTHING), name


def test_a_description_changes_nothing() -> None:
    """That of the flow is recorded, and is no part of what the flow does (rules 4.4 and 10.9)."""
    text = "flow_id: f\n{}steps: [{{id: A, command: [x]}}]"
    flow = parse_flow(text.format("description: |\n  Gets the\n    day's orders.\n"))
    assert flow.description == "Gets the\n  day's orders.\n"
    assert flow.about == "Gets the day's orders."
    assert FlowSpec.from_json(flow.to_json()) == flow
    plain = parse_flow(text.format(""))
    assert (plain.about, differences(plain, flow), differences(flow, plain)) == ("", (), ())


# Rule 10.4: `script` and `shell` become the command of a step.

type Complaints = Callable[..., list[str]]


SHELLS = [
    ("{id: a, script: ls, shell: [sh, -eu, -c]}", ("sh", "-eu", "-c", "ls")),
    ("{id: a, script: 1, shell: [python3, -c]}", ("python3", "-c", "1")),
    ("{id: a, script: ls, shell: [bash, -euo, pipefail, -c]}", (*SHELL, "ls", "a")),
    ("{id: a, script: 'null'}", (*SHELL, "null", "a")),
]


@pytest.mark.parametrize(("step", "command"), SHELLS)
def test_shell_names_what_runs_a_script(step: str, command: tuple[str, ...]) -> None:
    """Another shell gets the text as its last word, and nothing that it may not know (10.4)."""
    (read,) = parse_flow(f"flow_id: f\nsteps: [{step}]").steps
    assert read.command == command
    assert (read.script is not None) == (command[:4] == SHELL)


ONE_LINE = 'YAML would join these lines to one; begin the text with |, as in "script: |"'
SIGN = "a script cannot begin with #!; remove this line: bash runs a script"
NO_SCRIPTS = [
    ("script: ls\n  command: [ls]", '4:11: steps[0].script: a step has "command" or "script", not'),
    ("shell: [sh, -c]", '3:3: steps[0]: a step needs the key "command" or "script"'),
    ("command: [ls]\n  shell: [sh, -c]", '5:10: steps[0].shell: only a "script" has a shell; a'),
    ("script: [ls, ls]", "4:11: steps[0].script: must be text, got a list; write script: | and"),
    ('script: " \\n"', "4:11: steps[0].script: must not be blank"),
    ("script:\n    ls\n    ls", f"5:5: steps[0].script: {ONE_LINE}"),
    ("script: ls\n    ls", f"4:11: steps[0].script: {ONE_LINE}"),
    ("script: >-\n    ls\n", f"4:11: steps[0].script: {ONE_LINE}"),
    ("script: |\n    #!/usr/bin/env python3\n    print()", f"4:11: steps[0].script: {SIGN}"),
    ('script: "\\n #! x"', f"4:11: steps[0].script: {SIGN}"),
]


@pytest.mark.parametrize(("fields", "start"), NO_SCRIPTS)
def test_what_is_no_script_is_an_error(complaints: Complaints, fields: str, start: str) -> None:
    """Mistakes are shown where they stand, each once (rules 2.6, 2.7 and 10.4)."""
    (line,) = complaints(f"flow_id: f\nsteps:\n- id: a\n  {fields}\n")
    assert line.startswith(f"f:{start}")


PLAIN = ["|-\n    ls\n    ls", "ls   # a comment", '"ls\\nls"']


@pytest.mark.parametrize("script", PLAIN)
def test_a_text_that_says_how_its_lines_are_read(complaints: Complaints, script: str) -> None:
    """A text on one line, or one whose lines are kept apart, is as its author sees it (10.4)."""
    assert complaints(f"flow_id: f\nsteps:\n- id: a\n  script: {script}\n") == []


LONG = "echo " + "x" * 70
CHANGES = [
    (
        f"{LONG} one, and so on",
        f"{LONG} two, and so on",
        f'script was "…{"x" * 19} one, and so on" and is now "…{"x" * 19} two, and so on"',
    ),
    (LONG, f"{LONG}\nls", f'script was "…{"x" * 20}" and is now "…{"x" * 20}\\nls"'),
    ("a" + LONG, "b" + LONG, f'script was "a{LONG[:58]}…" and is now "b{LONG[:58]}…"'),
]


@pytest.mark.parametrize(("before", "after", "sentence"), CHANGES)
def test_a_difference_shows_where_two_scripts_differ(
    before: str, after: str, sentence: str
) -> None:
    """A message shows only a part of a script, and that part has the difference (4.4)."""
    old, new = (
        parse_flow(json.dumps({"flow_id": "f", "steps": [{"id": "a", "script": script}]}))
        for script in (before, after)
    )
    assert differences(old, new) == (f'step "a": {sentence}',)


# Rule 10.4: `defaults` gives every step the fields that it does not set itself.

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
WRONG_DEFAULTS = [
    ("[]", "2:11: defaults: must be a mapping, got an empty list"),
    ("{id: x}", "2:12: defaults.id: cannot have a default; write it"),
    ("{when: A}", "2:12: defaults.when: cannot have a default; write it"),
    ("{env: {ORCHESJOB_HOME: x}}", "2:18: defaults.env.ORCHESJOB_HOME: must not begin with"),
    (
        "{skip_exit_codes: [4], retry_exit_codes: [4]}",
        f"2:52: defaults.retry_exit_codes: 4 is already in skip_exit_codes, {EXTRA}",
    ),
]


@pytest.mark.parametrize(("defaults", "start"), WRONG_DEFAULTS)
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


# The grammar of durations, as flow files and command lines read it (rule 10.5).

WITH_UNITS = [
    ("1h30m", 5400.0),
    ("1.5h", 5400.0),
    ("0.25s", 0.25),
    ("1w2d3h4m5.5s", 788_645.5),
    ("0s", 0.0),
    ("007m", 420.0),
    ("9" * 300 + "s", float("9" * 300)),
]

REFUSED = [
    *("", " ", " 90s", "90s ", "90 s", "1h 30m", "90s\n"),
    *("-1s", "+1s", "-1", "+1", "\u22121", "1,5h", "1_000", "1_000s"),
    *("m", "s90", "1m1m", "30m1h", "1d1w", "1h30", "1.h", ".5h", ".5", "5.", "1e3s", "1.5.5s"),
    *("500ms", "1y", "1M", "1H", "PT1H", "1:30", "10 minutes", "90sec"),
    *("inf", "nan", "Infinity", "0x10", "٣", "٣s", "٩0m", "1\u202fs", "\uff11s"),
]


@pytest.mark.parametrize(("text", "seconds"), WITH_UNITS)
def test_a_duration_has_units(text: str, seconds: float) -> None:
    """Units stand in one order; each number may have decimals."""
    assert parse_duration(text) == seconds
    assert parse_duration(text, needs_unit=True) == seconds


def test_plain_seconds() -> None:
    """A number is read as JSON spells it, unless a unit is needed."""
    for text, seconds in ("0", 0.0), ("0.5", 0.5), ("1e3", 1000.0), ("1e-400", 0.0):
        assert parse_duration(text) == seconds
        with pytest.raises(ValueError, match=r"is not a duration such as 90s, 15m or 1h30m$"):
            parse_duration(text, needs_unit=True)


@pytest.mark.parametrize("text", REFUSED)
def test_nothing_else_is_a_duration(text: str) -> None:
    wanted = "is not a duration such as 90s, 15m or 1h30m, or a number of seconds$"
    with pytest.raises(ValueError, match=wanted):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1e400", "9" * 400, "9" * 400 + "s", "9" * 308 + "w"])
def test_a_duration_is_finite(text: str) -> None:
    with pytest.raises(ValueError, match=r"is too long a duration$"):
        parse_duration(text)


# What is a failure, and when it is tried again: exit codes and delays (rule 9.12).

NAMES = ("success_exit_codes", "skip_exit_codes", "retry_exit_codes")


def flow(fields: str) -> str:
    return f"flow_id: f\nsteps:\n- {{id: A, command: [x], {fields}}}"


def test_the_order_means_nothing() -> None:
    """The codes are a set, and by default 0 alone succeeds (rules 4.4 and 9.12)."""
    step = parse_flow(flow("retry_exit_codes: [75, 3], skip_exit_codes: [9, 4]")).steps[0]
    assert [getattr(step, name) for name in NAMES] == [(0,), (4, 9), (3, 75)]
    again = FlowSpec.from_json(parse_flow(flow("success_exit_codes: [5, 0]")).to_json())
    assert differences(again, parse_flow(flow("success_exit_codes: [0, 5]"))) == ()


MEANING = ", and an exit code has one meaning"
WRONG_CODES = [
    ("success_exit_codes: []", "success_exit_codes: must not be empty"),
    ("skip_exit_codes: [4, 4]", 'skip_exit_codes[1]: "4" is listed twice'),
    ("skip_exit_codes: [0]", f"skip_exit_codes: 0 is already in success_exit_codes{MEANING}"),
    (
        "skip_exit_codes: [4, 5], success_exit_codes: [0, 5]",
        f"skip_exit_codes: 5 is already in success_exit_codes{MEANING}",
    ),
    (
        "skip_exit_codes: [4], retry_exit_codes: [3, 4]",
        f"retry_exit_codes: 4 is already in skip_exit_codes{MEANING}",
    ),
]


@pytest.mark.parametrize(("fields", "message"), WRONG_CODES)
def test_a_code_has_one_meaning(complaints: Complaints, fields: str, message: str) -> None:
    """A code outside 0 to 255, or with two meanings, is an error (rule 9.12)."""
    (line,) = complaints(flow(fields))
    assert f": steps[0].{message}" in line


@pytest.mark.parametrize(
    ("fields", "failures", "delay"),
    [
        ("retry_delay_sec: 10, retry_backoff: 2", 4, 80.0),
        ("retry_delay_sec: 10, retry_backoff: 1.5, retry_max_delay_sec: 30", 3, 22.5),
        ("retry_delay_sec: 10, retry_backoff: 1.5, retry_max_delay_sec: 30", 4, 30.0),
        ("retry_delay_sec: 10, retry_max_delay_sec: 3", 1, 3.0),
        ("retry_delay_sec: 10, retry_backoff: 1000", 1_000_000, 316_224_000.0),
        ("retry_backoff: 1000", 1_000_000, 0.0),
    ],
)
def test_a_delay_grows_up_to_the_longest(fields: str, failures: int, delay: float) -> None:
    """Each failure but the first multiplies the delay, which has bounds (rule 9.12)."""
    assert parse_flow(flow(fields)).steps[0].delay_after(failures) == delay


# What those who run a flow ask of its values.


@pytest.mark.parametrize(
    ("status", "was_due", "allow_failure", "passed"),
    [
        ("SUCCEEDED", True, False, True),
        ("FAILED", True, False, False),
        ("FAILED", True, True, True),
        ("SKIPPED", True, False, True),
        ("SKIPPED", False, False, False),
        ("SKIPPED", False, True, False),
        ("CANCELLED", True, True, False),
    ],
)
def test_what_has_passed(status: str, was_due: bool, allow_failure: bool, passed: bool) -> None:
    """A success, an allowed failure and a step that skipped itself have passed (rule 3.8)."""
    end = StepSpec("a", ("x",), allow_failure=allow_failure).end(status, was_due=was_due)
    assert (end, holds("passed", end)) == (End(status, passed), passed)


def test_exit_codes_at_the_gate() -> None:
    """Of `only_if`, 0 lets the step run and 1 skips it, whatever the step's lists say (10.8)."""
    codes = "success_exit_codes: [1, 2], skip_exit_codes: [0, 3], retry_exit_codes: [4]"
    step = parse_flow(flow(f"only_if: [y], {codes}")).steps[0]
    outcomes = ["SUCCEEDED", "SKIPPED", *["FAILED"] * 5]
    assert [step.outcome_of(code, is_gate=True) for code in (0, 1, 2, 3, 4, 5, 255)] == outcomes
    assert [step.command_of(is_gate=is_gate) for is_gate in (True, False)] == [("y",), ("x",)]


def test_variables() -> None:
    """A step's process sees the flow's variables, its own over them, and the run (rule 9.13)."""
    flow = parse_flow(
        "{flow_id: f, env: {A: flow, B: flow}, steps: [{id: s, command: [x], env: {B: step}}]}"
    )
    assert flow.environment(flow.step("s"), run_key="k", attempt_no=2, failed=["a", "b"]) == {
        "A": "flow",
        "B": "step",
        "ORCHESJOB_FLOW_RUN_KEY": "k",
        "ORCHESJOB_FLOW_ID": "f",
        "ORCHESJOB_FLOW_STEP": "s",
        "ORCHESJOB_FLOW_ATTEMPT": "2",
        "ORCHESJOB_FLOW_FAILED_STEPS": "a b",
    }


def test_the_list_of_failed_steps_is_bounded() -> None:
    """No more ids are named than one variable may hold, and none is cut (rule 9.13)."""
    step = StepSpec("s", ("x",))
    ids = [f"{number:0128}" for number in range(1000)]
    variables = FlowSpec("f", (step,)).environment(step, run_key="k", attempt_no=1, failed=ids)
    named = variables["ORCHESJOB_FLOW_FAILED_STEPS"].split()
    assert named == ids[: len(named)]
    assert 500 < len(named) < 512
