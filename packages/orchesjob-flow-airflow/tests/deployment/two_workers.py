"""Flows on an Airflow with CeleryExecutor and two workers, one of which is killed in the middle.

The session `celery` runs this module; no other test needs PostgreSQL and Redis.

Where a retry lands decides what becomes of the job of a killed worker. That job is detached: it
runs until it ends, or until its host does. A worker on the same host, with the same
ORCHESJOB_HOME, finds it and takes it over. A worker on another host can see neither that job nor
its processes, so rule 5.8 (no attempt beside its predecessor) holds on one host only. Workers with
an ORCHESJOB_HOME of their own stand for such hosts here: the mark by which processes are found
names the home.
"""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchesjob_client import OrchesjobClient
from support.generated_flows import generated_flows

from .deployment import NOTICES_SOON, DeploymentInParts, free_port, kill_session
from .generated import DEPLOYED, GeneratedRuns
from .servers import postgresql, redis

OK = "success"
END_SEC = 20.0

MIDDLE = """
flow_id: middle
steps:
  - {id: before, command: [sh, work.sh]}
  - {id: long, depends_on: [before], command: [sh, work.sh, long.go]}
  - {id: after, depends_on: [long], command: [sh, work.sh]}
"""
# Keeps a log of who worked on what, and waits for the file of the run that is named, if any.
WORK = """
run="../$ORCHESJOB_FLOW_RUN_KEY"
mkdir -p "$run"
say() { echo "$ORCHESJOB_FLOW_STEP $ORCHESJOB_FLOW_ATTEMPT $1 on $WORKER" >> "$run/step-log"; }
say begun
touch "$run/$ORCHESJOB_FLOW_STEP.begun"
while [ $# -gt 0 ] && [ ! -e "$run/$1" ]; do sleep 0.1; done
say ended
"""
DAGS = {
    "middle": "'middle.yaml'",
    "pinned": "'middle.yaml', dag_id='pinned', default_args={'queue': 'host-one'}",
}


class CeleryDeployment(DeploymentInParts):
    """An Airflow whose tasks run on workers that a test starts."""

    def start_worker(self, name: str, *, jobs: Path | None = None, queues: str = "default") -> None:
        """Start a worker that does one task at a time, and whose commands see its name in WORKER.

        Args:
            name: Its name.
            jobs: The home of its orchesjob; workers with different ones see neither jobs nor
                processes of each other, as if they were on different hosts.
            queues: From where it takes its tasks.
        """
        self.begin(
            name,
            *("celery", "worker", "--celery-hostname", name, "--concurrency", "1"),
            *("--queues", queues, "--skip-serve-logs", "--without-gossip", "--without-mingle"),
            WORKER=name,
            ORCHESJOB_HOME=str(jobs or self.jobs),
        )

    def kill_worker(self, name: str) -> None:
        """Kill all processes of a worker, with those of its task; the detached job runs on."""
        kill_session(self._processes.pop(name))

    def stop_workers(self) -> None:
        """Let all workers finish their tasks and end; kill those that do not."""
        workers = [self._processes.pop(name) for name in self._processes.keys() - set(self.parts)]
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            try:
                worker.wait(END_SEC)
            except subprocess.TimeoutExpired:
                kill_session(worker)


@pytest.fixture(scope="module")
def airflow_without_workers() -> Iterator[tuple[CeleryDeployment, GeneratedRuns]]:
    """An Airflow on PostgreSQL and Redis that notices a dead worker soon."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deployment-")))
        folder.chmod(0o755)  # the user of PostgreSQL has to come through
        deployment = CeleryDeployment(
            folder / "airflow",
            AIRFLOW__CORE__EXECUTOR="CeleryExecutor",
            AIRFLOW__CORE__PARALLELISM="32",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=stack.enter_context(postgresql(folder / "sql")),
            AIRFLOW__CELERY__BROKER_URL=stack.enter_context(redis(folder / "redis", free_port())),
            **NOTICES_SOON,
        )
        stack.callback(deployment.close)
        deployment.write({"middle.yaml": MIDDLE, "work.sh": WORK})
        for dag_id, arguments in DAGS.items():
            deployment.add_flow(dag_id, arguments)
        runs = GeneratedRuns(deployment, generated_flows(DEPLOYED))
        deployment.start(*DAGS, *runs.dag_ids)
        yield deployment, runs


@pytest.fixture
def deployment(
    airflow_without_workers: tuple[CeleryDeployment, GeneratedRuns],
) -> Iterator[CeleryDeployment]:
    """The same; its workers are stopped after each test."""
    deployment, _ = airflow_without_workers
    yield deployment
    deployment.stop_workers()


class Middle:
    """A run of the flow `middle`, and who did what in it."""

    def __init__(self, deployment: CeleryDeployment, dag_id: str = "middle") -> None:
        """Start it, and wait until it is in its middle."""
        self._deployment = deployment
        self._dag_id = dag_id
        self.run_id = deployment.trigger(dag_id)
        deployment.wait_for(lambda: "long 1 begun" in self.step_log)
        words = self.step_log.partition("long 1 begun on ")[2]
        self.worker = words.split()[0]
        (self.other,) = {"one", "two"} - {self.worker}

    @property
    def step_log(self) -> str:
        """What its commands have written into the log."""
        path = self._deployment.home / self.run_id / "step-log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def client(self) -> OrchesjobClient:
        """Return a client of the home of its worker, which need not live any more."""
        home = self._deployment.home / self.worker
        return OrchesjobClient(self._deployment.environ["ORCHESJOB_BIN"], home=home)

    def key(self, number: int) -> str:
        """Name the key of a try of the long step."""
        return f"{self._dag_id}:{self.run_id}:long:{number}"

    def wait_for_takeover(self) -> None:
        """Wait until the second try has taken over the job of the first."""
        words = f"the job of the try before still runs; this try follows it: {self.key(1)}"
        self._deployment.wait_for(
            lambda: words in self._deployment.log(self._dag_id, self.run_id, "long", 2)
        )

    def end(self) -> list[str]:
        """Let the long step end, await the end, and return what was done from that step on.

        The run is a success, and what had succeeded before has not run again.
        """
        (self._deployment.home / self.run_id / "long.go").touch()
        assert self._deployment.await_end(self._dag_id, self.run_id) == (
            OK,
            {"before": OK, "long": OK, "after": OK, "flow.begin": OK, "flow.outcome": OK},
        )
        before, *rest = self.step_log.splitlines()
        assert before.startswith("before 1 begun")
        assert rest.pop(0) == before.replace("begun", "ended")
        tries = {
            task_id: task["try_number"]
            for task_id, task in self._deployment.tasks(self._dag_id, self.run_id).items()
        }
        assert tries == {"before": 1, "long": 2, "after": 1, "flow.begin": 1, "flow.outcome": 1}
        return rest


def test_generated_flows(
    deployment: CeleryDeployment,
    airflow_without_workers: tuple[CeleryDeployment, GeneratedRuns],
) -> None:
    """Flows at once end as the model and the local runner say, none runs twice (rule 13.5)."""
    deployment.start_worker("one")
    deployment.start_worker("two")
    _, runs = airflow_without_workers
    runs.check_steps_as_tasks()


def test_a_killed_worker_on_the_same_host(deployment: CeleryDeployment) -> None:
    """The retry on the other worker takes over the job: nothing runs twice (rule 5.8)."""
    deployment.start_worker("one")
    deployment.start_worker("two")
    run = Middle(deployment)
    deployment.kill_worker(run.worker)
    run.wait_for_takeover()
    assert run.end() == [
        f"long 1 begun on {run.worker}",
        f"long 1 ended on {run.worker}",
        f"after 1 begun on {run.other}",
        f"after 1 ended on {run.other}",
    ]
    client = OrchesjobClient(deployment.environ["ORCHESJOB_BIN"], home=str(deployment.jobs))
    assert client.status(run.key(2)) is None


def test_a_killed_worker_whose_job_runs_on_another_host(deployment: CeleryDeployment) -> None:
    """Across hosts rule 5.8 does not hold: the retry runs the command beside the job of the first.

    The host of the killed worker lives on here, and so does the job. No other host can see that;
    the task log says what it cannot know.
    """
    deployment.start_worker("one", jobs=deployment.home / "one")
    deployment.start_worker("two", jobs=deployment.home / "two")
    run = Middle(deployment)
    deployment.kill_worker(run.worker)
    deployment.wait_for(lambda: f"long 1 begun on {run.other}" in run.step_log)
    assert run.client().survivors(run.key(1))
    words = f"orchesjob does not know {run.key(1)} on this host; it may run elsewhere"
    assert words in deployment.log("middle", run.run_id, "long", 2)
    done = run.end()
    assert done[:2] == [f"long 1 begun on {run.worker}", f"long 1 begun on {run.other}"]
    assert f"long 1 ended on {run.other}" in done


def test_a_queue_of_a_host(deployment: CeleryDeployment) -> None:
    """A flow that is bound to the queue of a host waits for a worker there, and continues (5.8)."""
    deployment.start_worker("one", jobs=deployment.home / "one", queues="default,host-one")
    deployment.start_worker("two", jobs=deployment.home / "two")
    run = Middle(deployment, "pinned")
    assert run.worker == "one"
    deployment.kill_worker("one")
    deployment.wait_for(lambda: deployment.tasks("pinned", run.run_id)["long"]["try_number"] == 2)
    deployment.start_worker("one", jobs=deployment.home / "one", queues="default,host-one")
    run.wait_for_takeover()
    assert run.end() == [
        "long 1 begun on one",
        "long 1 ended on one",
        "after 1 begun on one",
        "after 1 ended on one",
    ]
