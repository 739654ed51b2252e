"""A flow as a DAG: what its fields become in Airflow."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchesjob_flow_airflow.flow_as_dag.attempts import TaskAttempt

if TYPE_CHECKING:
    from conftest import Airflow

FLOW = """
flow_id: daily
description: Gets the orders.
max_parallel: 3
timeout_sec: 60
concurrency: {group: daily, on_conflict: wait}
steps:
  - id: get
    command: ["true"]
    description: gets it
    retries: 2
    retry_delay_sec: 1.5
    retry_backoff: 3
    timeout_sec: 60
"""


def test_the_flow_and_the_caller(airflow: "Airflow", monkeypatch: pytest.MonkeyPatch) -> None:
    """What the DAG and its tasks have is the flow's, unless the caller may say it (13.2, 13.4)."""
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_RETRIES", "9")
    airflow.write(FLOW)
    dag = airflow.load()
    assert str([dag.max_active_tasks, dag.max_active_runs, dag.schedule]) == "[3, 1, None]"
    assert dag.dagrun_timeout == timedelta(minutes=1)
    assert (dag.dag_id, dag.description) == ("daily", "Gets the orders.")
    of_caller = "dag_id='x', schedule='@daily', max_active_tasks=7, tags=['t'], description='mine'"
    of_tasks = "infrastructure_retries=1, default_args={'owner': 'me'}"
    dag = airflow.load(f"'flow.yaml', {of_caller}, {of_tasks}")
    assert str([dag.dag_id, dag.max_active_tasks, dag.schedule]) == "['x', 7, '@daily']"
    assert (dag.tags, dag.description) == ({"t"}, "mine")
    assert dag.fileloc == str(airflow.folder / "the_dag.py")
    task = dag.task_dict["get"]
    assert (task.owner, task.doc_md, task.retries) == ("me", "gets it", 2 + 1)
    # Airflow's are those after an infrastructure fault; the step keeps its own itself.
    delays = (task.retry_delay, task.retry_exponential_backoff, task.execution_timeout)
    assert delays == (timedelta(seconds=30), 0, None)


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
