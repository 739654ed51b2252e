"""Draw the pictures in docs/pictures/ from what real runs show: on a terminal, and in their report.

Run `python3 noxfile.py -s pictures` after a change of what people see there; with `-- --check` it
draws nothing and fails if a picture shows something else than a run does now.
"""

import argparse
import html
import io
import os
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import NamedTuple

import pyte
from page_picture import description_of, draw_page, words_of
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
README = DOCS.parent / "README.md"
REPORT = PICTURES / "report.png"
GRAPH = PICTURES / "graph.svg"
LONGEST_SEC = 60.0


class Picture(NamedTuple):
    """What is typed at a terminal, and how large that is.

    Attributes:
        name: The name of the file, without its ending.
        title: What stands at the top of the window, and describes the picture in words.
        commands: The commands, one after the other.
        columns: The width of the terminal.
        lines: Its height.
    """

    name: str
    title: str
    commands: tuple[str, ...]
    columns: int = 84
    lines: int = 40


RUN_KEY = "import-2026-05-07"
RUN = "orchesjob-flow run import.yaml"
PICTURES_TO_DRAW = (Picture("run", RUN, (RUN,)),)


def draw(picture: Picture) -> tuple[str, str]:
    """Run the commands of a picture; return the picture as SVG, and what it shows as text."""
    with home_with_flows() as home:
        screen = show(picture, home)
    console = Console(width=picture.columns, record=True, file=io.StringIO())
    lines = list(styled_lines(screen))
    text = "\n".join(line.plain for line in lines)
    for line in lines:
        console.print(line, soft_wrap=True)
    svg = console.export_svg(
        title=picture.title, theme=THEME, code_format=FRAME, unique_id=picture.name
    )
    return svg.replace("{description}", html.escape(text)), text


def page_of_the_readme() -> str:
    """Run the flow of the README, and return the page that `report` writes of it."""
    with home_with_flows() as home:
        for words in (["start", RUN_KEY, "import.yaml"], ["report", RUN_KEY, "-o", "report.html"]):
            subprocess.run(
                ["orchesjob-flow", *words],  # noqa: S607 - that of the session
                cwd=home,
                env=environment(home),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        return (home / "report.html").read_text(encoding="utf-8").replace(str(home), "~")


def graph_of(page: str) -> str:
    """Return the graph that a page of `report` shows, as a file of its own, light or dark."""
    (drawing,) = re.findall(r'<svg [^>]*aria-labelledby="drawing">.*?</svg>', page, re.DOTALL)
    symbols = "".join(re.findall(r"<symbol .*?</symbol>", page, re.DOTALL))
    drawing = re.sub(r"</?a\b[^>]*>", "", drawing)
    head = '<svg xmlns="http://www.w3.org/2000/svg" role="img" font-family="monospace"'
    return f"{drawing.replace('<svg', head, 1).replace('>', f'>{GRAPH_STYLE}{symbols}', 1)}\n"


GRAPH_STYLE = """<style>
svg { --good: #1b7a43; --bad: #bd2430; --skip: #5d646d; --card: #fff; --text: #1a1d21; }
@media (prefers-color-scheme: dark) {
  svg { --good: #62cf8f; --bad: #ff8d8d; --skip: #a2abb5; --card: #191c1f; --text: #e6e9ec; }
}
.good { color: var(--good); } .bad { color: var(--bad); } .skip { color: var(--skip); }
.line { fill: none; stroke: var(--skip); stroke-width: 1.5; }
rect { fill: var(--card); stroke: currentColor; stroke-width: 1.5; }
text { fill: var(--text); font-size: 13px; }
symbol { fill: none; stroke: currentColor; stroke-width: 1.8; }
</style>"""


@contextmanager
def home_with_flows() -> Iterator[Path]:
    """Make the home of a reader who has saved the flow of the README."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "me"
        home.mkdir()
        (home / "import.yaml").write_text(flow_of_the_readme(), encoding="utf-8")
        yield home


def environment(home: Path) -> dict[str, str]:
    """Return the variables of that reader."""
    return {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ORCHESJOB_HOME": str(home / ".local" / "share" / "orchesjob"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "xterm-256color",
        "TZ": "UTC",
    }


def flow_of_the_readme() -> str:
    """Return the flow file that the README shows first."""
    text = README.read_text(encoding="utf-8")
    found = re.search(
        r"<!-- file: import.yaml -->\n```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise LookupError("the README shows no import.yaml")
    return found[1]


def show(picture: Picture, home: Path) -> pyte.Screen:
    """Run the commands in bash on a pseudo-terminal; return what the terminal shows at the end."""
    screen = pyte.Screen(picture.columns, picture.lines)
    stream = pyte.ByteStream(screen)
    ours, theirs = os.openpty()
    size = struct.pack("HHHH", picture.lines, picture.columns, 0, 0)
    ioctl(theirs, termios.TIOCSWINSZ, size)
    bash = subprocess.Popen(
        ["/bin/bash", "--norc", "--noprofile", "-c", "\n".join(script(picture))],
        cwd=home,
        env=environment(home),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    end = time.monotonic() + LONGEST_SEC
    while select.select([ours], [], [], end - time.monotonic())[0]:
        try:
            stream.feed(os.read(ours, 65536).replace(os.fsencode(home), b"~"))
        except OSError:  # Linux says EIO when the last writer has gone
            break
    os.close(ours)
    bash.wait()
    return screen


def script(picture: Picture) -> Iterator[str]:
    """Yield the lines of a script that shows each command like one that was typed."""
    for command in picture.commands:
        yield f"printf '\\033[1;32m$\\033[0m %s\\n' {shell_word(command)}"
        yield command


def shell_word(text: str) -> str:
    """Quote a text for bash."""
    return "'" + text.replace("'", "'\\''") + "'"


def styled_lines(screen: pyte.Screen) -> Iterator[Text]:
    """Yield the lines of a screen, without the empty ones at its end."""
    shown = [line.rstrip() for line in screen.display]
    while shown and not shown[-1]:
        shown.pop()
    for number, plain in enumerate(shown):
        line = Text()
        for column in range(len(plain)):
            cell = screen.buffer[number][column]
            style = Style(
                color=COLOURS.get(cell.fg), bold=cell.bold or None, reverse=cell.reverse or None
            )
            line.append(cell.data, style)
        yield line


COLOURS = {
    **{name: name for name in ("red", "green", "blue", "magenta", "cyan", "black", "white")},
    "brown": "yellow",
    **{f"bright{name}": f"bright_{name}" for name in ("red", "green", "blue", "magenta", "cyan")},
    "brightblack": "bright_black",
    "brightbrown": "bright_yellow",
}
"""What pyte calls a colour, and what rich calls it."""
THEME = TerminalTheme(
    (24, 26, 31),
    (214, 217, 222),
    [
        (60, 64, 72),
        (240, 113, 120),
        (126, 200, 122),
        (229, 192, 105),
        (106, 172, 240),
        (200, 140, 220),
        (100, 200, 205),
        (214, 217, 222),
    ],
    [
        (130, 136, 148),
        (255, 140, 146),
        (150, 220, 146),
        (245, 210, 130),
        (140, 192, 250),
        (215, 165, 232),
        (130, 215, 220),
        (255, 255, 255),
    ],
)
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" role="img" \
xmlns="http://www.w3.org/2000/svg">
<desc>{{description}}</desc>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 16px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" \
clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">
{matrix}
</g></g>
</svg>
"""
"""A template of rich: the fonts are those of the reader, and nothing is fetched."""


def same_but_for_times(text: str) -> str:
    """Return a text without what differs from run to run."""
    text = re.sub(r"-\d{8}T\d{6}-[a-z0-9]{4}\b", "-T", text)
    date, clock, seconds = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d(?::\d\d)?", r"\d+(?:\.\d+)? ?m?s\b"
    text = re.sub(rf"(?:{date} )?\b{clock}|\b{seconds}", "T", text)
    return re.sub(r"[ -]{2,}", "  ", text)  # the width of a column


def said_by_page(words: str) -> set[str]:
    """Return what a page says; its order and the marks of its time line follow from the times.

    On a busy machine a runner may learn of an end too late, and the page says so.
    """
    late = r" ?\(in orchesjob.s whole seconds\)| Where the runner learnt of an end too late.*"
    words = re.sub(r"(?<=orchesjob-flow )\d\S*(?=,)", "VERSION", re.sub(late, "", words))
    return {line for line in same_but_for_times(words).splitlines() if line}


def description(svg: str) -> str:
    """Return the text that a picture shows."""
    found = re.search(r"<desc>(.*?)</desc>", svg, re.DOTALL)
    return "" if found is None else html.unescape(found[1])


def main() -> int:
    """Draw the pictures, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and draw nothing")
    check = parser.parse_args().check
    stale = []
    for picture in PICTURES_TO_DRAW:
        path = PICTURES / f"{picture.name}.svg"
        svg, text = draw(picture)
        if not check:
            path.write_text(svg, encoding="utf-8")
            continue
        drawn = description(path.read_text(encoding="utf-8")) if path.exists() else ""
        if same_but_for_times(drawn) != same_but_for_times(text):
            stale.append(path.name)
            sys.stderr.write(f"{path} shows\n{drawn}\nbut a run shows\n{text}\n")
    page = page_of_the_readme()
    if not check:
        REPORT.write_bytes(draw_page(page))
        GRAPH.write_text(graph_of(page), encoding="utf-8")
    elif GRAPH.read_text(encoding="utf-8") != graph_of(page):
        stale.append(GRAPH.name)
    elif said_by_page(description_of(REPORT.read_bytes())) != said_by_page(words_of(page)):
        stale.append(REPORT.name)
        sys.stderr.write(f"{REPORT} is of another page than a run has now:\n{words_of(page)}\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
