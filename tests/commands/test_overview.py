"""`overview`: a page about the last runs of each flow, with their reports (rule 12.4)."""

import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from support.flow import Flow
from support.gate import Gate
from support.steps import AFTER, TRUE

FAILING = {"id": "load", "command": ["sh", "-c", "seq 8; echo disk full >&2; exit 3"]}


class Links(HTMLParser):
    """Where a page leads to, and what has a class."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if tag == "a" and name == "href"]


def overview(flow: Flow, *words: str) -> Path:
    answer = flow.run("overview", "--output", "www", *words)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    return flow.folder / "www" / "index.html"


def reports(page: Path) -> dict[str, int]:
    """Return the reports beside a page, and which file each is."""
    return {path.name: path.stat().st_ino for path in (page.parent / "reports").iterdir()}


def said(page: Path) -> str:
    text = re.sub("<style>.*</style>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", text).split())


def test_what_it_says(flow: Flow) -> None:
    """What failed comes first with its last words; each mark leads to the report of its run."""
    flow.start("good-1", flow.write(TRUE, flow_id="good"))
    flow.start("bad-1", flow.write(TRUE, flow_id="bad"))
    flow.start("bad-2", flow.write(FAILING, flow_id="bad"), code=1)
    page = overview(flow)
    text = said(page)
    assert "1 of 2 flows did not succeed the last time: bad ." in text
    assert re.search(r"on \S+ , written \d{4}-\d\d-\d\d \d\d:\d\d:\d\d Flows", text)
    assert re.search(r"It failed after [^:]*, at step load \(exit code 3\)\.", text)
    assert "The last words of load disk full" in text
    assert text.index("What went wrong") < text.index("All flows")
    assert re.search(r"title=\"bad-2 FAILED, began 20.{17}, took .*?\"", page.read_text("utf-8"))
    links = [unquote(link) for link in Links(page).found if not link.startswith("#")]
    assert set(links) == {f"reports/{key}.html" for key in ("good-1", "bad-1", "bad-2")}
    for link in links:
        assert (page.parent / link).read_text("utf-8").startswith("<!doctype html>")


def test_only_what_has_changed_is_written_again(flow: Flow) -> None:
    """A report stays as it is until its run changes; a report of an older version is replaced."""
    once = {"id": "a", "command": ["sh", "-c", "mkdir once && exit 1; true"]}
    file = flow.write(once)
    flow.start("k", file, code=1)
    flow.start("l", flow.write(TRUE, flow_id="g", name="g.json"))
    first = reports(page := overview(flow))
    assert reports(overview(flow)) == first
    flow.ask("retry", "k")
    second = reports(overview(flow))
    assert {name for name in first if first[name] != second[name]} == {"k.html"}
    assert "<title>k SUCCEEDED</title>" in (page.parent / "reports/k.html").read_text("utf-8")
    path = page.parent / "reports/l.html"
    path.write_text(
        re.sub('orchesjob-flow [0-9.a-z]+"', 'orchesjob-flow 0.0"', path.read_text("utf-8"))
    )
    assert reports(overview(flow))["l.html"] != second["l.html"]


def test_limit(flow: Flow) -> None:
    """Each flow shows its last runs only; reports that nothing leads to are removed."""
    file = flow.write(TRUE)
    for key in ("a", "b", "c"):
        flow.start(key, file)
    page = overview(flow)
    (page.parent / "reports" / "mine.html").write_text("mine")
    assert set(reports(overview(flow, "--limit=2"))) == {"b.html", "c.html", "mine.html"}
    assert "1 flow, 2 runs" in said(page)


HOSTILE = ["../../x", "a/b", "<img src=x>", '"><script>', "%2e%2e", "a:b?c#d&e", "日本", "x" * 255]


def test_hostile_keys(flow: Flow) -> None:
    """Whatever a run is called, its report is in the folder, and its mark leads there."""
    file = flow.write(TRUE)
    for key in HOSTILE:
        flow.start(key, file)
    page = overview(flow)
    links = {unquote(link) for link in Links(page).found if not link.startswith("#")}
    assert links == {f"reports/{name}" for name in reports(page)}
    assert len(links) == len(HOSTILE)
    assert "<img" not in page.read_text("utf-8")
    assert "<script" not in page.read_text("utf-8")
    assert {path.name for path in page.parent.iterdir()} == {"index.html", "reports"}


def test_an_empty_home(flow: Flow) -> None:
    """Before the first run there is a page that says so."""
    flow.home.mkdir()
    assert "No run is recorded yet" in said(overview(flow))


TAKEN = [
    ("touch www", "it is not a folder"),
    ("mkdir w; ln -s w www", "it is a symbolic link"),
    ("ln -s /dev/null www", "it is a symbolic link"),
    ("mkdir www; mkdir w; ln -s ../w www/reports", "it is a symbolic link"),
    ("mkdir www; echo mine >www/index.html", "is not a report"),
    ("mkdir www; ln -s ../flow.json www/index.html", "is not a report"),
    ("mkdir www; mkfifo www/index.html", "is not a report"),
    ("mkdir www; mkdir www/index.html", "is not a report"),
    ("mkdir -p www/reports; echo mine >www/reports/k.html", "is not a report"),
    ("mkdir -p www/reports; ln -s ../../flow.json www/reports/k.html", "is not a report"),
]


def test_places_that_are_not_ours(flow: Flow) -> None:
    """Nothing is written through a link, or in place of what we have not written (rule 12.1)."""
    file = Path(flow.write(TRUE))
    flow.start("k", str(file))
    before = file.read_bytes()
    for prepare, why in TAKEN:
        assert os.system(f"cd {flow.folder} && rm -rf w www && {prepare}") == 0  # noqa: S605 - ours
        assert why in flow.refusal("overview", "-o", "www")["error"]
        assert file.read_bytes() == before


def test_a_file_for_a_folder(flow: Flow) -> None:
    """No folder is made that has the name of a page (rule 12.4)."""
    flow.start("k", flow.write(TRUE))
    assert "it looks like a file" in flow.refusal("overview", "-o", "page.html")["error"]
    assert not (flow.folder / "page.html").exists()
    (flow.folder / "page.html").mkdir()
    assert flow.run("overview", "-o", "page.html").returncode == 0


def test_wrong_words(flow: Flow) -> None:
    """The folder must be named, its parent must be there, and so must the home."""
    assert "Missing option" in flow.refusal("overview")["error"]
    assert "there is no folder no" in flow.refusal("overview", "-o", "no/www")["error"]
    (flow.folder / "link").symlink_to(flow.folder)
    error = flow.refusal("overview", "-o", "link")["error"]
    assert "it is a symbolic link; nothing there has changed: name another folder" in error
    if sys.platform == "linux":
        error = flow.refusal("overview", "-o", "/proc/x")["error"]
        assert "no folder can be made in /proc;" in error
    assert (
        "does not exist, so no run"
        in flow.refusal("--db", "no.db", "overview", "-o", "www")["error"]
    )


def test_a_run_that_has_not_ended(flow: Flow, gate: Gate) -> None:
    """Its report is written each time; without a runner, it comes first, with what continues it."""
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}, AFTER), gate)
    first = reports(overview(flow))
    assert reports(page := overview(flow)) != first
    assert "No flow failed the last time" in said(page)
    runner.kill()
    runner.wait()
    text = said(overview(flow))
    assert "1 run has no runner" in text
    assert "`orchesjob-flow resume k` continues it" in text
    gate.let_through()
