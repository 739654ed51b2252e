"""A flow has the same outcome under the local runner and under Airflow, step by step (rule 13.5).

The model, the machinery and the examples are in the checkout only, so the sdist leaves this module
out. `deployment/test_equivalence.py` has some of the flows on a real scheduler.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flow_spec import FlowSpec, OnConflict, load_flow
from support.generated_flows import (
    FLOWS,
    STEP_LOGS,
    GeneratedFlow,
    LocalRun,
    Outcome,
    generated_flows,
    outcome_of,
    start_locally,
)

if TYPE_CHECKING:
    from conftest import Airflow

EXAMPLES = Path(__file__).parents[4] / "examples"
STATUSES = {"success": "SUCCEEDED", "failed": "FAILED", "skipped": "SKIPPED"}


def as_outcome(state: str, states: dict[str, str]) -> Outcome:
    statuses = {task_id.replace(".", "@"): STATUSES[state] for task_id, state in states.items()}
    return STATUSES[state], statuses


@pytest.mark.parametrize("flow", generated_flows(FLOWS), ids=lambda flow: flow.flow_id)
def test_generated(
    airflow: "Airflow", monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flow: GeneratedFlow
) -> None:
    """The model, the local runner and Airflow agree on all steps, and no attempt is made twice."""
    monkeypatch.setenv(STEP_LOGS, str(tmp_path))
    flow.write(airflow.folder)
    locally = LocalRun.start(flow, airflow.folder, tmp_path / "local")
    dag = airflow.load(f"{flow.name!r}, run_dirs='.'")
    outcome = as_outcome(*airflow.run(dag, dict(flow.given)))
    assert outcome == flow.outcome
    assert flow.step_log(tmp_path, airflow.run_id) == flow.attempts
    locally.check()


def examples() -> list[str]:
    """Name the examples that can be a DAG with a task for each step."""
    paths = sorted(set(EXAMPLES.glob("*.yaml")) - set(EXAMPLES.glob("*.test.yaml")))
    flows = {path.name: load_flow(path, read_list=lambda *_: ["one"]) for path in paths}
    return [name for name, flow in flows.items() if can_be_a_dag(flow)]


def can_be_a_dag(flow: FlowSpec) -> bool:
    """Whether `flow_dag` accepts the flow (rule 13.4), which needs no values to run."""
    needs_values = any(param.default is None for param in flow.params)
    waits = flow.concurrency is None or flow.concurrency.on_conflict == OnConflict.WAIT
    return waits and not needs_values


@pytest.mark.parametrize("name", examples())
def test_examples(
    airflow: "Airflow", monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """Each example that is shipped has the same outcome (rule 8.1).

    Both run at once, each in a folder of its own: an example writes files and removes them.
    """
    monkeypatch.setenv("HELLO_FOR_SEC", "0")
    here, path = tmp_path / "here", f"examples/{name}"
    for folder in (here, airflow.folder):
        shutil.copytree(EXAMPLES, folder / "examples")
    runner = start_locally(path, here, tmp_path, "k")
    there = airflow.run(airflow.load(f"{path!r}, run_dirs='.'"))
    assert as_outcome(*there) == outcome_of(runner)
