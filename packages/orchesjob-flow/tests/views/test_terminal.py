"""Text that is safe to show, and the last words on stderr (rules 6.5, 6.9 and 6.10)."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchesjob_flow.views.terminal import dump_json, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("日本 é", "日本 é"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    """Control characters and their like are shown as escapes, everything else as it is."""
    assert visible(text) == shown


@given(st.text())
def test_nothing_unsafe_is_left(text: str) -> None:
    """No control character survives, and making visible twice is making visible once."""
    shown = visible(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    assert visible(shown) == shown


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_json_means_the_same(value: object, indent: int | None, ascii_only: bool) -> None:
    """Whatever is escaped, the JSON reads back as what it was."""
    text = dump_json(value, indent=indent, ascii_only=ascii_only)
    assert json.loads(text) == value
    assert visible(text.replace("\n", "")) == text.replace("\n", "")
    assert not ascii_only or text.isascii()


def test_compact_and_indented() -> None:
    """Without indentation there is no space and no line break."""
    assert dump_json({"a": [1, "é"]}, indent=None) == '{"a":[1,"é"]}'
    assert dump_json({"a": "\x7f\u2028"}, indent=2) == '{\n  "a": "\\u007f\\u2028"\n}'


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
