"""A world for each test, and steps to run in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flow_spec import StepSpec
from flow_store import FlowStore

from .world import World

MEMORY = Path("/dev/shm")  # noqa: S108 - only a folder of our own in it is used


@pytest.fixture
def database() -> Iterator[Path]:
    """Where the store's file is: in memory where that can be, as every commit is synchronised."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder) / "flow.sqlite3"


@pytest.fixture
def store(database: Path) -> Iterator[FlowStore]:
    with FlowStore.open(database) as opened:
        yield opened


@pytest.fixture
def world(store: FlowStore, database: Path) -> Iterator[World]:
    with World(store, database) as made:
        yield made


@pytest.fixture
def step() -> Callable[..., StepSpec]:
    def make(step_id: str, **fields: object) -> StepSpec:
        return StepSpec(id=step_id, command=(step_id,), **fields)  # type: ignore[arg-type]

    return make
