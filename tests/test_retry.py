"""`retry`: a run that has ended goes on where it failed, and shows what happened before (9.7)."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate


def steps(tmp_path: Path, *, mended: bool = False) -> list[dict[str, Any]]:
    """Return a flow that fails in the middle until it, or the file that it looks for, is mended."""
    load = ["echo", "loaded"] if mended else ["test", "-e", f"{tmp_path}/mended"]
    return [
        {"id": "get", "command": ["echo", "got"]},
        {"id": "load", "command": load, "when": "get"},
        {"id": "report", "command": ["echo", "reported"], "when": "load"},
        {"id": "alert", "command": ["echo", "alert"], "when": "load.failed"},
    ]


def executed(fake: "FakeOrchesjob") -> Counter[str]:
    return Counter(event["key"] for event in fake.executions() if event["event"] == "begin")


def statuses(run: Any) -> list[str]:
    return [step["status"] for step in run["steps"]]


def test_from_where_it_failed(each_flow: "Flow", tmp_path: Path) -> None:
    """What succeeded is kept; the failed step runs under its next key, then what it had skipped."""
    run = each_flow.start("k", each_flow.write(*steps(tmp_path)), code=1)
    assert statuses(run) == ["SUCCEEDED", "FAILED", "SKIPPED", "SUCCEEDED"]
    (tmp_path / "mended").touch()
    run = each_flow.ask("retry", "--run-key=k")
    assert (run["status"], run["error"]) == ("SUCCEEDED", None)
    assert statuses(run) == ["SUCCEEDED"] * 4
    assert [step["run_key"] for step in run["steps"]] == [
        "k:get:1",
        "k:load:2",
        "k:report:1",
        "k:alert:1",
    ]
    assert each_flow.status("k") == run


def test_history(flow: "Flow", fake_orchesjob: "FakeOrchesjob", tmp_path: Path) -> None:
    """Every attempt stays visible, each with its key, its outcome and its times."""
    flow.start("k", flow.write(*steps(tmp_path)), code=1)
    flow.ask("retry", "--run-key=k", code=1)
    (tmp_path / "mended").touch()
    run = flow.ask("retry", "--run-key=k")
    attempts = run["steps"][1]["attempts"]
    assert [(one["number"], one["run_key"], one["status"], one["error"]) for one in attempts] == [
        (1, "k:load:1", "FAILED", "exit code 1"),
        (2, "k:load:2", "FAILED", "exit code 1"),
        (3, "k:load:3", "SUCCEEDED", None),
    ]
    times = [time for one in attempts for time in (one["started_at"], one["finished_at"])]
    assert times == sorted(times)
    expected = ["k:get:1", "k:load:1", "k:load:2", "k:load:3", "k:report:1", "k:alert:1"]
    assert executed(fake_orchesjob) == Counter(expected)


def test_named_steps(flow: "Flow", fake_orchesjob: "FakeOrchesjob", tmp_path: Path) -> None:
    """A step that is named runs again whatever became of it, with `--downstream` the rest too."""
    (tmp_path / "mended").touch()
    flow.start("k", flow.write(*steps(tmp_path)))
    assert "--step" in flow.refusal("retry", "--run-key=k")["error"]
    flow.ask("retry", "--run-key=k", "--step=load")
    assert executed(fake_orchesjob) == Counter(["k:get:1", "k:load:1", "k:load:2", "k:report:1"])
    flow.ask("retry", "--run-key=k", "--step=load", "--downstream")
    assert executed(fake_orchesjob)["k:load:3"] == 1
    assert executed(fake_orchesjob)["k:report:2"] == 1


def test_mended_file(flow: "Flow", tmp_path: Path) -> None:
    """With `--file` the run goes on with another flow, by which `start` then knows it (4.4)."""
    flow.start("k", flow.write(*steps(tmp_path)), code=1)
    more = {"id": "more", "command": ["true"], "when": "report"}
    mended = flow.write(*steps(tmp_path, mended=True), more, name="mended.json")
    run = flow.ask("retry", "--run-key=k", "--file", mended)
    assert run["steps"][1]["orchesjob_status"]["command"] == ["echo", "loaded"]
    assert [step["id"] for step in run["steps"]] == ["get", "load", "report", "alert", "more"]
    assert flow.start("k", mended) == run
    assert "another definition" in flow.refusal("start", "--run-key=k", "flow.json")["error"]


def test_a_file_that_does_not_fit(flow: "Flow", tmp_path: Path) -> None:
    """A file in which what has happened would be something else is refused, and nothing changed."""
    run = flow.start("k", flow.write(*steps(tmp_path)), code=1)
    first, *rest = steps(tmp_path)
    other = flow.write({**first, "command": ["echo", "other"]}, *rest, name="other.json")
    refusal = flow.refusal("retry", "--run-key=k", "--file", other)
    assert "'get' keeps its outcome" in refusal["error"]
    assert [conflict in refusal["error"] for conflict in refusal["conflicts"]] == [True]
    assert flow.status("k") == run


def test_exit_codes_that_deny_an_outcome(flow: "Flow") -> None:
    """A step keeps its outcome only if its exit code means the same in the new file."""
    quiet = {"id": "quiet", "command": ["sh", "-c", "exit 3"], "success_exit_codes": [3]}
    bad = {"id": "bad", "command": ["false"]}
    run = flow.start("k", flow.write(quiet, bad), code=1)
    strict = flow.write({**quiet, "success_exit_codes": [0]}, bad, name="strict.json")
    error = flow.refusal("retry", "--run-key=k", "--file", strict)["error"]
    assert "'quiet' keeps its outcome, but its exit codes" in error
    assert flow.status("k") == run
    mended: list[dict[str, Any]] = [
        {**quiet, "success_exit_codes": [0, 3]},
        {**bad, "command": ["true"]},
    ]
    flow.ask("retry", "--run-key=k", "--file", flow.write(*mended, name="mended.json"))
    assert flow.ask("doctor")["sound"]


def test_after_a_foreign_job(flow: "Flow", gate: "Gate") -> None:
    """A retry goes on under the next key, and never waits for or ends what is not ours (5.9)."""
    flow.orchesjob.start("k:a:1", "sleep", "600", strict=True)
    flow.start("k", flow.write({"id": "a", "command": ["echo", "ours"]}), code=1)
    mended = flow.write({"id": "a", "command": gate.command()}, name="mended.json")
    flow.ask("retry", "--run-key=k", "-d", "--file", mended)
    gate.await_arrival()
    flow.ask("cancel", "--run-key=k")
    assert flow.orchesjob.status("k:a:2")["status"] == "ABORTED"
    assert flow.orchesjob.status("k:a:1")["status"] == "RUNNING"


def test_cancelled_run(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """A cancelled run goes on too: the request is forgotten, what was cancelled runs again."""
    after = {"id": "b", "command": ["true"], "when": "a"}
    flow.ask(
        "start", "-d", "--run-key=k", flow.write({"id": "a", "command": gate.command()}, after)
    )
    gate.await_arrival()
    assert statuses(flow.ask("cancel", "--run-key=k")) == ["CANCELLED", "CANCELLED"]
    gate.let_through()
    run = flow.ask("retry", "--run-key=k")
    assert (statuses(run), run["cancel_requested_at"]) == (["SUCCEEDED", "SUCCEEDED"], None)
    assert executed(fake_orchesjob) == Counter(["k:a:1", "k:a:2", "k:b:1"])


def test_part_of_a_cancelled_run(flow: "Flow", gate: "Gate") -> None:
    """Where only some of the cancelled steps run again, the run is CANCELLED still (rule 5.1)."""
    other = {"id": "b", "command": ["true"], "depends_on": ["a"]}
    flow.ask(
        "start", "-d", "--run-key=k", flow.write({"id": "a", "command": gate.command()}, other)
    )
    gate.await_arrival()
    flow.ask("cancel", "--run-key=k")
    gate.let_through()
    run = flow.ask("retry", "--run-key=k", "--step=a", code=1)
    assert (run["status"], statuses(run)) == ("CANCELLED", ["SUCCEEDED", "CANCELLED"])


def test_in_the_background(flow: "Flow", tmp_path: Path) -> None:
    """With `-d` it returns at once, and the run is known to be advanced."""
    flow.start("k", flow.write(*steps(tmp_path)), code=1)
    (tmp_path / "mended").touch()
    answer = flow.ask("retry", "--run-key=k", "-d")
    assert (answer["detached"], answer["runner"]) == (True, {"pid": answer["pid"], "alive": True})
    assert flow.ask("wait", "--run-key=k")["status"] == "SUCCEEDED"


def test_running_run(flow: "Flow", gate: "Gate") -> None:
    """A run that is advanced, or that waits for a runner, is not retried."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    flow.await_job("k")
    assert f"process {runner.pid}" in flow.refusal("retry", "--run-key=k")["error"]
    runner.kill()
    runner.wait()
    assert "`resume` goes on" in flow.refusal("retry", "--run-key=k")["error"]
    gate.let_through()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--run-key=k", "--step=lod"], 'did you mean "load"?'),
        (["--run-key=unknown"], "no run 'unknown'"),
        (["--run-key=k", "--file=missing.yaml"], "missing.yaml"),
    ],
)
def test_mistakes(flow: "Flow", tmp_path: Path, words: list[str], expected: str) -> None:
    """What cannot be retried is refused by name, and nothing is changed."""
    run = flow.start("k", flow.write(*steps(tmp_path)), code=1)
    assert expected in flow.refusal("retry", *words)["error"]
    assert flow.status("k") == run
