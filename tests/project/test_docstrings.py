"""Every example in a docstring says what is true."""

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(PACKAGES).with_suffix("").parts[2:])
    for path in PACKAGES.glob("*/src/**/*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples(module: str) -> None:
    """What an example shows is what happens."""
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
