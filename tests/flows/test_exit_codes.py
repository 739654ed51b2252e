"""Exit codes as outcomes of a step, and failures that are allowed (rule 9.12)."""

from typing import Any

from support.flow import Flow


def exits(code: int | str) -> list[str]:
    return ["sh", "-c", f"exit {code}"]


def outcomes(run: Any) -> dict[str, tuple[str, str | None]]:
    return {step["id"]: (step["status"], step["error"]) for step in run["steps"]}


CODES = {"success_exit_codes": [1, 3], "skip_exit_codes": [4]}
KILLED = ["sh", "-c", "kill -9 $$"]
BY_SIGNAL = "killed by signal {} (SIG{})"
NO_PROGRAM = ["/no/such/program"]
AGAIN = {"retries": 1, "retry_exit_codes": [137]}
LATE = {"timeout_sec": 0.1, "skip_exit_codes": [143]}
OK = "SUCCEEDED"
NOT_STARTED = (
    "the command could not be started: not found, not executable, or no process left: "
    "/no/such/program"
)
ENDS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "three": ({"command": exits(3), **CODES}, OK, None),
    "four": ({"command": exits(4), **CODES}, "SKIPPED", None),
    "zero": ({"command": exits(0), **CODES}, "FAILED", "exit code 0"),
    "hup": ({"command": ["sh", "-c", "kill -1 $$"], **CODES}, "FAILED", BY_SIGNAL.format(1, "HUP")),
    "missing": ({"command": NO_PROGRAM, **CODES}, "FAILED", NOT_STARTED),
    "after": ({"command": exits(0), "when": "three && four.skipped && zero.failed"}, OK, None),
    "good": ({"command": KILLED, "success_exit_codes": [0, 137]}, OK, None),
    "skipped": ({"command": KILLED, "skip_exit_codes": [137]}, "SKIPPED", None),
    "shell": ({"script": "sh -c 'kill -9 $$'; exit $?"}, "FAILED", "exit code 137"),
    "again": ({"command": KILLED, **AGAIN}, "FAILED", BY_SIGNAL.format(9, "KILL")),
    "late": ({"command": ["sleep", "9"], **LATE}, "FAILED", "timed out after 0.1 s"),
    "lost": ({"command": NO_PROGRAM, "success_exit_codes": [0, 129]}, "FAILED", NOT_STARTED),
}
"""Steps, and how they end: their statuses and errors."""


def test_what_a_code_means(flow: Flow) -> None:
    """A code succeeds, skips or fails as the step says; signal N of others is 128 + N (9.12)."""
    steps = [{"id": name, **step} for name, (step, *_) in ENDS.items()]
    run = flow.start("k", flow.write(*steps), code=1)
    assert outcomes(run) == {name: (status, error) for name, (_, status, error) in ENDS.items()}
    numbers = {step["id"]: step["attempt_no"] for step in run["steps"]}
    assert numbers == {**dict.fromkeys(ENDS, 1), "again": 2}
    assert run["error"].startswith("7 steps failed: zero, hup, missing, ")
    attempts = [run["steps"][at]["attempts"][0]["status"] for at in (0, 1, 2)]
    assert attempts == ["SUCCEEDED", "SKIPPED", "FAILED"]
    good = run["steps"][list(ENDS).index("good")]
    assert good["orchesjob_status"]["exit_code"] == -9
    checks = flow.ask("doctor")["checks"]
    assert checks[-1]["message"] == "13 of 13 attempts match orchesjob's records"


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
