"""What tests pick out of the command's JSON."""

from typing import Any


def statuses(run: Any) -> list[str]:
    """Return the status of each step, in the order of the flow."""
    return [step["status"] for step in run["steps"]]


def outcomes(run: Any) -> dict[str, str]:
    """Return the status of each step by its id."""
    return {step["id"]: step["status"] for step in run["steps"]}


def errors(run: Any) -> list[tuple[str, str, str | None]]:
    """Return the id, the status and the error of each step."""
    return [(step["id"], step["status"], step["error"]) for step in run["steps"]]


def run_keys(answer: Any, name: str = "runs") -> list[str]:
    """Return the run keys of an answer that lists runs."""
    return [run["run_key"] for run in answer[name]]


def warnings(stderr: str) -> list[str]:
    """Return the lines of stderr, which must all be the command's own."""
    lines = stderr.splitlines()
    assert all(line.startswith("orchesjob-flow: ") for line in lines)
    return lines
