"""Runners that die, and runners that meet: each step runs exactly once."""

import contextlib
import random
import shlex
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Flow

KILLS = 50
OUTCOMES = {
    "a": "SUCCEEDED",
    "b": "FAILED",
    "c": "SUCCEEDED",
    "d": "SKIPPED",
    "e": "SUCCEEDED",
}
ONCE = {"a": 1, "b": 2, "c": 1, "e": 1}


def steps(log: Path, *, strict: bool) -> list[dict[str, Any]]:
    """Return steps that write their ids to a log: a diamond, a retry, both kinds of waiting."""

    def step(name: str, then: str = "", **fields: Any) -> dict[str, Any]:
        command = ["sh", "-c", f"echo {name} >>{shlex.quote(str(log))}{then}"]
        return {"id": name, "command": command, "strict": strict, **fields}

    return [
        step("a"),
        step("b", "; exit 1", retries=1),
        step("c", when="a && !b"),
        step("d", when="a && b"),
        step("e", when="!d", depends_on=["c"]),
    ]


def start_and_kill(flow: "Flow", key: str, file: str, after_sec: float) -> int | None:
    """Call `start` and kill it after some seconds; return its exit code if it was faster."""
    start = flow.spawn("start", f"--run-key={key}", file)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return start.wait(after_sec)
    start.kill()
    start.communicate()
    return None


def kill_again_and_again(flow: "Flow", log: Path, *, strict: bool, longest_sec: float) -> None:
    """Kill `start` 50 times at random moments; run after run ends as if nothing had happened."""
    file = flow.write(*steps(log, strict=strict))
    moments = random.Random(20260507)  # noqa: S311 - no secret
    kills = runs = 0
    while kills < KILLS:
        runs += 1
        code = None
        while code is None and kills < KILLS:
            code = start_and_kill(flow, f"k{runs}", file, moments.uniform(0, longest_sec))
            kills += code is None
        run = flow.start(f"k{runs}", file, code=1)
        assert (run["status"], code) in {("FAILED", 1), ("FAILED", None)}
        assert {step["id"]: step["status"] for step in run["steps"]} == OUTCOMES
        assert Counter(log.read_text(encoding="utf-8").split()) == ONCE
        log.unlink()


@pytest.mark.integration
@pytest.mark.parametrize("orchesjob", ["real"], indirect=True)
def test_killed_at_any_moment(each_flow: "Flow", tmp_path: Path) -> None:
    """Killed 50 times and started again, no attempt has run twice or not at all."""
    kill_again_and_again(each_flow, tmp_path / "log", strict=True, longest_sec=0.6)


def test_killed_without_strict(flow: "Flow", tmp_path: Path) -> None:
    """The same holds where orchesjob itself would run a key again (`strict: false`)."""
    kill_again_and_again(flow, tmp_path / "log", strict=False, longest_sec=0.35)


def test_four_at_once(each_flow: "Flow", tmp_path: Path) -> None:
    """Of four `start`s at once one advances the run, and all four end with its outcome (4.5)."""
    log = tmp_path / "log"
    file = each_flow.write(*steps(log, strict=False))
    starts = [each_flow.spawn("start", "--run-key=k", file) for _ in range(4)]
    answers = [start.communicate(timeout=60)[0] for start in starts]
    assert [start.returncode for start in starts] == [1, 1, 1, 1]
    assert answers == [answers[0]] * 4
    assert '"runner":null' in answers[0]
    assert Counter(log.read_text(encoding="utf-8").split()) == ONCE
