"""The site of the documents in a real browser, opened as files.

`python3 noxfile.py -s browser` runs these tests. They need Chromium, whose path `$CHROMIUM` names,
and the site, whose folder `$SITE` names. With `$SITE_PICTURES` naming a folder, pictures of some
pages are left there to be looked at.
"""

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

SITE = Path(os.environ["SITE"])
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
LOOKED_AT = ("index", "flow-files", "reference/commands/start", "reference/exit-codes")
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    *((390, "light"), (390, "dark")),
    *((1280, "light"), (1280, "dark")),
)


def test_no_page_is_wider_than_a_telephone(browser: Browser) -> None:
    """A wide table or command scrolls by itself, and the page does not; no page asks a host."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    widths = {}
    for name in PAGES:
        page.goto((SITE / name).as_uri())
        widths[name] = page.evaluate("document.documentElement.scrollWidth")
    assert len(widths) > 40
    assert {name: width for name, width in widths.items() if width > 390} == {}
    assert {url for url in asked if not url.startswith(("file:", "data:"))} == set()
    page.close()


def test_the_search_works_offline(browser: Browser) -> None:
    """What is typed into the field of a page is found, without a server."""
    page = browser.new_page()
    page.goto((SITE / "index.html").as_uri())
    page.fill(".sidebar-search", "retry")
    page.press(".sidebar-search", "Enter")
    found = page.locator("#search-results li a", has_text="retry").first
    found.wait_for()
    found.click()
    page.wait_for_url("**/reference/commands/retry.html*")
    page.close()


@pytest.mark.parametrize("name", LOOKED_AT)
def test_looks(browser: Browser, name: str) -> None:
    """The navigation is at hand at each width, and dark pages are dark."""
    page = browser.new_page()
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto((SITE / f"{name}.html").as_uri())
        is_open = page.locator(".sidebar-tree").first.is_visible() and width > 1000
        assert is_open or page.locator(".nav-overlay-icon").is_visible()
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, colour[4:-1].split(", "))) < 300) == (scheme == "dark")
        if folder := os.environ.get("SITE_PICTURES"):
            picture = Path(folder) / f"{name.replace('/', '-')}-{width}-{scheme}.png"
            page.screenshot(path=picture)
    page.close()
