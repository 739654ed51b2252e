"""Exit codes as outcomes of a step, and failures that are allowed (rule 9.12)."""

from typing import Any

import pytest

from support.flow import Flow


def exits(code: int | str) -> list[str]:
    return ["sh", "-c", f"exit {code}"]


def outcomes(run: Any) -> dict[str, tuple[str, str | None]]:
    return {step["id"]: (step["status"], step["error"]) for step in run["steps"]}


@pytest.mark.integration
def test_what_a_code_means(real_flow: Flow) -> None:
    """A code succeeds, skips or fails as the step says, and conditions see that (rule 9.12)."""
    codes = {"success_exit_codes": [1, 3], "skip_exit_codes": [4]}
    file = real_flow.write(
        {"id": "three", "command": exits(3), **codes},
        {"id": "four", "command": exits(4), **codes},
        {"id": "zero", "command": exits(0), **codes},
        {"id": "signal", "command": ["sh", "-c", "kill -1 $$"], **codes},
        {"id": "missing", "command": ["/no/such/program"], **codes},
        {"id": "after", "command": exits(0), "when": "three && four.skipped && zero.failed"},
    )
    run = real_flow.start("k", file, code=1)
    assert run["error"] == "3 steps failed: zero, signal, missing"
    assert outcomes(run) == {
        "three": ("SUCCEEDED", None),
        "four": ("SKIPPED", None),
        "zero": ("FAILED", "exit code 0"),
        "signal": ("FAILED", "killed by signal 1 (SIGHUP)"),
        "missing": (
            "FAILED",
            (
                "the command could not be started: not found, not executable, or no process left: "
                "/no/such/program"
            ),
        ),
        "after": ("SUCCEEDED", None),
    }
    assert [run["steps"][at]["attempts"][0]["status"] for at in (0, 1, 2)] == [
        "SUCCEEDED",
        "SKIPPED",
        "FAILED",
    ]
    checks = real_flow.ask("doctor")["checks"]
    assert checks[-1]["message"] == "6 of 6 attempts match orchesjob's records"


@pytest.mark.integration
def test_a_signal_is_a_code(real_flow: Flow) -> None:
    """Signal N is the code 128 + N, with or without a shell between; not of our own (rule 9.12)."""
    killed = ["sh", "-c", "kill -9 $$"]
    file = real_flow.write(
        {"id": "good", "command": killed, "success_exit_codes": [0, 137]},
        {"id": "skipped", "command": killed, "skip_exit_codes": [137]},
        {"id": "shell", "command": ["sh", "-c", "sh -c 'kill -9 $$'; exit $?"]},
        {"id": "again", "command": killed, "retries": 1, "retry_exit_codes": [137]},
        {"id": "shell-again", "script": "sh -c 'kill -9 $$'", "retries": 1},
        {"id": "late", "command": ["sleep", "9"], "timeout_sec": 0.1, "skip_exit_codes": [143]},
        {"id": "missing", "command": ["/no/such/program"], "success_exit_codes": [0, 129]},
    )
    run = real_flow.start("k", file, code=1)
    assert [(step["id"], step["status"], step["attempt_no"]) for step in run["steps"]] == [
        ("good", "SUCCEEDED", 1),
        ("skipped", "SKIPPED", 1),
        ("shell", "FAILED", 1),
        ("again", "FAILED", 2),
        ("shell-again", "FAILED", 2),
        ("late", "FAILED", 1),
        ("missing", "FAILED", 1),
    ]
    assert outcomes(run)["again"] == ("FAILED", "killed by signal 9 (SIGKILL)")
    assert outcomes(run)["late"] == ("FAILED", "timed out after 0.1 s")
    assert run["steps"][0]["orchesjob_status"]["exit_code"] == -9
    checks = real_flow.ask("doctor")["checks"]
    assert checks[-1]["message"] == "9 of 9 attempts match orchesjob's records"


def test_a_step_that_skipped_itself_is_explained(flow: Flow) -> None:
    """A step skipped by its exit code names the attempt, not a false condition (rule 9.4)."""
    file = flow.write(
        {"id": "a", "command": exits(0)},
        {"id": "b", "command": exits(4), "when": "a", "skip_exit_codes": [4]},
        {"id": "c", "command": exits(0), "when": "b"},
    )
    run = flow.start("k", file)
    said = "attempt 1 ended with an exit code that skips the step"
    assert run["steps"][1]["reason"] == said
    assert run["steps"][2]["reason"] == "its condition was false: b SKIPPED"
    (step,) = flow.ask("explain", "--run-key=k", "b")["steps"]
    assert step["reason"] == f"{said}; a SUCCEEDED, so `a` is true"


def test_retried_after_some_codes_only(flow: Flow) -> None:
    """Another failure than those of `retry_exit_codes` is final (rule 9.12)."""
    by_number = exits("$((70 + ORCHESJOB_FLOW_ATTEMPT))")
    retried = {"retries": 5, "retry_exit_codes": [71, 72]}
    file = flow.write(
        {"id": "codes", "command": by_number, **retried},
        {"id": "signal", "command": ["sh", "-c", "kill -9 $$"], **retried},
        {"id": "late", "command": ["sleep", "60"], "timeout_sec": 0.2, **retried},
    )
    run = flow.start("k", file, code=1)
    assert [(step["attempt_no"], step["error"]) for step in run["steps"]] == [
        (3, "exit code 73"),
        (1, "killed by signal 9 (SIGKILL)"),
        (1, "timed out after 0.2 s"),
    ]


@pytest.mark.parametrize("other", [0, 1])
def test_a_failure_that_is_allowed(flow: Flow, other: int) -> None:
    """An allowed failure fails the step, as conditions see, but not the run (rules 5.1, 9.12)."""
    file = flow.write(
        {"id": "a", "command": exits(1), "allow_failure": True},
        {"id": "b", "command": exits(other), "when": "a.failed"},
    )
    run = flow.start("k", file, code=other)
    assert outcomes(run)["a"] == ("FAILED", "exit code 1")
    assert run["error"] == ("1 step failed: b" if other else None)
