"""What the tests share: the command, orchesjob, a gate for steps, a terminal; no tests.

`conftest.py` makes fixtures of these classes. `fake_orchesjob` is a program of its own, which
imports nothing from here.
"""

from pathlib import Path

import pytest

# Assertions in here are to show their values, as those of test modules do.
pytest.register_assert_rewrite(
    *(f"{__name__}.{path.stem}" for path in Path(__file__).parent.glob("[!_]*.py"))
)
