"""`explain`, and `reason` in `status`: why a step waits, runs or was skipped (rule 9.4)."""

from typing import Any

from support.answers import statuses
from support.flow import Flow
from support.gate import Gate

TRUE, FALSE = ["true"], ["false"]


def halfway(flow: Flow, gate: Gate) -> None:
    """Start a run in which `a` runs, `b` has failed, and the others wait."""
    file = flow.write(
        {"id": "a", "command": gate.command()},
        {"id": "b", "command": FALSE},
        {"id": "never", "command": TRUE, "when": "a && b"},
        {"id": "surely", "command": TRUE, "when": "a.finished || !b"},
        {"id": "open", "command": TRUE, "when": "!a || never.failed"},
        {"id": "chain", "command": TRUE, "depends_on": ["a"]},
        {"id": "free", "command": TRUE},
    )
    flow.ask("start", "-d", "--run-key=k", file)
    gate.await_arrival()
    there = ["RUNNING", "FAILED", *["PENDING"] * 4, "SUCCEEDED"]
    flow.await_status("k", lambda run: statuses(run) == there)


def reasons(steps: list[Any]) -> dict[str, str]:
    return {step["id"]: step["reason"] for step in steps}


def test_while_it_is_undecided(flow: Flow, gate: Gate) -> None:
    """Unknown operands leave a condition undecided unless the known ones settle it (3.4)."""
    halfway(flow, gate)
    explained = flow.ask("explain", "--run-key=k")
    assert (explained["status"], explained["runner"]["alive"]) == ("RUNNING", True)
    said = reasons(explained["steps"])
    waits = "waits for a RUNNING"
    assert said["a"] == "attempt 1 is running"
    assert said["b"] == "exit code 1"
    assert said["free"] == "attempt 1 succeeded"
    assert said["chain"] == f"{waits}; `a` is undecided (a RUNNING)"
    assert said["never"] == (
        f"{waits}, and will be skipped whatever becomes of it; `a && b` is false: "
        "`a` is undecided (a RUNNING), `b` is false (b FAILED)"
    )
    assert said["surely"].startswith(f"{waits}, and will run whatever becomes of it; ")
    assert said["open"].startswith(f"{waits}, never PENDING; `!a || never.failed` is undecided: ")
    gate.let_through()


def test_in_short(flow: Flow, gate: Gate) -> None:
    """`status` says in a few words what a step waits for, or how it ended."""
    halfway(flow, gate)
    said = reasons(flow.status("k")["steps"])
    assert said["never"] == "waits for a RUNNING"
    assert said["open"] == "waits for a RUNNING, never PENDING"
    gate.let_through()
    said = reasons(flow.ask("wait", "--run-key=k", code=1)["steps"])
    assert said["never"] == "its condition was false: a SUCCEEDED, b FAILED"
    assert said["surely"] == "attempt 1 succeeded"


def test_tree(flow: Flow) -> None:
    """The JSON is the condition as a tree, each part with its value, each name with its step."""
    file = flow.write({"id": "a", "command": FALSE}, {"id": "b", "command": TRUE, "when": "!a"})
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


def test_text(flow: Flow) -> None:
    """The text is one sentence for each step; for a single step it has the whole condition too."""
    file = flow.write(
        {"id": "a", "command": FALSE},
        {"id": "b", "command": TRUE, "when": "a && !a.skipped"},
    )
    flow.start("k", file, code=1)
    code, shown = flow.run_on_terminal("explain", "--run-key=k", "b", size=(200, 24))
    assert code == 0
    assert shown == (
        "b SKIPPED: `a && !a.skipped` is false: "
        "`a` is false (a FAILED), `!a.skipped` is true (a FAILED)\n"
        "\n"
        "  false: a && !a.skipped\n"
        "    false: a\n"
        "    true: !a.skipped\n"
        "      false: a.skipped\n"
    )
    assert len(flow.run("explain", "--run-key=k", "--format=table").stdout.splitlines()) == 2


def test_no_runner(flow: Flow, gate: Gate) -> None:
    """If no process advances the run, the text says how to resume it."""
    flow.abandon(flow.write({"id": "a", "command": gate.command()}), gate)
    assert "resume" in flow.run("explain", "--run-key=k", "--format=table").stdout
    assert flow.ask("explain", "--run-key=k")["runner"] is None
    gate.let_through()


def test_unknown_step(flow: Flow) -> None:
    """An unknown step is refused, and the error suggests the nearest one."""
    flow.start("k", flow.write({"id": "download", "command": TRUE}))
    assert 'did you mean "download"?' in flow.refusal("explain", "--run-key=k", "downlod")["error"]


def test_a_condition_as_deep_as_a_file_may_say(flow: Flow) -> None:
    """A condition of any depth is explained, down to a depth that people read (rule 2.8)."""
    deep = "!" * 5000 + "a"
    row = " || ".join(["a"] * 5000)
    file = flow.write(
        {"id": "a", "command": TRUE},
        {"id": "deep", "command": TRUE, "when": deep},
        {"id": "row", "command": TRUE, "when": row},
    )
    flow.start("k", file)
    explained = flow.ask("explain", "--run-key=k")["steps"]
    assert [step["condition"] and step["condition"]["value"] for step in explained] == [
        None,
        True,
        True,
    ]
    assert all(len(step["reason"]) < 2000 for step in explained)


def test_a_call_over_all_of_depends_on(flow: Flow) -> None:
    """`any(failed)` runs and is explained as the condition that it stands for (rule 3.7)."""
    both = ["a", "b"]
    file = flow.write(
        {"id": "a", "command": TRUE},
        {"id": "b", "command": FALSE},
        {"id": "alert", "command": TRUE, "when": "any(failed)", "depends_on": both},
        {"id": "well", "command": TRUE, "when": "none(failed)", "depends_on": both},
    )
    run = flow.start("k", file, code=1)
    assert statuses(run)[2:] == ["SUCCEEDED", "SKIPPED"]
    assert reasons(run["steps"])["well"] == "its condition was false: a SUCCEEDED, b FAILED"
    (well,) = flow.ask("explain", "--run-key=k", "well")["steps"]
    assert (well["condition"]["text"], well["condition"]["value"]) == (
        "!(a.failed || b.failed)",
        False,
    )
