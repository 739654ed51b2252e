"""A world for each test, and steps to run in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flow_spec import StepSpec
from flow_store import FlowStore

from .seeds import store_in_memory
from .world import World


@pytest.fixture
def opened() -> Iterator[tuple[FlowStore, Path]]:
    with store_in_memory() as opened:
        yield opened


@pytest.fixture
def store(opened: tuple[FlowStore, Path]) -> FlowStore:
    return opened[0]


@pytest.fixture
def database(opened: tuple[FlowStore, Path]) -> Path:
    return opened[1]


@pytest.fixture
def world(store: FlowStore, database: Path) -> Iterator[World]:
    with World(store, database) as made:
        yield made


@pytest.fixture
def step() -> Callable[..., StepSpec]:
    def make(step_id: str, **fields: object) -> StepSpec:
        return StepSpec(id=step_id, command=(step_id,), **fields)  # type: ignore[arg-type]

    return make
