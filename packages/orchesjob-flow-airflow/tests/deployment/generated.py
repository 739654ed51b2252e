"""Generated flows on a deployed Airflow: all of them at once, and how they must end there."""

import json
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from orchesjob_flow_airflow.flow_as_dag.run import TaskIds
from support.generated_flows import FLOWS, STEP_LOGS, GeneratedFlow, LocalRun, Outcome

from .deployment import Deployment

DEPLOYED = FLOWS // 5
AS_ONE_TASK = 2
"""How many of them are run as one task, too."""
END_SEC = 600.0
STATUSES = {"success": "SUCCEEDED", "failed": "FAILED", "skipped": "SKIPPED"}

# One file: Airflow reads each with a process of its own. A task makes the DAG that it is of.
DAG_FILE = """
from airflow.sdk import DAG, get_parsing_context
from orchesjob_flow_airflow import OrchesjobFlowOperator, flow_dag

wanted = get_parsing_context().dag_id
for flow_id, given in {flows!r}.items():
    if wanted in (None, flow_id):
        globals()[flow_id] = flow_dag(f"{{flow_id}}.json", run_dirs=".")
    if wanted in (None, f"{{flow_id}}-whole"):
        with DAG(f"{{flow_id}}-whole", schedule=None) as dag:
            OrchesjobFlowOperator(
                task_id="flow",
                flow_file=f"{{flow_id}}.json",
                flow_params=given,
                run_key="{{{{ dag_run.run_id }}}}",
                poll_interval=1,
            )
        globals()[dag.dag_id] = dag
"""


class GeneratedRuns:
    """Runs of generated flows, in a deployment that has not been started yet."""

    def __init__(self, deployment: Deployment, flows: Collection[GeneratedFlow]) -> None:
        """Write the flows and their DAG file; commands find the logs by their environment."""
        self._deployment = deployment
        self._flows = flows
        self._home = deployment.home / "generated"
        self._step_logs = self._home / "on-airflow"
        self._step_logs.mkdir(parents=True)
        deployment.environ[STEP_LOGS] = str(self._step_logs)
        deployment.environ["ORCHESJOB_FLOW_HOME"] = str(self._home / "runs")
        for flow in flows:
            flow.write(deployment.dags)
        text = DAG_FILE.format(flows={flow.flow_id: dict(flow.given) for flow in flows})
        (deployment.dags / "generated.py").write_text(text, encoding="utf-8")

    @property
    def dag_ids(self) -> Sequence[str]:
        """The DAGs of the file: of each flow one with a task for each step, and one of one task."""
        return [f"{flow.flow_id}{mode}" for flow in self._flows for mode in ("", "-whole")]

    def check_steps_as_tasks(self) -> None:
        """Start all flows at once, here and on Airflow, and compare how they end.

        A flow whose runs wait for each other (rule 10.7) is started twice there.
        """
        folder = self._deployment.dags
        local_runs = [LocalRun.start(flow, folder, self._home) for flow in self._flows]
        runs = [
            (flow, self._deployment.trigger(flow.flow_id, flow.given))
            for flow in self._flows
            for _ in range(2 if flow.waits else 1)
        ]
        for flow, run_id in runs:
            ended = self._deployment.await_end(flow.flow_id, run_id, END_SEC)
            assert outcome_of_steps(flow, *ended) == flow.outcome, flow.flow_id
            assert flow.step_log(self._step_logs, run_id) == flow.attempts, flow.flow_id
        for flow in self._flows:
            if flow.waits:
                first, second = sorted(self._spans(flow.flow_id))
                assert first[1] <= second[0], flow.flow_id
        for local_run in local_runs:
            local_run.check()

    def check_whole_flows(self) -> None:
        """Start some flows as one task each, and compare how they end."""
        flows = list(self._flows)[:AS_ONE_TASK]
        run_ids = [self._deployment.trigger(f"{flow.flow_id}-whole") for flow in flows]
        for flow, run_id in zip(flows, run_ids, strict=True):
            state, _ = self._deployment.await_end(f"{flow.flow_id}-whole", run_id, END_SEC)
            assert (STATUSES[state], self._statuses(run_id)) == flow.outcome, flow.flow_id
            assert flow.step_log(self._step_logs, run_id) == flow.attempts, flow.flow_id

    def _spans(self, dag_id: str) -> list[tuple[str, str]]:
        """Ask when the runs of a DAG have begun and ended; text that sorts like the times."""
        runs = self._deployment.ask("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]
        return [(run["start_date"], run["end_date"]) for run in runs]

    def _statuses(self, run_key: str) -> dict[str, str]:
        """Ask orchesjob-flow on the worker's host how the steps of a run have ended."""
        program = str(Path(sys.executable).parent / "orchesjob-flow")
        words = [program, "status", f"--run-key={run_key}"]
        run: Any = json.loads(
            subprocess.run(
                words, env=self._deployment.environ, check=False, timeout=60, stdout=subprocess.PIPE
            ).stdout
        )
        return {step["id"]: step["status"] for step in run["steps"]}


def outcome_of_steps(flow: GeneratedFlow, state: str, states: dict[str, str]) -> Outcome:
    """Return the outcome of a run whose steps are tasks with these states."""
    ids = TaskIds("")
    steps = flow.outcome[1]
    return STATUSES[state], {step: STATUSES[states[ids.of_step(step)]] for step in steps}
