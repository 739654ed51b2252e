"""What Airflow shows for a flow file that is wrong."""

import re
from typing import TYPE_CHECKING

import pytest

from flow_spec import FlowFileError

if TYPE_CHECKING:
    from conftest import Airflow


def import_error(airflow: "Airflow") -> str:
    """Read the DAG files as the DAG processor does, and return the one import error."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(airflow.folder)
    assert bag.dags == {}
    (error,) = bag.import_errors.values()
    return str(error)


def test_a_wrong_flow_file(airflow: "Airflow") -> None:
    """The import error names every problem with file, line and column (rule 2.7)."""
    airflow.write_dag()
    path = airflow.folder / "flow.yaml"
    assert f"{path}: no such file; check the path" in import_error(airflow)
    airflow.write(
        "flow_id: f\n"
        "steps:\n"
        "  - {id: a, comand: [x]}\n"
        "  - id: b\n"
        "    command: [x]\n"
        "    when: a && && c\n"
    )
    error = import_error(airflow)
    assert f'{path}:3:13: steps[0].comand: unknown key; did you mean "command"?\n' in error
    assert f"{path}:6:11: steps[1].when: expected a name, '!' or '(', got '&&'\n" in error
    assert "    a && && c\n         ^^" in error


GROUP = "{flow_id: f, concurrency: {group: g}, steps: [{id: a, command: [x]}]}"
SKIP = "{flow_id: f, concurrency: {on_conflict: skip}, steps: [{id: a, command: [x]}]}"
SPLIT = (
    "{flow_id: f, params: {X: p q}, steps: [{id: a, foreach: {split: '${{ X }}'}, command: [x]}]}"
)
NAME = "{flow_id: f, steps: [{id: a, command: ['${{ RUN_DIR }}/x']}]}"


@pytest.mark.parametrize(
    ("flow", "field", "reason"),
    [
        (GROUP, "concurrency", "Airflow lets runs wait for each other, and only those of one DAG"),
        (SKIP, "concurrency", "Airflow lets runs wait for each other, and only those of one DAG"),
        (SPLIT, "foreach", "the tasks are there before a run has values for the parameters that a"),
        (NAME, "${{ RUN_DIR }}", "give flow_dag `run_dirs`, a folder that all"),
    ],
)
def test_what_no_dag_can_do(airflow: "Airflow", flow: str, field: str, reason: str) -> None:
    """What a DAG would ignore is refused, and the error says what to do (10.1 to 10.8)."""
    airflow.write(flow)
    airflow.write_dag()
    error = import_error(airflow)
    path = airflow.folder / "flow.yaml"
    assert f"{path}: flow_dag cannot do what `{field}` says: {reason}" in error
    assert "OrchesjobFlowOperator runs the whole flow as one task" in error


def test_a_schedule_without_a_value(airflow: "Airflow") -> None:
    """The error names a parameter to which nobody gives a value by schedule (rule 10.2)."""
    airflow.write(
        "{flow_id: f, params: {DAY: {}, CITY: rome, N: {}}, steps: [{id: a, command: [x]}]}"
    )
    airflow.write_dag("'flow.yaml', schedule='@daily'")
    assert "Invalid input for param DAY: No value passed" in import_error(airflow)
    airflow.load("'flow.yaml', schedule='@daily', params={'DAY': 'today', 'N': 3}")


def test_a_dag_that_is_half_made(airflow: "Airflow") -> None:
    """A factory that catches an error leaves no DAG with some of its steps (rule 13.4)."""
    airflow.write(
        "{flow_id: f, steps: [{id: a, command: [x]}, {id: b, command: [x], x-airflow: {pol: x}}]}"
    )
    airflow.write("{flow_id: g, steps: [{id: a, command: [x]}]}", "good.yaml")
    (airflow.folder / "the_dag.py").write_text(
        "import contextlib\nfrom orchesjob_flow_airflow import flow_dag\n"
        "with contextlib.suppress(ValueError):\n    flow_dag('flow.yaml')\nflow_dag('good.yaml')\n"
    )
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(airflow.folder)
    assert (set(bag.dags), bag.import_errors) == ({"g"}, {})


IN_THE_FILE = "is refused: the flow file says that, with"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("default_args={'retries': 3}", f"default_args['retries'] {IN_THE_FILE} `retries`"),
        ("default_args={'retry_delay': 1}", f"{IN_THE_FILE} `retry_delay_sec`"),
        ("default_args={'retry_exponential_backoff': 2}", f"{IN_THE_FILE} `retry_backoff`"),
        ("default_args={'max_retry_delay': 9}", f"{IN_THE_FILE} `retry_max_delay_sec`"),
        ("default_args={'retry_policy': print}", f"{IN_THE_FILE} `retry_exit_codes`"),
        ("default_args={'execution_timeout': 9}", f"{IN_THE_FILE} `timeout_sec`"),
        ("default_args={'trigger_rule': 'all_success'}", f"{IN_THE_FILE} `when`"),
        ("default_args={'depends_on_past': True}", "a step waits for steps of its own run alone"),
        ("default_args={'wait_for_downstream': True}", "a step waits for steps of its own run"),
        ("default_args={'do_xcom_push': True}", "a step returns nothing to Airflow; let it write"),
        ("dagrun_timeout=60", f"dagrun_timeout {IN_THE_FILE} `timeout_sec`"),
        ("until=['a']", "a task for each step of the file; OrchesjobFlowOperator has `until`"),
        ("fail_fast=True", "fail_fast is refused: steps that run beside a failure"),
        ("max_active_runs=4", f"max_active_runs {IN_THE_FILE} `concurrency`"),
        ("infrastructure_retries=-1", "infrastructure_retries must be an integer >= 0, got -1"),
        ("infrastructure_retries=2.5", "infrastructure_retries must be an integer >= 0, got 2.5"),
        ("infrastructure_retries=True", "infrastructure_retries must be an integer >= 0, got True"),
    ],
)
def test_arguments_that_are_refused(airflow: "Airflow", arguments: str, error: str) -> None:
    """The file decides how steps and runs end: nothing is overridden in silence (rule 13.4)."""
    airflow.write("{flow_id: f, concurrency: {}, steps: [{id: a, command: [x]}]}")
    airflow.write_dag(f"'flow.yaml', {arguments}")
    shown = import_error(airflow)
    assert f"{airflow.folder / 'flow.yaml'}: " in shown
    assert error in shown
    assert ("take it out of the DAG file" in shown) == ("infrastructure" not in arguments)


def test_arguments_that_change_nothing(airflow: "Airflow") -> None:
    """What people copy from Airflow's tutorial and changes nothing is no error (rule 13.4)."""
    airflow.write("{flow_id: f, concurrency: {}, steps: [{id: a, command: [x], retries: 2}]}")
    defaults = "{'depends_on_past': False, 'retries': None, 'owner': 'me', 'queue': 'q'}"
    others = "fail_fast=False, max_active_runs=1, dagrun_timeout=None"
    task = airflow.load(f"'flow.yaml', default_args={defaults}, {others}").task_dict["a"]
    assert (task.owner, task.queue, task.retries, task.depends_on_past) == ("me", "q", 2 + 3, False)


def test_a_dag_inside_a_dag(airflow: "Airflow") -> None:
    """A DAG is not made in silence inside another; the error names what to call (rule 13.4)."""
    airflow.write("{flow_id: f, steps: [{id: a, command: [x]}]}")
    (airflow.folder / "the_dag.py").write_text(
        "from airflow.sdk import DAG\nfrom orchesjob_flow_airflow import flow_dag\n"
        "with DAG('mine'):\n    flow_dag('flow.yaml')\n"
    )
    error = import_error(airflow)
    assert "flow_dag makes a DAG of its own, and cannot do that inside the DAG 'mine'" in error
    assert "there, flow_task_group(path) adds the flow as a group of tasks" in error


def test_an_id_that_no_dag_can_have(airflow: "Airflow") -> None:
    """A flow's id may be a sentence, a DAG's may not: Airflow says why, and `dag_id` helps."""
    airflow.write("{flow_id: the daily import, steps: [{id: a, command: [x]}]}")
    airflow.write_dag()
    assert "The key 'the daily import' has to be made of" in import_error(airflow)
    airflow.write_dag("'flow.yaml', dag_id='daily'")
    from airflow.dag_processing.dagbag import DagBag

    assert set(DagBag(airflow.folder).dags) == {"daily"}


def test_an_id_that_no_task_can_have(airflow: "Airflow") -> None:
    """The id of a copy may be longer than that of a task: the error says where (10.3)."""
    step = f"{{foreach: {{N: [{'b' * 128}]}}, steps: [{{id: {'a' * 128}, command: [x]}}]}}"
    airflow.write(f"{{flow_id: f, steps: [{step}]}}")
    words = "1:177: steps[0].steps[0]: Airflow refuses the task: The key has to be less than"
    with pytest.raises(FlowFileError, match=re.escape(words)):
        airflow.load()
