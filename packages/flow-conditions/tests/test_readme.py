"""What the README shows; whether its programs work, the project tests."""

import re
from pathlib import Path

import flow_conditions

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
PROGRAMS = re.findall(
    r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL
)


def test_there_are_two_programs_of_thirty_lines() -> None:
    """A front page shows what the package is for."""
    lengths = [sum(map(bool, program.splitlines())) for program, _ in PROGRAMS]
    assert len(lengths) == 2
    assert max(lengths) <= 30


def test_it_has_every_public_name() -> None:
    assert [name for name in flow_conditions.__all__ if f"`{name}" not in README] == []
    methods = [name for name in vars(flow_conditions.Condition) if not name.startswith("_")]
    assert [name for name in methods if f"`c.{name}" not in README] == []
