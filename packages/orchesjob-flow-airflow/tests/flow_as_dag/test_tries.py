"""Tries of a task as attempts of a step: nothing twice, nothing beside its predecessor."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk import RetryDecision
from airflow.sdk.exceptions import AirflowFailException

from flow_spec import StepSpec
from orchesjob_client import JobReport, OrchesjobClient, Process, ProcessesKeepAppearing, locate
from orchesjob_client.processes import cgroups
from orchesjob_client.processes.proc import read_started
from orchesjob_flow_airflow.errors import AttemptFailed, DefinitionChanged
from orchesjob_flow_airflow.flow_as_dag.attempts import Execution, RetryingClient, TaskAttempt
from orchesjob_flow_airflow.flow_as_dag.operators import failure_of_attempt
from orchesjob_flow_airflow.flow_as_dag.run import TaskIds
from orchesjob_flow_airflow.flow_as_dag.tries import (
    AttemptKeys,
    InfrastructureFault,
    StepRetries,
    Tries,
)

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG = "success", "failed"

# A worker that dies in its first try: it has started a job, and nobody sees how that ends.
DYING = """
import os
from orchesjob_client import OrchesjobClient, locate
def die(context):
    ti, task = context["ti"], context["task"]
    if ti.task_id != "a" or ti.try_number > 2:
        return
    if ti.try_number == 2:
        if AGAIN:
            raise ConnectionError("the API server does not answer")
        return
    key = f"{ti.dag_id}:{ti.run_id}:a:1"
    client = OrchesjobClient(locate(None, os.environ))
    report = client.start(key, COMMAND or task.step.command, cwd=task.folder)
    while ENDS and report.is_active:
        report = client.status(key)
    if ABORTS:
        client.abort(job_key=key, grace_sec=1)
    if RAISES:
        raise RuntimeError("the worker died")
"""


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for an API server here."""
    place = "orchesjob_flow_airflow.flow_as_dag.tries.FAULT_DELAY"
    monkeypatch.setattr(place, timedelta(0))


@pytest.fixture
def sigterm() -> Iterator[None]:
    """Restore the handler of SIGTERM, which Airflow changes."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def unexpected(key: str) -> None:
    pytest.fail(f"{key} was not aborted")


def survivors(keys: list[str]) -> list[str]:
    """Name the living processes of some keys."""
    found = OrchesjobClient(locate(None, os.environ)).survivors(keys)
    return [process.command for process in found]


def flow(command: str, fields: str = "") -> str:
    return f"{{flow_id: f, steps: [{{id: a, command: [sh, -c, '{command}'], {fields}}}]}}"


@pytest.mark.parametrize(("codes", "times"), [("", 2), (", retry_exit_codes: [3]", 1)])
def test_timeout(
    airflow: "Airflow",
    executed: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    codes: str,
    times: int,
) -> None:
    """A try that takes too long is aborted, and retried unless only codes are (5.5, 9.12).

    No signal is needed for that: Python may drop the exception of its handler.
    """
    command = 'echo "$ORCHESJOB_FLOW_RUN_KEY" >> $EXECUTED; exec sleep 60'
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        run = airflow.run_flow(flow(command, f"timeout_sec: 1, retries: 1{codes}"))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    assert run == (NG, {"a": NG})
    run_ids = executed().splitlines()
    assert len(run_ids) == times
    assert survivors([f"f:{run_ids[0]}:a:{number}" for number in (1, 2)]) == []
    assert "timed out after 1 s, and its job was ended" in capsys.readouterr().out


# An orchesjob that needs longer to start a job than the job may take.
SLOW = """#!/bin/sh
[ "$1" != start ] || sleep 1.5
exec %s "$@"
"""


def test_time_before_the_job_begins(
    airflow: "Airflow", executed: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The time of a step begins when its job has begun, as it does locally (5.5, 13.2)."""
    slow = tmp_path / "orchesjob"
    slow.write_text(SLOW % os.environ["ORCHESJOB_BIN"], encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setenv("ORCHESJOB_BIN", str(slow))
    assert airflow.run_flow(flow("echo >> $EXECUTED", "timeout_sec: 1")) == (OK, {"a": OK})
    assert executed() == "\n"


@pytest.mark.usefixtures("airflow")
@pytest.mark.parametrize("followed", ["k:2", "k:1"])
def test_a_job_that_ends_when_its_time_is_over(followed: str) -> None:
    """Its own outcome counts, also if an earlier try has started it (rule 5.5)."""
    client = OrchesjobClient(locate(None, os.environ))
    command = ("sh", "-c", "exit 7")
    report: JobReport | None = client.start(followed, command)
    while report is not None and report.is_active:
        report = client.status(followed)
    keys = AttemptKeys(own="k:2", earlier=("k:1",), open=("k:1",), last=())
    orchesjob = RetryingClient(client, logging.getLogger())
    for executed, code in ((command, 7), (("true",), None)):
        execution = Execution(executed, "", dict)
        attempt = TaskAttempt(orchesjob, execution, keys, None, unexpected)
        found = attempt.ended_by_itself()
        assert (None if found is None else found.exit_code) == code


@pytest.mark.usefixtures("sigterm")
@pytest.mark.parametrize("has_cgroups", [True, False])
def test_killed(
    airflow: "Airflow",
    executed: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    has_cgroups: bool,
) -> None:
    """A task that is cancelled or cleared ends its job and everything the job started (5.8).

    That holds for a process without a mark too: it is looked for before its parents are ended.
    """
    monkeypatch.setenv("TASK", str(os.getpid()))
    if not has_cgroups:
        monkeypatch.setattr(cgroups, "own_folder", no_cgroups)
    daemon = 'setsid env -i sh -c "echo \\$\\$ >> $EXECUTED; trap : TERM; sleep 60; sleep 60"'
    awaited = "until [ -s $EXECUTED ]; do sleep 0.1; done"
    airflow.write(flow(f"{daemon} & {awaited}; kill $TASK; exec sleep 60"))
    began = time.monotonic()
    assert airflow.run(airflow.load()) == (NG, {"a": NG})
    assert time.monotonic() - began < 50
    assert read_started(int(executed())) is None


def no_cgroups() -> Path:
    raise OSError("no cgroups can be made here")


def run_dying(airflow: "Airflow", text: str, **facts: object) -> tuple[str, dict[str, str]]:
    """Run a flow, in the first try of whose step the worker dies, unless it is only restarted."""
    usual = {"AGAIN": False, "COMMAND": None, "ENDS": False, "ABORTS": False, "RAISES": True}
    before = "".join(f"{name} = {fact!r}\n" for name, fact in {**usual, **facts}.items())
    airflow.write(text)
    arguments = "'flow.yaml', default_args={'pre_execute': die}"
    return airflow.run(airflow.load(arguments, before=before + DYING))


COUNT = "echo $ORCHESJOB_FLOW_ATTEMPT >> $EXECUTED"


@pytest.mark.parametrize(
    ("facts", "command", "fields", "expected", "attempts"),
    [
        # It is followed, or judged, and no file of variables is read for that (10.4).
        ({"AGAIN": True}, f"{COUNT}; sleep 1", "", OK, "\n"),
        ({"ENDS": True}, f"rm a.env; {COUNT}", "env_file: a.env", OK, "\n"),
        ({"ENDS": True}, f"{COUNT}; [ $ORCHESJOB_FLOW_ATTEMPT ]", "retries: 1", OK, "\n2\n"),
        # One that was aborted was an attempt, and uses up no retry.
        (
            {"ABORTS": True},
            f"[ $ORCHESJOB_FLOW_ATTEMPT ] || exec sleep 60; {COUNT}; grep 3 $EXECUTED",
            "retries: 1",
            OK,
            "2\n3\n",
        ),
        # The same try finds it; which files were there before that, nobody knows (10.10).
        ({"RAISES": False}, f"{COUNT}; sleep 0.5; exit 3", "", NG, "\n"),
        ({"RAISES": False, "ENDS": True}, COUNT, "produces: [out.csv]", OK, "\n"),
    ],
)
def test_a_job_that_a_worker_has_left(  # noqa: PLR0913, PLR0917 - its cases
    airflow: "Airflow",
    executed: Callable[[], str],
    facts: dict[str, object],
    command: str,
    fields: str,
    expected: str,
    attempts: str,
) -> None:
    """Its outcome counts, whenever it ends: nothing runs twice (rules 5.8 and 13.2)."""
    airflow.write("A=1", "a.env")
    run = run_dying(airflow, flow(command, fields), **facts)
    assert (run, executed()) == ((expected, {"a": expected}), attempts)


def test_a_foreign_job(
    airflow: "Airflow", executed: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A job with another command under a try's key is no outcome, and is not retried (5.9)."""
    facts = {"COMMAND": ["true"], "ENDS": True, "RAISES": False}
    assert run_dying(airflow, flow(COUNT, "retries: 2"), **facts) == (NG, {"a": NG})
    assert executed() == ""
    assert "another command runs or ran under the key f:" in capsys.readouterr().out


def test_the_time_of_a_job_that_is_taken_over(
    airflow: "Airflow", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It counts from the job's own start, not from that of the try that takes it over (5.5)."""
    find = RetryingClient.find

    def find_aged(client: RetryingClient, key: str) -> JobReport | None:
        report = find(client, key)  # nobody wants to wait for a job to grow old
        return None if report is None else report._replace(started_at=time.time() - 4000)

    monkeypatch.setattr(RetryingClient, "find", find_aged)
    assert run_dying(airflow, flow("exec sleep 60", "timeout_sec: 3000"))[0] == NG
    assert "timed out after 3000 s, and its job was ended" in capsys.readouterr().out


def test_faults_use_up_no_retry(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """A try whose command never began uses up no retry, and is no attempt (rule 13.2)."""
    before = """
def die(context):
    if context["ti"].task_id == "a" and context["ti"].try_number in (1, 2, 4):
        raise ConnectionError("the API server does not answer")
"""
    airflow.write(flow(f"{COUNT}; [ $ORCHESJOB_FLOW_ATTEMPT = 2 ]", "retries: 1"))
    dag = airflow.load("'flow.yaml', default_args={'pre_execute': die}", before=before)
    assert (airflow.run(dag), executed()) == ((OK, {"a": OK}), "1\n2\n")


def test_a_worker_that_died_before_an_edit(
    airflow: "Airflow", executed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that it left is ended where the step fails without going on with it (5.8, 13.3)."""
    place = "orchesjob_flow_airflow.flow_as_dag.operators.flow_of_dag_run"

    def edited(*_: object) -> None:
        raise DefinitionChanged(["another step"])

    def die(*_: object) -> None:
        monkeypatch.setattr(place, edited)
        raise ConnectionError("the worker died")

    monkeypatch.setattr(RetryingClient, "wait", die)
    run = airflow.run_flow(flow('echo "$ORCHESJOB_FLOW_RUN_KEY" >> $EXECUTED; exec sleep 60'))
    assert (run, airflow.tries["a"]) == ((NG, {"a": NG}), 2)
    (run_id,) = executed().splitlines()
    assert survivors([f"f:{run_id}:a:1"]) == []


@pytest.mark.parametrize("moves", [True, False])
def test_a_try_that_nobody_knows(
    airflow: "Airflow",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    moves: bool,
) -> None:
    """The task log says where an earlier try may run, if that began in another place (5.8)."""
    hosts = ["host-a"]
    monkeypatch.setattr("orchesjob_flow_airflow.flow_as_dag.tries.gethostname", lambda: hosts[-1])
    run = TaskAttempt.run

    def die_once(attempt: TaskAttempt, remaining_sec: float) -> JobReport:
        if attempt.key.endswith(":2"):
            return run(attempt, remaining_sec)
        hosts.extend(["host-b"] * moves)
        raise OSError("the worker died")

    monkeypatch.setattr(TaskAttempt, "run", die_once)
    assert airflow.run_flow(flow("true")) == (OK, {"a": OK})
    logged = capsys.readouterr().out
    assert ("on this host; it may run elsewhere: on host-a:" in logged) is moves
    assert ("on this host: that try began no job" in logged) is not moves


def test_a_missing_orchesjob(
    airflow: "Airflow", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker without orchesjob says so in the task log, and the task is retried."""
    monkeypatch.setenv("ORCHESJOB_BIN", "/nonexistent/orchesjob")
    airflow.write(flow("true", "retry_exit_codes: [3]"))
    assert airflow.run(airflow.load("'flow.yaml', infrastructure_retries=1")) == (NG, {"a": NG})
    out = capsys.readouterr().out
    words = "/nonexistent/orchesjob (from ORCHESJOB_BIN) is not an executable file (install"
    assert (
        out.count(f"InfrastructureFault: infrastructure fault: orchesjob could not be run: {words}")
        == 2
    )


@pytest.mark.parametrize(
    ("command", "fields", "expected", "attempts"),
    [
        (":", "retries: 1, retry_exit_codes: [3]", NG, 2),
        (":", "only_if: [sh, -c, 'echo new > out.csv; sleep 0.1']", NG, 1),
    ],
)
def test_produces(  # noqa: PLR0913, PLR0917 - its cases
    airflow: "Airflow",
    capsys: pytest.CaptureFixture[str],
    command: str,
    fields: str,
    expected: str,
    attempts: int,
) -> None:
    """A command that has not written its files has failed, as in a local run (rule 10.10)."""
    (airflow.folder / "out.csv").write_text("old", encoding="utf-8")
    text = flow(command, f"working_dir: ., produces: [out.csv], {fields}")
    assert airflow.run_flow(text)[1] == {"a": expected}
    assert airflow.tries["a"] == attempts
    assert "has not written out.csv, which is from" in capsys.readouterr().out


# A worker that dies once the job has ended, before it can look at the files.
DYING_LATE = """
from orchesjob_flow_airflow.flow_as_dag.attempts import RetryingClient
wait = RetryingClient.wait
def die(client, report, deadline):
    wait(client, report, deadline)
    RetryingClient.wait = wait
    raise ConnectionError("the worker died")
RetryingClient.wait = die
"""


@pytest.mark.parametrize(("command", "expected"), [("echo > out.csv", OK), (":", NG)])
def test_the_files_of_a_worker_that_died(airflow: "Airflow", command: str, expected: str) -> None:
    """The try that takes a job over compares with what was there before it started (10.10)."""
    (airflow.folder / "out.csv").write_text("old", encoding="utf-8")
    airflow.write(flow(command, "produces: [out.csv]"))
    assert airflow.run(airflow.load(before=DYING_LATE))[1] == {"a": expected}
    assert airflow.tries["a"] == 2


@pytest.mark.parametrize("cleared", ["", "env -i"])
def test_a_survivor_is_waited_for(
    airflow: "Airflow",
    executed: Callable[[], str],
    until_seen: str,
    capsys: pytest.CaptureFixture[str],
    cleared: str,
) -> None:
    """No try begins beside a process of an earlier one; the log names that process (5.8).

    A process without a mark is known by its cgroup.
    """
    if cleared:
        try:
            cgroups.usable_cgroup_folder()
        except OSError as error:
            # Only a cgroup shows whose such a process is; the case with a mark runs everywhere.
            pytest.skip(f"no cgroups can be made here: {error}")
    first = "[ $ORCHESJOB_FLOW_ATTEMPT = 2 ] && { echo second >> $EXECUTED; exit 0; }"
    daemon = f'setsid {cleared} sh -c "{until_seen}; echo daemon >> $EXECUTED" &'
    command = f"{first}; {daemon} exit 1"
    assert airflow.run_flow(flow(command, "retries: 1")) == (OK, {"a": OK})
    assert executed().split() == ["daemon", "second"]
    assert "waiting for processes of an earlier try to end: pid" in capsys.readouterr().out


def test_a_job_that_is_lost_and_alive(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """What waits for a step begins when nothing of its job lives, though it is LOST (5.8)."""
    first = "kill -KILL $PPID; sleep 3; echo over >> $EXECUTED"
    airflow.write(
        f"{{flow_id: f, steps: [{{id: a, command: [sh, -c, '{first}']}},"
        " {id: b, when: '!a', command: [sh, -c, 'echo next >> $EXECUTED']}]}"
    )
    assert airflow.run(airflow.load()) == (NG, {"a": NG, "b": OK})
    assert executed().split() == ["over", "next"]


def test_when_processes_keep_appearing(
    airflow: "Airflow", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not to know whether an earlier try is alive fails no try: it is asked again (5.7, 5.8)."""
    looks = []

    def fail_once(client: OrchesjobClient, keys: Sequence[str]) -> Sequence[Process]:
        looks.append(keys)
        if len(looks) == 1:
            raise ProcessesKeepAppearing("the search for processes")
        return look(client, keys)

    # No test can have a machine begin processes faster than they are read: so the look is replaced.
    look = OrchesjobClient.survivors
    monkeypatch.setattr(OrchesjobClient, "survivors", fail_once)
    fields = "retries: 1"
    assert airflow.run_flow(flow("[ $ORCHESJOB_FLOW_ATTEMPT = 2 ]", fields)) == (OK, {"a": OK})
    assert "processes keep appearing; trying again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("used", "remaining_sec", "delay_sec"),
    [(0, 99, 4), (1, 99, 12), (2, 99, 20), (1, 3.5, 3.5), (3, 99, None)],
)
def test_the_delay_of_a_step(used: int, remaining_sec: float, delay_sec: float | None) -> None:
    """The next attempt is due after the step's delay, or when the run's time is over (9.12)."""
    step = StepSpec(
        "a", ("x",), retries=3, retry_delay_sec=4, retry_backoff=3, retry_max_delay_sec=20
    )
    recorded: list[str] = []
    tries = SimpleNamespace(retries_used=used)

    def record(what: str) -> None:
        recorded.append(what)
        tries.retries_used += 1

    tries.record = record
    error = AttemptFailed("exit code 3", 3)
    failure = failure_of_attempt(step, error, cast("Tries", tries), remaining_sec)
    if delay_sec is None:
        assert (type(failure), recorded) == (AirflowFailException, [])
    else:
        expected = RetryDecision.retry(timedelta(seconds=delay_sec), "exit code 3")
        assert (StepRetries().evaluate(failure, 1, 6), recorded) == (expected, ["failed"])


@pytest.mark.parametrize("fault", [ConnectionError("gone"), InfrastructureFault("gone")])
def test_an_infrastructure_fault(fault: Exception) -> None:
    """A fault that is not the command's is retried after Airflow's delay, and is named (13.2)."""
    expected = RetryDecision.retry(reason="infrastructure fault: gone")
    assert StepRetries().evaluate(fault, 1, 3) == expected


class Run:
    """A run in which one task is tried again and again, and what its tries record."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep its XComs here."""
        self.xcoms: dict[str, Any] = {}
        place = "orchesjob_flow_airflow.flow_as_dag.tries"
        monkeypatch.setattr(f"{place}.read_record", lambda xcom: self.xcoms.get(xcom["key"]))
        monkeypatch.setattr(
            f"{place}.BaseXCom.set", lambda key, value, **_: self.xcoms.update({key: value})
        )

    def tries(self, number: int, max_tries: int, retries: int) -> Tries:
        """Begin a try of the task, whose `retries` are those of the DAG file."""
        ti = SimpleNamespace(dag_id="d", run_id="r", try_number=number, max_tries=max_tries)
        task = SimpleNamespace(task_id="a", task_ids=TaskIds(""), retries=retries)
        return Tries({"ti": ti, "task": task})


@pytest.mark.parametrize("edited", [0, 3, 9])
def test_retries_that_are_edited_in_a_run(monkeypatch: pytest.MonkeyPatch, edited: int) -> None:
    """Tries are counted alike, whatever the DAG file says of retries meanwhile (13.2, 13.3).

    Of a task that was cleared no earlier try is open, nor counts as a retry.
    """
    run = Run(monkeypatch)
    seen = []
    for number, max_tries, has_failed in (
        *((1, 4, True), (2, 4, False), (3, 4, True), (4, 4, False)),
        *((5, 6, False), (6, 6, False)),
    ):
        tries = run.tries(number, max_tries, edited)
        seen.append((tries.first, list(tries.failed), list(tries.open), tries.attempt))
        if has_failed:
            tries.record("failed")
    assert seen == [
        *((1, [], [], 1), (1, [1], [], 2), (1, [1], [2], 2), (1, [1, 3], [], 3)),
        *((5, [], [], 4), (5, [], [5], 4)),
    ]


def test_tries_of_which_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are open, and none is an attempt (13.2); `airflow tasks test` leaves no record."""
    run = Run(monkeypatch)
    run.tries(0, max_tries=3, retries=3)
    assert run.xcoms == {}
    tries = run.tries(3, max_tries=3, retries=3)
    assert (tries.first, list(tries.open), tries.attempt) == (1, [1, 2], 1)


def test_a_single_task(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """`airflow tasks test` runs one command, whatever it waits for: none has run (rule 13.4).

    The time of the run counts from now on, not from the date that it is given (rule 9.12).
    """
    airflow.write(
        "{flow_id: tested, timeout_sec: 600, steps: [{id: a, command: [x]}, "
        "{id: b, when: '!a', command: [sh, -c, 'echo $ORCHESJOB_FLOW_ATTEMPT >> $EXECUTED']}], "
        "finally: [{id: c, command: [x]}]}"
    )
    airflow.write_dag()
    program = str(Path(sys.executable).parent / "airflow")
    for words in (["dags", "reserialize"], ["tasks", "test", "tested", "b", "2026-11-28"]):
        subprocess.run([program, *words], capture_output=True, check=True)
    assert executed() == "1\n"
