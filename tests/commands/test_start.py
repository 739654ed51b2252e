"""`start` in the foreground: what it prints, how it ends, and what a second one does (4, 6)."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import AFTER, TRUE

FALSE = {"id": "a", "command": ["false"]}


def starts(fake: FakeOrchesjob) -> list[str]:
    return [call["key"] for call in fake.calls() if call["call"] == "start"]


@pytest.mark.integration
def test_json_of_a_run(real_flow: Flow) -> None:
    """What the keys of rule 6.4 hold; `test_docs` compares them with the reference."""
    after = {"id": "b", "command": ["true"], "when": "!a", "retries": 2}
    run = real_flow.start("k", real_flow.write(TRUE, after, flow_id="daily"))
    assert (run["run_key"], run["flow_id"], run["status"]) == ("k", "daily", "SUCCEEDED")
    assert (run["error"], run["runner"]) == (None, None)
    assert run["orchesjob_home"] == str(real_flow.orchesjob.home)
    a, b = run["steps"]
    assert (a["id"], a["run_key"], a["status"], a["attempt_no"]) == ("a", "k:a:1", "SUCCEEDED", 1)
    assert (a["max_retries"], a["next_attempt_at"], a["error"]) == (0, None, None)
    assert a["orchesjob_status"]["status"] == "SUCCEEDED"
    assert a["orchesjob_status"]["command"] == ["true"]
    times = (run["started_at"], a["started_at"], a["finished_at"], run["finished_at"])
    assert all(isinstance(moment, float) for moment in times)
    assert list(times) == sorted(times)
    assert b == {
        "id": "b",
        "in_finally": False,
        "foreach": None,
        "run_key": "k:b:1",
        "status": "SKIPPED",
        "attempt_no": 0,
        "max_retries": 2,
        "next_attempt_at": None,
        "started_at": None,
        "finished_at": b["finished_at"],
        "error": None,
        "allowed": False,
        "orchesjob_status": None,
        "reason": "its condition was false: a SUCCEEDED",
        "attempts": [],
        "settlements": [],
    }
    assert real_flow.status("k") == run


def test_one_line_on_a_pipe(flow: Flow) -> None:
    """On a pipe the result is one compact line, and nothing else is printed (rule 6.10)."""
    finished = flow.run("start", "--run-key=k", flow.write(TRUE, flow_id="日本"))
    assert (
        finished.stdout
        == json.dumps(json.loads(finished.stdout), ensure_ascii=False, separators=(",", ":")) + "\n"
    )
    assert '"flow_id":"日本"' in finished.stdout
    assert finished.stderr == ""


def test_indented_on_a_terminal(flow: Flow) -> None:
    """JSON on a terminal, which somebody has asked for, is indented (rule 6.10)."""
    words = ("start", "--run-key=k", "--progress=none", "--format=json", flow.write(TRUE))
    code, shown = flow.run_on_terminal(*words)
    assert code == 0
    assert shown == json.dumps(json.loads(shown), indent=2) + "\n"


@pytest.mark.parametrize(
    ("step", "retry"), [(FALSE, "retry k"), ({**FALSE, "command": ["true"]}, "retry k --step STEP")]
)
@pytest.mark.parametrize("words", [(), ("-d",)])
def test_a_run_that_has_ended(
    flow: Flow, fake_orchesjob: FakeOrchesjob, step: Any, retry: str, words: Sequence[str]
) -> None:
    """It is reported unchanged without orchesjob; one line says since when it is, and what runs it.

    Rule 4.3.
    """
    file = flow.write(step)
    first = flow.run("start", "--run-key=k", file)
    status, calls = json.loads(first.stdout)["status"], fake_orchesjob.calls()
    again = flow.run("start", "--run-key=k", *words, file)
    assert again.returncode == (0 if words else first.returncode)
    assert words or again.stdout == first.stdout
    assert fake_orchesjob.calls() == calls
    assert re.fullmatch(
        rf"orchesjob-flow: run 'k' ended {status} at [-0-9: ]+, so nothing is run: "
        rf"use another key, or `orchesjob-flow {retry}`\n",
        again.stderr,
    )


def test_a_file_as_the_key(flow: Flow) -> None:
    """Any text can be a key, but that of a flow file is probably a slip, and stderr says so."""
    said = flow.run("start", "a.yaml", flow.write(FALSE)).stderr
    assert said.startswith("orchesjob-flow: the run key is 'a.yaml', like a flow file; ")


def test_second_start_waits(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A second foreground `start` names the process it waits for, and has its outcome (4.5)."""
    file = flow.write({"id": "a", "command": gate.command("exit 3")})
    first = flow.begin(file, gate)
    second = flow.spawn("start", "--run-key=k", file)
    said = second.stderr.readline()
    assert (
        said == f"orchesjob-flow: process {first.pid} advances run 'k'; waiting for its outcome\n"
    )
    gate.let_through()
    answers = [child.communicate()[0] for child in (first, second)]
    assert answers[0] == answers[1]
    assert (first.returncode, second.returncode) == (1, 1)
    assert starts(fake_orchesjob) == ["k:a:1"]


def test_second_start_takes_over(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A waiting `start` takes the run over when the first one is killed (rule 4.5)."""
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    first = flow.begin(file, gate)
    second = flow.spawn("start", "--run-key=k", file)
    assert second.stderr.readline()
    first.kill()
    gate.let_through()
    assert second.wait() == 0
    assert flow.status("k")["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == [
        "k:a:1",
        "k:b:1",
    ]


def test_directory(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """All steps run in the directory of the first `start`, wherever it is resumed (rule 4.6)."""
    (flow.folder / "there").mkdir()
    (flow.folder / "elsewhere").mkdir()
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    first = flow.spawn("start", "--run-key=k", file, cwd=flow.folder / "there")
    gate.await_arrival()
    first.kill()
    gate.let_through()
    second = flow.run("start", "--run-key=k", file, cwd=flow.folder / "elsewhere")
    assert second.returncode == 0
    assert {execution["cwd"] for execution in fake_orchesjob.executions()} == {
        str(flow.folder / "there")
    }


@pytest.mark.integration
def test_lost_database(real_flow: Flow, tmp_path: Path) -> None:
    """Without its database the same `start` finds every answer and runs nothing (rule 4.7)."""
    log = tmp_path / "log"
    append = f"echo $0 >>{shlex.quote(str(log))}"
    file = real_flow.write(
        {"id": "a", "command": ["sh", "-c", append, "a"]},
        {"id": "b", "command": ["sh", "-c", f"{append}; exit 1", "b"], "retries": 1},
        {"id": "c", "command": ["sh", "-c", append, "c"], "when": "!b"},
        {"id": "d", "command": ["sh", "-c", append, "d"], "when": "b"},
        {"id": "e", "command": ["true"], "only_if": ["sh", "-c", append, "e?"]},
        {"id": "f", "command": ["true"], "only_if": ["sh", "-c", f"{append}; exit 1", "f?"]},
    )
    first = real_flow.start("k", file, code=1)
    ran = log.read_text(encoding="utf-8")
    for path in real_flow.home.glob("*.sqlite3*"):
        path.unlink()
    second = real_flow.start("k", file, code=1)
    assert log.read_text(encoding="utf-8") == ran
    assert sorted(ran.split()) == ["a", "b", "b", "c", "e?", "f?"]

    def ends(run: Any) -> list[Any]:
        attempts = ("only_if", "status", "error")
        return [
            (step["status"], [[one[key] for key in attempts] for one in step["attempts"]])
            for step in run["steps"]
        ]

    assert ends(second) == ends(first)


def test_what_a_lost_database_loses(flow: Flow, gate: Gate) -> None:
    """What only the database knew is lost: settlements, groups, and that careless steps have run.

    The runner that notices the loss says so, and begins nothing more (rule 5.7).
    """
    log = flow.folder / "log"
    careless = {"command": ["sh", "-c", "echo ran >>log"], "strict": False}
    settled = flow.write({"id": "a", **careless}, {"id": "b", "command": ["false"]})
    flow.start("settled", settled, code=1)
    words = ["settle", "settled", "b", "--as=succeeded", "--reason=it is there"]
    assert flow.ask(*words)["status"] == "SUCCEEDED"
    group = {"concurrency": {"group": "g", "on_conflict": "fail"}}
    step = {"id": "a", "command": gate.command()}
    holding = flow.write(step, AFTER, name="holding.json", **group)
    runner = flow.spawn("start", "--run-key=holding", holding)
    gate.await_arrival()
    for path in flow.home.glob("*.sqlite3*"):
        path.unlink()
    flow.detach(holding, gate, "beside")
    gate.let_through(2)
    _, stderr = runner.communicate()
    error = json.loads(stderr.splitlines()[-1])["error"]
    assert "the flow database was removed or replaced; restore it together with its -wal" in error
    assert "nothing is lost" not in error
    for lost in ("`strict: false`", "`settle`", "groups", "cancel requests"):
        assert lost in error
    assert flow.orchesjob.run("status", "--run-key=holding:b:1").returncode == 3
    assert flow.ask("wait", "beside")["status"] == "SUCCEEDED"
    assert flow.start("settled", settled, code=1)["status"] == "FAILED"
    assert log.read_text(encoding="utf-8") == "ran\nran\n"


def test_found_and_not_run(flow: Flow) -> None:
    """What orchesjob knew already is not shown as if it had run; the user is told (rule 4.7)."""
    file = flow.write(
        {"id": "a", "command": ["true"]},
        {"id": "b", "command": ["false"], "retries": 1},
        {"id": "c", "command": ["true"], "when": "b"},
    )
    flow.start("k", file, code=1)
    for key in ("k:a:1", "k:b:1", "k:b:2"):
        flow.orchesjob.plant(key, started_at=1_700_000_000, finished_at=1_700_000_001)
    flow.ask("prune", "--older-than=0s", "--keep-output")
    finished = flow.run("start", "--progress=plain", "--run-key=k", file)
    lines = [line.split(maxsplit=1)[1] for line in finished.stderr.splitlines()]
    assert "a SUCCEEDED (found in orchesjob, not run again)" in lines
    assert "b attempt 1 FAILED (found in orchesjob, not run again) exit code 1" in lines
    assert "b FAILED (found in orchesjob, not run again) exit code 1" in lines
    assert not any("RUNNING" in line for line in lines)
    assert "run 'k': nothing was executed; the outcome of every step was found" in finished.stderr
    a, b, _ = (step["reason"] for step in json.loads(finished.stdout)["steps"])
    assert a == "attempt 1 succeeded; found in orchesjob, not run again"
    assert b == "exit code 1; found in orchesjob, not run again"
    table = flow.run("status", "--format=table", "k").stdout
    said = "Recovered: the outcome of a, b was found in orchesjob, not run again; the run is older"
    assert said in table
    assert re.search(r"^a +OK SUCCEEDED +1/0 +1 s ", table, re.MULTILINE)  # by orchesjob's clock
    assert "found" not in flow.run("retry", "--progress=plain", "--run-key=k").stderr
    part = flow.write(TRUE, {"id": "b", "command": ["true"], "strict": False})
    flow.start("part", part)
    for key in ("part:a:1", "part:b:1"):
        flow.orchesjob.plant(key, started_at=1_700_000_000, finished_at=1_700_000_001)
    flow.ask("prune", "part", "--keep-output")
    said = flow.run("start", "--progress=plain", "--run-key=part", part).stderr
    assert "run 'part': the outcome of a was found in orchesjob, not run again" in said
    assert flow.orchesjob.status("part:b:1")["attempt_no"] == 2
