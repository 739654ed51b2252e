"""`explain`, and `reason` in `status`: why a step waits, runs or was skipped (rule 9.4)."""

from typing import Any

from support.answers import statuses
from support.flow import Flow
from support.gate import Gate

TRUE, FALSE = ["true"], ["false"]


def reasons(steps: list[Any]) -> dict[str, str]:
    return {step["id"]: step["reason"] for step in steps}


def test_while_it_is_undecided(flow: Flow, gate: Gate) -> None:
    """Unknown operands leave a condition undecided unless the known ones settle it (3.4)."""
    file = flow.write(
        {"id": "a", "command": gate.command()},
        {"id": "b", "command": FALSE},
        {"id": "never", "command": TRUE, "when": "a && b"},
        {"id": "surely", "command": TRUE, "when": "a.finished || !b"},
        {"id": "open", "command": TRUE, "when": "!a || never.failed"},
        {"id": "chain", "command": TRUE, "depends_on": ["a"]},
        {"id": "free", "command": TRUE},
    )
    flow.detach(file, gate)
    there = ["RUNNING", "FAILED", *["PENDING"] * 4, "SUCCEEDED"]
    run = flow.await_status("k", lambda run: statuses(run) == there)
    short = reasons(run["steps"])
    assert short["never"] == "waits for a RUNNING"
    assert short["open"] == "waits for a RUNNING, never PENDING"
    explained = flow.ask("explain", "--run-key=k")
    assert (explained["status"], explained["runner"]["alive"]) == ("RUNNING", True)
    said = reasons(explained["steps"])
    waits = "waits for a RUNNING"
    assert said["a"] == "attempt 1 is running"
    assert said["b"] == "exit code 1"
    assert said["free"] == "attempt 1 succeeded"
    assert said["chain"] == f"{waits}; `a` is undecided (a RUNNING)"
    assert said["never"] == (
        f"{waits}, and will be skipped whatever becomes of it; b FAILED, so `a && b` is false"
    )
    assert said["surely"].startswith(f"{waits}, and will run whatever becomes of it; ")
    assert said["open"].startswith(f"{waits}, never PENDING; `!a || never.failed` is undecided: ")
    gate.let_through()
    said = reasons(flow.ask("wait", "--run-key=k", code=1)["steps"])
    assert said["never"] == "its condition was false: a SUCCEEDED, b FAILED"
    assert said["surely"] == "attempt 1 succeeded"


def test_what_has_passed(flow: Flow) -> None:
    """A step that was SKIPPED by itself has passed, and one by its condition has not (3.8)."""
    file = flow.write(
        {"id": "a", "command": FALSE},
        {"id": "b", "command": TRUE, "when": "a"},
        {"id": "c", "command": TRUE, "only_if": FALSE},
        {"id": "d", "command": TRUE, "when": "b.passed && c.passed"},
        {"id": "e", "command": TRUE, "when": "c.passed"},
        {"id": "f", "command": TRUE, "when": "any(passed)", "depends_on": ["b", "c"]},
    )
    flow.start("k", file, code=1)
    said = reasons(flow.ask("explain", "--run-key=k")["steps"])
    assert said["d"] == "b SKIPPED by its condition, so `b.passed && c.passed` is false"
    assert said["e"] == ("attempt 1 succeeded; c SKIPPED by itself, so `c.passed` is true")
    assert said["f"] == "attempt 1 succeeded; c SKIPPED by itself, so `any(passed)` is true"


def test_tree(flow: Flow) -> None:
    """The JSON is the condition as a tree, each part with its value, each name with its step."""
    file = flow.write(
        {"id": "a", "command": FALSE},
        {"id": "b", "command": TRUE, "when": "!a"},
        {"id": "c", "command": TRUE, "when": "a && !a.skipped"},
    )
    flow.start("k", file, code=1)
    (step,) = flow.ask("explain", "--run-key=k", "b")["steps"]
    assert step["waits_for"] == [{"id": "a", "status": "FAILED"}]
    assert step["condition"] == {
        "text": "!a",
        "value": True,
        "operator": "!",
        "children": [
            {"text": "a", "value": False, "operator": None, "step": "a", "status": "FAILED"}
        ],
    }
    assert len(flow.run("explain", "--run-key=k", "--format=table").stdout.splitlines()) == 3


def test_who_decided_comes_first(flow: Flow) -> None:
    """The fewest operands that decide: the sentence names their steps, the JSON them."""
    file = flow.write(
        {"id": "a", "command": TRUE},
        {"id": "b", "command": FALSE},
        {"id": "c", "command": TRUE},
        {"id": "all", "command": TRUE, "when": "(a && b && c) || (b && !a.failed)"},
        {"id": "any", "command": TRUE, "when": "(a && c) || (b && c) || b.failed"},
        {"id": "constant", "command": TRUE, "when": "a || !a"},
        {"id": "after", "command": TRUE, "depends_on": ["a", "b"]},
    )
    flow.start("k", file, code=1)
    explained = flow.ask("explain", "--run-key=k")["steps"]
    said = reasons(explained)
    assert said["all"] == "b FAILED, so `a && b && c || b && !a.failed` is false"
    assert said["any"] == (
        "attempt 1 succeeded; b FAILED, so `a && c || b && c || b.failed` is true"
    )
    assert said["constant"] == "attempt 1 succeeded; a SUCCEEDED, so `a || !a` is true"
    assert said["after"] == "b FAILED, so `a && b` is false"
    decided = {step["id"]: step["decided_by"] for step in explained}
    assert decided["a"] is None
    assert decided["all"] == [{"text": "b", "value": False, "step": "b", "status": "FAILED"}]
    assert [one["text"] for one in decided["any"]] == ["b.failed"]
    assert [one["text"] for one in decided["constant"]] == ["a"]


def test_calls_are_shown_as_they_are_written(flow: Flow) -> None:
    """A call over many steps takes no more room than one over a few (rule 3.7)."""
    ids = [f"s{number}" for number in range(40)]
    names = {"depends_on": ids, "command": TRUE}
    file = flow.write(
        *({"id": step_id, "command": TRUE} for step_id in ids[:-1]),
        {"id": ids[-1], "command": FALSE},
        {"id": "alert", "when": "any(failed)", **names},
        {"id": "mixed", "when": "s0.failed  ||  (s1 && none( failed ))", **names},
        {"id": "spelled", "when": " || ".join(f"{name}.skipped" for name in ids), **names},
    )
    flow.start("k", file, code=1)

    def lines(step_id: str) -> list[str]:
        return flow.run("explain", "k", step_id, "--format=table").stdout.splitlines()

    first, _, *tree = lines("alert")
    assert first == "alert SUCCEEDED: attempt 1 succeeded; s39 FAILED, so `any(failed)` is true"
    assert tree[:2] == ["  true: any(failed)", "    true: s39.failed"]
    assert tree[-1] == "    ... and 32 more"
    assert len(tree) == 10
    first, _, *tree = lines("mixed")
    assert first == (
        "mixed SKIPPED: s0 SUCCEEDED, s39 FAILED, so `s0.failed || (s1 && none( failed ))` is false"
    )
    assert tree == [
        "  false: s0.failed || (s1 && none( failed ))",
        "    false: s0.failed",
        "    false: s1 && none( failed )",
        "      true: s1",
        "      false: none( failed )",
    ]
    first, *_ = lines("spelled")
    assert first.startswith(
        "spelled SKIPPED: s0 SUCCEEDED, s1 SUCCEEDED, s2 SUCCEEDED, s3 SUCCEEDED, s4 SUCCEEDED "
        "and 35 more, so `s0.skipped || s1.skipped || "
    )
    assert max(map(len, lines("spelled"))) < 210
