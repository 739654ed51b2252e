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
    "slack": "how-to/alerts",
    "webhook": "how-to/alerts",
    "notify": "how-to/alerts",
    "email on failure": "how-to/alerts",
    "password": "how-to/secrets",
    "token": "how-to/secrets",
    "api key": "how-to/secrets",
    "credentials": "how-to/secrets",
    "pytest": "how-to/testing-flows",
    "unit test": "how-to/testing-flows",
    "inotify": "how-to/file-arrives",
    "watch a folder": "how-to/file-arrives",
    "systemd path": "how-to/file-arrives",
    "idle timeout": "how-to/silent-step",
    "no output": "how-to/silent-step",
    "hang": "how-to/silent-step",
    "stuck": "troubleshooting",
    "memory limit": "how-to/limits",
    "cpu limit": "how-to/limits",
    "out of memory": "how-to/limits",
    "ulimit": "how-to/limits",
    "cgroup": "reliability",
    "sudo": "how-to/limits",
    "another user": "how-to/limits",
    "run as root": "how-to/limits",
    "nice": "how-to/limits",
    "matrix": "flow-files/foreach",
    "loop": "flow-files/foreach",
    "for each file": "how-to/many-files",
    "glob": "flow-files/foreach",
    "parallel": "flow-files/concurrency",
    "xargs": "how-to/many-files",
    "artifact": "how-to/github-actions",
    "github actions": "how-to/github-actions",
    "annotations": "how-to/github-actions",
    "gitlab": "how-to/ci",
    "jenkins": "how-to/ci",
    "junit": "how-to/ci",
    "cron": "how-to/cron",
    "crontab": "how-to/cron",
    "cron mail": "how-to/cron",
    "mailto": "how-to/cron",
    "systemd timer": "how-to/systemd",
    "reboot": "how-to/systemd",
    "exit code 2": "reference/exit-codes",
    "exit code 137": "flow-files/endings",
    "ignore failure": "flow-files/endings",
    "allow_failure": "flow-files/endings",
    "retry": "reference/commands/retry",
    "backoff": "flow-files/endings",
    "timeout": "flow-files/endings",
    "rerun failed step": "reference/commands/retry",
    "skip a step": "conditions",
    "always run": "flow-files/endings",
    "cleanup": "flow-files/endings",
    "rollback": "how-to/rollback",
    "undo": "how-to/rollback",
    "approval": "how-to/approval",
    "manual step": "how-to/approval",
    "lock": "how-to/overlapping-runs",
    "mutex": "how-to/overlapping-runs",
    "flock": "how-to/overlapping-runs",
    "queue": "flow-files/concurrency",
    "output of a step": "questions",
    "logs": "reference/commands/logs",
    "tail": "reference/commands/logs",
    "pass values between steps": "how-to/values",
    "variables": "flow-files/values",
    "parameters": "flow-files/values",
    "dotenv": "flow-files/values",
    "first of the month": "how-to/some-days",
    "weekend": "how-to/some-days",
    "weekday": "how-to/some-days",
    "holiday": "how-to/some-days",
    "backfill": "how-to/files-by-day",
    "yesterday": "how-to/files-by-day",
    "time zone": "questions",
    "timezone": "questions",
    "daylight saving": "questions",
    "prometheus": "how-to/prometheus",
    "grafana": "how-to/dashboard",
    "dashboard": "how-to/dashboard",
    "backup": "how-to/maintenance",
    "delete old runs": "reference/commands/prune",
    "sqlite": "reference/files",
    "upgrade": "how-to/maintenance",
    "downgrade": "how-to/maintenance",
    "retention": "how-to/maintenance",
    "uninstall": "how-to/maintenance",
    "pipx": "how-to/install",
    "killed": "troubleshooting",
    "stop a run": "reference/commands/cancel",
    "dry run": "reference/commands/simulate",
    "ssh": "how-to/ssh",
    "airflow": "airflow",
    "makefile": "how-to/coming-from",
    "dagu": "how-to/coming-from",
    "schema": "reference/commands/schema",
    "vscode": "flow-files",
    "bash completion": "reference/commands/completion",
    "conditions in python": "how-to/conditions-in-python",
    "power cut": "reliability",
    "kill a run": "reference/commands/cancel",
    "resume from failed step": "reference/commands/retry",
    "alert": "how-to/alerts",
    "skip if already running": "how-to/overlapping-runs",
    "previous run still running": "how-to/overlapping-runs",
    "job hangs": "how-to/silent-step",
    "kill hanging job": "how-to/silent-step",
    "power loss": "reliability",
    "logrotate": "how-to/maintenance",
    "idempotent": "reference/run-keys",
    "virtualenv": "how-to/environment",
    "maximum jobs at once": "flow-files/concurrency",
    "did not run": "how-to/alerts",
    "never started": "how-to/alerts",
    "exit code 3 ok": "flow-files/endings",
    "disk full": "how-to/maintenance",
    "docker": "how-to/containers",
    "kubernetes": "how-to/containers",
    "container": "how-to/containers",
    "cronjob": "how-to/containers",
    "permissions": "how-to/users",
    "air-gapped": "how-to/install",
    "install without internet": "how-to/install",
    "move to another host": "how-to/maintenance",
    "migrate server": "how-to/maintenance",
    "colleague": "how-to/users",
    "several users": "how-to/users",
    "security": "security",
    "database password": "how-to/secrets",
    "only monday to friday": "how-to/some-days",
    "weekdays": "how-to/some-days",
    "weekends": "how-to/some-days",
    "utc": "questions",
    "mail on failure": "how-to/alerts",
    "working directory": "flow-files/values",
    "offline install": "how-to/install",
}
"""What people type, and the page that is one of the first three that are found."""


def test_the_search_finds_what_people_type(browser: Browser) -> None:
    """The page is among the first three, without a server, and leads to a section."""
    page = browser.new_page()
    page.goto((SITE / "index.html").as_uri())
    page.fill(".sidebar-search", "retry")
    page.press(".sidebar-search", "Enter")
    page.wait_for_url("**/search.html*")
    assert page.locator("#search-results mark").count() > 3
    found = page.evaluate(
        "words => words.map(one => find(one).slice(0, 3).map(page => page.hits[0].page))",
        list(SEARCHED),
    )
    missing = {
        words: [*pages]
        for (words, wanted), pages in zip(SEARCHED.items(), found, strict=True)
        if f"{wanted}.html" not in pages
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
