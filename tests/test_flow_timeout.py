"""The flow's `timeout_sec`: a run that takes too long is ended, and has failed (rule 9.12)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Flow

SLOW = {"id": "slow", "command": ["sleep", "600"], "depends_on": ["quick"]}
ALERT = {"id": "alert", "command": ["true"], "when": "!slow"}
QUICK = {"id": "quick", "command": ["true"]}


def summary(run: Any) -> list[tuple[str, str, str | None]]:
    return [(step["id"], step["status"], step["error"]) for step in run["steps"]]


def test_a_run_that_takes_too_long(each_flow: "Flow") -> None:
    """What runs is ended, nothing more begins, the run is FAILED and says why; exit 1."""
    run = each_flow.start("k", each_flow.write(QUICK, SLOW, ALERT, timeout_sec=1.5), code=1)
    assert (run["status"], run["error"]) == ("FAILED", "timed out after 1.5 s")
    assert summary(run) == [
        ("quick", "SUCCEEDED", None),
        ("slow", "CANCELLED", "flow timed out"),
        ("alert", "CANCELLED", "flow timed out"),
    ]
    assert run["finished_at"] - run["started_at"] >= 1.5
    job = each_flow.orchesjob.status("k:slow:1")
    assert job["status"] == "ABORTED"
    assert "flow timeout" in str(job)
    assert each_flow.orchesjob.run("status", "--run-key=k:alert:1").returncode == 3
    assert each_flow.start("k", each_flow.write(QUICK, SLOW, ALERT, timeout_sec=1.5), code=1) == run


def test_a_retry_has_the_whole_time_again(flow: "Flow") -> None:
    """A run that is reopened runs on from there, for as long as it may."""
    flow.start("k", flow.write(QUICK, SLOW, ALERT, timeout_sec=1), code=1)
    mended = flow.write(QUICK, {**SLOW, "command": ["sleep", "0.7"]}, ALERT, timeout_sec=1.5)
    run = flow.ask("retry", "--run-key=k", "--file", mended)
    assert (run["status"], run["error"]) == ("SUCCEEDED", None)
    assert [step["run_key"] for step in run["steps"]] == ["k:quick:1", "k:slow:2", "k:alert:1"]


def test_it_is_told(flow: "Flow") -> None:
    """Whoever reads the log or asks is told, and sees what was printed before the end (9.14)."""
    noisy = {"id": "slow", "command": ["sh", "-c", "echo half way; exec sleep 600"]}
    flow_file = flow.write(noisy, timeout_sec=1.5)
    told = flow.run("start", "--run-key=k", "--progress=plain", flow_file).stderr
    assert "orchesjob-flow: the run timed out after 1.5 s; ending what still runs" in told
    assert "slow CANCELLED" in told
    assert "slow | half way" in told
    explained = flow.run("explain", "--run-key=k", "--format=table", "slow").stdout
    assert "flow timed out" in explained


def test_it_is_part_of_the_definition(flow: "Flow") -> None:
    """Another time limit is another definition, which an existing run does not take (rule 4.4)."""
    flow.start("k", flow.write(QUICK, timeout_sec=60))
    refused = flow.refusal("start", "--run-key=k", flow.write(QUICK, timeout_sec=61))
    assert "timeout_sec was 60 and is now 61" in str(refused)
