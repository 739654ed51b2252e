"""`stats`: what the runs of each flow, and of each of its steps, come to (rule 12.2)."""

import pytest

from support.flow import Flow
from support.steps import TRUE

from .test_metrics import values

FLAKY = {
    "id": "b",
    "command": ["sh", "-c", "test $ORCHESJOB_FLOW_ATTEMPT = 2"],
    "retries": 1,
    "when": "a",
}
FALSE = {"id": "c", "command": ["false"], "when": "a"}
NEVER = {"id": "d", "command": ["true"], "when": "c"}


@pytest.fixture(scope="module")
def some(shared_flow: Flow) -> Flow:
    """Two runs of `f`, the first of which succeeded, and one of `g`. Tests only read them."""
    shared_flow.start("one", shared_flow.write(TRUE, FLAKY))
    shared_flow.start("two", shared_flow.write(TRUE, FLAKY, FALSE, NEVER), code=1)
    shared_flow.start("three", shared_flow.write(TRUE, flow_id="g"))
    return shared_flow


def test_figures(some: Flow) -> None:
    """Each flow and each step has its counts, and the times of what succeeded."""
    f, g = some.ask("stats")["flows"]
    counts = {key: f[key] for key in ("flow_id", "runs", "succeeded", "failed", "retries")}
    assert counts == {"flow_id": "f", "runs": 2, "succeeded": 1, "failed": 1, "retries": 2}
    assert f["last_success_at"] == some.status("one")["finished_at"]
    one = some.status("one")
    took = round(one["finished_at"] - one["started_at"], 3)
    assert f["duration_sec"] == {"median": took, "p95": took}
    steps = {step["id"]: step for step in f["steps"]}
    assert {name: (step["runs"], step["retries"]) for name, step in steps.items()} == {
        "a": (2, 0),
        "b": (2, 2),
        "c": (1, 0),
        "d": (0, 0),
    }
    assert (steps["c"]["failed"], steps["c"]["duration_sec"]) == (1, None)
    assert (steps["d"]["skipped"], steps["d"]["waited_sec"]) == (1, None)
    assert steps["a"]["critical_share"] + steps["b"]["critical_share"] == pytest.approx(1, abs=0.01)
    assert (g["flow_id"], g["runs"], g["failed"]) == ("g", 1, 0)


def test_choice(some: Flow) -> None:
    """A flow and an age narrow it down; a flow that there is not is none."""
    assert [flow["flow_id"] for flow in some.ask("stats", "--flow-id=g")["flows"]] == ["g"]
    assert some.ask("stats", "--flow-id=nope") == {"flows": [], "truncated": False}
    assert len(some.ask("stats", "--since=1h")["flows"]) == 2
    assert some.ask("stats", "--since=0s") == {"flows": [], "truncated": False}


def test_after_a_retry_and_a_prune(flow: Flow) -> None:
    """A run that was retried is counted as it ended last, and one that was removed no longer."""
    file = flow.write({"id": "a", "command": ["test", "-e", str(flow.folder / "there")]})
    flow.start("k", file, code=1)
    (before,) = flow.ask("stats")["flows"]
    (flow.folder / "there").touch()
    flow.ask("retry", "k")
    (after,) = flow.ask("stats")["flows"]
    for figures, expected in ((before, (1, 0, 1, 0)), (after, (1, 1, 0, 1))):
        keys = ("runs", "succeeded", "failed", "retries")
        assert tuple(figures[key] for key in keys) == expected
    flow.ask("prune", "--older-than=0s")
    assert flow.ask("stats") == {"flows": [], "truncated": False}


def test_under_way(flow: Flow) -> None:
    """A run that has not ended is told apart."""
    file = flow.write({"id": "a", "command": ["sleep", "600"]})
    flow.ask("start", "k", "-d", file)
    (figures,) = flow.ask("stats")["flows"]
    assert (figures["unfinished"], figures["runs"], figures["steps"]) == (1, 0, [])
    flow.ask("cancel", "k")
    (figures,) = flow.ask("stats")["flows"]
    assert (figures["unfinished"], figures["runs"], figures["cancelled"]) == (0, 1, 1)


def test_more_than_are_counted(flow: Flow) -> None:
    """Only the newest 5,000 runs are counted, and JSON and table say so; one choice has fewer."""
    flow.start("first", flow.write(TRUE, flow_id="g"))
    flow.start("k", flow.write(TRUE))
    for table in ("runs", "definitions", "steps", "attempts"):
        flow.change(copies_of(flow, table))
    found = flow.ask("stats")
    assert ([(one["flow_id"], one["runs"]) for one in found["flows"]], found["truncated"]) == (
        [("f", 5000), ("g", 0)],
        True,
    )
    assert found["flows"][1]["last_success_at"] == flow.status("first")["finished_at"]
    shown = flow.run("stats", "--format=table").stdout.splitlines()
    assert shown[-1].startswith("only the newest 5,000 runs that have ended are counted")
    found = flow.ask("stats", "--flow-id=g")
    assert ([one["runs"] for one in found["flows"]], found["truncated"]) == ([1], False)
    found = values(flow.run("metrics").stdout)
    assert found["runs"]["f", "SUCCEEDED"] == 5000
    assert found["last_success_timestamp_seconds"].keys() == {("f",), ("g",)}


def copies_of(flow: Flow, table: str) -> str:
    """Return a statement that copies what a table has of the second run 5,000 times."""
    changed = {"id": "copy", "run_id": "copy", "run_key": "run_key || copy"}
    with flow.open_database() as database:
        names = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
    return f"""
        INSERT INTO {table}
        WITH RECURSIVE copies (copy) AS (SELECT 3 UNION ALL SELECT copy + 1 FROM copies LIMIT 5000)
        SELECT {", ".join(changed.get(name, name) for name in names)} FROM {table}, copies
        WHERE {"id" if table == "runs" else "run_id"} = 2
    """  # noqa: S608 - own names
