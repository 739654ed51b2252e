"""Runners that meet. What becomes of runs whose runners die is tested in `crashes/`."""

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Flow


def test_four_at_once(each_flow: "Flow", tmp_path: Path) -> None:
    """Of four `start`s at once one advances the run, and all four end with its outcome (4.5)."""
    log = tmp_path / "log"
    script = f"echo $0 >>{shlex.quote(str(log))}; test $0 != b"
    file = each_flow.write(
        {"id": "a", "command": ["sh", "-c", script, "a"], "strict": False},
        {"id": "b", "command": ["sh", "-c", script, "b"], "strict": False, "retries": 1},
        {"id": "c", "command": ["sh", "-c", script, "c"], "strict": False, "when": "a && !b"},
    )
    starts = [each_flow.spawn("start", "--run-key=k", file) for _ in range(4)]
    answers = [start.communicate(timeout=60)[0] for start in starts]
    assert [start.returncode for start in starts] == [1, 1, 1, 1]
    assert answers == [answers[0]] * 4
    assert '"runner":null' in answers[0]
    assert Counter(log.read_text(encoding="utf-8").split()) == {"a": 1, "b": 2, "c": 1}
