"""The reference of the package has every public name."""

from pathlib import Path

import flow_conditions

PACKAGE = Path(__file__).parents[1]


def test_the_reference_has_every_public_name() -> None:
    """Each has a heading of its own, or a line of a table."""
    reference = (PACKAGE / "REFERENCE.md").read_text()
    missing = [name for name in flow_conditions.__all__ if f"`{name}" not in reference]
    assert missing == []
    methods = [name for name in vars(flow_conditions.Condition) if not name.startswith("_")]
    assert [name for name in methods if f".{name}" not in reference] == []
