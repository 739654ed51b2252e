"""The last words on stderr (rule 6.9)."""

import subprocess
import sys

LAST_WORDS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from orchesjob_flow.views import terminal as streams

others = ThreadPoolExecutor()
def others_can_write():
    return others.submit(streams.writing.acquire, blocking=False).result()

class Terminal:
    def write(self, text):
        print("while a picture is written:", others_can_write())
    def flush(self):
        pass

stderr, sys.stderr = sys.stderr, Terminal()
streams.write_view("a picture")
sys.stderr = stderr
with streams.hold_messages() as drawing:
    streams.warn("something")
    drawing.terminal = 1
    sys.stdout.flush()
    streams.write_last_words("the end")
    print("after the last words:", others_can_write(), flush=True)
    import os
    os._exit(0)
"""


def test_last_words() -> None:
    """What waits is written before the last words, below the picture; no thread writes after them.

    The thread that draws a run could otherwise draw it once more before the process has gone.
    """
    ended = subprocess.run(
        [sys.executable, "-c", LAST_WORDS], capture_output=True, text=True, check=True
    )
    assert ended.stderr == "orchesjob-flow: something\nthe end\n"
    assert ended.stdout == (
        "while a picture is written: False\n\x1b[0m\x1b[?7h\nafter the last words: False\n"
    )
