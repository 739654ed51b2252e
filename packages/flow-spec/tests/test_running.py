"""What those who run a flow ask of its values."""

import pytest

from flow_spec import End, FlowSpec, StepSpec, holds, parse_flow


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


def test_exit_codes() -> None:
    """An exit code succeeds, skips or fails as the step says (rule 9.12)."""
    step = StepSpec("a", ("x",), success_exit_codes=(0, 7), skip_exit_codes=(5,))
    assert [step.outcome_of(code) for code in (0, 7, 5, 1)] == [
        *("SUCCEEDED", "SUCCEEDED", "SKIPPED", "FAILED")
    ]


def test_exit_codes_at_the_gate() -> None:
    """Of `only_if`, 0 lets the step run and 1 skips it, whatever the step's lists say (10.8)."""
    step = StepSpec(
        "a",
        ("x",),
        only_if=("y",),
        success_exit_codes=(1, 2),
        skip_exit_codes=(0, 3),
        retry_exit_codes=(4,),
    )
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


def test_variables_are_laid_over_those_of_the_flow() -> None:
    """`with_env` replaces and adds, and leaves the flow as it was (rule 9.12)."""
    flow = parse_flow("flow_id: f\nenv: {A: 1, B: 2}\nsteps: [{id: A, command: [x]}]")
    assert flow.with_env({"C": "3", "A": "0"}).env == (("A", "0"), ("B", "2"), ("C", "3"))
    assert flow.env == (("A", "1"), ("B", "2"))
    assert flow.with_env({}) == flow
