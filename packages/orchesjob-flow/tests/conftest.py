"""What the tests of single modules share: a run as the store returns it, and one in a home."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flow_store import Attempt, AttemptStatus, FlowStore, Run, RunStatus, Step, StepStatus
from orchesjob_flow.home.paths import Home
from orchesjob_flow.home.runs import RunHandle, open_store
from orchesjob_flow.home.settings import Settings


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks; an sdist has no settings that do."""
    for mark in ("heavy", "long"):
        config.addinivalue_line("markers", mark)


type Record = Callable[..., None]


@pytest.fixture
def ten_o_clock() -> float:
    """10:00:00 on 2026-05-07 in local time, as a Unix timestamp."""
    return time.mktime((2026, 5, 7, 10, 0, 0, 0, 0, -1))


@pytest.fixture
def make_run(ten_o_clock: float) -> Callable[..., Run]:
    """Make a run of some steps that began at ten o'clock, with whatever differs."""

    def make(*steps: tuple[Step, Attempt | None], **other: object) -> Run:
        definition = {"steps": [{"id": step.step_id, "command": ["true"]} for step, _ in steps]}
        facts: dict[str, object] = {
            "run_key": "daily-20260507",
            "flow_id": "daily-import",
            "definition": json.dumps(definition),
            "directory": "/srv",
            "flow_dir": "/srv",
            "orchesjob_home": "/srv/jobs",
            "status": RunStatus.RUNNING,
            "error": None,
            "started_at": ten_o_clock,
            "finished_at": None,
            "deadline": None,
            "revision": 5,
            "cancel": None,
            "steps": tuple(step for step, _ in steps),
            "attempts": {step.position: attempt for step, attempt in steps if attempt is not None},
        }
        return Run(**(facts | other))  # type: ignore[arg-type]

    return make


@pytest.fixture
def daily(make_run: Callable[..., Run], ten_o_clock: float) -> Run:
    """The run of rule 6.5: one step done, one running, one waiting."""
    at = ten_o_clock
    download = Step(
        0, "download", StepStatus.SUCCEEDED, 1, 0, 0, started_at=at, finished_at=at + 60
    )
    validate = Step(1, "validate", StepStatus.RUNNING, 1, 0, 1, started_at=at + 60)
    done, running = '{"status":"SUCCEEDED"}', '{"status":"RUNNING"}'
    first = Attempt(0, 1, AttemptStatus.SUCCEEDED, at, 1.0, "boot", job=done, finished_at=at + 60)
    second = Attempt(1, 1, AttemptStatus.RUNNING, at + 60, 61.0, "boot", job=running)
    return make_run(
        (download, first),
        (validate, second),
        (Step(2, "import", StepStatus.PENDING, 0, 0, 0), None),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Home(tmp_path / "home" / "flow.db"), None, 5.0, 60.0, {})


@pytest.fixture
def record() -> Record:
    def create(store: FlowStore, run_key: str, **other: object) -> None:
        facts: dict[str, object] = {
            "flow_id": "f",
            "definition": "{}",
            "directory": "/",
            "flow_dir": "/",
            "orchesjob_home": "/srv/jobs",
            "started_at": 1.0,
            "steps": [("a", 0)],
        }
        assert store.create(run_key=run_key, **(facts | other))  # type: ignore[arg-type]

    return create


@pytest.fixture
def handle(settings: Settings, record: Record) -> RunHandle:
    with open_store(settings) as store:
        record(store, "k")
    return RunHandle("k", settings)


HOLD = """
import sys
from pathlib import Path
from orchesjob_flow.home.locks import Lock
_, path, *inherited = sys.argv
lock = Lock.inherit(int(inherited[0])) if inherited else Lock.take(Path(path))
lock.sign()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Have another process hold a lock, perhaps one that it inherits, until it is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path, *inherited: int, before: str = "") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", before + HOLD, str(path), *map(str, inherited)]
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, pass_fds=inherited)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()
