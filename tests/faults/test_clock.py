"""A wall clock that jumps (rule 5.10)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob

JUMPING = """
import os, time
honest = time.time
def jumped():
    with open(os.environ["CLOCK_IS_FAST_BY"]) as file:
        return honest() + float(file.read())
time.time = jumped
"""


@pytest.mark.parametrize("seconds", [7200, -7200])
def test_wall_clock_jumps(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob, tmp_path: Path, seconds: int
) -> None:
    """A jump of the clock neither fires a timeout nor stalls or hurries a retry (rule 5.10)."""
    (tmp_path / "sitecustomize.py").write_text(JUMPING, encoding="utf-8")
    clock = tmp_path / "clock"
    clock.write_text("0", encoding="utf-8")
    flow.environ |= {"PYTHONPATH": str(tmp_path), "CLOCK_IS_FAST_BY": str(clock)}
    slow = {"id": "a", "command": gate.command(), "timeout_sec": 3600}
    once = f"test -e {tmp_path}/once || {{ touch {tmp_path}/once; exit 1; }}"
    again = {"id": "b", "command": ["sh", "-c", once], "retries": 1, "retry_delay_sec": 1}
    runner = flow.begin(flow.write(slow, again), gate)

    def is_at(status: str) -> Callable[[Any], bool]:
        return lambda run: bool(run["steps"][1]["status"] == status)

    flow.await_status("k", is_at("DELAYED"))
    clock.write_text(str(seconds), encoding="utf-8")
    run = flow.await_status("k", is_at("SUCCEEDED"))
    assert run["steps"][0]["status"] == "RUNNING"
    gate.let_through()
    assert runner.wait() == 0
    first, second = (
        event["monotonic"]
        for event in fake_orchesjob.executions()
        if event["event"] == "begin" and ":b:" in event["key"]
    )
    assert second - first >= 1


TOO_FAR = """
import time
def far():
    raise OverflowError("timestamp too large to convert to C PyTime_t")
time.time = far
"""


def test_a_year_that_python_cannot_read(flow: Flow, tmp_path: Path) -> None:
    """A clock beyond the year 2262 is named as the cause; nothing is recorded (rule 6.9)."""
    (tmp_path / "sitecustomize.py").write_text(TOO_FAR, encoding="utf-8")
    file = flow.write({"id": "a", "command": ["true"]})
    far = {**flow.environ, "PYTHONPATH": str(tmp_path)}
    error = flow.refusal("start", "--run-key=k", file, env=far)["error"]
    assert error.startswith("the system clock shows a year after 2262, which Python cannot read")
    assert flow.ask("list") == {"runs": [], "not_started": []}
