"""A plugin of pytest that has coverage note which test reaches which line.

Only within the process of the tests: what a program reaches that a test has started is measured,
but without the test's name. `TESTS_OF` is the folder of the checkout in which the names begin.
"""

import os
import sys
from collections.abc import Iterator

import pytest

os.environ.pop("PYTHONPATH", None)  # it was for this module


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    coverage = sys.modules.get("coverage")
    if coverage is not None and (measured := coverage.Coverage.current()) is not None:
        measured.switch_context(item.nodeid)
    return (yield)
