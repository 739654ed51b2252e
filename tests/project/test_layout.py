"""A test is where its folder and its name say, and CONTRIBUTING.md says which folder that is."""

import ast
from pathlib import Path

import pytest

from orchesjob_flow.cli.sections import HIDDEN, SHOWN

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
FOLDERS = sorted(path.parent for path in TESTS.glob("*/__init__.py"))

# What concerns several commands, or the command line as a whole.
NOT_ONE_COMMAND = {
    *("detach", "follow", "forms", "help", "job_control", "progress", "run_keys", "screens"),
    "wrong_lines",
}


def summary(folder: Path) -> str:
    module = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    docstring = ast.get_docstring(module)
    assert docstring is not None
    return docstring.splitlines()[0].removesuffix(".")


def test_every_folder_says_what_it_holds() -> None:
    """Each folder of tests is a package with a docstring."""
    folders = {path.parent for path in TESTS.glob("*/*.py")}
    assert folders == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_where_a_test_belongs(folder: Path) -> None:
    """CONTRIBUTING.md lists each folder of tests with what the folder says about itself."""
    row = f"| `tests/{folder.name}/` | {summary(folder)} |"
    assert row in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()


def test_modules_are_named_as_their_commands() -> None:
    """A module in `commands/` is named as a command of the program."""
    modules = {path.stem.removeprefix("test_") for path in (TESTS / "commands").glob("test_*.py")}
    assert modules - NOT_ONE_COMMAND <= {*SHOWN, *HIDDEN}
