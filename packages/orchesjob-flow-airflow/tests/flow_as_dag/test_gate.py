"""`only_if`: a question that is asked once before the command, in the same try (rule 10.8)."""

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from orchesjob_client import OrchesjobClient, locate
from orchesjob_flow_airflow.flow_as_dag.tries import AttemptKeys, Tries

if TYPE_CHECKING:
    from conftest import Airflow

    from orchesjob_flow_airflow.flow_as_dag.tries import Tries

OK, NG, SKIP = "success", "failed", "skipped"
HERE = "orchesjob_flow_airflow.flow_as_dag.tries"


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for an API server here."""
    monkeypatch.setattr(f"{HERE}.FAULT_DELAY", timedelta(0))


def flow(gate: str, command: str, fields: str = "") -> str:
    """Spell a flow whose commands say in `$EXECUTED` under which number they are attempts."""
    say = 'echo "{} $ORCHESJOB_FLOW_ATTEMPT" >> $EXECUTED; '
    asked, ran = (
        f"[sh, -c, '{say.format(name)}{then}']"
        for name, then in (("gate", gate), ("command", command))
    )
    return f"{{flow_id: f, steps: [{{id: a, only_if: {asked}, command: {ran}, {fields}}}]}}"


@pytest.mark.parametrize(
    ("gate", "outcome", "said", "words"),
    [
        ("exit 1", SKIP, "gate 1", "its only_if said no: exit code 1 skips the step"),
        ("exit 2", NG, "gate 1", "AirflowFailException: only_if: exit code 2"),
        ("kill $$", NG, "gate 1", "AirflowFailException: only_if: killed by signal 15"),
    ],
)
def test_answers(  # noqa: PLR0913, PLR0917 - a row of the table
    airflow: "Airflow",
    executed: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    gate: str,
    outcome: str,
    said: str,
    words: str,
) -> None:
    """1 skips the step, anything else but 0 is a failure of it, and the log says which."""
    run = airflow.run_flow(flow(f"echo from the gate; {gate}", "true"))
    assert run == (OK if outcome == SKIP else outcome, {"a": outcome})
    assert " ".join(executed().split()) == said
    out = capsys.readouterr().out
    assert words in out
    assert " from the gate " in out
    # What a step failed of is the end of one traceback, and the only error in the log.
    assert "was the direct cause of" not in out
    assert "XCom not found" not in out


def test_attempts(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """Both share numbers and retries; once it has said yes, the gate is not asked again."""
    gate = "[ $ORCHESJOB_FLOW_ATTEMPT = 2 ] || exit 2"
    text = flow(f"echo $ORCHESJOB_FLOW_RUN_KEY >> $EXECUTED; {gate}", "exit 1", "retries: 2")
    assert airflow.run_flow(text) == (NG, {"a": NG})
    assert airflow.tries["a"] == 3
    (_, _, run_id), *_ = [line.split() for line in executed().replace("\n", " ", 1).splitlines()]
    said = executed().replace(f"{run_id}\n", "").splitlines()
    assert said == ["gate 1", "gate 2", "command 3", "command 4"]
    client = OrchesjobClient(locate(None, os.environ))
    keys = ("1:only_if", "1", "2:only_if", "2", "3:only_if", "3")
    reports = [client.status(f"f:{run_id}:a:{key}") for key in keys]
    assert [report and report.status for report in reports] == [
        *("FAILED", None, "SUCCEEDED", "FAILED", None, "FAILED")
    ]


def test_codes_are_those_of_the_command(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """The lists of exit codes do not speak of the gate (rule 9.12)."""
    fields = "retries: 1, retry_exit_codes: [7], skip_exit_codes: [5], success_exit_codes: [0, 6]"
    gate = "[ $ORCHESJOB_FLOW_ATTEMPT = 1 ] && exit 5; exit 6"
    assert airflow.run_flow(flow(gate, "true", fields)) == (NG, {"a": NG})
    assert executed().splitlines() == ["gate 1", "gate 2"]


def test_time_limits(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """The limit counts for each of the two, and a gate that takes too long has failed (5.5)."""
    gate = "[ $ORCHESJOB_FLOW_ATTEMPT = 2 ] || exec sleep 60; sleep 2"
    text = flow(gate, "sleep 2", "timeout_sec: 3, retries: 1")
    assert airflow.run_flow(text) == (OK, {"a": OK})
    assert executed().splitlines() == ["gate 1", "gate 2", "command 3"]


def test_a_worker_that_dies_between_the_two(
    airflow: "Airflow", executed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try runs the command, under the number that it would have had (rule 13.2)."""
    note = Tries.record

    def die_then(gate: Tries, what: str) -> None:
        note(gate, what)
        raise ConnectionError("the API server does not answer")

    monkeypatch.setattr(Tries, "record", die_then)
    assert airflow.run_flow(flow("true", "true")) == (OK, {"a": OK})
    assert (airflow.tries["a"], executed().splitlines()) == (2, ["gate 1", "command 2"])


@pytest.mark.parametrize("dying", [1, 2])
def test_a_worker_that_dies_beside_a_job(
    airflow: "Airflow", executed: Callable[[], str], monkeypatch: pytest.MonkeyPatch, dying: int
) -> None:
    """Whichever job it leaves, the next try follows it to its end (rule 13.2)."""
    from orchesjob_flow_airflow.flow_as_dag.attempts import RetryingClient

    wait, awaited = RetryingClient.wait, []

    def die_at(*arguments: Any) -> Any:
        awaited.append(arguments)
        if len(awaited) == dying:
            raise ConnectionError("the API server does not answer")
        return wait(*arguments)

    monkeypatch.setattr(RetryingClient, "wait", die_at)
    assert airflow.run_flow(flow("sleep 1", "sleep 1")) == (OK, {"a": OK})
    assert (airflow.tries["a"], executed().splitlines()) == (2, ["gate 1", "command 2"])


def test_a_survivor_of_the_gate(
    airflow: "Airflow", executed: Callable[[], str], until_seen: str
) -> None:
    """The command begins when nothing of the gate is alive (rule 5.8)."""
    daemon = f'setsid sh -c "{until_seen}; echo daemon >> $EXECUTED" & exit 0'
    assert airflow.run_flow(flow(daemon, "true")) == (OK, {"a": OK})
    assert executed().splitlines() == ["gate 1", "daemon", "command 2"]


def test_killed(
    airflow: "Airflow", executed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is cancelled while the gate is asked ends it, and runs nothing more (5.8)."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("TASK", str(os.getpid()))
    began = time.monotonic()
    gate = "echo $ORCHESJOB_FLOW_RUN_KEY >> $EXECUTED; kill $TASK; exec sleep 60"
    assert airflow.run_flow(flow(gate, "true")) == (NG, {"a": NG})
    signal.signal(signal.SIGTERM, before)
    assert time.monotonic() - began < 50
    said, run_id = executed().splitlines()
    assert said == "gate 1"
    client = OrchesjobClient(locate(None, os.environ))
    assert client.survivors(f"f:{run_id}:a:1:only_if") == []


def test_killed_between_the_two(
    airflow: "Airflow", executed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command follows where the task is cancelled when the gate has just said yes (5.8)."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(Tries, "record", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert airflow.run_flow(flow("true", "true")) == (NG, {"a": NG})
    signal.signal(signal.SIGTERM, before)
    assert executed() == "gate 1\n"


@pytest.mark.parametrize(
    ("open_", "passed", "is_gate", "keys"),
    [
        ([], [], True, "t:3:only_if | t:1:only_if t:1 t:2:only_if t:2 | | t:2:only_if t:2"),
        ([2], [], True, "t:3:only_if | t:1:only_if t:1 t:2:only_if t:2 | t:2:only_if |"),
        ([], [1], False, "t:3 | t:1:only_if t:1 t:2:only_if t:2 t:3:only_if | | t:2:only_if t:2"),
        ([1, 2], [2], False, "t:3 | t:1:only_if t:1 t:2:only_if t:2 t:3:only_if | t:2 |"),
        ([2], [3], False, "t:3 | t:1:only_if t:1 t:2:only_if t:2 t:3:only_if | | t:2:only_if t:2"),
    ],
)
def test_keys(
    open_: list[int],
    passed: list[int],
    is_gate: bool,
    keys: str,
) -> None:
    """No command is looked for from before the gate has let the step run."""
    places = {"place": "here", "place_of": {1: "there"}.get}
    passed_at = max(passed, default=0)
    tries = SimpleNamespace(number=3, passed_at=passed_at, open=open_, **places)
    found = AttemptKeys.of("t", cast("Tries", tries), is_gate=is_gate)
    lists = map(" ".join, (found.earlier, found.open, found.last))
    assert [found.own, *lists] == [part.strip() for part in keys.split("|")]
    assert found.away == {}
