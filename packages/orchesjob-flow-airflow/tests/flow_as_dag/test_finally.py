"""`finally` on Airflow: its steps run however the others have ended (rule 10.1)."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG, SKIP = "success", "failed", "skipped"
INTERVAL = "orchesjob_flow_airflow.flow_as_dag.operators.FINALLY_INTERVAL"

TELLING = """
  - id: tell
    command: [sh, -c, 'echo "$ORCHESJOB_FLOW_OUTCOME [$ORCHESJOB_FLOW_FAILED_STEPS]" >> $EXECUTED']
"""


def test_tasks_and_edges(airflow: "Airflow") -> None:
    """The steps of `finally` are teardown tasks behind all others (rule 10.1)."""
    airflow.write(
        """
flow_id: daily
steps:
  - {id: get, command: ["true"]}
  - {id: load, command: ["true"], when: get}
finally:
  - {id: tidy, command: ["true"]}
  - {id: tell, command: ["true"], when: tidy && any(failed), depends_on: [load]}
"""
    )
    dag = airflow.load()
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream == {
        "flow.begin": set(),
        "get": {"flow.begin"},
        "load": {"get"},
        "flow.finally": {"get", "load"},
        "tidy": {"flow.finally"},
        "tell": {"tidy"},
        "flow.end": {"tidy", "tell"},
        "flow.outcome": {"get", "load", "tidy", "tell", "flow.end"},
        "flow.cancelled": {"flow.end"},
    }
    teardowns = {task.task_id: task.on_failure_fail_dagrun for task in dag.teardowns}
    assert teardowns == {"tidy": False, "tell": False, "flow.cancelled": True}


@pytest.mark.parametrize(
    ("tidy", "told", "run"),
    [("true", "SUCCEEDED [a]", OK), ("false", "FAILED [a tidy]", NG)],
)
def test_how_the_run_ends(
    airflow: "Airflow", executed: Callable[[], str], tidy: str, told: str, run: str
) -> None:
    """Who asks that begins last; an allowed failure does not count, one of `finally` does (3.9)."""
    state, states = airflow.run_flow(
        f"""
flow_id: f
steps:
  - {{id: a, command: ["false"], allow_failure: true}}
finally:{TELLING}
    when: run(failed) || run(succeeded)
  - {{id: red, command: ["true"], when: run(failed)}}
  - {{id: green, command: ["true"], when: run(succeeded) && !run(cancelled)}}
  - {{id: tidy, command: ["{tidy}"]}}
"""
    )
    colours = (OK, SKIP) if run == NG else (SKIP, OK)
    assert (state, executed(), states["red"], states["green"]) == (run, f"{told}\n", *colours)


# The run's time begins with `slow`, and is over when a step follows, however slow this machine is.
LATE = """
import datetime
def late(context):
    if context["ti"].task_id == "slow":
        context["dag_run"].start_date = datetime.datetime.now(datetime.UTC)
    elif context["ti"].task_id in ("after", "beside"):
        context["dag_run"].start_date = datetime.datetime.fromtimestamp(0, datetime.UTC)
"""


@pytest.mark.parametrize(
    ("slow", "timeout_sec", "told", "states"),
    [
        (
            "[sh, -c, 'echo begun >> $EXECUTED; sleep 60']",
            5,
            "begun\nTIMED_OUT []\n",
            {"slow": SKIP, "after": SKIP, "tell": OK, "cut": OK, "late": SKIP, "slowly": OK},
        ),
        (
            '["false"]',
            3600,
            "TIMED_OUT [slow]\n",
            {"slow": NG, "after": SKIP, "tell": OK, "cut": SKIP, "late": OK, "slowly": OK},
        ),
    ],
)
def test_timeout(  # noqa: PLR0913, PLR0917 - its cases
    airflow: "Airflow",
    executed: Callable[[], str],
    slow: str,
    timeout_sec: int,
    told: str,
    states: dict[str, str],
) -> None:
    """When the time is over jobs are ended, nothing begins, and `finally` runs (rule 9.12).

    A job that has ended by itself has its own outcome.
    """
    airflow.write(
        f"""
flow_id: f
timeout_sec: {timeout_sec}
steps:
  - {{id: slow, command: {slow}}}
  - {{id: after, command: ["true"], when: slow.finished}}
finally:{TELLING}
  - {{id: cut, command: ["true"], when: slow.cancelled && after.cancelled && tell}}
  - {{id: late, command: ["true"], when: slow.failed && after.cancelled && tell}}
  - {{id: slowly, command: ["true"], when: run(timed_out) && run(failed) && !run(cancelled)}}
"""
    )
    dag = airflow.load("'flow.yaml', default_args={'pre_execute': late}", before=LATE)
    assert (airflow.run(dag), executed()) == ((NG, states), told)


def test_what_a_failed_step_has_left(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """When `finally` begins nothing is alive of what did not succeed (rule 10.1)."""
    _, states = airflow.run_flow(
        """
flow_id: f
steps:
  - id: a
    command: [sh, -c, 'setsid sleep 600 & echo $! > $EXECUTED.pid; exit 1']
finally:
  - id: look
    command: [sh, -c, 'grep "State:.[^ZX]" /proc/`cat $EXECUTED.pid`/status > $EXECUTED; true']
"""
    )
    assert (states, executed()) == ({"a": NG, "look": OK}, "")


# A worker that dies: it has begun a job, and nobody sees how that ends.
DYING = """
import os
from orchesjob_client import OrchesjobClient, locate
from orchesjob_flow_airflow.flow_as_dag.ending import StepNote, write_note
def die(context):
    ti = context["ti"]
    if ti.task_id == "a":
        key = f"{ti.dag_id}:{ti.run_id}:a:1"
        client = OrchesjobClient(locate(None, os.environ))
        command = context["task"].step.command
        client.start(key, command)
        write_note(context, "a", StepNote(attempt_key=key))
        raise RuntimeError("the worker died")
"""


def test_a_job_that_nobody_ends(
    airflow: "Airflow",
    executed: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A job whose worker has died is ended before `finally` begins, and named (rule 10.1)."""
    monkeypatch.setattr("orchesjob_flow_airflow.flow_as_dag.ending.MARK_PATIENCE_SEC", 0.0)
    airflow.write(
        """
flow_id: f
steps:
  - {id: a, command: [sh, -c, 'echo $$ > $EXECUTED.pid; exec sleep 600']}
finally:
  - id: look
    command: [sh, -c, 'grep "State:.[^ZX]" /proc/`cat $EXECUTED.pid`/status > $EXECUTED; true']
"""
    )
    arguments = "'flow.yaml', default_args={'pre_execute': die}, infrastructure_retries=0"
    state, states = airflow.run(airflow.load(arguments, before=DYING))
    assert (state, states, executed()) == (NG, {"a": NG, "look": OK}, "")
    words = "nobody has seen these jobs end, perhaps on other hosts: f:manual__"
    assert words in capsys.readouterr().out


# Marks the run as soon as a task has ended.
MARKING = """
from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.serialization.serialized_objects import DagSerialization
def mark(context):
    if context["ti"].task_id == TASK:
        run_id = context["ti"].run_id
        known = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        set_dag_run_state_to_failed(dag=known, run_id=run_id, commit=True)
"""


@pytest.mark.parametrize(
    ("after", "told", "states"),
    [
        ("first", "CANCELLED []", {"ill": SKIP, "last": SKIP, "cut": SKIP}),
        ("last", "FAILED [ill]", {"ill": NG, "last": OK, "cut": SKIP}),
    ],
)
def test_marked(  # noqa: PLR0913, PLR0917 - its cases
    airflow: "Airflow",
    executed: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    after: str,
    told: str,
    states: dict[str, str],
) -> None:
    """A mark is a cancel: what has not ended is CANCELLED, and `finally` runs (5.6, 10.1).

    After the last step there is nothing to cancel, and the run ends as the flow has.
    """
    monkeypatch.setattr(INTERVAL, timedelta(0))
    airflow.write(
        f"""
flow_id: f
steps:
  - {{id: first, command: ["true"]}}
  - {{id: no, command: ["true"], when: !first}}
  - {{id: ill, command: ["false"], when: no.skipped}}
  - {{id: last, command: ["true"], when: ill.failed}}
finally:{TELLING}
  - {{id: cut, command: ["true"], when: no.skipped && ill.failed && last.cancelled && tell}}
"""
    )
    before = MARKING.replace("TASK", repr(after))
    callbacks = "{'on_success_callback': mark, 'on_failure_callback': mark}"
    dag = airflow.load(f"'flow.yaml', default_args={callbacks}", before=before)
    run = dag.test()
    found = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert (executed(), str(run.state), found["flow.cancelled"]) == (f"{told}\n", NG, NG)
    steps = {name: state for name, state in found.items() if not name.startswith("flow.")}
    assert steps == {"first": OK, "no": SKIP, "tell": OK} | states
    assert (found["flow.finally"], found["flow.outcome"]) == (SKIP, SKIP)


def test_marked_after_a_success(
    airflow: "Airflow", executed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark after the last step cancels nothing, so the run is a success (rule 5.6)."""
    monkeypatch.setattr(INTERVAL, timedelta(0))
    airflow.write(f"flow_id: f\nsteps:\n  - {{id: a, command: ['true']}}\nfinally:{TELLING}")
    arguments = "default_args={'on_success_callback': mark}"
    before = MARKING.replace("TASK", "'a'")
    run = airflow.load(f"'flow.yaml', {arguments}", before=before).test()
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert (executed(), states["tell"], states["flow.finally"]) == ("SUCCEEDED []\n", OK, SKIP)
    assert (str(run.state), states["flow.cancelled"]) == (OK, OK)


AROUND = f"""
{MARKING.replace("TASK", "'before'")}
from airflow.sdk import DAG, task
from orchesjob_flow_airflow import flow_task_group
@task(on_success_callback=mark)
def before():
    if FAILS:
        raise ValueError
@task
def after():
    pass
with DAG("mine") as dag:
    before() >> flow_task_group("flow.yaml", group_id="g") >> after()
"""


@pytest.mark.parametrize(("fails", "first"), [("False", "skipped"), ("True", "upstream_failed")])
def test_a_group_that_does_not_begin(
    airflow: "Airflow", executed: Callable[[], str], fails: str, first: str
) -> None:
    """No `finally` without a beginning: a task before failed, or the run was marked (10.7)."""
    airflow.write(f"flow_id: f\nsteps:\n  - {{id: a, command: [x]}}\nfinally:{TELLING}")
    path = airflow.folder / "the_dag.py"
    path.write_text(AROUND.replace("FAILS", fails), encoding="utf-8")
    run = airflow.load_file(path).test()
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert (states["g.flow.begin"], states["g.tell"], executed()) == (first, SKIP, "")
    assert (str(run.state), states["after"]) == (NG, first)


CHAIN = """
  - {id: b, command: ["true"], when: a}
  - {id: c, command: ["true"], when: b && other}
  - {id: d, command: ["true"], when: "!c"}
  - {id: other, command: ["true"]}
"""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ('["false"]', {"a": (NG, 1), "b": (SKIP, 0), "c": (SKIP, 0), "d": (OK, 1)}),
        ("[sh, -c, exit 4]", {"a": (SKIP, 1), "b": (SKIP, 0), "c": (SKIP, 0), "d": (OK, 1)}),
        ('["true"]', {"a": (OK, 1), "b": (OK, 1), "c": (OK, 1), "d": (SKIP, 1)}),
    ],
)
def test_skipped_together(
    airflow: "Airflow", command: str, expected: dict[str, tuple[str, int]]
) -> None:
    """What a task leaves without a chance is skipped with it, and costs no process (13.5)."""
    fields = f"command: {command}, when: other, skip_exit_codes: [4]"
    _, states = airflow.run_flow(
        f"flow_id: f\nsteps:\n  - {{id: a, {fields}}}{CHAIN}finally:\n"
        '  - {id: tell, command: ["true"], when: b.skipped && d}\n'
    )
    assert {name: (states[name], airflow.tries[name]) for name in expected} == expected
    assert states["tell"] == (SKIP if expected["a"] == (OK, 1) else OK)
