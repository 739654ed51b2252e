"""A run goes on with the definition with which it began, whatever becomes of its file."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG = "success", "failed"
FLOW = """
flow_id: f
steps:
  - {id: src, command: ["true"]}
  - {id: tidy, when: src, command: [sh, -c, 'echo ran as old']}
"""
# `dag.test()` runs a DAG file once, a worker for each try: so the second task gets the edited flow.
EDITING = """
from pathlib import Path
from flow_spec import load_flow
def edit(context):
    task = context["task"]
    if task.task_id == "tidy":
        task.flow = load_flow(str(Path(__file__).with_name("edited.yaml")))
"""


def run_edited(airflow: "Airflow", edited: str) -> tuple[str, dict[str, str]]:
    """Run the flow, whose file is edited after its first step."""
    airflow.write(FLOW)
    airflow.write(edited, "edited.yaml")
    return airflow.run(
        airflow.load("'flow.yaml', default_args={'pre_execute': edit}", before=EDITING)
    )


def test_a_file_that_says_the_same(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """What changes nothing of a run is not worth a word (rules 4.4, 13.3 and 13.4)."""
    more = "description: tidies up, x-airflow: {queue: other}"
    run = run_edited(airflow, FLOW.replace("id: tidy,", f"id: tidy, {more},"))
    out = capsys.readouterr().out
    assert run == (OK, {"src": OK, "tidy": OK}), out
    assert " ran as old " in out
    assert "has changed" not in out


@pytest.mark.parametrize(
    ("was", "now", "change"),
    [
        ("when: src,", "", 'step "tidy": start was'),
        ("steps:", "finally: [{id: more, command: [x]}]\nsteps:", 'step "more" was added'),
    ],
)
def test_a_run_that_cannot_go_on(
    airflow: "Airflow", capsys: pytest.CaptureFixture[str], was: str, now: str, change: str
) -> None:
    """Where Airflow would obey two definitions at once, the run fails and says why (rule 13.3)."""
    edited = FLOW.replace("old", "new").replace(was, now)
    assert run_edited(airflow, edited) == (NG, {"src": OK, "tidy": NG})
    out = capsys.readouterr().out
    assert "the flow file has changed since this run began: " in out
    assert change in out
    assert "trigger a new run, or clear this task and those after it" in out
    assert " ran as new " not in out
    assert " ran as old " not in out


def serialised(airflow: "Airflow", text: str) -> str:
    """Return what Airflow keeps of a flow, in which it finds a new version of a DAG."""
    from airflow.serialization.serialized_objects import DagSerialization

    airflow.write(text)
    dag = airflow.load("'flow.yaml', doc_md='not the file'")
    return json.dumps(DagSerialization.to_dict(dag), sort_keys=True)


def test_a_new_version(airflow: "Airflow") -> None:
    """Any edit that changes what the flow does makes a new version of the DAG (rule 13.3)."""
    was = serialised(airflow, FLOW)
    assert serialised(airflow, f"# a remark\n{FLOW}") == was
    long = FLOW.replace("old", "x" * 9000)
    edits = [
        FLOW.replace("old", "new"),
        f"{FLOW}env: {{A: b}}",
        long,
        f"{long}# ",
        long + "env: {A: b}",
        FLOW.replace("id: src,", "id: src, x-airflow: {queue: q},"),
    ]
    assert len({was, *(serialised(airflow, edit) for edit in edits)}) == 6
