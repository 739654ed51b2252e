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
MOST_MISSED = 0.1
"""Of the points of one run, so many may not be passed by the next: it looks less often."""


@pytest.mark.parametrize("strict", STRICT_OR_NOT)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_killed_at_every_point(
    flow: Flow, gate: Gate, scenario: type[Scenario], strict: bool
) -> None:
    """Wherever a process is killed, the run ends alike and nothing runs twice (4.2, 4.5, 5.7)."""

    def survive(number: int, point: str) -> bool:
        with another_place(flow, f"killed-at-{number}") as place:
            return scenario(*place, strict=strict).survive_if_reached(point)

    points = scenario(flow, gate, strict=strict).points()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reached = list(pool.map(survive, range(len(points)), points))
    assert reached.count(False) <= MOST_MISSED * len(points), list(
        zip(points, reached, strict=True)
    )
