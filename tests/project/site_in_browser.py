"""The site of the documents in a real browser, opened as files.

`python3 noxfile.py -s browser` runs these tests. They need Chromium, whose path `$CHROMIUM` names,
and the site, whose folder `$SITE` names. With `$SITE_PICTURES` naming a folder, pictures of some
pages are left there to be looked at.
"""

import os
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
SITE = Path(os.environ["SITE"])
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
LOOKED_AT = ("index", "flow-files", "reference/commands/start", "reference/exit-codes")
READ_MOST = (
    *("index", "tutorial", "how-to/install", "how-to/systemd", "how-to/alerts"),
    *("flow-files", "conditions", "flow-files/endings", "cheat-sheet", "how-to/index"),
)
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    *((390, "light"), (390, "dark")),
    *((1280, "light"), (1280, "dark")),
)


@pytest.mark.parametrize("name", READ_MOST)
def test_code_and_tables_fit_and_are_accessible(browser: Browser, name: str) -> None:
    """On a screen of 1280 pixels nothing scrolls sideways; axe finds nothing."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((SITE / f"{name}.html").as_uri())
    wide = page.eval_on_selector_all(
        "article pre, article .table-wrapper",
        "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)",
    )
    assert wide == []
    page.evaluate(AXE)
    found = page.evaluate("axe.run('article', {resultTypes: ['violations']})")["violations"]
    told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
    assert told == []
    page.close()


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


SEARCHED = {
    "how-to/alerts": (
        "slack, webhook, notify, email on failure, alert, did not run, never started, "
        "mail on failure, heartbeat, healthchecks"
    ),
    "how-to/secrets": "password, token, api key, credentials, database password",
    "how-to/testing-flows": "pytest, unit test",
    "how-to/file-arrives": "inotify, watch a folder, systemd path",
    "how-to/silent-step": "idle timeout, no output, hang, job hangs, kill hanging job",
    "troubleshooting": "stuck, killed",
    "how-to/limits": (
        "memory limit, cpu limit, out of memory, ulimit, sudo, another user, run as root, nice"
    ),
    "reliability": "cgroup, power cut, power loss",
    "flow-files/foreach": "matrix, loop, glob",
    "how-to/many-files": "for each file, xargs",
    "flow-files/concurrency": "parallel, queue, maximum jobs at once",
    "how-to/github-actions": "artifact, github actions, annotations",
    "how-to/ci": "gitlab, jenkins, junit",
    "how-to/cron": "cron, crontab, cron mail, mailto",
    "how-to/systemd": "systemd timer, reboot",
    "reference/exit-codes": "exit code 2",
    "flow-files/endings": (
        "exit code 137, ignore failure, allow_failure, backoff, timeout, always run, cleanup, "
        "exit code 3 ok"
    ),
    "reference/commands/retry": "retry, rerun failed step, resume from failed step",
    "conditions": "skip a step",
    "how-to/rollback": "rollback, undo",
    "how-to/approval": "approval, manual step",
    "how-to/overlapping-runs": (
        "lock, mutex, flock, skip if already running, previous run still running"
    ),
    "questions": "output of a step, time zone, timezone, daylight saving, utc, dst, clock change",
    "reference/commands/logs": "logs, tail",
    "how-to/values": "pass values between steps",
    "flow-files/values": "variables, parameters, dotenv, working directory",
    "how-to/some-days": (
        "first of the month, weekend, weekday, holiday, only monday to friday, weekdays, weekends"
    ),
    "how-to/files-by-day": "backfill, yesterday",
    "how-to/prometheus": "prometheus",
    "how-to/dashboard": "grafana, dashboard",
    "how-to/maintenance": (
        "backup, upgrade, downgrade, retention, uninstall, logrotate, disk full, "
        "move to another host, migrate server, large output, disk usage"
    ),
    "reference/commands/prune": "delete old runs",
    "reference/files": "sqlite",
    "how-to/install": "pipx, air-gapped, install without internet, offline install",
    "reference/commands/cancel": "stop a run, kill a run",
    "reference/commands/simulate": "dry run",
    "how-to/ssh": "ssh",
    "airflow": "airflow",
    "how-to/coming-from": "makefile, dagu",
    "reference/commands/schema": "schema",
    "flow-files": "vscode",
    "reference/commands/completion": "bash completion",
    "how-to/conditions-in-python": "conditions in python",
    "reference/run-keys": "idempotent",
    "how-to/environment": "virtualenv",
    "how-to/containers": "docker, kubernetes, container, cronjob",
    "how-to/users": "permissions, colleague, several users",
    "security": "security",
}
"""The pages, and what people type who look for them: each is one of the first three found."""


def test_the_search_finds_what_people_type(browser: Browser) -> None:
    """The page is among the first three, without a server, and leads to a section."""
    page = browser.new_page()
    page.goto((SITE / "index.html").as_uri())
    page.fill(".sidebar-search", "retry")
    page.press(".sidebar-search", "Enter")
    page.wait_for_url("**/search.html*")
    assert page.locator("#search-results mark").count() > 3
    wanted = {one: name for name, words in SEARCHED.items() for one in words.split(", ")}
    assert len(wanted) > 80
    found = page.evaluate(
        "words => words.map(one => find(one).slice(0, 3).map(page => page.hits[0].page))",
        list(wanted),
    )
    missing = {
        words: [*pages]
        for (words, name), pages in zip(wanted.items(), found, strict=True)
        if f"{name}.html" not in pages
    }
    assert missing == {}
    page.locator("#search-results a").first.click()
    page.wait_for_url("**.html#*")
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
