"""The limits of every test: one that waits for ever, or takes all memory, fails by its name.

What a test starts has the same limit of memory, each process for itself. Beside them is the browser
of the tests that look at pages.
"""

import faulthandler
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_LONGER = 48
"""How many times the limit of time a test may take that runs only at night, or by its name."""
_AGAIN_SEC = 5.0
"""Seconds until a test is interrupted again, if it goes on, for example to join a thread."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare both limits, which are in `pyproject.toml`; 0 is none."""
    parser.addini("limit_sec", "How long a test or its fixtures may take.", type="float")
    parser.addini("limit_mib", "How much memory a process of a test may have.", type="int")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Set up the fixtures of a test within both limits."""
    with limited(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run a test within both limits."""
    with limited(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Tear the fixtures of a test down within both limits."""
    with limited(item):
        return (yield)


@contextmanager
def limited(item: pytest.Item) -> Iterator[None]:
    """Keep a phase of a test within both limits."""
    limit_sec, limit_mib = map(item.config.getini, ("limit_sec", "limit_mib"))
    is_script = not item.path.name.startswith("test_") or "deployment" in item.path.parts
    if is_script or item.get_closest_marker("long"):
        limit_sec, limit_mib = limit_sec * _LONGER, 0
    with within_memory(limit_mib), within_time(limit_sec):
        yield


@contextmanager
def within_time(limit_sec: float) -> Iterator[None]:
    """Let the test fail that takes longer, and show what each of its threads was doing."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback(2)
        pytest.fail(f"took longer than {limit_sec:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit_sec, _AGAIN_SEC)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def within_memory(limit_mib: int) -> Iterator[None]:
    """Refuse more memory to this process and to those that it starts meanwhile."""
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # Elsewhere than on Linux it counts something else, or is not obeyed.
    if limit_mib and sys.platform == "linux" and hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_mib * 2**20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A Chromium without a window, whose path `$CHROMIUM` names."""
    from playwright.sync_api import sync_playwright  # only the session `browser` has it

    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        # As root, Chromium has no sandbox; what it opens here is ours.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
