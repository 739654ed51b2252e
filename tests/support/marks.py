"""Marks that say on which orchesjob a test runs, and when."""

import pytest

LONG_IF_REAL = pytest.mark.parametrize(
    "orchesjob",
    ["fake", pytest.param("real", marks=[pytest.mark.integration, pytest.mark.long])],
    indirect=True,
)
