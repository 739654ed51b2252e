"""`resume`: a run whose runner has gone gets a new one, without its flow file (rule 9.8)."""

import json
from collections import Counter

import pytest

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import AFTER


def abandon(flow: Flow, gate: Gate, key: str) -> None:
    file = flow.write({"id": "a", "command": gate.command()}, AFTER, name=f"{key}.json")
    flow.abandon(file, gate, key)
    (flow.folder / f"{key}.json").unlink()


@pytest.mark.parametrize("words", [["--run-key=k"], ["--run-key=k", "-d"]])
def test_abandoned_run(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob, words: list[str]
) -> None:
    """The run continues from where it is, and nothing of it runs again."""
    abandon(flow, gate, "k")
    gate.let_through()
    answer = flow.ask("resume", *words)
    if "-d" in words:
        assert (answer["detached"], answer["run_key"]) == (True, "k")
    assert flow.ask("wait", "--run-key=k")["status"] == "SUCCEEDED"
    assert Counter(fake_orchesjob.begun()) == Counter(["k:a:1", "k:b:1"])


def test_all(flow: Flow, gate: Gate) -> None:
    """`--all` names each run that it resumed, and leaves running and ended runs alone."""
    flow.start("ended", flow.write({"id": "a", "command": ["true"]}))
    abandon(flow, gate, "first")
    abandon(flow, gate, "second")
    advanced = flow.write({"id": "a", "command": gate.command()}, name="advanced.json")
    flow.detach(advanced, gate, "advanced")
    resumed = flow.ask("resume", "--all")["resumed"]
    assert [(one["run_key"], one["error"]) for one in resumed] == [
        ("first", None),
        ("second", None),
    ]
    assert flow.ask("resume", "--all") == {"resumed": [], "left": []}
    for one in resumed:
        assert flow.status(one["run_key"])["runner"] == {"pid": one["pid"], "alive": True}
    gate.let_through(3)
    for key in ("first", "second", "advanced"):
        assert flow.ask("wait", f"--run-key={key}")["status"] == "SUCCEEDED"


def test_one_that_cannot_be_resumed(flow: Flow, gate: Gate) -> None:
    """A run that cannot be resumed does not stop the others, and stderr names it for cron."""
    abandon(flow, gate, "bad")
    abandon(flow, gate, "good")
    lock = flow.home / "locks" / "bad.lock"
    lock.unlink()
    lock.mkdir()
    answer = flow.run("resume", "--all")
    assert answer.returncode == 2
    bad, good = json.loads(answer.stdout)["resumed"]
    assert (bad["run_key"], bad["pid"]) == ("bad", None)
    assert "bad.lock" in bad["error"]
    said = json.loads(answer.stderr)["error"]
    assert said == f"run 'bad' still has no runner: {bad['error']}"
    assert (good["run_key"], good["error"]) == ("good", None)
    gate.let_through(2)
    assert flow.ask("wait", "--run-key=good")["status"] == "SUCCEEDED"


def test_ended_run(flow: Flow) -> None:
    """A run that has ended is only reported, and stderr says so (rule 6.12)."""
    run = flow.start("k", flow.write({"id": "a", "command": ["false"]}), code=1)
    assert flow.ask("resume", "--run-key=k", code=1) == run
    for words in ((), ("-d",)):
        said = flow.run("resume", "k", *words).stderr
        assert said.startswith("orchesjob-flow: run 'k' ended FAILED at ")
        assert "so there is nothing to resume; `orchesjob-flow retry k` repeats" in said
