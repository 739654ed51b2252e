"""The page in a real browser: for everybody's eyes, by keyboard, and inert (rule 12.1).

`python3 noxfile.py -s browser` runs these tests; they need Chromium, whose path `$CHROMIUM` names,
and speedscope, whose page is in the folder `$SPEEDSCOPE`. With `$REPORT_PICTURES` naming a folder,
pictures of all pages are left there to be looked at.
"""

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from flow_store import RunStatus
from orchesjob_flow.reports.facts import Facts
from orchesjob_flow.reports.page import as_html
from orchesjob_flow.reports.trace import as_trace

from .recorded_facts import (
    HOSTILE,
    RecordedStep,
    facts_from,
    layers_of_steps,
    night,
    overview_of,
    settled,
    step,
)

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    *((390, "light"), (1280, "light"), (1920, "light")),
    *((390, "dark"), (1280, "dark"), (1920, "dark")),
)
FACTS: dict[str, Facts] = {
    "good": facts_from(
        RecordedStep(step("a"), [(0, 1, 0)]), RecordedStep(step("b", when="a"), [(1, 3, 0)])
    ),
    "night": night("tame"),
    "hostile": night(HOSTILE),
    "settled": settled(HOSTILE),
    "now": facts_from(
        RecordedStep(step("a"), [(0, None, None)]),
        RecordedStep(step("b", when="a")),
        status=RunStatus.RUNNING,
        finished_at=None,
    ),
    "many": layers_of_steps(24, 4),
}
OVERVIEWS = {"overview": "tame", "hostile-overview": HOSTILE}
FOCUSABLE = "a[href]:not([tabindex='-1']), summary, [tabindex='0']"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in FACTS}
    for name, path in found.items():
        path.write_text(as_html(FACTS[name]), encoding="utf-8")
    for name, text in OVERVIEWS.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(overview_of(text), encoding="utf-8")
    return found


def opened(browser: Browser, path: Path) -> Page:
    """Open a page so that axe can be put into it, which its policy rightly forbids."""
    page = browser.new_context(bypass_csp=True).new_page()
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("name", [*FACTS, *OVERVIEWS])
def test_readable_for_everybody(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """At each width and in both schemes axe finds nothing, and nothing sticks out of the page."""
    page = opened(browser, pages[name])
    page.evaluate(AXE)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        if folder := os.environ.get("REPORT_PICTURES"):
            picture = Path(folder) / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=picture, full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
        assert told == [], (width, scheme)
    page.context.close()


@pytest.mark.parametrize("name", ["hostile", "night", *OVERVIEWS])
def test_nothing_happens(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """Nothing but the file is asked for, nothing runs, and no dialog opens, whatever is in it."""
    page = browser.new_page()
    requests: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto(pages[name].as_uri())
    page.wait_for_load_state("networkidle")
    assert requests == [pages[name].as_uri()]
    assert dialogs == []
    assert "failed" in page.title().lower()
    assert page.title() != "hacked"
    assert page.locator("script, img, iframe, object, embed, form, base").count() == 0
    page.close()


def test_the_policy_holds(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    """Even if markup did get into the page, its policy would let it run and fetch nothing."""
    path = tmp_path / "broken.html"
    text = pages["good"].read_text(encoding="utf-8")
    bad = "<script>document.title='hacked'</script><img src='http://127.0.0.1:9/x'>"
    path.write_text(text.replace("</main>", f"{bad}</main>"), encoding="utf-8")
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    assert page.title() == "run SUCCEEDED"
    assert sum("Content Security Policy" in text for text in refused) == 2
    page.close()


@pytest.mark.parametrize("name", ["night", "overview"])
def test_by_keyboard(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """The first stop skips to what happened; whatever can be used is reached, in its order."""
    page = opened(browser, pages[name])
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "jump"
    number = page.locator(FOCUSABLE).count()
    where = f'[...document.querySelectorAll("{FOCUSABLE}")].indexOf(document.activeElement)'
    stops = [page.evaluate(where)]
    for _ in range(number - 1):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(where))
    assert stops == list(range(number))
    if number_open := page.locator("details[open]").count():
        page.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("details[open]").count() == number_open - 1
    page.context.close()


def test_the_filter_needs_no_script(browser: Browser, pages: dict[str, Path]) -> None:
    """Radio buttons choose which steps a large page shows."""
    page = opened(browser, pages["many"])
    rows = page.locator("#all-steps tbody tr:visible")
    everything = rows.count()
    page.locator("#show-slow").focus()
    page.keyboard.press("Space")
    assert 0 < rows.count() == page.locator("tr.slow").count() < everything
    page.context.close()


def test_the_drawing_opens_where_the_failure_is(browser: Browser, pages: dict[str, Path]) -> None:
    """A drawing that is too wide for the window shows its first failure without scrolling."""
    page = opened(browser, pages["night"])
    page.set_viewport_size({"width": 120, "height": 900})
    page.reload()
    drawing, failure = page.locator(".drawing").bounding_box(), page.locator("#first-failure")
    assert page.locator(".drawing").evaluate("one => one.scrollWidth > one.clientWidth")
    box = failure.bounding_box()
    assert drawing is not None
    assert box is not None
    assert drawing["x"] <= box["x"] <= box["x"] + box["width"] <= drawing["x"] + drawing["width"]
    page.context.close()


def test_print_is_black_on_white(browser: Browser, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["night"])
    page.emulate_media(media="print", color_scheme="dark")
    colours = page.evaluate(
        "['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])"
    )
    assert colours == ["rgb(26, 29, 33)", "rgb(255, 255, 255)"]
    page.context.close()


def test_a_step_is_followed_through_the_page(browser: Browser, pages: dict[str, Path]) -> None:
    """A step of the timeline, of the path and of the drawing leads to its row among all steps."""
    page = opened(browser, pages["many"])
    for place in (".time a", ".path a", ".drawing a"):
        link = page.locator(place).last
        link.dispatch_event("click")
        target = page.evaluate("document.querySelector(':target .id').textContent")
        assert target in (link.text_content() or "")
    page.context.close()


@pytest.mark.parametrize("name", ["many", "settled", "hostile"])
def test_a_trace_opens_in_speedscope(browser: Browser, tmp_path: Path, name: str) -> None:
    """A viewer that is not ours shows a profile for each lane, and in it each step by its name."""
    trace = tmp_path / "trace.json"
    trace.write_text(as_trace(FACTS[name]), encoding="utf-8")
    events = [one for one in json.loads(trace.read_bytes())["traceEvents"] if one["ph"] == "X"]
    lanes = {event["tid"] for event in events}
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((Path(os.environ["SPEEDSCOPE"]) / "index.html").as_uri())
    page.locator("input[type=file]").set_input_files(trace)
    page.get_by_text(f"lane 1 (tid 1) (1/{len(lanes)})").wait_for()
    page.get_by_text("Sandwich").click()
    for shown in {event["name"] for event in events if event["tid"] == 1}:
        page.get_by_text(f"{shown} {{").first.wait_for()  # what is known of it follows
    assert errors == []
    page.close()
