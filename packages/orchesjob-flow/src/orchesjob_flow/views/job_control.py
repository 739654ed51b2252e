"""Ctrl-Z, while something is drawn in place: the shell takes the terminal, and gives it back later.

Whatever is drawn next must not begin where the cursor was before that.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_of_stops(tell: Callable[[], None]) -> Iterator[None]:
    """Within this block, which is in the main thread, call `tell` before Ctrl-Z stops the program.

    Who has it ignored, as some parents do, keeps it so.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        tell()
        # By its default, so that the kernel ignores it where no shell could continue the program.
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, stop)

    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)
