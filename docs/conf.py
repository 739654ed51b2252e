"""How Sphinx makes the site of these documents; `python3 noxfile.py -s site` builds it.

The documents are plain Markdown, which a forge shows too. So what only a site has is added while a
page is read: the navigation, links to what is not on the site, names above shown files, boxes for
quoted alerts, cards for a list below `<!-- cards -->`, and tabs for titled blocks below
`<!-- tabs -->`. The search has sections of pages, which are collected as pages are written, with
the words of `<!-- search: words -->` that their text does not have.
"""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
NAME_ON_GITHUB = os.environ.get("GITHUB_REPOSITORY")  # where GitHub builds the site
REPOSITORY = f"https://github.com/{NAME_ON_GITHUB}" if NAME_ON_GITHUB else None

project = "orchesjob-flow"
author = "the authors of orchesjob-flow"
release = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
extensions = ["myst_parser", "sphinx_copybutton", "sphinx_design"]
myst_heading_anchors = 4
# Flow files have conditions without quotes, such as `!a && b`, which are not YAML to Pygments.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = f"{project} {release}"
html_favicon = "site/favicon.svg"
html_copy_source = False
html_show_copyright = False
html_static_path = ["site/site.css", "site/search.js"]
html_css_files = ["site.css"]
templates_path = ["site"]
copybutton_prompt_text = "$ "  # the commands are copied, and not what they print
copybutton_line_continuation_character = "\\"
smartquotes = False  # a page reads as it does in the repository
html_theme_options: dict[str, object] = {"top_of_page_buttons": []}
if REPOSITORY:
    html_theme_options = {
        "source_repository": REPOSITORY,
        "source_branch": "main",
        "source_directory": "docs/",
        "top_of_page_buttons": ["view", "edit"],
    }

FOR_DEVELOPERS = {"architecture", "measurements", "rules", "vocabulary"}
"""Pages that others link to, but that are in no menu, and not found by the search."""
NAVIGATION = {
    "Start": ["tutorial", "how-to/install", "All guides <how-to/index>"],
    "Reference": [
        "cheat-sheet",
        "flow-files",
        "conditions",
        "reference/commands/index",
        "Keys, exit codes, JSON, files <reference/index>",
        "warnings",
        "troubleshooting",
        "questions",
    ],
    "how-to/index": [],
    "Explanation": ["reliability", "security", "performance"],
    "Airflow": ["airflow", "airflow-dag"],
}
"""The menu: which pages are below which heading. An index with headings stands for its own."""


def page_of(entry: str) -> str:
    """Return the page of an entry: `name`, or `Title <name>`."""
    return entry.rpartition("<")[2].rstrip(">")


NAMED = {page_of(entry) for entries in NAVIGATION.values() for entry in entries}
LINK = re.compile(r"\[(?P<text>[^]]+)\]\((?!https?:|#)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
SHOWN_FILE = re.compile(r"^<!-- file: (?P<name>\S+) -->\n```(?P<language>\w+)$", re.MULTILINE)
KNOWN_LANGUAGES = {"crontab": "bash", "synopsis": "text", "terminal": "console"}
"""What is closest, to Pygments, to the languages that it does not know."""
LANGUAGE = re.compile(rf"^```({'|'.join(KNOWN_LANGUAGES)})$", re.MULTILINE)
ALERT = re.compile(r"^> \[!(?P<kind>\w+)\]\n(?P<text>(?:>.*\n)+)", re.MULTILINE)
CARDS = re.compile(r"^<!-- cards -->\n+(?P<list>(?:(?:- |  ).*\n)+)", re.MULTILINE)
CARD = re.compile(
    r"^- \[(?P<title>[^]]+)\]\((?P<path>[^)]+)\.md\):?\s*(?P<text>.+\n(?:  .+\n)*)", re.MULTILINE
)
TITLED = r"\*\*([^*\n]+)\*\*\n\n((?:<!--.*-->\n)?```\w+\n.*?^```\n)\n*"
TABS = re.compile(rf"^<!-- tabs -->\n+(?P<tabs>(?:{TITLED})+)", re.MULTILINE | re.DOTALL)


def listed(page: str, text: str) -> list[str]:
    """Return the pages in the folder of an index that a text in it links to, with their titles."""
    folder = MENUS[page]
    found: dict[str, str] = {}
    for link in LINK.finditer(text):
        path = (DOCS / f"{page}.md").parent.joinpath(link["path"]).resolve()
        name = str(path.relative_to(DOCS).with_suffix("")) if path.is_relative_to(DOCS) else ""
        if path.suffix == ".md" and name.startswith(f"{folder}/") and name not in NAMED:
            found.setdefault(name, f"{link['text']} <{name}>" if page in NAVIGATION else name)
    return [*found.values()]


MENUS = {
    "how-to/index": "how-to",
    "flow-files": "flow-files",
    "reference/index": "reference",
    "reference/commands/index": "reference/commands",
}
"""Pages with a menu, and the folder of the pages in it."""


def headings(page: str) -> dict[str, list[str]]:
    """Return the headings of the menu below a page, with their entries."""
    if page in MENUS and page not in NAVIGATION:
        return {"": listed(page, (DOCS / f"{page}.md").read_text("utf-8"))}
    found: dict[str, list[str]] = {}
    for heading, entries in NAVIGATION.items() if page == "index" else ():
        found |= headings_of(heading) if heading in MENUS else {heading: entries}
    return found


def headings_of(page: str) -> dict[str, list[str]]:
    """Return the headings of an index, with the entries for the pages below them."""
    _, *parts = (DOCS / f"{page}.md").read_text("utf-8").split("\n## ")
    found = {part.partition("\n")[0]: listed(page, part) for part in parts}
    return {heading: entries for heading, entries in found.items() if entries}


def navigation(page: str) -> str:
    """Return the tables of contents of a page."""
    tables = []
    for heading, entries in headings(page).items():
        caption = f":caption: {heading}\n" if heading else ""
        rows = "\n".join(entry.replace(page_of(entry), f"/{page_of(entry)}") for entry in entries)
        tables.append(f"```{{toctree}}\n:hidden:\n{caption}\n{rows}\n```\n")
    return "\n".join(tables)


def link_to_repository(page: str, link: re.Match[str]) -> str:
    """Return a link as the site has it: what is not a page of it is a link to GitHub, or text."""
    target = (DOCS / f"{page}.md").parent.joinpath(link["path"]).resolve()
    if not target.exists():
        getLogger(__name__).warning("there is no %s", link["path"], location=page)
    if target.is_relative_to(DOCS) and target.suffix in {".md", ".png", ".svg"}:
        return link[0]
    if REPOSITORY is None:
        return link["text"]
    kind = "tree" if target.is_dir() else "blob"
    path = f"{target.relative_to(ROOT)}{link['anchor'] or ''}"
    return f"[{link['text']}]({REPOSITORY}/{kind}/main/{path})"


def box(alert: re.Match[str]) -> str:
    """Return the box for a quoted alert."""
    text = re.sub("^> ?", "", alert["text"], flags=re.MULTILINE)
    return f"`````{{{alert['kind'].lower()}}}\n{text}`````\n"


def cards(found: re.Match[str]) -> str:
    """Return a grid with a card for each link of a list."""
    made = (
        f"````{{grid-item-card}} {card['title']}\n:link: {card['path']}\n:link-type: doc\n\n"
        f"{card['text']}````\n"
        for card in CARD.finditer(found["list"])
    )
    return f"`````{{grid}} 1 2 2 3\n:gutter: 3\n\n{''.join(made)}`````\n\n"


def tabs(found: re.Match[str]) -> str:
    """Return tabs with the titled blocks; the same titles are chosen together on all pages."""
    made = (
        f"````{{tab-item}} {title}\n:sync: {title}\n\n{block}````\n"
        for title, block in re.findall(TITLED, found["tabs"], re.MULTILINE | re.DOTALL)
    )
    return f"`````{{tab-set}}\n:sync-group: tabs\n\n{''.join(made)}`````\n\n"


def complete(_app: Sphinx, page: str, source: list[str]) -> None:
    """Turn a document of the repository into a page of the site."""
    text = ALERT.sub(box, TABS.sub(tabs, CARDS.sub(cards, source[0])))
    text = LINK.sub(lambda link: link_to_repository(page, link), text)
    text = SHOWN_FILE.sub("```{code-block} \\g<language>\n:caption: \\g<name>\n", text)
    text = LANGUAGE.sub(lambda fence: f"```{KNOWN_LANGUAGES[fence[1]]}", text)
    orphan = "---\norphan: true\n---\n" if page in FOR_DEVELOPERS else ""
    source[0] = f"{orphan}{text}\n{navigation(page)}"


class Sections(HTMLParser):
    """The sections of a page: their anchors, titles and words."""

    def __init__(self) -> None:
        """Begin before the page."""
        super().__init__()
        self.found: list[list[str]] = []
        self._open: list[list[str]] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter a section, or a part of one."""
        attributes = dict(attrs)
        if tag == "section":
            self._open.append([attributes.get("id") or "", "", "", ""])
            self.found.append(self._open[-1])
        elif tag == "a" and "headerlink" in (attributes.get("class") or ""):
            self._within = "link"
        elif re.fullmatch("h[1-6]", tag):
            self._within = "title"

    def handle_endtag(self, tag: str) -> None:
        """Leave a section or a part of one."""
        if tag == "section":
            self._open.pop()
        elif (tag == "a" and self._within == "link") or re.fullmatch("h[1-6]", tag):
            self._within = ""
        elif self._open and tag in {"p", "li", "td", "th", "pre"}:
            self._open[-1][2] += " "

    def handle_comment(self, data: str) -> None:
        """Note the words of `<!-- search: other, words -->`, by which people look for a section."""
        if self._open and data.startswith(" search: "):
            self._open[-1][3] += data.removeprefix(" search: ")

    def handle_data(self, data: str) -> None:
        """Note a piece of a title or of a text."""
        if self._open and self._within != "link":
            self._open[-1][1 if self._within == "title" else 2] += data


INDEX: list[list[str]] = []
"""Of each section: page, title of the page, anchor, title, text, other words for it."""


def collect(_app: Sphinx, page: str, _template: str, context: dict[str, Any], tree: object) -> None:
    """Note the sections of a page for the search."""
    if tree is None or page in FOR_DEVELOPERS:
        return
    sections = Sections()
    sections.feed(context["body"])
    name = f"{page}.html"
    for anchor, title, text, words in sections.found:
        INDEX.append([name, sections.found[0][1], anchor, title, " ".join(text.split()), words])


def write_index(app: Sphinx, error: Exception | None) -> None:
    """Write the sections as a script, which a page that was opened as a file may load too."""
    if error is None:
        texts = json.dumps(INDEX, ensure_ascii=False, separators=(",", ":"))
        (app.outdir / "_static" / "sections.js").write_text(f"const SECTIONS={texts};\n", "utf-8")
        (app.outdir / "searchindex.js").unlink(missing_ok=True)  # nothing reads it


def setup(app: Sphinx) -> None:
    """Have Sphinx ask for that."""
    app.connect("source-read", complete)
    app.connect("html-page-context", collect)
    app.connect("build-finished", write_index)
