"""`start --every` runs a flow once in each period, and is silent where nothing is to do (4.9)."""

import json
import time
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import TRUE

DAY_SEC = 86_400
FALSE = {"id": "a", "command": ["false"]}
EVERY = ("start", "--every", "month")
"""A test that runs at midnight of the first day of a month has bad luck."""


def key(days_ago: int = 0) -> str:
    return time.strftime("f-%Y-%m", time.localtime(time.time() - days_ago * DAY_SEC))


def silent(flow: Flow, *words: str) -> int:
    """Call the command, which must print nothing at all; return the exit code."""
    finished = flow.run(*EVERY, *words)
    assert (finished.stdout, finished.stderr) == ("", "")
    return finished.returncode


@pytest.mark.parametrize("detach", [(), ("-d",)])
@pytest.mark.parametrize(("step", "code"), [(TRUE, 0), (FALSE, 1)])
def test_once(flow: Flow, step: dict[str, Any], code: int, detach: tuple[str, ...]) -> None:
    """The first call starts the run; others do nothing, whatever has become of the file."""
    file = flow.write(step)
    if detach:  # cron would mail what it prints
        assert silent(flow, *detach, file) == 0
    else:
        assert json.loads(flow.run(*EVERY, file).stdout)["run_key"] == key()
    flow.ask("wait", key(), code=code)
    flow.write({"id": "other", "foreach": {"lines": "gone"}, "command": ["true"]})
    assert silent(flow, *detach, file) == code
    shown = flow.ask(*EVERY, *detach, file, "--format=json", code=code)
    assert [one["id"] for one in shown["steps"]] == ["a"]
    assert len(flow.ask("list")["runs"]) == 1


def test_a_run_in_progress(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A run that is advanced is left alone; one without a runner is resumed, and shown (4.9)."""
    file = flow.write({"id": "a", "command": gate.command()})
    runner = flow.spawn(*EVERY, file)
    gate.await_arrival()
    assert silent(flow, file) == 0
    runner.kill()
    runner.wait()
    assert flow.ask(*EVERY, "-d", "--format=json", file)["run_key"] == key()
    assert silent(flow, "-d", file) == 0
    gate.let_through()
    flow.ask("wait", key())
    assert fake_orchesjob.begun() == [f"{key()}:a:1"]


def test_the_period_before(flow: Flow, gate: Gate) -> None:
    """An unfinished run of the period before that has lost its runner is resumed first (4.9)."""
    before = key(days_ago=time.localtime().tm_mday)
    file = flow.write({"id": "a", "command": gate.command()})
    flow.abandon(file, gate, before)
    gate.let_through(2)
    finished = flow.run(*EVERY, file)
    shown = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [(run["run_key"], run["status"]) for run in shown] == [
        (before, "SUCCEEDED"),
        (key(), "SUCCEEDED"),
    ]
    assert shown[0]["finished_at"] <= shown[1]["started_at"]
    assert silent(flow, file) == 0


def test_many_at_once(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """Of several calls at once, one starts the run, and the others are silent (rule 4.9)."""
    file = flow.write({"id": "a", "command": gate.command()})
    calls = [flow.spawn(*EVERY, "-d", file) for _ in range(8)]
    answers = [call.completed() for call in calls]
    assert [(one.returncode, one.stdout, one.stderr) for one in answers] == [(0, "", "")] * 8
    gate.let_through()
    flow.ask("wait", key())
    assert fake_orchesjob.begun() == [f"{key()}:a:1"]


def test_what_is_refused(flow: Flow) -> None:
    """A call that asks for something else than the run of the period is not silent (rule 4.9)."""
    params: dict[str, Any] = {"REGION": {}}
    file = flow.write(TRUE, params=params)
    flow.ask(*EVERY, "--param=REGION=eu", file)
    error = flow.refusal(*EVERY, "--param=REGION=us", file)["error"]
    assert "REGION was 'eu' and is 'us'" in error
    assert flow.refusal(*EVERY, "k", file)["error"] == f"Got unexpected extra argument ({file})"


def test_a_group_that_is_taken(flow: Flow, gate: Gate) -> None:
    """A run that its group skips was not started, so nothing is printed (rules 4.9 and 10.7)."""
    group = {"group": "g", "on_conflict": "skip"}
    holder = flow.write({"id": "a", "command": gate.command()}, concurrency=group, name="h.json")
    flow.ask("start", "-d", "--run-key=h", holder)
    file = flow.write(TRUE, concurrency=group)
    assert silent(flow, file) == 0
    gate.let_through()
    flow.ask("wait", "h")
    assert flow.ask(*EVERY, file)["run_key"] == key()
