"""The programs in the READMEs of packages: they print what is shown, and their types are right."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
WITH_PROGRAMS = ("flow-conditions", "flow-spec")
"""The packages whose READMEs show programs with their output."""

_BLOCK = r"^```{}\n((?:(?!```).*\n)*)```\n"
_PROGRAM = re.compile(_BLOCK.format("python") + "\n" + _BLOCK.format("text"), re.MULTILINE)
_FILE = re.compile(r"`([\w.]+)`:\n\n" + _BLOCK.format("yaml").removeprefix("^"), re.MULTILINE)


def readme(package: str) -> str:
    return (PACKAGES / package / "README.md").read_text("utf-8")


def programs_of(package: str) -> list[tuple[str, str]]:
    return _PROGRAM.findall(readme(package))


@pytest.mark.parametrize(
    ("package", "number"),
    [(name, number) for name in WITH_PROGRAMS for number in range(len(programs_of(name)))],
)
def test_a_program_prints_what_is_shown(package: str, number: int, tmp_path: Path) -> None:
    """What a reader copies works, beside the files that the README shows."""
    for name, text in _FILE.findall(readme(package)):
        (tmp_path / name).write_text(text)
    program, printed = programs_of(package)[number]
    ran = run(tmp_path, "-c", program)
    assert (ran.stdout, ran.stderr) == (printed, "")


@pytest.mark.parametrize("package", WITH_PROGRAMS)
def test_the_programs_are_few_and_short(package: str) -> None:
    """A front page shows what the package is for, in two or three programs of one screen."""
    lengths = [sum(map(bool, program.splitlines())) for program, _ in programs_of(package)]
    assert 2 <= len(lengths) <= 3
    assert max(lengths) <= 40


@pytest.mark.parametrize("checker", [("mypy", "--strict", "--cache-dir=cache"), ("basedpyright",)])
@pytest.mark.parametrize("package", WITH_PROGRAMS)
def test_the_programs_are_typed(package: str, checker: Sequence[str], tmp_path: Path) -> None:
    """A strict checker finds nothing in them, in a project of the user's own."""
    pytest.importorskip(checker[0], reason="the session `types` runs this")
    (tmp_path / "pyproject.toml").write_text('[tool.basedpyright]\ntypeCheckingMode = "strict"\n')
    for number, (program, _) in enumerate(programs_of(package)):
        (tmp_path / f"program_{number}.py").write_text(program)
    checked = run(tmp_path, "-m", *checker, ".")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
