"""The operator, run by `dag.test()`: triggers run in line, and Airflow's retries happen."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from orchesjob_flow_airflow.flow_as_task.operator import (
    LATE_CANCEL_SEC,
    OrchesjobFlowOperator,
    RunReport,
    is_late_cancel,
)

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

    from flow_as_task.conftest import Blocker, Host

TRUE = {"id": "a", "command": ["true"]}
COUNT = {"id": "count", "command": ["sh", "-c", "echo run >>runs"]}
FAIL_ONCE = {
    "id": "once",
    "when": "count",
    "command": ["sh", "-c", "test -e fixed && exit; touch fixed; echo no such table; exit 3"],
}


def outcome(ti: "TaskInstance") -> tuple[str, int]:
    """Return the state of a task and how many tries it took."""
    return str(ti.state), ti.try_number


def result(ti: "TaskInstance") -> Any:
    """Return what a task has returned."""
    return ti.xcom_pull(task_ids=ti.task_id)


def is_same_run(run: Any, other: Any) -> bool:
    """Compare two answers about a run that has ended: its runner's exit may lie between them."""
    return bool({**run, "runner": None} == {**other, "runner": None})


def script(path: Path, *lines: str) -> Path:
    """Write a program in the shell's language."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)
    return path


def test_success(host: "Host", capfd: "pytest.CaptureFixture[str]") -> None:
    """The run's JSON is the result; the log of a worker that waits has each transition once."""
    host.write(TRUE, {"id": "b", "when": "!a", "command": ["false"]})
    key = "k"
    tasks = host.run(f"Flow(flow_file='flow.yaml', run_key='{key}', deferrable=False)")
    assert outcome(tasks["flow"]) == ("success", 1)
    assert is_same_run(result(tasks["flow"]), host.status(key))
    logged = capfd.readouterr().out
    skipped = " b SKIPPED its condition was false: a SUCCEEDED"
    for what in (" a RUNNING attempt 1", " a SUCCEEDED", skipped, f" {key} SUCCEEDED"):
        assert logged.count(f"Z{what}") == 1


def test_failure(host: "Host", capfd: "pytest.CaptureFixture[str]") -> None:
    """A run that FAILED fails the task, which names each failed step and what it printed."""
    fail = {"id": "b", "command": ["sh", "-c", "echo no such table >&2; exit 3"]}
    host.write(TRUE, fail, {"id": "alert", "when": "!b", "command": ["true"]})
    tasks = host.run("Flow(flow_file='flow.yaml', run_key='k')")
    assert outcome(tasks["flow"]) == ("failed", 1)
    logged = capfd.readouterr().out
    assert "run 'k' FAILED: 1 step failed: b\n  b: exit code 3" in logged
    assert "the last lines of b:\nno such table" in logged


def test_a_retry_continues_the_run(host: "Host") -> None:
    """Airflow's retry runs what failed and what depends on it, never what else succeeded."""
    host.write(COUNT, FAIL_ONCE, {"id": "last", "when": "once", "command": ["true"]})
    tasks = host.run("Flow(flow_file='flow.yaml', run_key='k', retries=1)")
    assert outcome(tasks["flow"]) == ("success", 2)
    assert (host.folder / "runs").read_text() == "run\n"
    steps = {step["id"]: step["attempt_no"] for step in result(tasks["flow"])["steps"]}
    assert steps == {"count": 1, "once": 2, "last": 1}


def test_a_retry_waits_for_the_last_runner(host: "Host", tmp_path: Path) -> None:
    """The runner of a run that has ended may live a moment longer; the retry waits for its exit."""
    host.write(COUNT, FAIL_ONCE, {"id": "last", "when": "once", "command": ["sleep", "3"]})
    host.start("k", "flow.yaml")
    host.await_run("k", lambda run: run["status"] == "FAILED" and run["runner"] is None)
    with (tmp_path / "jobs" / "locks" / "k.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runner = subprocess.Popen(["/bin/sleep", "600"], pass_fds=[lock.fileno()])
    looks = tmp_path / "looks"
    program = script(
        tmp_path / "program",
        f'case "$*" in status*) echo >>{looks};; esac',
        f"test $(wc -l <{looks}) -ge 3 && kill {runner.pid}",
        f'exec {host.program} "$@"',
    )
    execute(host, operator(program=str(program)), 2)
    assert runner.wait() == -signal.SIGTERM


def test_a_retry_takes_the_fixed_file(host: "Host") -> None:
    """The next try continues with what was fixed in the flow file and in `env`."""
    fixed = {"id": "b", "when": "count", "command": ["sh", "-c", 'test "$WORD" = new']}
    host.write(COUNT, fixed, name="fixed.yaml")
    fix = {"id": "b", "when": "count", "command": ["sh", "-c", "mv fixed.yaml flow.yaml; exit 1"]}
    host.write(COUNT, fix)
    words = "{{ 'old' if ti.try_number == 1 else 'new' }}"
    task = f'Flow(flow_file="flow.yaml", run_key="k", env={{"WORD": "{words}"}}, retries=1)'
    assert outcome(host.run(task)["flow"]) == ("success", 2)
    assert (host.folder / "runs").read_text() == "run\n"


def test_a_retry_finds_the_run_running(host: "Host", capfd: "pytest.CaptureFixture[str]") -> None:
    """A run whose runner was killed fails the try; the next one continues the run."""
    kill_runner = (
        "import json, os, subprocess\n"
        f"words = [{host.program!r}, 'status', '--run-key', 'k']\n"
        "runner = json.loads(subprocess.check_output(words))['runner']\n"
        "os.kill(runner['pid'], 9)\n"
    )
    step = {"id": "b", "when": "count", "command": [sys.executable, "-c", kill_runner]}
    host.write(COUNT, step, {"id": "c", "when": "b", "command": ["true"]})
    tasks = host.run("Flow(flow_file='flow.yaml', run_key='k', retries=1)")
    assert outcome(tasks["flow"]) == ("success", 2)
    assert [step["attempt_no"] for step in result(tasks["flow"])["steps"]] == [1, 1, 1]
    assert (host.folder / "runs").read_text() == "run\n"
    logged = capfd.readouterr().out
    assert "run 'k' has lost its runner (1 of 3 steps are done)" in logged
    assert "run 'k' has not ended: " in logged


def test_a_first_try_reports_a_run_that_has_ended(host: "Host") -> None:
    """A run key makes a run happen once (4.3): the task's first try does not reopen it."""
    host.write(COUNT, {"id": "b", "command": ["false"]})
    host.start("k", "flow.yaml")
    host.call("cancel", "--run-key=k")
    before = host.status("k")
    tasks = host.run("Flow(flow_file='flow.yaml', run_key='k')")
    assert outcome(tasks["flow"]) == ("failed", 1)
    assert is_same_run(host.status("k"), before)


def test_a_retry_after_success(host: "Host") -> None:
    """If the task failed after its run had SUCCEEDED, a retry runs nothing again."""
    host.write(COUNT)
    fail_once = "lambda context, result: 1 / (context['ti'].try_number - 1)"
    task = f"Flow(flow_file='flow.yaml', run_key='k', retries=1, post_execute={fail_once})"
    assert outcome(host.run(task)["flow"]) == ("success", 2)
    assert (host.folder / "runs").read_text() == "run\n"


def test_cleared_after_success(host: "Host") -> None:
    """To clear a task that has succeeded means to run its flow again, under its key."""
    no = {"id": "no", "when": "!count", "command": ["true"]}
    host.start("k", host.write(COUNT, no))
    host.await_run("k", lambda run: run["status"] == "SUCCEEDED" and run["runner"] is None)
    task = operator(retries=1, deferrable=False)
    task.allow_nested_operators = True  # so that it may be executed without a task runner
    for number in (2, 3):
        run = task.execute(context=context(host, number, max_tries=2))
        assert (run["status"], len(run["steps"][0]["attempts"])) == ("SUCCEEDED", 2)
    assert (host.folder / "runs").read_text() == "run\nrun\n"


def test_secrets(host: "Host", monkeypatch: "pytest.MonkeyPatch") -> None:
    """Commands see their values, which nobody records; logs show them masked."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    monkeypatch.setenv("AIRFLOW_VAR_TOKEN", "hunter-two")
    host.write({"id": "a", "command": ["sh", "-c", "echo got $TOKEN; test $TOKEN$ENV = $ENV"]})
    words = "secrets={'TOKEN': '{{ var.value.token }}'}, env={'ENV': 'x'}"
    tasks = host.run(f"Flow(flow_file='flow.yaml', run_key='k', {words})")
    assert outcome(tasks["flow"]) == ("failed", 1)
    assert redact("got hunter-two") == "got ***"  # as workers do, but not `dag.test()`
    holders = {
        path.suffix
        for home in (os.environ["ORCHESJOB_HOME"], os.environ["AIRFLOW_HOME"])
        for path in Path(home).rglob("*")
        if path.is_file() and b"hunter-two" in path.read_bytes()
    }
    assert holders == {".stdout"}


def test_cancelled_by_somebody(host: "Host") -> None:
    """A run that somebody cancelled is not retried."""
    cancel = [host.program, "cancel", "--run-key=k"]
    host.write({"id": "a", "command": cancel})
    tasks = host.run("Flow(flow_file='flow.yaml', run_key='k', retries=3)")
    assert outcome(tasks["flow"]) == ("failed", 1)
    assert host.status("k")["status"] == "CANCELLED"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{flow_id: f, steps: [{id: a, comand: [x]}]}", "flow.yaml:1:30: steps[0].comand: unkn"),
        ("{flow_id: f, steps: [{id: a, command: [x]}]}", "'k' was started with another definition"),
    ],
)
def test_a_mistake(
    host: "Host", capfd: "pytest.CaptureFixture[str]", written: str, message: str
) -> None:
    """It is not retried, and the log says what it is, with its place in the file (4.4)."""
    host.start("k", host.write(TRUE))
    (host.folder / "flow.yaml").write_text(written, encoding="utf-8")
    tasks = host.run("Flow(flow_file='flow.yaml', run_key='k', retries=3)")
    assert outcome(tasks["flow"]) == ("failed", 1)
    assert message in capfd.readouterr().out


@pytest.mark.parametrize("missing", ["program", "orchesjob_bin"])
def test_a_missing_program(host: "Host", capfd: "pytest.CaptureFixture[str]", missing: str) -> None:
    """A missing program is named in the log, and Airflow retries the task."""
    host.write(TRUE)
    place = "{{ '/missing' if ti.try_number == 1 else '' }}"
    task = f'Flow(flow_file="flow.yaml", run_key="k", {missing}="{place}", retries=1)'
    assert outcome(host.run(task)["flow"]) == ("success", 2)
    assert "/missing (" in capfd.readouterr().out


def test_a_runner_that_gives_up_at_once(host: "Host", capfd: "pytest.CaptureFixture[str]") -> None:
    """The try fails and says that the run is recorded; the next one continues it."""
    host.write(COUNT)
    orchesjob, fixed = Path(host.program).with_name("orchesjob"), host.folder / "fixed"
    broken = f"[ -e {fixed} ] || {{ echo boom >&2; exit 70; }}"
    orchesjob = script(host.folder / "orchesjob", broken, f'exec {orchesjob} "$@"')
    fix = f"[ $1 != resume ] || touch {fixed}"
    program = script(host.folder / "program", fix, f'exec {host.program} --patience=0 "$@"')
    options = f"retries=1, orchesjob_bin='{orchesjob}', program='{program}'"
    tasks = host.run(f"Flow(flow_file='flow.yaml', run_key='k', {options})")
    assert outcome(tasks["flow"]) == ("success", 2)
    logged = capfd.readouterr().out
    assert "run 'k' is recorded, but has no background runner: gave up on run 'k'" in logged
    assert "a retry of this task continues the run" in logged
    assert (host.folder / "runs").read_text() == "run\n"


def test_a_runner_that_goes_on_trying(host: "Host", capfd: "pytest.CaptureFixture[str]") -> None:
    """A runner that has had no answer of orchesjob yet is awaited like any other."""
    host.write(COUNT)
    error = '{"error":"no answer yet","recorded":true,"pid":1,"stderr_log":"/log"}'
    slow = f"{host.program} \"$@\" >/dev/null; echo '{error}' >&2; exit 2"
    lines = (f"[ $1 != start ] || {{ {slow}; }}", f'exec {host.program} "$@"')
    program = script(host.folder / "program", *lines)
    tasks = host.run(f"Flow(flow_file='flow.yaml', run_key='k', program='{program}')")
    assert outcome(tasks["flow"]) == ("success", 1)
    assert "no answer yet" in capfd.readouterr().out


def test_a_group_that_is_held(
    host: "Host", blocker: "Blocker", capfd: "pytest.CaptureFixture[str]"
) -> None:
    """A run that its flow skips, because another holds the group, skips the task (rule 10.7)."""
    step = {"id": "a", "command": blocker.command()}
    host.start("other", host.write(step, concurrency={"on_conflict": "skip"}))
    blocker.await_arrival()
    tasks = host.run("Flow(flow_file='flow.yaml', run_key='k', retries=1)")
    assert outcome(tasks["flow"]) == ("skipped", 1)
    assert "nothing is run: run 'other' holds the flow's group" in capfd.readouterr().out


def test_a_group_that_is_held_at_a_retry(
    host: "Host", blocker: "Blocker", capfd: "pytest.CaptureFixture[str]"
) -> None:
    """A run that FAILED stays a failure, though its retry is skipped (rule 10.7)."""
    group = {"on_conflict": "skip", "group": "g"}
    host.write({"id": "a", "command": ["false"]}, concurrency=group)
    host.write({"id": "a", "command": blocker.command()}, name="b.yaml", concurrency=group)
    words = [host.program, "start", "-d", "--run-key=other", "b.yaml"]
    begin_other = f"lambda _: __import__('subprocess').run({words!r}, cwd={str(host.folder)!r})"
    arguments = f"retries=1, on_retry_callback={begin_other}"
    tasks = host.run(f"Flow(flow_file='flow.yaml', run_key='k', {arguments})")
    assert outcome(tasks["flow"]) == ("failed", 2)
    assert "run 'other' holds the flow's group" in capfd.readouterr().out


def test_a_run_that_is_replaced(host: "Host", blocker: "Blocker") -> None:
    """The task of a replaced run fails without a retry, and names the other run (rule 10.7)."""
    host.write({"id": "a", "command": blocker.command()}, concurrency={"on_conflict": "replace"})
    with worker(host) as process:
        blocker.await_arrival()
        host.start("other", "flow.yaml")
        logged, _ = process.communicate(timeout=60)
    assert logged.endswith("failed\n")
    assert "AirflowFailException: run 'k' was cancelled: replaced by run 'other'" in logged


def test_the_report(host: "Host") -> None:
    """It is written when the run has ended, however; a link and an XCom lead to it."""
    host.write(TRUE, {"id": "b", "command": ["false"]})
    arguments = "report='{{ ds }}.html', report_url='https://here/{{ task.task_id }}.html'"
    run = host.load(f"Flow(flow_file='flow.yaml', run_key='k', {arguments})").test(
        logical_date=datetime(2026, 11, 28, tzinfo=UTC)
    )
    (ti,) = run.get_task_instances()
    path = host.folder / "2026-11-28.html"
    assert str(ti.state) == "failed"
    assert ti.xcom_pull(task_ids="flow", key="report") == str(path)
    assert "<html" in path.read_text(encoding="utf-8")
    link = ti.xcom_pull(task_ids="flow", key=RunReport().xcom_key)
    assert link == "https://here/flow.html"


def test_a_report_that_cannot_be_written(host: "Host", capfd: "pytest.CaptureFixture[str]") -> None:
    """It changes no outcome, and the log says why; without a URL there is no link."""
    host.write(TRUE)
    dag = host.load("Flow(flow_file='flow.yaml', run_key='k', report='/no/such/r.html')")
    (ti,) = dag.test().get_task_instances()
    assert str(ti.state) == "success"
    assert "the report could not be written: " in capfd.readouterr().out
    assert ti.xcom_pull(task_ids="flow", key="report") is None
    assert tuple(dag.task_dict["flow"].operator_extra_links) == ()


def test_a_runner_that_gave_up() -> None:
    """A run that has lost its runner says why that gave up, wherever the runner's log is."""
    from airflow.sdk.exceptions import AirflowException

    from orchesjob_flow_airflow.flow_as_task.operator import check_success

    steps = [{"finished_at": None}]
    given_up = {"at": 1.0, "error": "no answer"}
    run = {"run_key": "k", "status": "RUNNING", "steps": steps, "gave_up": given_up}
    with pytest.raises(AirflowException, match=r"1 steps are done.*Its runner gave up: no answer"):
        check_success(run, is_killed=False, runner_log="/elsewhere")


def test_the_program_is_beside_python(host: "Host", monkeypatch: "pytest.MonkeyPatch") -> None:
    """Without being named and without `PATH`, it is the one installed beside Airflow's Python."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    host.write(TRUE)
    assert outcome(host.run("Flow(flow_file='flow.yaml', run_key='k')")["flow"]) == ("success", 1)


def test_templates(host: "Host", tmp_path: Path) -> None:
    """The arguments are templates; relative paths are resolved in the folder of the DAG file.

    Values of parameters are recorded (10.2), and a run may be made for some steps only (6.14). A
    run that somebody triggers has no `ds`; what the guide shows works for it too (13.4).
    """
    (host.folder / "work").mkdir()
    words = 'test "$WORD $DAG" = "f dag" && touch here'
    host.write(
        {"id": "dag", "command": ["sh", "-c", words]},
        TRUE,
        {"id": "other", "command": ["false"]},
        name="f.yaml",
        params={"DAG": {"enum": ["dag"]}, "DAY": {"pattern": "[0-9]{4}-[0-9-]{5}"}},
    )
    database = tmp_path / "db" / "flow.sqlite3"
    dag = host.load(
        "Flow(flow_file='{{ params.name }}.yaml', run_key='{{ params.name }}-key', "
        "env={'WORD': '{{ params.name }}'}, working_dir='{{ params.place }}', "
        f"db='{tmp_path}/{{{{ params.db }}}}', until=['a', '{{{{ dag.dag_id }}}}'], "
        "flow_params={'DAG': '{{ dag.dag_id }}', 'DAY': '{{ dag_run.run_after | ds }}'}, "
        "params={'name': 'f', 'place': 'work', 'db': 'db/flow.sqlite3'})"
    )
    (ti,) = dag.test(logical_date=None).get_task_instances()
    assert outcome(ti) == ("success", 1)
    assert (host.folder / "work" / "here").exists()
    run = host.call(f"--db={database}", "status", "--run-key=f-key")
    assert is_same_run(run, result(ti))
    assert run["params"]["DAG"] == "dag"
    steps = {step["id"]: step["status"] for step in run["steps"]}
    assert steps == {"dag": "SUCCEEDED", "a": "SUCCEEDED", "other": "SKIPPED"}


def test_keys_of_a_mapped_task(host: "Host") -> None:
    """Without a run key of their own, the runs of a mapped task have one each."""
    host.write(TRUE)
    host.write({"id": "b", "command": ["true"]}, name="other.yaml")
    dag = host.load(
        "OrchesjobFlowOperator.partial(task_id='flow', poll_interval=0.1)"
        ".expand(flow_file=['flow.yaml', 'other.yaml'])",
        "Flow(task_id='alone', flow_file='flow.yaml')",
    )
    run = dag.test()
    assert str(run.state) == "success"
    keys = [f"dag:{run.run_id}:{name}" for name in ("flow:0", "flow:1", "alone")]
    assert [host.status(key)["status"] for key in keys] == ["SUCCEEDED"] * 3


@contextlib.contextmanager
def worker(host: "Host", **arguments: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a task that waits for its run itself, as Airflow does: in a process group of its own."""
    words = "".join(f", {name}={value!r}" for name, value in arguments.items())
    host.load(f"Flow(flow_file='flow.yaml', run_key='k', deferrable=False{words})")
    script = [sys.executable, "-c", "import the_dag; print(the_dag.dag.test().state)"]
    with subprocess.Popen(
        script, cwd=host.folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        yield process


def test_killed_in_the_worker(host: "Host", blocker: "Blocker") -> None:
    """Where a worker waits, SIGTERM cancels the run before the task ends, which may be retried."""
    host.write({"id": "a", "command": blocker.command()})
    with worker(host) as process:
        blocker.await_arrival()
        os.killpg(process.pid, signal.SIGTERM)
        logged, _ = process.communicate(timeout=60)
    assert logged.endswith("failed\n")
    assert "run 'k' was cancelled" in logged
    assert "AirflowFailException" not in logged
    run = host.status("k")
    assert (run["status"], run["steps"][0]["status"]) == ("CANCELLED", "CANCELLED")


def test_killed_during_the_start(host: "Host", tmp_path: Path) -> None:
    """A kill that comes before the run is recorded cancels it as soon as it is."""
    host.write({"id": "a", "command": ["sleep", "600"]})
    program = script(
        tmp_path / "program",
        f"refused={tmp_path}/refused",
        "for word; do case $word in",
        "start) kill -TERM $PPID; while ! test -e $refused; do sleep 0.01; done;;",
        f'cancel) {host.program} "$@"; code=$?; touch $refused; exit $code;;',
        "esac; done",
        f'exec {host.program} "$@"',
    )
    with worker(host, program=str(program)) as process:
        logged, _ = process.communicate(timeout=60)
    assert logged.endswith("failed\n")
    assert re.search(r"run 'k' could not be cancelled: \S+ does not exist", logged)
    assert host.status("k")["status"] == "CANCELLED"


def test_a_cancel_outlives_the_task(host: "Host", blocker: "Blocker") -> None:
    """Airflow kills a task that takes long to end, with its process group; the cancel continues."""
    host.write({"id": "a", "command": blocker.command(stubborn=True)})
    with worker(host, poll_interval=60) as process:
        blocker.await_arrival()
        os.kill(host.status("k")["runner"]["pid"], signal.SIGKILL)
        os.killpg(process.pid, signal.SIGTERM)
        host.await_run("k", lambda run: run["cancel_requested_at"] is not None)
        os.killpg(process.pid, signal.SIGKILL)
    host.await_run("k", lambda run: run["status"] == "CANCELLED")


def test_too_long_in_the_worker(host: "Host", blocker: "Blocker") -> None:
    """Where a worker waits, `execution_timeout` cancels the run."""
    host.write({"id": "a", "command": blocker.command()})
    tasks = host.run(
        "Flow(flow_file='flow.yaml', run_key='k', deferrable=False, "
        "execution_timeout=timedelta(seconds=2))"
    )
    assert outcome(tasks["flow"]) == ("failed", 1)
    assert host.status("k")["status"] == "CANCELLED"


# What `dag.test()` has no way to bring about: the methods as Airflow calls them.


def operator(**arguments: Any) -> OrchesjobFlowOperator:
    given = {"task_id": "flow", "flow_file": "flow.yaml", "run_key": "k", "poll_interval": 0.05}
    return OrchesjobFlowOperator(**{**given, **arguments})


def context(host: "Host", try_number: int, max_tries: int = 9) -> Any:
    """Return what the operator takes from Airflow's context."""
    ti = SimpleNamespace(try_number=try_number, max_tries=max_tries)
    return {"ti": ti, "dag": SimpleNamespace(folder=str(host.folder))}


def execute(host: "Host", task: OrchesjobFlowOperator, try_number: int, max_tries: int = 9) -> Any:
    """Execute a task as in a worker, until it defers."""
    from airflow.sdk.exceptions import TaskDeferred

    task.allow_nested_operators = True  # so that it may be executed without a task runner
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context=context(host, try_number, max_tries))
    return deferred.value


def test_too_long_in_the_triggerer(host: "Host", blocker: "Blocker") -> None:
    """`execution_timeout` limits the waiting in the triggerer too, and cancels the run."""
    from airflow.sdk.exceptions import TaskDeferralTimeout

    host.write({"id": "a", "command": blocker.command()})
    limit = timedelta(hours=1)
    task = operator(execution_timeout=limit)
    assert execute(host, task, 1).timeout == limit
    blocker.await_arrival()
    with pytest.raises(TaskDeferralTimeout):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context(host, 1))
    assert host.status("k")["status"] == "CANCELLED"


def test_a_trigger_that_breaks(host: "Host", blocker: "Blocker") -> None:
    """A trigger that fails for another reason does not end the run: a retry continues it."""
    from airflow.sdk.exceptions import TaskDeferralError

    host.write({"id": "a", "command": blocker.command()})
    task = operator()
    execute(host, task, 1)
    with pytest.raises(TaskDeferralError):
        task.resume_execution("__fail__", {"error": "Trigger failure"}, context(host, 1))
    assert host.status("k")["cancel_requested_at"] is None


def test_a_triggerer_elsewhere(host: "Host", capfd: "pytest.CaptureFixture[str]") -> None:
    """If the triggerer cannot see the run, the worker waits, and says what to fix."""
    host.start("k", host.write(TRUE))
    event = {"since": 0.0, "host": "h", "problem": "no run 'k'"}
    run = operator().execute_complete(context(host, 1), event)
    assert is_same_run(run, host.status("k"))
    assert run["status"] == "SUCCEEDED"
    logged = capfd.readouterr().out
    assert "run a triggerer on the host of the run" in logged
    assert " a SUCCEEDED" in logged


def test_a_worker_elsewhere(host: "Host", tmp_path: Path) -> None:
    """A task that continues on another host says so and names both hosts."""
    from airflow.sdk.exceptions import AirflowException

    host.start("k", host.write(TRUE))
    event = {"since": 0.0, "host": "first-host", "problem": None}
    elsewhere = operator(db=tmp_path / "elsewhere.sqlite3")
    with pytest.raises(
        AirflowException, match=r"does not exist, so no run .* was started on first-host, "
    ):
        elsewhere.execute_complete(context(host, 1), event)


def test_cleared_while_deferred(host: "Host", blocker: "Blocker") -> None:
    """The next try of a cleared task is not ended by the cancel that was meant for the last one."""
    from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

    host.write({"id": "a", "command": blocker.command()})
    execute(host, operator(), 1)
    blocker.await_arrival()
    task = operator()
    memory = execute(host, task, 2).trigger.memory
    assert memory["was_running"]
    host.call("cancel", "--run-key=k")  # as the trigger of the first try does, too late
    with pytest.raises(TaskDeferred) as deferred:
        task.execute_complete(context(host, 2), {**memory, "problem": None})
    blocker.await_arrival()
    run = host.status("k")
    assert (run["status"], run["steps"][0]["attempt_no"]) == ("RUNNING", 2)
    again = deferred.value.trigger.memory
    host.call("cancel", "--run-key=k")
    with pytest.raises(AirflowFailException):
        task.execute_complete(context(host, 2), {**again, "problem": None})


def test_cleared_in_the_middle_of_the_cancel(host: "Host", blocker: "Blocker") -> None:
    """A next try that finds a cancel under way completes it first."""
    host.write({"id": "a", "command": blocker.command(stubborn=True)})
    execute(host, operator(), 1)
    blocker.await_arrival()
    cancel = subprocess.Popen([host.program, "cancel", "--run-key=k"], stdout=subprocess.DEVNULL)
    host.await_run("k", lambda run: run["cancel_requested_at"] is not None)
    execute(host, operator(), 2)
    blocker.await_arrival()
    assert cancel.wait(60) == 0
    run = host.status("k")
    assert (run["status"], run["steps"][0]["attempt_no"]) == ("RUNNING", 2)


def test_late_cancels() -> None:
    """Only a cancel of a run that was found running, and soon after that, is the last try's."""
    now = time.time()
    found = {"since": now, "was_running": True}
    assert is_late_cancel({"cancel_requested_at": now + 1}, found)
    assert is_late_cancel({"cancel_requested_at": now - 1}, found)
    assert not is_late_cancel({"cancel_requested_at": now + LATE_CANCEL_SEC + 1}, found)
    assert not is_late_cancel({"cancel_requested_at": now + 1}, {"since": now})
    assert not is_late_cancel({"cancel_requested_at": now + 1, "replaced_by": "other"}, found)


def test_poll_interval() -> None:
    """A poll interval of 0 is refused: the triggerer would do nothing else."""
    with pytest.raises(ValueError, match="poll_interval"):
        operator(poll_interval=0)


def test_importing_is_cheap() -> None:
    """Neither the package nor a DAG file with the operator loads the trigger (or the program)."""
    script = (
        "import sys, orchesjob_flow_airflow as package\n"
        "inside = 'orchesjob_flow_airflow.flow_as_task'\n"
        "assert f'{inside}.operator' not in sys.modules\n"
        "package.OrchesjobFlowOperator(task_id='flow', flow_file='missing.yaml')\n"
        "assert f'{inside}.operator' in sys.modules\n"
        "assert not {f'{inside}.trigger', 'orchesjob_flow'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
