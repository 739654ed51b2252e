"""A throwaway Airflow for the tests of this process: its home, its database, its DAG files."""

import atexit
import importlib.util
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from orchesjob_client import Process

BEGINNING_TASK_ID = "flow.begin"
OUTCOME_TASK_ID = "flow.outcome"

# Airflow reads these when it is first imported.
HOME = Path(tempfile.mkdtemp(prefix="airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
DAGS = HOME / "dags"
os.environ["AIRFLOW_HOME"] = str(HOME)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(DAGS)
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"


def pytest_configure(config: pytest.Config) -> None:
    """Warnings of Airflow and of its dependencies fail nothing: they are not ours to fix."""
    config.addinivalue_line("filterwarnings", "default")


@pytest.fixture(scope="session")
def empty_database() -> bytes:
    """The metadata database of an Airflow that has not run anything."""
    from airflow import settings
    from airflow.utils.db import initdb

    DAGS.mkdir()
    initdb()
    settings.dispose_orm()  # who closes it last moves its log into it
    return (HOME / "airflow.db").read_bytes()


class Airflow:
    """An Airflow without a scheduler: `dag.test()` runs the tasks in turn, in this process.

    Attributes:
        folder: Where the DAG files are.
        tries: How many tries the tasks of the last run have made.
        run_id: The id of the last run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tries: dict[str, int] = {}
        self.run_id = ""

    def write(self, text: str, name: str = "flow.yaml") -> None:
        """Write a flow file beside the DAG files."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def write_dag(self, arguments: str = "'flow.yaml'", *, before: str = "") -> Path:
        """Write a DAG file that calls `flow_dag`, and return its path."""
        path = self.folder / "the_dag.py"
        call = f"from orchesjob_flow_airflow import flow_dag\ndag = flow_dag({arguments})\n"
        path.write_text(f"{before}\n{call}", encoding="utf-8")
        return path

    def load(self, arguments: str = "'flow.yaml'", *, before: str = "") -> "DAG":
        """Write a DAG file that calls `flow_dag`, run it as Airflow does, and return its DAG."""
        return self.load_file(self.write_dag(arguments, before=before))

    def load_file(self, path: Path) -> "DAG":
        """Run a DAG file as Airflow does, and return its `dag`."""
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        dag: DAG = module.dag
        return dag

    def run(self, dag: "DAG", conf: dict[str, str] | None = None) -> tuple[str, dict[str, str]]:
        """Run a loaded DAG to its end; return the state of the run, and those of its steps."""
        run = dag.test(run_conf=conf)
        self.run_id = str(run.run_id)
        tasks = run.get_task_instances()
        self.tries = {ti.task_id: ti.try_number for ti in tasks}
        states = {ti.task_id: str(ti.state) for ti in tasks}
        assert states.pop(BEGINNING_TASK_ID) == "success"
        if dag.has_task("flow.finally"):
            tasks_around = ("flow.finally", "flow.end", "flow.cancelled")
            assert [states.pop(name) for name in tasks_around] == ["success", "success", "skipped"]
        outcome = states.pop(OUTCOME_TASK_ID)
        assert outcome == str(run.state)
        return outcome, states

    def run_flow(self, text: str) -> tuple[str, dict[str, str]]:
        """Run a flow to its end; return the state of the run, and those of its steps."""
        self.write(text)
        return self.run(self.load())


@pytest.fixture
def airflow(
    empty_database: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Airflow]:
    """The throwaway Airflow, with a metadata database of its own and a fresh orchesjob home.

    Threads of `dag.test()` outlive it, and use its database while the next test has begun.
    """
    from airflow import settings

    database = HOME / f"{uuid.uuid4().hex}.db"
    database.write_bytes(empty_database)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{database}")
    monkeypatch.setenv(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", f"sqlite+aiosqlite:///{database}"
    )
    settings.dispose_orm()
    settings.configure_vars()  # type: ignore[no-untyped-call] # Airflow's
    settings.configure_orm()  # type: ignore[no-untyped-call] # Airflow's
    monkeypatch.setenv("ORCHESJOB_HOME", str(tmp_path / "jobs"))
    monkeypatch.setenv("ORCHESJOB_BIN", str(Path(sys.executable).parent / "orchesjob"))
    yield Airflow(DAGS)
    for path in (*DAGS.iterdir(), *HOME.glob(f"{database.name}*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def until_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a process executes in a shell to live until a later attempt has seen it alive."""
    from orchesjob_flow_airflow.flow_as_dag.attempts import RetryingClient

    path = tmp_path / "seen"
    look = RetryingClient.survivors

    def look_and_tell(orchesjob: RetryingClient, keys: Sequence[str]) -> "Sequence[Process]":
        if found := look(orchesjob, keys):
            path.touch()
        return found

    monkeypatch.setattr(RetryingClient, "survivors", look_and_tell)
    monkeypatch.setenv("SEEN", str(path))
    return "until [ -e $SEEN ]; do sleep 0.1; done"


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return what commands have appended to the file `$EXECUTED`."""
    path = tmp_path / "executed"
    path.touch()
    monkeypatch.setenv("EXECUTED", str(path))
    return lambda: path.read_text(encoding="utf-8")
