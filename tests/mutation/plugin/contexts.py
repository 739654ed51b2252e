"""A plugin of pytest that has coverage note which test reaches which line.

`context` in `pyproject.toml` does the same for the processes that a test starts: they read it when
they begin, and a variable of pytest names the test. `TESTS_OF` is the folder of the checkout in
which the names begin.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.pop("PYTHONPATH", None)  # it was for this module
if os.environ.pop("COVERAGE_PROCESS_CONFIG", None):  # the settings as they were when pytest began
    os.environ["COVERAGE_PROCESS_START"] = str(Path(__file__).parents[3] / "pyproject.toml")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Name the test while it runs."""
    coverage = sys.modules.get("coverage")
    if coverage is not None and (measured := coverage.Coverage.current()) is not None:
        measured.switch_context(item.nodeid)
    return (yield)
