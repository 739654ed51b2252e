"""`list`: which runs there are, their statuses, and which process advances each (rule 9.5)."""

import re
from typing import Any

import pytest

from support.answers import run_keys
from support.flow import Flow
from support.gate import Gate
from support.steps import TRUE

FALSE = {"id": "b", "command": ["false"]}


@pytest.fixture(scope="module")
def some(shared_flow: Flow) -> Flow:
    """Runs of two flows: `one` succeeded, `two` and then `three` failed. Tests only read them."""
    shared_flow.start("one", shared_flow.write(TRUE))
    shared_flow.start("two", shared_flow.write(TRUE, FALSE), code=1)
    shared_flow.start("three", shared_flow.write(FALSE, flow_id="g"), code=1)
    return shared_flow


def test_newest_first(some: Flow) -> None:
    """The newest run comes first; each run has the same fields as in `status`."""
    listed = some.ask("list")["runs"]
    assert run_keys({"runs": listed}) == ["three", "two", "one"]
    for run in listed:
        status = some.status(run["run_key"])
        shared = ("flow_id", "status", "started_at", "finished_at", "error", "runner")
        assert {key: run[key] for key in shared} == {key: status[key] for key in shared}
    assert listed[1]["steps"] == {"total": 2, "done": 2, "running": 0, "failed": 1, "allowed": 0}


def test_an_allowed_failure(flow: Flow) -> None:
    """What `allow_failure` permits is marked wherever failures are shown or counted (9.12)."""
    steps: list[dict[str, Any]] = [
        {"id": "a", "command": ["false"], "foreach": {"n": ["1", "2"]}, "allow_failure": True},
        {"id": "c", "command": ["true"], "foreach": {"n": list("12345")}},
        {**FALSE, "env": {"allow_failure": "1"}},
    ]
    flow.start("k", flow.write(*steps), code=1)
    status = flow.status("k")["steps"]
    assert [step["allowed"] for step in status] == [True] * 2 + [False] * 6
    (run,) = flow.ask("list")["runs"]
    assert (run["steps"]["failed"], run["steps"]["allowed"]) == (3, 2)
    assert " 3 (2 allowed) " in flow.run("list", "--format=table").stdout
    table = flow.run_on_terminal("status", "k", NO_COLOR="1")[1]
    assert ", 3 failed (2 allowed)\n" in table
    assert re.search(r"\na@1 +FAILED \(allowed\) +1 +[^ ]+ m?s +exit code 1\n", table)
    assert re.search(r"\nc \(5 copies\) +SUCCEEDED +- +[^ ]+ m?s +5 SUCCEEDED\n", table)


def test_the_list_fits_the_screen(some: Flow) -> None:
    """A low screen shows the newest runs, and says how many more there are (9.5)."""
    shown = some.run_on_terminal("list", size=(80, 5), NO_COLOR="1")[1]
    assert shown.splitlines()[2:] == [
        shown.splitlines()[2],
        "... and 2 more: --limit 30 shows them too",
    ]
    assert len(some.run_on_terminal("list", "--limit=30", size=(80, 5))[1].splitlines()) == 5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--status", "FAILED"], ["three", "two"]),
        (["--status=failed", "--status=SUCCEEDED"], ["three", "two", "one"]),
        (["--status=RUNNING"], []),
        (["--flow-id", "f"], ["two", "one"]),
        (["--limit", "1"], ["three"]),
        (["--limit", "all"], ["three", "two", "one"]),
        (["--limit=1", "--flow-id=f", "--status=failed"], ["two"]),
    ],
)
def test_choice(some: Flow, words: list[str], expected: list[str]) -> None:
    """Status, flow and limit narrow the list down."""
    assert run_keys(some.ask("list", *words)) == expected


def test_a_run_under_way(flow: Flow, gate: Gate) -> None:
    """A run under way shows its runner's PID; a run whose runner was killed shows none."""
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    (run,) = flow.ask("list")["runs"]
    assert (run["status"], run["runner"]) == ("RUNNING", {"pid": runner.pid, "alive": True})
    assert run["steps"] == {"total": 1, "done": 0, "running": 1, "failed": 0, "allowed": 0}
    assert f"pid {runner.pid}" in flow.run("list", "--format=table").stdout
    runner.kill()
    runner.wait()
    (run,) = flow.ask("list")["runs"]
    assert run["runner"] is None
    assert flow.run("list", "--format=table").stdout.splitlines()[2].endswith(" none")


def test_no_runs(flow: Flow) -> None:
    """Before the first run all is empty, and nothing is created (rule 6.13)."""
    flow.home.mkdir(mode=0o700)
    assert flow.ask("list") == {"runs": [], "not_started": []}
    assert flow.ask("stats") == {"flows": [], "truncated": False}
    for words in (["list", "--format=table"], ["stats", "--format=table"]):
        assert flow.run(*words).stdout == "no runs found\n"
    assert flow.run("metrics").stdout == ""
    assert flow.ask("resume", "--all") == {"resumed": [], "left": []}
    nothing = {"dry_run": False, "removed": [], "not_started": 0}
    assert flow.ask("prune", "--older-than=1d") == nothing
    checks = {one["check"]: one["verdict"] for one in flow.ask("doctor")["checks"]}
    assert checks["database"] == "note"
    assert not list(flow.home.iterdir())


@pytest.mark.parametrize("words", [("list",), ("stats",), ("prune", "--older-than=0s")])
def test_an_unknown_flow(some: Flow, words: tuple[str, ...]) -> None:
    """A flow that no run has is probably a slip, and stderr says so (rule 6.12)."""
    answer = some.run(*words, "--flow-id=nope")
    said = "orchesjob-flow: no run of flow 'nope' is recorded\n"
    assert (answer.returncode, answer.stderr) == (0, said)
