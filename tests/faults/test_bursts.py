"""Several signals at once, at chosen points of a command: in imports, in locks, in the last words.

`tests/endurance/bursts.py` sends them at random moments.
"""

import json
import subprocess
import sys

import pytest

from support.deadlines import CALL_SEC
from support.flow import Flow
from support.steps import TRUE

POINTS = 6
BURSTS = ("2+15+1", "15,15", "2,1+15,2")
CODES = {130, 143, 129, -2, -15, -1}  # while it is being loaded, the signal itself ends the program
BURSTING = """
import atexit, os, sys
from pathlib import Path
from orchesjob_flow.__main__ import main
point, bursts = int(sys.argv[1]), [burst.split("+") for burst in sys.argv[2].split(",")]
del sys.argv[1:3]
called = 0

def profile(_frame, event, _argument):
    global called
    if event == "call":
        called += 1
        if point <= called < point + len(bursts):
            for number in bursts[called - point]:
                os.kill(os.getpid(), int(number))

atexit.register(lambda: Path("calls").write_text(str(called)))  # called after all others
sys.setprofile(profile)
sys.exit(main())
"""
"""The command, which sends signals to itself: `POINT SIGNALS WORDS`.

A point is the number of functions of Python that the main thread has called. At the point the first
of the signals comes. Those joined to it by `+` come in the same instant, before Python has handled
it; those after a comma one by one with the next calls, of which its handler makes the first.
"""


def burst(
    flow: Flow, point: int, signals: str, words: str
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Call a command that gets signals at a point; return how it ended, and how long it was."""
    calls = flow.folder / "calls"
    calls.write_text("0", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", BURSTING, str(point), signals, *words.split()],
        cwd=flow.folder,
        env=flow.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=CALL_SEC,
    )
    return ended, int(calls.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "words",
    [
        "status --run-key=k",
        "start --run-key={point} flow.json",
        "start -d --run-key={point} flow.json",
    ],
)
def test_at_any_point(flow: Flow, words: str) -> None:
    """Wherever signals come, one of them ends the command, with one line or nothing (rule 6.9)."""
    flow.start("k", flow.write(TRUE))
    whole, calls = burst(flow, 0, "15", words.format(point=0))
    assert (whole.returncode, whole.stderr) == (0, "")
    said = 0
    for number, point in enumerate(range(2, calls, calls // POINTS)):
        ended, reached = burst(flow, point, BURSTS[number % len(BURSTS)], words.format(point=point))
        if ended.returncode == 0 and reached < point + 2:
            continue  # it was over before: how long a runner waits differs
        assert ended.returncode in CODES, (point, ended)
        assert ended.stderr.count("\n") <= 1, (point, ended)
        if ended.stderr:
            assert json.loads(ended.stderr)["error"].startswith("interrupted by SIG")
            said += ended.returncode > 0
    assert said
