"""A flow as a DAG: what its fields become in Airflow."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchesjob_flow_airflow.flow_as_dag.attempts import TaskAttempt

if TYPE_CHECKING:
    from conftest import Airflow

FLOW = """
flow_id: daily
max_parallel: 3
timeout_sec: 60
steps:
  - {id: get, command: [sh, -c, "true"], description: gets it}
  - {id: load, command: ["true"], when: get}
  - {id: tell, command: ["true"], when: !load, depends_on: [get]}
"""


def test_tasks_and_edges(airflow: "Airflow") -> None:
    """There is a task for each step, which waits for what the step waits for (rule 3.6)."""
    airflow.write(FLOW)
    dag = airflow.load()
    assert dag.dag_id == "daily"
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream == {
        "flow.begin": set(),
        "get": {"flow.begin"},
        "load": {"get"},
        "tell": {"get", "load"},
        "flow.outcome": {"get", "load", "tell"},
    }
    first = {"flow.begin", "get"}
    for task in dag.tasks:
        assert task.trigger_rule == ("all_success" if task.task_id in first else "all_done")
    assert dag.task_dict["get"].doc_md == "gets it"


def test_the_description(airflow: "Airflow") -> None:
    """The DAG has that of the flow, unless the DAG file gives another (rule 10.9)."""
    airflow.write(FLOW)
    assert airflow.load().description is None
    airflow.write(FLOW.replace("max_parallel: 3", "description: Gets the orders."))
    assert airflow.load().description == "Gets the orders."
    assert airflow.load("'flow.yaml', description='mine'").description == "mine"


def test_the_flow_and_the_caller(airflow: "Airflow") -> None:
    """The caller's arguments take precedence over the flow's fields."""
    airflow.write(FLOW)
    dag = airflow.load()
    assert str([dag.max_active_tasks, dag.schedule]) == "[3, None]"
    assert dag.dagrun_timeout == timedelta(minutes=1)
    dag = airflow.load("'flow.yaml', dag_id='x', schedule='@daily', max_active_tasks=7, tags=['t']")
    assert str([dag.dag_id, dag.max_active_tasks, dag.schedule]) == "['x', 7, '@daily']"
    assert dag.tags == {"t"}
    assert dag.fileloc == str(airflow.folder / "the_dag.py")


@pytest.mark.parametrize(
    ("name", "text", "document"),
    [
        (
            "flow.yaml",
            "# ticks\n{flow_id: f, steps: [{id: a, command: [x]}]}\n",
            "```yaml\n{}\n```\n",
        ),
        (
            "flow.json",
            '{"flow_id": "f", "steps": [{"id": "a", "command": ["x"]}]}',
            "```json\n{}\n```\n",
        ),
        (
            "flow.yaml",
            "{flow_id: f, steps: [{id: a, command: ['````']}]}",
            "`````yaml\n{}\n`````\n",
        ),
    ],
)
def test_the_document(airflow: "Airflow", name: str, text: str, document: str) -> None:
    """The page of the DAG shows the flow file as it is written, or the text it is given (13.4)."""
    airflow.write(text, name)
    assert airflow.load(repr(name)).doc_md == document.format(text.rstrip())
    assert airflow.load(f"{name!r}, doc_md='mine'").doc_md == "mine"


@pytest.mark.parametrize("concurrency", ["{}", "{group: daily, on_conflict: wait}"])
def test_runs_that_wait_for_each_other(airflow: "Airflow", concurrency: str) -> None:
    """Where runs of one flow wait for each other, one run of the DAG is active (rule 10.7)."""
    airflow.write(f"{FLOW}concurrency: {concurrency}\n")
    assert airflow.load().max_active_runs == 1


HALF_A_MINUTE = timedelta(seconds=30)


@pytest.mark.parametrize(
    ("fields", "given", "arguments"),
    [
        ("", "", {"retries": 3, "retry_delay": HALF_A_MINUTE, "execution_timeout": None}),
        ("retries: 2, retry_delay_sec: 1.5", "", {"retries": 5, "retry_delay": HALF_A_MINUTE}),
        ("retries: 2", "infrastructure_retries=0", {"retries": 2}),
        ("retries: 1, retry_backoff: 3", "", {"retry_exponential_backoff": 0}),
        ("timeout_sec: 60", "", {"execution_timeout": None}),
    ],
)
def test_fields(
    airflow: "Airflow",
    monkeypatch: pytest.MonkeyPatch,
    fields: str,
    given: str,
    arguments: dict[str, Any],
) -> None:
    """Airflow's retries are the step's and those for infrastructure faults (rule 13.2)."""
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_RETRIES", "9")
    airflow.write(f"{{flow_id: f, steps: [{{id: a, command: [x], {fields}}}]}}")
    task = airflow.load(f"'flow.yaml', default_args={{'owner': 'me'}}, {given}").task_dict["a"]
    assert {name: getattr(task, name) for name in arguments} == arguments
    assert (task.owner, task.trigger_rule) == ("me", "all_success")


RETRY_CALLBACK = """
import os
from orchesjob_flow_airflow import InfrastructureFault
def tell(context):
    is_fault = isinstance(context["exception"], InfrastructureFault)
    with open(os.environ["TOLD"], "a") as file:
        file.write(f"{context['ti'].task_id} {is_fault} {context['exception']}\\n")
def die(self, *_):
    raise OSError("no answer")
from orchesjob_flow_airflow.flow_as_dag import attempts
run = attempts.TaskAttempt.run
attempts.TaskAttempt.run = lambda self, left: (run if self.key.endswith(":1") else die)(self, left)
"""


def test_a_callback_before_a_retry(
    airflow: "Airflow", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It can tell a command that failed from a fault that uses no retry of the step (13.2)."""
    monkeypatch.setattr(TaskAttempt, "run", TaskAttempt.run)
    monkeypatch.setattr("orchesjob_flow_airflow.flow_as_dag.tries.FAULT_DELAY", timedelta(0))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    airflow.write('{flow_id: f, steps: [{id: a, command: ["false"], retries: 1}]}')
    callbacks = "{'on_retry_callback': tell, 'on_failure_callback': tell}"
    arguments = f"'flow.yaml', default_args={callbacks}, infrastructure_retries=1"
    dag = airflow.load(arguments, before=RETRY_CALLBACK)
    assert airflow.run(dag) == ("failed", {"a": "failed"})
    assert (tmp_path / "told").read_text(encoding="utf-8") == (
        "a False exit code 1\n"
        "a True infrastructure fault: no answer\n"
        "a True infrastructure fault: no answer\n"
    )


def test_the_folder_of_the_dag_file(airflow: "Airflow", monkeypatch: pytest.MonkeyPatch) -> None:
    """The DAG file's folder stands for the directory in which a flow is started (rule 4.6)."""
    monkeypatch.chdir("/")
    (airflow.folder / "inner").mkdir()
    airflow.write(
        "{flow_id: f, steps: [{id: a, command: [test, -f, the_dag.py]},"
        " {id: b, command: [test, -d, inner], working_dir: inner/..},"
        " {id: c, command: [test, -d, usr], working_dir: /}]}",
        "inner/flow.yaml",
    )
    outcome = airflow.run(airflow.load("'inner/flow.yaml'"))
    assert outcome == ("success", dict.fromkeys("abc", "success"))
