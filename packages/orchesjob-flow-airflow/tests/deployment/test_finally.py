"""`finally` on a deployed Airflow: it runs after a run was marked or has timed out (rule 10.1)."""

from collections.abc import Iterator

import pytest

from .deployment import Deployment

OK, NG, SKIP, LATER = "success", "failed", "skipped", "up_for_reschedule"

STEPS = """
steps:
  - {id: broken, command: ["false"]}
  - {id: unneeded, command: ["true"], when: broken}
  - {id: patient, command: [sh, wait.sh], when: broken.failed && unneeded.skipped}
  - {id: after, command: ["true"], when: patient}
finally:
  - {id: tell, command: [sh, tell.sh]}
  - id: check
    command: ["true"]
    when: tell && broken.failed && unneeded.skipped && patient.cancelled && after.cancelled
  - {id: never, command: ["true"], when: any(succeeded)}
"""
MARKED = f"flow_id: marked\n{STEPS}"
TIMED = f"flow_id: timed\ntimeout_sec: 25\n{STEPS}"
TIDY = """
flow_id: tidy
steps:
  - {id: good, command: ["true"]}
  - {id: bad, command: [test, -e, ../go]}
finally:
  - {id: tidy, command: [sh, wait.sh]}
"""
# Leaves its PID, ignores TERM, and waits for the file `go`.
WAIT = """
echo $$ > "../pid.$ORCHESJOB_FLOW_RUN_KEY"
trap '' TERM
echo begun
while [ ! -e ../go ]; do sleep 0.1; done
"""
TELL = """
grep "State:.[^ZX]" /proc/`cat "../pid.$ORCHESJOB_FLOW_RUN_KEY"`/status && echo beside it
echo "told: $ORCHESJOB_FLOW_OUTCOME, failed: $ORCHESJOB_FLOW_FAILED_STEPS"
"""
GROUP = """
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from orchesjob_flow_airflow import flow_task_group
with DAG("group") as dag:
    flow_task_group("marked.yaml") >> BashOperator(task_id="publish", bash_command=":")
"""
ENDED = {
    "flow.begin": OK,
    "broken": NG,
    "unneeded": SKIP,
    "after": SKIP,
    "tell": OK,
    "check": OK,
    "never": SKIP,
}
BY_HAND = {"patient": NG, "flow.finally": SKIP, "flow.end": SKIP, "flow.outcome": SKIP}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An Airflow with flows that have `finally`, one of them in a group of tasks."""
    deployment = Deployment(tmp_path_factory.mktemp("deployment") / "airflow")
    deployment.write(
        {
            "marked.yaml": MARKED,
            "timed.yaml": TIMED,
            "tidy.yaml": TIDY,
            "wait.sh": WAIT,
            "tell.sh": TELL,
            "group.py": GROUP,
        }
    )
    for dag_id in ("marked", "timed", "tidy"):
        deployment.add_flow(dag_id, f"'{dag_id}.yaml'")
    with deployment.running():
        yield deployment


def begin(deployment: Deployment, *tasks: tuple[str, str]) -> list[str]:
    """Trigger runs, and wait until a task of each waits for the file `go`; return their ids."""
    (deployment.home / "go").unlink(missing_ok=True)
    runs = [(dag_id, deployment.trigger(dag_id), task_id) for dag_id, task_id in tasks]
    deployment.wait_for(lambda: all('"begun"' in deployment.log(*run) for run in runs))
    return [run_id for _, run_id, _ in runs]


def mark(deployment: Deployment, dag_id: str, run_id: str, state: str) -> None:
    """Mark a run as the button of the web page does."""
    deployment.ask("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": state})


def test_marked(deployment: Deployment) -> None:
    """The job of a marked run is ended, then `finally` runs, and the run has failed (10.1).

    In a group `finally` runs too, and what waits for the group does not.
    """
    dag_ids, states = ("marked", "marked", "group"), ("failed", "success", "failed")
    tasks = ("patient", "patient", "marked.patient")
    run_ids = begin(deployment, *zip(dag_ids, tasks, strict=True))
    for dag_id, run_id, state in zip(dag_ids, run_ids, states, strict=True):
        mark(deployment, dag_id, run_id, state)
    for dag_id, run_id, state in zip(dag_ids, run_ids, states, strict=True):
        prefix = "marked." if dag_id == "group" else ""
        patient = OK if state == "success" else NG
        ended = {**ENDED, **BY_HAND, "patient": patient, "flow.cancelled": NG}
        assert deployment.await_end(dag_id, run_id) == (
            NG,
            {f"{prefix}{name}": ends for name, ends in ended.items()}
            | ({"publish": SKIP} if prefix else {}),
        )
        told = deployment.log(dag_id, run_id, f"{prefix}tell")
        assert "told: CANCELLED, failed: broken" in told
        assert "beside it" not in told


def test_timed_out(deployment: Deployment) -> None:
    """When the run's time is over its job is ended, and `finally` runs (rules 9.12, 10.1)."""
    (run_id,) = begin(deployment, ("timed", "patient"))
    assert deployment.await_end("timed", run_id) == (
        NG,
        {
            **ENDED,
            "patient": SKIP,
            "flow.finally": OK,
            "flow.end": OK,
            "flow.outcome": NG,
            "flow.cancelled": SKIP,
        },
    )
    told = deployment.log("timed", run_id, "tell")
    assert "told: TIMED_OUT, failed: broken" in told
    assert "beside it" not in told
    assert "the run timed out after 25 s" in deployment.log("timed", run_id, "flow.outcome")


def test_marked_during_finally(deployment: Deployment) -> None:
    """`finally` runs to its end, and the run ends as its steps have; cleared, it runs again.

    The last task waits for it in no worker's slot.
    """
    (run_id,) = begin(deployment, ("tidy", "tidy"))
    mark(deployment, "tidy", run_id, "success")

    def waits_without_a_slot() -> bool:
        return bool(deployment.tasks("tidy", run_id)["flow.cancelled"]["state"] == LATER)

    deployment.wait_for(waits_without_a_slot)
    (deployment.home / "go").touch()
    assert deployment.await_end("tidy", run_id) == (
        NG,
        {
            "flow.begin": OK,
            "good": OK,
            "bad": NG,
            "tidy": OK,
            "flow.finally": OK,
            "flow.end": SKIP,
            "flow.outcome": SKIP,
            "flow.cancelled": NG,
        },
    )
    assert "1 step failed: bad" in deployment.log("tidy", run_id, "flow.cancelled")
    deployment.clear("tidy", run_id, "bad")
    assert deployment.await_end("tidy", run_id) == (
        OK,
        {
            "flow.begin": OK,
            "good": OK,
            "bad": OK,
            "tidy": OK,
            "flow.finally": OK,
            "flow.end": OK,
            "flow.outcome": OK,
            "flow.cancelled": SKIP,
        },
    )
    assert "begun" in deployment.log("tidy", run_id, "tidy", 2)
