"""Processes are killed at the points that matter most; `every_point` kills them everywhere."""

import pytest

from support.flow import Flow
from support.gate import Gate

from .scenarios import (
    Background,
    Cancel,
    CancelledRunner,
    Gated,
    LateCall,
    ResumeInCall,
    Scenario,
    Settle,
    Start,
    StartDetached,
    TidiedUp,
)

# What lies between two points is in `launcher`; here is what has happened at them.
POINTS: dict[str, tuple[type[Scenario], str]] = {
    "an empty database": (Start, "parent after create_file 1"),
    "a run, and no lock": (Start, "parent after commit 1"),
    "an attempt is recorded": (Start, "parent after commit 2"),
    "its call is late": (LateCall, "parent after spawn 1"),
    "its call is under way": (Start, "parent after spawn 1"),
    "its job is recorded": (Start, "parent after commit 3"),
    "its end is recorded": (Start, "parent after commit 4"),
    "the run's end is recorded": (Start, "parent after commit 9"),
    "a child is begun": (StartDetached, "parent after Popen.__init__ 1"),
    "a child has called": (Background, "child after spawn 1"),
    "a successor has asked": (ResumeInCall, "parent after OrchesjobClient.status 1"),
    "a gate has said yes": (Gated, "parent before OrchesjobClient.survivors 2"),
    "the command after a gate is called": (Gated, "parent after OrchesjobClient.start 3"),
    "a settlement is about to be recorded": (Settle, "parent before commit 1"),
    "a settlement is recorded": (Settle, "parent after commit 1"),
    "an abort is under way": (Cancel, "parent after spawn 2"),
    "a runner has aborted": (CancelledRunner, "parent after OrchesjobClient.abort 1"),
    "all is ended but `finally`": (TidiedUp, "parent after OrchesjobClient.end_survivors 2"),
}


@pytest.mark.parametrize(("scenario", "point"), POINTS.values(), ids=POINTS)
def test_killed_when(flow: Flow, gate: Gate, scenario: type[Scenario], point: str) -> None:
    """Killed then, the run ends alike and nothing runs twice, without `strict` (4.2, 4.5, 5.7)."""
    scenario(flow, gate, strict=False).survive(point)


@pytest.mark.integration
@pytest.mark.parametrize("orchesjob", ["real"], indirect=True)
@pytest.mark.parametrize("when", ["its call is under way", "its job is recorded"])
def test_killed_on_the_real_one(each_flow: Flow, gate: Gate, when: str) -> None:
    """With the real orchesjob, where its strict mode guards as well, it is the same (4.2, 4.5)."""
    scenario, point = POINTS[when]
    scenario(each_flow, gate, strict=True).survive(point)
