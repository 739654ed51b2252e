"""A picture of the page of `report`, drawn by Chromium, down to the timeline of the run.

No two versions of a browser draw the same pixels. So the words of the page are kept in the picture,
and compared with those of the page as it is now.
"""

import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

WIDTH, SCALE, MARGIN = 700, 1.5, 16
KEYWORD = b"Description"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
SILENT = {"style", "title", "symbol"}


class Words(HTMLParser):
    """The words of a page, piece by piece, without what is only for eyes, as a scale is."""

    def __init__(self) -> None:
        """Begin before the page."""
        super().__init__()
        self.pieces: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element."""
        if self._hidden and tag == self._hidden[0]:
            self._hidden.append(tag)
        elif not self._hidden and (tag in SILENT or ("aria-hidden", "true") in attrs):
            self._hidden = [tag]

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if self._hidden and tag == self._hidden[0]:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        """Note a piece of text."""
        if not self._hidden and data.strip():
            self.pieces.append(" ".join(data.split()))


def words_of(page: str) -> str:
    """Return the words of a page, a piece on each line."""
    words = Words()
    words.feed(page)
    return "\n".join(words.pieces)


def draw_page(page: str) -> bytes:
    """Draw the beginning of a page, and put its words into the picture."""
    from playwright.sync_api import FloatRect, sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        view = browser.new_page(
            viewport={"width": WIDTH, "height": WIDTH}, device_scale_factor=SCALE
        )
        view.goto(file.as_uri())
        begin, end = (
            view.evaluate(f"document.querySelector('{what}').getBoundingClientRect().{edge}")
            for what, edge in (("header", "top"), (".time", "bottom"))
        )
        height = end - begin + 2 * MARGIN
        shown = FloatRect(x=0, y=begin - MARGIN, width=WIDTH, height=height)
        picture = view.screenshot(clip=shown, full_page=True)
        browser.close()
    return with_description(picture, words_of(page))


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the data of each chunk of a PNG."""
    place = len(SIGNATURE)
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += 12 + length


def with_description(png: bytes, text: str) -> bytes:
    """Put a text into a PNG behind its head, and compress the pixels as far as possible."""
    head, *rest = chunks(png)
    described = (b"iTXt", KEYWORD + b"\0\1\0\0\0" + zlib.compress(text.encode()))
    pixels = zlib.decompress(b"".join(data for kind, data in rest if kind == b"IDAT"))
    rest = [(b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (head, described, *rest)
    )


def description_of(png: bytes) -> str:
    """Return the text that was put into a PNG; nothing if there is none."""
    for kind, data in chunks(png):
        if kind == b"iTXt" and data.startswith(KEYWORD + b"\0\1"):
            return zlib.decompress(data[len(KEYWORD) + 5 :]).decode()
    return ""
