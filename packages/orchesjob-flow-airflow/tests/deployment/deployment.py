"""A deployed Airflow in a throwaway home, by default with LocalExecutor and SQLite."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchesjob_client import end_processes, marked_processes

MARK = "AIRFLOW_OF_A_TEST"
READY_SEC = 120.0
LIMIT_SEC = 120.0
LOOK_SEC = 0.2
GRACE_SEC = 10.0

NOTICES_SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "8",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}
"""The settings of an Airflow that soon notices a dead worker."""


class Deployment:
    """An Airflow that runs until it is closed.

    Attributes:
        parts: The commands of Airflow that make it up.
        home: Its home; `dags` in it is the folder of the DAG files.
        jobs: The home of its orchesjob.
    """

    parts: tuple[str, ...] = ("standalone",)

    def __init__(self, home: Path, **settings: str) -> None:
        """Prepare the home; `settings` are further variables of the environment."""
        self.home = home
        self.dags = home / "dags"
        self.jobs = home / "jobs"
        self.dags.mkdir(parents=True)
        self._mark = uuid.uuid4().hex
        self._url = f"http://127.0.0.1:{free_port()}"
        inherited = {key: text for key, text in os.environ.items() if "AIRFLOW" not in key}
        beside = Path(sys.executable).parent
        self.environ = {
            **inherited,
            MARK: self._mark,
            "PATH": f"{beside}:{os.environ['PATH']}",
            "ORCHESJOB_HOME": str(self.jobs),
            "ORCHESJOB_FLOW_HOME": str(home / "flow"),
            "ORCHESJOB_BIN": str(beside / "orchesjob"),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": self._url.rpartition(":")[2],
            "AIRFLOW__API__BASE_URL": self._url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__API__WORKERS": "1",
            **settings,
        }
        self._token = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._left: list[subprocess.Popen[bytes]] = []
        """Processes that were killed, of whose sessions somebody may live."""

    def start(self, *dag_ids: str) -> None:
        """Start it, and wait until it reports that it is healthy and has read its DAG files.

        Args:
            dag_ids: The DAGs in them; by default each file has one, of its name.
        """
        for part in self.parts:
            self.begin(part, part)
        self.wait_for(self._is_healthy, READY_SEC)
        expected = set(dag_ids) or {path.stem for path in self.dags.glob("*.py")}
        self.wait_for(lambda: self.dag_ids() == expected, READY_SEC)

    @contextmanager
    def running(self, *dag_ids: str) -> Iterator[None]:
        """Start it with these DAGs, and close it in the end, also if it does not start."""
        try:
            self.start(*dag_ids)
            yield
        finally:
            self.close()

    def write(self, texts: Mapping[str, str]) -> None:
        """Write files beside the DAG files, by name."""
        for name, text in texts.items():
            (self.dags / name).write_text(text, encoding="utf-8")

    def add_flow(self, dag_id: str, arguments: str) -> None:
        """Write a DAG file that calls `flow_dag` with these arguments."""
        text = f"from orchesjob_flow_airflow import flow_dag\ndag = flow_dag({arguments})\n"
        self.write({f"{dag_id}.py": text})

    def begin(self, name: str, *words: str, **environ: str) -> None:
        """Start `airflow WORDS`, which must not end by itself and writes into `NAME.log`."""
        with (self.home / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [str(Path(sys.executable).parent / "airflow"), *words],
                env={**self.environ, **environ},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def close(self) -> None:
        """End all of its processes, and everything that its tasks have started."""
        for process in (*self._processes.values(), *self._left):
            kill_session(process)
        while found := marked_processes(MARK, {self._mark}):
            assert not end_processes(found, GRACE_SEC)
        shutil.rmtree(self.home, ignore_errors=True)

    def trigger(self, dag_id: str, conf: Mapping[str, str] | None = None) -> str:
        """Start a run of a DAG, with values of its params, and return its id."""
        body = {"logical_date": None, "conf": conf or {}}
        run = self.ask("POST", f"dags/{dag_id}/dagRuns", body)
        return str(run["dag_run_id"])

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task and all behind it, as the button of the web page does."""
        self.ask(
            "POST",
            f"dags/{dag_id}/clearTaskInstances",
            {
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": [task_id],
                "include_downstream": True,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )

    def tasks(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Ask for the state of each task of a run."""
        answer = self.ask("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task for task in answer["task_instances"]}

    def await_end(
        self, dag_id: str, run_id: str, limit_sec: float = LIMIT_SEC
    ) -> tuple[str, dict[str, str]]:
        """Wait until a run has ended; return its state, and those of its tasks."""
        path = f"dags/{dag_id}/dagRuns/{run_id}"
        self.wait_for(lambda: self.ask("GET", path)["state"] in {"success", "failed"}, limit_sec)
        tasks = self.tasks(dag_id, run_id)
        return self.ask("GET", path)["state"], {
            task_id: task["state"] for task_id, task in tasks.items()
        }

    def log(self, dag_id: str, run_id: str, task_id: str, number: int = 1) -> str:
        """Return what a task's log holds so far."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
        path = folder / f"task_id={task_id}" / f"attempt={number}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def wait_for[Found](self, look: Callable[[], Found], limit_sec: float = LIMIT_SEC) -> Found:
        """Look again and again until there is something, and return it."""
        deadline = time.monotonic() + limit_sec
        while not (found := look()):
            assert time.monotonic() < deadline, self._last_words()
            assert all(process.poll() is None for process in self._processes.values()), (
                self._last_words()
            )
            time.sleep(LOOK_SEC)  # Airflow announces nothing: its API is there to be asked
        return found

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the API, which must accept the request, and return its answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self._url}/api/v2/{path}", data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from None

    def _is_healthy(self) -> bool:
        try:
            health = self.ask("GET", "monitor/health")
            with urllib.request.urlopen(f"{self._url}/auth/token", timeout=60) as answer:  # noqa: S310
                self._token = json.load(answer)["access_token"]
        except (OSError, AssertionError):
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return all(health[part]["status"] == "healthy" for part in parts)

    def dag_ids(self) -> set[str]:
        """Return the ids of the DAGs that it has read."""
        return {dag["dag_id"] for dag in self.ask("GET", "dags?limit=100")["dags"]}

    def _last_words(self) -> str:
        logs = (self.home / f"{name}.log" for name in self._processes)
        return "\n".join(log.read_text(encoding="utf-8", errors="replace")[-3000:] for log in logs)


class DeploymentInParts(Deployment):
    """An Airflow whose parts a test can stop one by one."""

    parts = ("api-server", "scheduler", "dag-processor")

    def start(self, *dag_ids: str) -> None:
        """Prepare the database, then start it."""
        self.begin("migration", "db", "migrate")
        assert self._processes["migration"].wait() == 0, self._last_words()
        del self._processes["migration"]
        super().start(*dag_ids)

    def restart_killed(self, part: str) -> None:
        """Kill the main process of a part, leave its children alone, and begin it again."""
        killed = self._processes.pop(part)
        killed.kill()
        killed.wait()
        self._left.append(killed)
        self.begin(part, part)

    @contextmanager
    def stopped(self, part: str) -> Iterator[None]:
        """Stop all processes of a part: whoever asks it gets no answer."""
        leader = self._processes[part].pid
        for pid in session_members(leader):
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in session_members(leader):
                os.kill(pid, signal.SIGCONT)


def kill_session(leader: subprocess.Popen[bytes]) -> None:
    """Kill all processes of a session; a job is not among them, for it has one of its own.

    No mark would find them all: Airflow and Celery write titles over their environments.
    """
    while members := session_members(leader.pid):
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    leader.wait()


def session_members(leader: int) -> list[int]:
    """Find the living processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, _, rest = path.read_text(encoding="utf-8", errors="replace").partition(" (")
            state, _parent, _group, session = rest.rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(pid))
    return found


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
