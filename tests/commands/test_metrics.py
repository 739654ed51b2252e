"""`metrics`: the figures of `stats`, and how the newest runs stand, for Prometheus (rule 12.2)."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.flow import Flow
from support.gate import Gate
from support.steps import AFTER, TRUE

HOSTILE = 'a "b" \\n \\ c {d="e"} é日'
FALSE = {"id": "c", "command": ["false"], "when": "a"}
BEGIN = "orchesjob_flow_"

type Labels = tuple[str, ...]


def values(text: str) -> dict[str, dict[Labels, float]]:
    """Parse what is printed as Prometheus does: by metric, and by the values of its labels."""
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, family.documentation[-1]) == ("gauge", ".")
        for sample in family.samples:
            assert sample.name.startswith(BEGIN)
            labels = tuple(sample.labels.values())
            found.setdefault(sample.name.removeprefix(BEGIN), {})[labels] = sample.value
    return found


@pytest.fixture(scope="module")
def some(shared_flow: Flow) -> Flow:
    """Two runs of `f`, of which the second FAILED, and one of a hostile name. Only read."""
    shared_flow.start("one", shared_flow.write(TRUE, AFTER))
    shared_flow.start("two", shared_flow.write(TRUE, FALSE), code=1)
    shared_flow.start("three", shared_flow.write(TRUE, flow_id=HOSTILE))
    return shared_flow


def test_what_prometheus_reads(some: Flow) -> None:
    """Everything is a gauge that its parser reads; the labels say what flow and step it is."""
    found = values(some.run("metrics").stdout)
    ended = {labels: count for labels, count in found["runs"].items() if count}
    assert ended == {("f", "SUCCEEDED"): 1, ("f", "FAILED"): 1, (HOSTILE, "SUCCEEDED"): 1}
    assert found["step_runs"]["f", "c", "FAILED"] == 1
    assert sum(found["unfinished_runs"].values()) == 0
    stands = {labels for labels, value in found["last_run_status"].items() if value}
    assert stands == {("f", "FAILED"), (HOSTILE, "SUCCEEDED")}
    one, two = some.status("one"), some.status("two")
    assert found["last_success_timestamp_seconds"]["f",] == one["finished_at"]
    assert found["last_run_start_timestamp_seconds"]["f",] == two["started_at"]
    assert found["last_run_end_timestamp_seconds"]["f",] == two["finished_at"]


def test_the_same_as_stats(some: Flow) -> None:
    """The figures are those of `stats`; what there is nothing to measure of is left out."""
    found = values(some.run("metrics").stdout)
    for flow in some.ask("stats")["flows"]:
        name = flow["flow_id"]
        assert found["run_retries"][name,] == flow["retries"]
        assert found["run_duration_median_seconds"][name,] == flow["duration_sec"]["median"]
        assert found["run_duration_p95_seconds"][name,] == flow["duration_sec"]["p95"]
        for step in flow["steps"]:
            at = name, step["id"]
            took, waited = step["duration_sec"] or {}, step["waited_sec"] or {}
            assert found["step_duration_median_seconds"].get(at) == took.get("median")
            assert found["step_waiting_p95_seconds"].get(at) == waited.get("p95")
            share = found["step_critical_path_ratio"].get(at)
            assert (None if share is None else round(share, 3)) == step["critical_share"]


def test_a_run_without_a_runner(flow: Flow, gate: Gate) -> None:
    """A run whose runner was killed is one that nobody advances."""
    flow.abandon(flow.write({"id": "a", "command": gate.command()}), gate)
    found = values(flow.run("metrics").stdout)
    assert found["unfinished_runs"]["f", "RUNNING"] == 1
    assert found["runs_without_runner"] == {("f",): 1}
    assert found["given_up_runs"] == {("f",): 0}
    assert found["last_run_status"]["f", "RUNNING"] == 1
    assert "last_success_timestamp_seconds" not in found


def test_into_a_file(some: Flow, tmp_path: Path) -> None:
    """The file is replaced in one step, and others can read it whatever the umask."""
    file = tmp_path / "flows.prom"
    file.write_text("of an hour ago")
    before = file.stat().st_ino
    answer = some.run("metrics", "--output", str(file), umask=0o077)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert file.read_text(encoding="utf-8") == some.run("metrics").stdout
    assert (file.stat().st_mode & 0o777, file.stat().st_ino != before) == (0o644, True)
    assert list(tmp_path.iterdir()) == [file]
