"""The mutations that `python3 noxfile.py -s mutation` tries still fit the code."""

from pathlib import Path

import pytest

from .mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_it_changes_its_file(mutation: Mutation) -> None:
    """What a mutation replaces is once in its file, so that the mutant really differs."""
    text = (ROOT / "packages" / mutation.file).read_text(encoding="utf-8")
    assert mutation.put_into(text) != text


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_its_tests_are_there(mutation: Mutation) -> None:
    """The tests that must notice a mutation are where it says: none that is missing could fail."""
    paths = [word for word in mutation.tests.split() if "/" in word]
    assert [path for path in paths if not (ROOT / path).exists()] == []
