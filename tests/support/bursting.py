"""orchesjob-flow that sends signals to itself; the product knows nothing of this.

usage: python bursting.py POINT SIGNALS WORDS_OF_ORCHESJOB_FLOW...

A point is the number of functions of Python that the main thread has called. At the point the first
of the signals comes. Those joined to it by `+` come in the same instant, before Python has handled
it; those after a comma one by one with the next calls, of which its handler makes the first. How
many functions have been called at the end is written into the file `$BURSTING_CALLS`.
"""

import atexit
import os
import sys
from pathlib import Path
from types import FrameType

from orchesjob_flow.__main__ import main

point, bursts = int(sys.argv[1]), [burst.split("+") for burst in sys.argv[2].split(",")]
del sys.argv[1:3]
called = 0


def profile(_frame: FrameType, event: str, _argument: object) -> None:
    """Count a call, and send what is due."""
    global called  # noqa: PLW0603 - a profile function has no other place
    if event == "call":
        called += 1
        if point <= called < point + len(bursts):
            for number in bursts[called - point]:
                os.kill(os.getpid(), int(number))


def tell_calls() -> None:
    """Tell how many functions were called."""
    Path(os.environ["BURSTING_CALLS"]).write_text(str(called), encoding="utf-8")


if __name__ == "__main__":
    atexit.register(tell_calls)  # called after all others
    sys.setprofile(profile)
    sys.exit(main())
