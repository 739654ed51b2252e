"""`retry`: an ended run continues where it failed, and keeps its earlier attempts (rule 9.7)."""

import fcntl
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.answers import statuses
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.processes import await_opened


def steps(tmp_path: Path, *, fixed: bool = False) -> list[dict[str, Any]]:
    """Return a flow that fails in the middle until it is fixed, or the file it needs is there."""
    load = ["echo", "loaded"] if fixed else ["test", "-e", f"{tmp_path}/fixed"]
    return [
        {"id": "get", "command": ["echo", "got"]},
        {"id": "load", "command": load, "when": "get"},
        {"id": "report", "command": ["echo", "reported"], "when": "load"},
        {"id": "alert", "command": ["echo", "alert"], "when": "load.failed"},
    ]


@pytest.mark.integration
def test_from_where_it_failed(real_flow: Flow, tmp_path: Path) -> None:
    """What succeeded is kept; the failed step runs under its next key, then what depends on it."""
    run = real_flow.start("k", real_flow.write(*steps(tmp_path)), code=1)
    assert statuses(run) == ["SUCCEEDED", "FAILED", "SKIPPED", "SUCCEEDED"]
    (tmp_path / "fixed").touch()
    run = real_flow.ask("retry", "--run-key=k")
    assert (run["status"], run["error"]) == ("SUCCEEDED", None)
    assert statuses(run) == [*["SUCCEEDED"] * 3, "SKIPPED"]
    assert [step["run_key"] for step in run["steps"]] == [
        "k:get:1",
        "k:load:2",
        "k:report:1",
        "k:alert:2",
    ]
    assert real_flow.status("k") == run


def test_named_steps(flow: Flow, fake_orchesjob: FakeOrchesjob, tmp_path: Path) -> None:
    """A named step runs again whatever its outcome, then what depends on it, unless `--only`."""
    (tmp_path / "fixed").touch()
    flow.start("k", flow.write(*steps(tmp_path)))
    assert "--step" in flow.refusal("retry", "--run-key=k")["error"]
    flow.ask("retry", "--run-key=k", "--step=load", "--only")
    begun = ["k:get:1", "k:load:1", "k:report:1", "k:load:2"]
    assert fake_orchesjob.begun() == begun
    flow.ask("retry", "--run-key=k", "--step=load")
    assert fake_orchesjob.begun() == [*begun, "k:load:3", "k:report:2"]
    assert "--step" in flow.refusal("retry", "--run-key=k", "--only")["error"]


def test_an_alert_is_decided_anew(flow: Flow, tmp_path: Path) -> None:
    """It is sent for every failure and SKIPPED on success, and all that is told is of this time."""
    flow.start("k", flow.write(*steps(tmp_path)), code=1)
    alert = flow.ask("retry", "--run-key=k", code=1)["steps"][3]
    assert (alert["status"], alert["run_key"]) == ("SUCCEEDED", "k:alert:2")
    (tmp_path / "fixed").touch()
    run = flow.ask("retry", "--run-key=k")
    alert = run["steps"][3]
    assert (alert["status"], alert["reason"]) == (
        "SKIPPED",
        "its condition was false: load SUCCEEDED",
    )
    past = [alert[key] for key in ("started_at", "error", "orchesjob_status")]
    assert past == [None, None, None]
    assert [one["status"] for one in alert["attempts"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert alert["finished_at"] >= run["steps"][1]["finished_at"]
    (explained,) = flow.ask("explain", "--run-key=k", "alert")["steps"]
    assert explained["reason"] == "load SUCCEEDED, so `load.failed` is false"


def test_a_clean_up_cleans_up_again(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """What depends on a step that runs again runs again too, directly or not, though it had run."""
    bad = {"id": "use", "command": ["false"], "when": "get"}
    clean = {"id": "clean", "command": ["true"], "when": "use.finished"}
    tell = {"id": "tell", "command": ["true"], "depends_on": ["clean"]}
    file = flow.write({"id": "get", "command": ["true"]}, bad, clean, tell)
    flow.start("k", file, code=1)
    flow.ask("retry", "--run-key=k", code=1)
    first, again = ["k:use:1", "k:clean:1", "k:tell:1"], ["k:use:2", "k:clean:2", "k:tell:2"]
    assert fake_orchesjob.begun() == ["k:get:1", *first, *again]


def test_what_an_attempt_before_has_printed(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """The last lines of a failed step are those of this attempt, though it could not be started."""
    command = ["sh", "-c", "echo of before; exit 1"]
    flow.start("k", flow.write({"id": "a", "command": command}), code=1)
    refusal = "usage: orchesjob\norchesjob start: error: argument --strict: not today\n"
    fake_orchesjob.script([{"call": "start", "fault": "exit", "code": 2, "stderr": refusal}])
    finished = flow.run("retry", "--run-key=k", "--progress=plain")
    assert "could not be started" in finished.stderr
    assert "and has printed nothing" in finished.stderr
    assert "of before" not in finished.stderr


def test_what_only_leaves_out(flow: Flow, tmp_path: Path) -> None:
    """A kept outcome is not explained by what has run again without it, in either direction."""
    flow.start("k", flow.write(*steps(tmp_path)), code=1)
    (tmp_path / "fixed").touch()
    run = flow.ask("retry", "--run-key=k", "--step=load", "--only")
    assert statuses(run) == ["SUCCEEDED", "SUCCEEDED", "SKIPPED", "SUCCEEDED"]
    reasons = [step["reason"] for step in run["steps"][2:]]
    assert reasons == [
        "its condition was false, before the retry of load",
        "attempt 1 succeeded, before the retry of load",
    ]
    explained = flow.ask("explain", "--run-key=k")["steps"][2:]
    assert [one["reason"] for one in explained] == reasons
    assert [one["condition"] for one in explained] == [None, None]


def test_fixed_file(flow: Flow, tmp_path: Path) -> None:
    """With `--file` the run continues with another flow, which `start` then expects (4.4)."""
    flow.start("k", flow.write(*steps(tmp_path)), code=1)
    more = {"id": "more", "command": ["true"], "when": "report"}
    fixed = flow.write(*steps(tmp_path, fixed=True), more, name="fixed.json")
    run = flow.ask("retry", "--run-key=k", "--file", fixed)
    assert run["steps"][1]["orchesjob_status"]["command"] == ["echo", "loaded"]
    assert [step["id"] for step in run["steps"]] == ["get", "load", "report", "alert", "more"]
    assert flow.start("k", fixed) == run
    assert "another definition" in flow.refusal("start", "--run-key=k", "flow.json")["error"]


def test_order_of_a_new_file(flow: Flow) -> None:
    """Steps that a new file adds are shown where they stand in it (rules 6.4 and 9.13)."""
    last = {"id": "last", "command": ["sh", "-c", 'echo "$ORCHESJOB_FLOW_FAILED_STEPS"']}
    middle = {"id": "middle", "command": ["false"]}
    fields: dict[str, Any] = {"finally": [last]}
    flow.start("k", flow.write(middle, **fields), code=1)
    first = {"id": "first", "command": ["false"]}
    fields = {"finally": [{"id": "next", "command": ["true"]}, last]}
    file = flow.write(first, middle, name="new.json", **fields)
    run = flow.ask("retry", "--run-key=k", "--file", file, code=1)
    assert run["error"] == "2 steps failed: first, middle"
    assert [step["id"] for step in run["steps"]] == ["first", "middle", "next", "last"]
    assert run["steps"][0]["reason"] == "exit code 1"
    assert [attempt["number"] for attempt in run["steps"][1]["attempts"]] == [1, 2]
    assert flow.run("logs", "--run-key=k", "last").stdout == "first middle\n"
    table = flow.run("status", "--run-key=k", "--format=table").stdout
    shown = [line.split("  ")[0] for line in table.splitlines()[-4:]]
    assert shown == ["first", "middle", "finally: next", "finally: last"]


def test_exit_codes_that_deny_an_outcome(flow: Flow) -> None:
    """A step keeps its outcome only if its exit code means the same in the new file."""
    quiet = {"id": "quiet", "command": ["sh", "-c", "exit 3"], "success_exit_codes": [3]}
    bad = {"id": "bad", "command": ["false"]}
    run = flow.start("k", flow.write(quiet, bad), code=1)
    strict = flow.write({**quiet, "success_exit_codes": [0]}, bad, name="strict.json")
    error = flow.refusal("retry", "--run-key=k", "--file", strict)["error"]
    assert "'quiet' keeps its outcome, but its exit codes" in error
    assert flow.status("k") == run
    fixed: list[dict[str, Any]] = [
        {**quiet, "success_exit_codes": [0, 3]},
        {**bad, "command": ["true"]},
    ]
    flow.ask("retry", "--run-key=k", "--file", flow.write(*fixed, name="fixed.json"))
    assert flow.ask("doctor")["sound"]


SAYS_DAY: dict[str, dict[str, Any]] = {
    "word": {"command": ["echo", "dump-${{ DAY }}.sql"]},
    "shell": {"command": ["sh", "-c", "echo $DAY"]},
    "braces": {"command": ["bash", "-c", 'echo "${DAY:-today}"']},
    "script": {"script": "cd /\necho $DAY\n"},
    "gate": {"command": ["true"], "only_if": ["test", "${{ DAY }}"]},
    "env": {"command": ["true"], "env": {"FILE": "${{ DAY }}.csv"}},
    "env_file": {"command": ["true"], "env_file": {"path": "${{ DAY }}.env", "required": False}},
    "working_dir": {"command": ["true"], "working_dir": "/${{ DAY }}/.."},
}
MAY_READ_DAY: dict[str, dict[str, Any]] = {
    "reads": {"command": [sys.executable, "-c", "import os; os.environ['DAY']"]},
    "longer": {"command": ["echo", "$DAYS $DAY_2 ${DAYS} ${{ SHOP }} DAY"]},
    "gives_up": {"command": ["false"], "allow_failure": True},
}


def test_old_values_of_parameters(flow: Flow, tmp_path: Path) -> None:
    """A step that names a parameter keeps no outcome of its old value; others are told (9.7)."""
    kept = [{"id": name, **step} for name, step in (SAYS_DAY | MAY_READ_DAY).items()]
    (tmp_path / "dev").mkdir()
    never = {"id": "never", "when": "get.failed", "command": ["echo", "${{ DAY }}"]}
    params = {"DAY": "tmp", "SHOP": "rome"}
    run = flow.start("k", flow.write(*kept, never, *steps(tmp_path), params=params), code=1)
    (tmp_path / "fixed").touch()
    words = ("retry", "k", "--param=DAY=dev")
    refusal = flow.refusal(*words)
    assert refusal["conflicts"] == [
        f"step {one!r} ran with another value of DAY" for one in SAYS_DAY
    ]
    options = refusal["help"].removeprefix("to run them again, add ").split()
    assert options[1::2] == ["gives_up", "load", *SAYS_DAY]
    assert flow.status("k") == run

    done = flow.run(*words, *options[2:])
    told = "steps that keep their outcome ran with DAY=tmp: reads, longer, gives_up, get\n"
    assert (done.returncode, told in done.stderr) == (0, True)
    shown = flow.run("explain", "k", "--format=table").stdout
    old = [line.split()[0] for line in shown.splitlines() if line.endswith("; it ran with DAY=tmp")]
    assert old == [*MAY_READ_DAY, "get"]
    flow.run("report", "k", f"--output={tmp_path}/r.html")
    assert "attempt 1 succeeded; it ran with DAY=tmp" in (tmp_path / "r.html").read_text()

    flow.ask("retry", "k", "--step=reads", "--only")
    flow.ask("retry", "k", "--param=DAY=tmp", *options[2:])
    reasons = [step["reason"] for step in flow.ask("explain", "k")["steps"]]
    old = [reason for reason in reasons if "ran with" in reason]
    assert old == ["attempt 2 succeeded; it ran with DAY=dev"]


def test_after_a_foreign_job(flow: Flow, gate: Gate) -> None:
    """A retry uses the next key, and neither waits for nor ends a job that is not ours (5.9)."""
    flow.orchesjob.start("k:a:1", "sleep", "600", strict=True)
    flow.start("k", flow.write({"id": "a", "command": ["echo", "ours"]}), code=1)
    fixed = flow.write({"id": "a", "command": gate.command()}, name="fixed.json")
    flow.ask("retry", "--run-key=k", "-d", "--file", fixed)
    gate.await_arrival()
    flow.ask("cancel", "--run-key=k")
    assert flow.orchesjob.status("k:a:2")["status"] == "ABORTED"
    assert flow.orchesjob.status("k:a:1")["status"] == "RUNNING"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux announces that a file is opened")
def test_a_runner_that_is_about_to_exit(flow: Flow, tmp_path: Path) -> None:
    """On a busy machine it exits long after the end of its run, and is awaited (rule 4.5)."""
    flow.start("k", flow.write(*steps(tmp_path)), code=1)
    (path,) = flow.home.glob("locks/*k*.lock")
    with path.open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with await_opened(path):
            retry = flow.spawn("retry", "--run-key=k")
        time.sleep(1)  # which is what a busy machine takes
        assert retry.poll() is None
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert retry.wait() == 1
    assert flow.status("k")["steps"][1]["attempt_no"] == 2


def test_running_run(flow: Flow, gate: Gate) -> None:
    """A run that has a runner, or needs one, is not retried."""
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    assert f"process {runner.pid}" in flow.refusal("retry", "--run-key=k")["error"]
    runner.kill()
    runner.wait()
    assert flow.refusal("retry", "--run-key=k")["help"].startswith("orchesjob-flow resume k")
    gate.let_through()


def test_a_settled_step_has_no_old_values(flow: Flow) -> None:
    """The outcome of a step that a person has settled is not that of a value (rule 9.7)."""
    a = {"id": "a", "command": ["test", "${{ A }}"]}
    b = {"id": "b", "command": ["true"]}
    flow.start("k", flow.write(a, b, params={"A": ""}), code=1)
    flow.ask("settle", "k", "a", "--as=succeeded", "--reason=done by hand")
    flow.ask("retry", "k", "--step=b", "--param=A=x")
    assert "ran with" not in flow.run("explain", "k").stdout
