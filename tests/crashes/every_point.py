"""Each process is killed at every point that it passes. Slow: the session `storm` runs it."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.flow import Flow
from support.gate import Gate

from .crashing import another_place
from .scenarios import SCENARIOS, Scenario

STRICT_OR_NOT = [pytest.param(True, id="strict"), pytest.param(False, id="plain")]
AT_ONCE = 2 * (os.cpu_count() or 1)


@pytest.mark.parametrize("strict", STRICT_OR_NOT)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_killed_at_every_point(
    flow: Flow, gate: Gate, scenario: type[Scenario], strict: bool
) -> None:
    """Wherever a process is killed, the run ends alike and nothing runs twice (4.2, 4.5, 5.7)."""

    def survive(number: int, point: str) -> None:
        with another_place(flow, f"killed-at-{number}") as place:
            scenario(*place, strict=strict).survive(point)

    points = scenario(flow, gate, strict=strict).points()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(survive, range(len(points)), points))
