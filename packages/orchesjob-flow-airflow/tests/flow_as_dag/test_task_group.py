"""A flow as a group of tasks in a DAG that somebody writes around it."""

from typing import TYPE_CHECKING

import pytest

from orchesjob_flow_airflow.errors import (
    ArgumentRefused,
    FieldRefused,
    InsideMappedGroup,
    OutsideDag,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from conftest import Airflow

OK, NG, SKIP, UP = "success", "failed", "skipped", "upstream_failed"

FLOW = """
flow_id: daily
description: Gets the orders.
steps:
  - {id: get, command: [test, -f, the_dag.py]}
  - {id: load, command: ["false"], when: get, allow_failure: true}
  - {id: tell, command: ["true"], when: !load}
  - {id: each, command: ["true"], when: get, foreach: {N: [x]}}
"""
HEAD = """
from airflow.sdk import DAG, task, task_group
from airflow.providers.standard.operators.bash import BashOperator
from orchesjob_flow_airflow import flow_task_group
"""


CALL = "flow_task_group('flow.yaml')"


@pytest.fixture
def around(airflow: "Airflow") -> "Around":
    """Write DAG files around the flow."""
    return Around(airflow)


class Around:
    """A DAG around a flow."""

    def __init__(self, airflow: "Airflow") -> None:
        self._airflow = airflow
        airflow.write(FLOW)

    def load(self, body: str, arguments: str = "") -> "DAG":
        """Load a DAG file with these lines in its DAG."""
        path = self._airflow.folder / "the_dag.py"
        lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
        path.write_text(f"{HEAD}\nwith DAG('mine'{arguments}) as dag:\n{lines}", encoding="utf-8")
        return self._airflow.load_file(path)

    def run(self, body: str, arguments: str = "") -> tuple[str, dict[str, str]]:
        """Run it to its end; return the state of the run, and those of its tasks."""
        run = self.load(body, arguments).test()
        return str(run.state), {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def test_tasks_and_edges(around: Around) -> None:
    """The group waits with its first task, and its last one stands for its outcome (13.4)."""
    dag = around.load(
        """
before, after = (BashOperator(task_id=name, bash_command=":") for name in ("before", "after"))
before >> flow_task_group("flow.yaml", default_args={"queue": "own"}) >> after
""",
        ", default_args={'retries': 5}",
    )
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream == {
        "before": set(),
        "daily.flow.begin": {"before"},
        "daily.get": {"daily.flow.begin"},
        "daily.load": {"daily.get"},
        "daily.tell": {"daily.load"},
        "daily.each.x": {"daily.get"},
        "daily.flow.outcome": {"daily.get", "daily.load", "daily.tell", "daily.each.x"},
        "after": {"daily.flow.outcome"},
    }
    assert dag.task_group_dict["daily"].tooltip == "Gets the orders."
    assert dag.task_dict["daily.get"].queue == "own"
    retries = {task.task_id: task.retries for task in dag.tasks}
    assert (retries["before"], retries["daily.get"], retries["daily.tell"]) == (5, 3, 3)


def test_outcomes(around: Around) -> None:
    """Steps see the outcomes of their own group; after a success others go on (rule 3.2)."""
    outcome = around.run(
        """
one = flow_task_group("flow.yaml", group_id="one")
two = flow_task_group("flow.yaml", group_id="two")
one >> two
"""
    )
    states = {"flow.begin": OK, "get": OK, "load": NG, "tell": OK, "each.x": OK, "flow.outcome": OK}
    tasks = {f"{group}.{name}": states[name] for group in ("one", "two") for name in states}
    assert outcome == (OK, tasks)


def test_a_flow_that_failed(airflow: "Airflow", around: Around) -> None:
    """What waits for a group does not run after its flow has FAILED, and the run fails (5.1)."""
    airflow.write(FLOW.replace("allow_failure: true", ""))
    run, states = around.run(
        'flow_task_group("flow.yaml") >> BashOperator(task_id="after", bash_command=":")'
    )
    assert (run, states["daily.tell"], states["daily.flow.outcome"]) == (NG, OK, NG)
    assert states["after"] == UP


@pytest.mark.parametrize(
    ("code", "run", "before", "first"), [(1, NG, NG, UP), (99, OK, SKIP, SKIP)]
)
def test_a_flow_that_does_not_begin(
    around: Around, code: int, run: str, before: str, first: str
) -> None:
    """No step runs, no alert either, behind a task that failed or was skipped (rule 13.4)."""
    task = f'BashOperator(task_id="before", bash_command="exit {code}")'
    states = {
        "before": before,
        "daily.flow.begin": first,
        "daily.get": first,
        "daily.load": SKIP,
        "daily.tell": SKIP,
        "daily.each.x": SKIP,
        "daily.flow.outcome": before,
    }
    assert around.run(f'{task} >> flow_task_group("flow.yaml")') == (run, states)


def test_a_trigger_rule_around_a_flow(around: Around) -> None:
    """A trigger rule for the tasks of the DAG around a flow does not let it begin (rule 13.4)."""
    run, states = around.run(
        'BashOperator(task_id="before", bash_command="exit 1", trigger_rule="all_success")'
        ' >> flow_task_group("flow.yaml")',
        ", default_args={'trigger_rule': 'all_done', 'multiple_outputs': True}",
    )
    assert (run, states["daily.flow.begin"], states["daily.get"]) == (NG, UP, UP)


MAPPED = """
@task_group
def each(number):
    flow_task_group("flow.yaml")
each.expand(number=[1, 2])
"""


@pytest.mark.parametrize(
    ("more", "body", "kind", "message"),
    [
        ("timeout_sec: 9", CALL, FieldRefused, "flow_task_group cannot .* DAG.*dagrun_timeout"),
        ("max_parallel: 2", CALL, FieldRefused, "flow_task_group cannot .* max_active_tasks"),
        ("concurrency: {}", CALL, FieldRefused, "flow_task_group cannot .* max_active_runs"),
        ("params: {DAY: {}}", CALL, FieldRefused, "flow_task_group cannot .* DAG"),
        ("env: {A: '${{ RUN_DIR }}'}", CALL, FieldRefused, "flow_task_group cannot .* RUN_DIR"),
        (
            "",
            "flow_task_group('flow.yaml', default_args={'retries': 1})",
            ArgumentRefused,
            "is refused",
        ),
        ("", MAPPED, InsideMappedGroup, "cannot be in the mapped group 'each'"),
        # A flow's id may have dots, a group's may not: then it needs a `group_id`.
        ("", "flow_task_group('flow.yaml', group_id='a.b')", ValueError, "The key 'a.b' has to be"),
    ],
)
def test_what_is_refused(  # noqa: PLR0913, PLR0917 - its cases
    airflow: "Airflow", around: Around, more: str, body: str, kind: type[Exception], message: str
) -> None:
    """What a flow says of its runs, and what would change outcomes, is no group's (13.4)."""
    airflow.write(f"{FLOW}{more}\n")
    with pytest.raises(kind, match=message):
        around.load(body)


def test_outside_of_a_dag(airflow: "Airflow") -> None:
    """A group needs a DAG; the error says what makes one (rule 13.4)."""
    path = airflow.folder / "the_dag.py"
    path.write_text(f"{HEAD}\n{CALL}\n", encoding="utf-8")
    with pytest.raises(OutsideDag, match=r"or flow_dag\(path\), which makes a DAG of the flow"):
        airflow.load_file(path)
