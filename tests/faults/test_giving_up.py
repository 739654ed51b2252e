"""A runner that gave up is seen, wherever one looks, until another one goes on (rule 5.7)."""

import json
from pathlib import Path
from typing import Any

from support.answers import warnings
from support.flow import Flow
from support.gate import Gate
from support.steps import AFTER, TRUE

WORDS = "orchesjob status failed: boom"


def set_up(flow: Flow, broken: str = "echo boom >&2; exit 70") -> Path:
    """Have an orchesjob that is broken while a file is there; return the file."""
    sign = flow.folder / "broken"
    flow.wrap_orchesjob(f"[ ! -e '{sign}' ] || {{ {broken}; }}")
    sign.touch()
    return sign


def gave_up(flow: Flow, words: str = "boom") -> Any:
    """Return the run `k`, on which a runner gave up and which none advances."""
    run = flow.status("k")
    assert (run["status"], run["runner"]) == ("RUNNING", None)
    assert words in run["gave_up"]["error"]
    assert run["gave_up"]["at"] >= run["started_at"]
    return run


def give_up(flow: Flow) -> Any:
    """Start a run whose runner gives up, in the foreground; return it."""
    refusal = flow.run("--patience=0", "start", "--run-key=k", flow.write(TRUE))
    assert refusal.returncode == 2
    return gave_up(flow)


def test_in_the_background(flow: Flow) -> None:
    """`-d` does not report a success before orchesjob has told of a job (rule 6.3)."""
    broken = set_up(flow)
    log = flow.home / "logs" / "orchesjob-flow-k.stderr.log"

    def repair() -> None:
        broken.unlink()
        assert flow.ask("resume", "-d", "--run-key=k")["gave_up"] is None
        assert flow.ask("wait", "--run-key=k", code=1)["gave_up"] is None

    for command, *file in (
        ["start", flow.write({"id": "a", "command": ["false"]})],
        ["resume"],
        ["retry"],
    ):
        if command == "retry":
            repair()
            broken.touch()
        error = flow.refusal("--patience=0", command, "-d", "--run-key=k", *file)
        said = "run 'k' is recorded, but has no background runner: gave up"
        assert error["error"].startswith(said)
        assert "boom; nothing is lost" in error["error"]
        assert error["error"].endswith(f"({log})")
        assert (error["recorded"], error["pid"], error["stderr_log"]) == (True, None, str(log))
        gave_up(flow)
    repair()
    assert flow.status("k")["steps"][0]["attempt_no"] == 2


def test_wherever_one_looks(flow: Flow) -> None:
    """`status`, `list`, `explain`, `wait` and `doctor` say when and why; `resume --all` fails."""
    broken = set_up(flow)
    run = give_up(flow)
    recorded = run["gave_up"]
    (listed,) = flow.ask("list")["runs"]
    assert listed["gave_up"] == flow.ask("explain", "--run-key=k")["gave_up"] == recorded
    tables = [
        flow.run(command, "--run-key=k", "--format=table").stdout
        for command in ("status", "explain")
    ]
    waited = flow.run("wait", "--run-key=k", "--timeout=0")
    assert waited.returncode == 8
    found = flow.run("doctor", "--format=table")
    assert found.returncode == 1
    for text in (*tables, waited.stderr, found.stdout):
        assert WORDS in text
    assert flow.run("list", "--format=table").stdout.rstrip().endswith("gave up")

    other = flow.write(TRUE, name="other.json")
    flow.run("--patience=0", "start", "--run-key=other", other)
    answer = flow.run("--patience=0", "resume", "--all")
    assert answer.returncode == 1
    said = warnings(answer.stderr)
    assert sorted(line.split("'")[1] for line in said) == ["k", "other"]
    assert all("a runner gave up on run" in line and "boom" in line for line in said)
    resumed = json.loads(answer.stdout)["resumed"]
    assert [(one["run_key"], one["pid"]) for one in resumed] == [("k", None), ("other", None)]
    assert all("boom" in one["error"] for one in resumed)
    broken.unlink()
    assert {one["error"] for one in flow.ask("resume", "--all")["resumed"]} == {None}
    for key in ("k", "other"):
        assert flow.ask("wait", f"--run-key={key}")["gave_up"] is None
    assert flow.run("doctor").returncode == 0


def test_who_waits_is_told(flow: Flow, gate: Gate) -> None:
    """`wait` says that a runner gives up while it waits, and goes on waiting (rule 9.9)."""
    broken = set_up(flow)
    broken.unlink()
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    first = flow.ask("--patience=0", "start", "-d", "--run-key=k", file)
    waiting = flow.spawn("wait", "--run-key=k")
    gate.await_arrival()
    broken.touch()
    gate.let_through()
    assert "a runner gave up on run 'k'" in waiting.stderr.readline()
    flow.await_status("k", lambda run: run["runner"] is None)
    assert "boom" in Path(first["stderr_log"]).read_text(encoding="utf-8")
    gave_up(flow)
    broken.unlink()
    flow.ask("resume", "--run-key=k")
    assert json.loads(waiting.communicate()[0])["status"] == "SUCCEEDED"


def test_who_only_tries_does_not_go_on(flow: Flow) -> None:
    """What is recorded stays while the next runner tries in vain, and says who does (5.7)."""
    broken = set_up(flow)
    recorded = give_up(flow)["gave_up"]
    resuming = flow.spawn("resume", "-d", "--run-key=k")
    log = flow.home / "logs" / "orchesjob-flow-k.stderr.log"
    flow.await_true(lambda: log.exists() and "trying again" in log.read_text(encoding="utf-8"))
    run = flow.status("k")
    assert (run["gave_up"], run["runner"]["alive"]) == (recorded, True)
    answer = flow.run("resume", "--all")
    assert (answer.returncode, answer.stdout) == (1, '{"resumed":[],"left":[]}\n')
    assert f"process {run['runner']['pid']} tries again" in answer.stderr
    assert flow.run("doctor").returncode == 1
    broken.unlink()
    stdout, _ = resuming.communicate()
    assert (resuming.returncode, json.loads(stdout)["pid"]) == (0, run["runner"]["pid"])
    assert flow.ask("wait", "--run-key=k")["gave_up"] is None


def test_a_killed_child(flow: Flow) -> None:
    """A background runner that dies before it goes on is no success either (rule 6.3)."""
    set_up(flow, 'kill -9 "$PPID"')
    error = flow.refusal("start", "-d", "--run-key=k", flow.write(TRUE))
    assert "SIGKILL has ended it; `resume` continues the run" in error["error"]
    run = flow.status("k")
    assert (run["status"], run["runner"], run["gave_up"]) == ("RUNNING", None, None)
