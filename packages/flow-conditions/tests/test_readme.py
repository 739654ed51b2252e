"""The programs of the README print what it shows, and are typed as in a user's project."""

import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import flow_conditions

PACKAGE = Path(__file__).parents[1]
README = (PACKAGE / "README.md").read_text()
PROGRAMS = re.findall(
    r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_a_program_prints_what_is_shown(program: str, printed: str) -> None:
    """What a reader copies works."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102
    assert output.getvalue() == printed


def test_there_are_three_programs_of_thirty_lines() -> None:
    """A front page shows what the package is for."""
    lengths = [sum(map(bool, program.splitlines())) for program, _ in PROGRAMS]
    assert len(lengths) == 3
    assert max(lengths) <= 30


def test_the_programs_are_typed(tmp_path: Path) -> None:
    """Mypy finds nothing in them, however strict it is."""
    pytest.importorskip("mypy", reason="the session `types` runs this")
    for number, (program, _) in enumerate(PROGRAMS):
        (tmp_path / f"program_{number}.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", "."]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_reference_has_every_public_name() -> None:
    """Each has a heading of its own, or a line of a table."""
    reference = (PACKAGE / "REFERENCE.md").read_text()
    missing = [name for name in flow_conditions.__all__ if f"`{name}" not in reference]
    assert missing == []
    methods = [name for name in vars(flow_conditions.Condition) if not name.startswith("_")]
    assert [name for name in methods if f".{name}" not in reference] == []
