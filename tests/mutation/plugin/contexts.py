"""A plugin of pytest that has coverage note which test reaches which line.

`context` in `pyproject.toml` does the same for the processes that a test starts: there the test is
named by a variable of pytest. `TESTS_OF` is the folder of the checkout in which names begin.
"""

import os
import sys
from collections.abc import Iterator

import pytest

os.environ.pop("PYTHONPATH", None)  # it was for this module


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Name the test while it runs."""
    coverage = sys.modules.get("coverage")
    if coverage is not None and (measured := coverage.Coverage.current()) is not None:
        measured.switch_context(item.nodeid)
    return (yield)
