"""Answers of orchesjob that are lost, late, unusable or unknown (rules 5.3 and 5.7)."""

import json
from collections import Counter

import pytest

from support.answers import warnings
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob, Rule
from support.processes import is_gone
from support.steps import TRUE

UNUSABLE: dict[str, Rule] = {
    "garbage": {"text": "{not json"},
    "empty": {"text": ""},
    "no-object": {"text": "[]"},
    "null": {"text": "null"},
    "half": {"cut": 0.5},
    "two-documents": {"repeat": 2},
    "ten-megabytes": {"text": "x" * 1024, "repeat": 10 * 1024},
    "no-utf8": {"text": '{"status": "\udcff"}'},
    "no-status": {"set": {"status": None}},
    "another-job": {"set": {"run_key": "k:another:1", "job_id": "another"}},
}


@pytest.mark.parametrize(
    ("when", "fault", "strict"),
    [
        ("before", {"fault": "locked"}, False),
        ("before", {"fault": "die"}, False),
        ("spawned", {"fault": "die"}, False),
        ("answer", {"fault": "die"}, False),
        ("answer", {"fault": "answer", "text": "Killed"}, False),
        ("answer", {"fault": "answer", "text": "Killed"}, True),
    ],
)
def test_lost_answer_of_start(
    flow: Flow, fake_orchesjob: FakeOrchesjob, when: str, fault: Rule, *, strict: bool
) -> None:
    """Whether a start that did not answer has started is found out, never guessed (promise 1)."""
    fake_orchesjob.script([{"call": "start", "nth": 1, "when": when, **fault}])
    run = flow.start("k", flow.write({**TRUE, "strict": strict}))
    assert (run["steps"][0]["status"], run["steps"][0]["attempt_no"]) == ("SUCCEEDED", 1)
    assert fake_orchesjob.begun() == ["k:a:1"]


def test_unknown_status(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A status that we do not know is treated as running, and reported once (rule 5.3)."""
    fake_orchesjob.script([{"call": "start", "fault": "answer", "set": {"status": "PAUSED"}}])
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    assert flow.await_job("k")["status"] == "PAUSED"
    assert flow.status("k")["steps"][0]["status"] == "RUNNING"
    gate.let_through()
    _, stderr = runner.communicate()
    assert runner.returncode == 0
    assert len(warnings(stderr)) == 1
    assert "unknown status, treated as running: PAUSED" in stderr


def unusable_answers(*calls: str) -> list[Rule]:
    """Make the first answers about each step unusable in the way that the step is named after."""
    return [
        {"call": call, "key": f"k:{name}:1", "nth": 1, "fault": "answer", **answer}
        for name, answer in UNUSABLE.items()
        for call in calls
    ]


def calls_of(fake: FakeOrchesjob, name: str) -> dict[str, int]:
    job_id = fake.status(f"k:{name}:1")["job_id"]
    own = [
        call
        for call in fake.calls()[:-1]
        if f"k:{name}:1" == call["key"] or f"--job-id={job_id}" in call["argv"]
    ]
    return dict(Counter(call["call"] for call in own))


def test_unusable_answers(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """An unusable answer decides nothing: orchesjob is asked again (rule 5.7)."""
    fake_orchesjob.script(unusable_answers("start", "status"))
    command = gate.command()
    file = flow.write(*({"id": name, "command": command} for name in UNUSABLE))
    runner = flow.spawn("start", "--run-key=k", file)
    for _ in UNUSABLE:
        gate.await_arrival()
    flow.await_status("k", lambda run: all(step["orchesjob_status"] for step in run["steps"]))
    gate.let_through(len(UNUSABLE))
    stdout, stderr = runner.communicate()
    steps = json.loads(stdout)["steps"]
    assert {(step["status"], step["attempt_no"], step["error"]) for step in steps} == {
        ("SUCCEEDED", 1, None)
    }
    assert sorted(fake_orchesjob.begun()) == sorted(f"k:{name}:1" for name in UNUSABLE)
    # A start, an unusable status, a usable one, and one for the end.
    expected = {name: {"start": 1, "status": 3} for name in UNUSABLE}
    assert {name: calls_of(fake_orchesjob, name) for name in UNUSABLE} == expected
    for name in UNUSABLE:
        assert f"k:{name}:1: orchesjob start gave an unusable answer" in stderr


def test_unusable_answers_to_aborts(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """After an unusable answer to an abort its effect is checked: CANCELLED is true (5.6, 5.7)."""
    fake_orchesjob.script(unusable_answers("abort"))
    command = gate.command()
    file = flow.write(*({"id": name, "command": command} for name in UNUSABLE))
    runner = flow.spawn("start", "--run-key=k", file)
    for _ in UNUSABLE:
        gate.await_arrival()
    run = flow.ask("cancel", "--run-key=k")
    assert run["status"] == "CANCELLED"
    assert {step["orchesjob_status"]["status"] for step in run["steps"]} == {"ABORTED"}
    assert runner.wait() == 1
    for name in UNUSABLE:
        assert calls_of(fake_orchesjob, name)["abort"] == 1
        assert is_gone(fake_orchesjob.status(f"k:{name}:1")["target_pid"])
