"""A `foreach` on Airflow: the tasks of copies, what waits for them, and how many are under way."""

from typing import TYPE_CHECKING

import pytest

from flow_spec import FlowFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Airflow

OK, NG, SKIP = "success", "failed", "skipped"

SHOPS = """
flow_id: shops
steps:
  - {id: prepare, command: ["true"]}
  - foreach: {SHOP: [berlin, lagos]}
    steps:
      - id: load
        depends_on: [prepare]
        command: [sh, -c, 'echo "$SHOP $0 $ORCHESJOB_FLOW_STEP" >> $EXECUTED', "${{ SHOP }}"]
      - {id: check, when: load, command: ["true"]}
  - {id: report, when: check, command: ["true"]}
"""


def test_tasks_and_groups(airflow: "Airflow") -> None:
    """A `foreach` is a group of tasks, in which each copy of several steps is one (rule 13.4)."""
    airflow.write(SHOPS)
    dag = airflow.load()
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    copies = {"load.berlin", "load.lagos", "check.berlin", "check.lagos"}
    assert upstream == {
        "flow.begin": set(),
        "prepare": {"flow.begin"},
        "load.berlin": {"prepare"},
        "check.berlin": {"load.berlin"},
        "load.lagos": {"prepare"},
        "check.lagos": {"load.lagos"},
        "report": {"check.berlin", "check.lagos"},
        "flow.outcome": {"prepare", "report", *copies},
    }
    shown = {task.task_id: task.task_display_name for task in dag.tasks}
    assert {task_id.replace(".", "@") for task_id in copies} == {shown[one] for one in copies}
    groups = dag.task_group_dict
    assert {group_id: group.label for group_id, group in groups.items()} == {
        "foreach-load": "load, check",
        "foreach-load.1": "berlin",
        "foreach-load.2": "lagos",
    }
    assert groups["foreach-load"].tooltip == "foreach SHOP"
    assert set(groups["foreach-load.1"].children) == {"load.berlin", "check.berlin"}


def test_a_copy_that_fails(
    airflow: "Airflow", executed: "Callable[[], str]", capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands are told which one, and the log counts the outcomes of all there are (10.3)."""
    airflow.write("\n", "none.txt")
    run = airflow.run_flow(
        """
flow_id: f
steps:
  - {id: mixed, foreach: {N: ['0', '1']}, command: [sh, -c, "exit $N"]}
  - {id: absent, foreach: {N: {lines: none.txt, allow_empty: true}}, command: [x]}
  - {id: a, when: mixed, command: [x]}
  - {id: b, when: absent, command: [x]}
  - {id: c, when: mixed.failed, command: [sh, -c, 'echo $ORCHESJOB_FLOW_FAILED_STEPS >> $EXECUTED']}
"""
    )
    assert run == (NG, {"mixed.0": OK, "mixed.1": NG, "a": SKIP, "b": SKIP, "c": OK})
    assert executed() == "mixed@1\n"
    out = capsys.readouterr().out
    assert "`mixed` is false: mixed (1 SUCCEEDED, 1 FAILED)" in out
    assert "`absent` is false: absent (no copies)" in out


@pytest.mark.parametrize(
    ("lists", "shown"),
    [
        ("{FILE: {glob: 'in/*.csv'}}", ["a@1 (in/1.csv)", "a@2 (in/2.csv)"]),
        ("{FILE: ['x y', z]}", ["a@1 (x y)", "a@z"]),
        ("[{GO: '1.21', OPTS: -race}, {GO: '1'}]", ["a@1 (1.21, -race)", "a@2 (1)"]),
        (f"{{N: ['{'long ' * 40}', b]}}", [f"a@1 ({'long ' * 15}long…)", "a@b"]),
    ],
)
def test_names_of_tasks(airflow: "Airflow", lists: str, shown: list[str]) -> None:
    """A task is called like its copy, with the values where that is a number (10.3, 13.4)."""
    (airflow.folder / "in").mkdir()
    for name in ("2", "1"):
        airflow.write("", f"in/{name}.csv")
    airflow.write(
        f"{{flow_id: f, steps: [{{foreach: {lists}, steps: [{{id: a, command: [x]}}]}}]}}"
    )
    tasks = [task for task in airflow.load().tasks if task.task_id.startswith("a.")]
    assert [task.task_display_name for task in tasks] == shown


@pytest.mark.parametrize(
    ("around", "states", "allowed"),
    [
        ("", {}, {}),
        (
            "{id: first, command: ['true']}, ",
            {"first": NG, "tell": OK},
            {"first": OK, "tell": OK},
        ),
    ],
)
def test_a_list_without_values(
    airflow: "Airflow", around: str, states: dict[str, str], allowed: dict[str, str]
) -> None:
    """The run fails at its first task, if there is one, with `finally`; unless it may (10.3)."""
    for more, expected in (("", (NG, states)), (", allow_empty: true", (OK, allowed))):
        block = f"{{id: a, foreach: {{FILE: {{glob: '*.none'{more}}}}}, command: [x]}}"
        after = "finally: [{id: tell, command: ['true']}]" if around else ""
        assert airflow.run_flow(f"{{flow_id: f, steps: [{around}{block}], {after}}}") == expected


def test_ids_that_are_taken(airflow: "Airflow") -> None:
    """No copy and no group has the id of another task, however steps are called (rule 10.3)."""
    airflow.write(
        """
flow_id: f
steps:
  - {id: foreach-flow, command: [x]}
  - {id: a-b, command: [x]}
  - foreach: {N: [begin, outcome, b]}
    steps: [{id: flow, command: [x]}, {id: a, command: [x]}]
"""
    )
    dag = airflow.load()
    assert set(dag.task_dict) == {
        *("flow.begin", "flow.outcome", "foreach-flow", "a-b"),
        *("flow.-begin", "flow.-outcome", "flow.-b", "a.begin", "a.outcome", "a.b"),
    }
    assert set(dag.task_group_dict) == {"foreach-flow_", *(f"foreach-flow_.{n}" for n in (1, 2, 3))}


def test_turns(airflow: "Airflow") -> None:
    """A copy begins when all of one before has ended, as many at once as may be (10.3)."""
    airflow.write(
        """
flow_id: f
steps:
  - {id: first, command: [x]}
  - foreach: {N: [x, y, z]}
    max_parallel: 1
    steps: [{id: a, command: [x]}, {id: b, when: a, command: [x]}, {id: c, when: a, command: [x]}]
  - {id: d, foreach: {N: [v, w, x, y]}, max_parallel: 2, when: first, command: [x]}
"""
    )
    tasks = [task for task in airflow.load().tasks if "." in task.task_id]
    # A copy that fails or is skipped keeps no other from its turn.
    assert [one.trigger_rule for one in tasks if one.task_id == "a.y"] == ["all_done"]
    assert {one.task_id: one.upstream_task_ids for one in tasks if "flow." not in one.task_id} == {
        "a.x": {"flow.begin"},
        **{f"{step}.{n}": {f"a.{n}"} for step in "bc" for n in "xyz"},
        "a.y": {"b.x", "c.x"},
        "a.z": {"b.y", "c.y"},
        "d.v": {"first"},
        "d.w": {"first"},
        "d.x": {"first", "d.v"},
        "d.y": {"first", "d.w"},
    }


RECORDING = """
from pathlib import Path
from orchesjob_flow_airflow.flow_as_dag.files import read_flow_file
def begin(context):
    task, folder = context["task"], Path(__file__).parent
    if task.task_id == "first":
        task.flow = read_flow_file(str(folder / "began" / "flow.yaml"), str(folder / "began"))
"""
LISTED = """
flow_id: f
steps:
  - {id: first, command: ["true"]}
  - foreach: {N: {lines: list.txt}}
    steps: [{id: a, when: first, command: [echo, "ran ${{ N }}"]}]
  - {id: last, when: a, command: ["true"]}
"""


def run_with_another_list(airflow: "Airflow", began: str, now: str) -> tuple[str, dict[str, str]]:
    """Run a flow whose list changes after its first step: that has recorded what was there."""
    (airflow.folder / "began").mkdir()
    for folder, values in (("began/", began), ("", now)):
        airflow.write(LISTED, f"{folder}flow.yaml")
        airflow.write("\n".join(values.split()), f"{folder}list.txt")
    dag = airflow.load("'flow.yaml', default_args={'pre_execute': begin}", before=RECORDING)
    return airflow.run(dag)


def test_a_list_that_shrinks(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """A run one of whose copies has no task any more fails, and says why (rule 13.3)."""
    run = run_with_another_list(airflow, "x y", "x")
    out = capsys.readouterr().out
    assert run == (NG, {"first": OK, "a.x": NG, "last": NG}), out
    assert "has changed since this run began: lines 'list.txt' no longer gives 'y'; trigger" in out
    assert "ran x" not in out


def test_a_list_that_is_read_again(airflow: "Airflow") -> None:
    """A list is read whenever the DAG file is, in the folder of that file (rule 10.3)."""
    for values in ("x", "x y", ""):
        airflow.write("\n".join(values.split()), "list.txt")
        airflow.write(LISTED)
        tasks = {task_id for task_id in airflow.load().task_dict if task_id.startswith("a.")}
        assert tasks == {f"a.{value}" for value in values.split()}
    (airflow.folder / "list.txt").unlink()
    with pytest.raises(FlowFileError, match=r'"list.txt" cannot be read in .*: No such file'):
        airflow.load()


def test_arguments_of_copies(airflow: "Airflow") -> None:
    """A copy has the arguments of its step, with its own values; an error has its place (13.4)."""
    airflow.write("x\ny", "list.txt")
    block = LISTED.replace("id: a, when: first,", "id: a, x-airflow: {pool: 'of ${{ N }}'},")
    airflow.write(block)
    tasks = airflow.load().task_dict
    assert (tasks["a.x"].pool, tasks["a.y"].pool) == ("of x", "of y")
    airflow.write(block.replace("pool:", "poll:"))
    with pytest.raises(FlowFileError, match=r'flow.yaml:6:.*did you mean "pool"'):
        airflow.load()
