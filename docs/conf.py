"""How Sphinx makes the site of these documents; `python3 noxfile.py -s site` builds it.

The documents are plain Markdown, which GitHub shows too. So what only a site needs is added here
while a page is read: the navigation, links to what is in the repository and not on the site, and
the names above the files that a page shows.
"""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
NAME_ON_GITHUB = os.environ.get("GITHUB_REPOSITORY")  # where GitHub builds the site
REPOSITORY = f"https://github.com/{NAME_ON_GITHUB}" if NAME_ON_GITHUB else None

project = "orchesjob-flow"
author = "the authors of orchesjob-flow"
extensions = ["myst_parser"]
myst_heading_anchors = 4
# Flow files have conditions without quotes, such as `!a && b`, which are not YAML to Pygments.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_copyright = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]
smartquotes = False  # a page reads as it does in the repository
html_theme_options: dict[str, object] = {"top_of_page_buttons": []}
if REPOSITORY:
    html_theme_options = {
        "source_repository": REPOSITORY,
        "source_branch": "main",
        "source_directory": "docs/",
        "top_of_page_buttons": ["view"],
    }

NAVIGATION = {
    "index": {
        "Tutorial": ["tutorial"],
        "How-to": ["how-to/install", "how-to/index", "troubleshooting", "questions"],
        "Reference": [
            "All of it <reference/index>",
            "cheat-sheet",
            "reference/commands/index",
            "flow-files",
            "conditions",
            "flow-files/commands",
            "flow-files/values",
            "flow-files/foreach",
            "flow-files/concurrency",
            "flow-files/endings",
            "warnings",
            "reference/*",
            "airflow-dag",
            "rules",
            "vocabulary",
        ],
        "Explanation": ["reliability", "performance", "airflow", "architecture", "*"],
    },
    "how-to/index": {"": ["how-to/*"]},
    "reference/commands/index": {"": ["reference/commands/*"]},
}
"""Below which page are which pages, under which heading; `*` means those that are named nowhere."""


def page_of(entry: str) -> str:
    """Return the page of an entry: `name`, or `Title <name>`."""
    return entry.rpartition("<")[2].rstrip(">")


NAMED = {Path("index.md")} | {
    Path(f"{page_of(entry)}.md")
    for headings in NAVIGATION.values()
    for entries in headings.values()
    for entry in entries
}
LINK = re.compile(r"\[(?P<text>[^]]+)\]\((?!https?:|#)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
SHOWN_FILE = re.compile(r"^<!-- file: (?P<name>\S+) -->\n```(?P<language>\w+)$", re.MULTILINE)
KNOWN_LANGUAGES = {"crontab": "bash", "synopsis": "text"}
"""What is closest, to Pygments, to the languages that it does not know."""
LANGUAGE = re.compile(rf"^```({'|'.join(KNOWN_LANGUAGES)})$", re.MULTILINE)


def navigation(page: str) -> str:
    """Return the tables of contents of a page: the named pages, then all others."""
    tables = []
    for heading, entries in NAVIGATION.get(page, {}).items():
        rows = []
        for entry in entries:
            name = page_of(entry)
            if "*" in name:
                found = sorted(path.relative_to(DOCS) for path in DOCS.glob(f"{name}.md"))
                rows += [f"/{path.with_suffix('')}" for path in found if path not in NAMED]
            else:
                rows.append(entry.replace(name, f"/{name}"))  # Sphinx warns if there is none
        if rows:
            caption = f":caption: {heading}\n" if heading else ""
            listed = "\n".join(rows)
            tables.append(f"```{{toctree}}\n:hidden:\n{caption}\n{listed}\n```\n")
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


def complete(_app: Sphinx, page: str, source: list[str]) -> None:
    """Turn a document of the repository into a page of the site."""
    text = LINK.sub(lambda link: link_to_repository(page, link), source[0])
    text = SHOWN_FILE.sub("```{code-block} \\g<language>\n:caption: \\g<name>\n", text)
    text = LANGUAGE.sub(lambda fence: f"```{KNOWN_LANGUAGES[fence[1]]}", text)
    source[0] = f"{text}\n{navigation(page)}"


def setup(app: Sphinx) -> None:
    """Have Sphinx ask for that."""
    app.connect("source-read", complete)
