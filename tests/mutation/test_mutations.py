"""The mutations that `python3 noxfile.py -s mutation` tries still fit the code."""

import ast

import pytest

from .mutations import MUTATIONS


def test_each_fits_the_code() -> None:
    """What one changes is there exactly once, and so are its tests; its name is its own."""
    for mutation in MUTATIONS:
        path, text = mutation.mutant()
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(path.read_text(encoding="utf-8")))
        assert not mutation.tests or mutation.arguments()
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) > 40


@pytest.mark.parametrize("old", ["import os", "no such code"])
def test_what_is_not_there_once_is_refused(old: str) -> None:
    """Code that is there several times, or not at all, is refused."""
    with pytest.raises(ValueError, match="not there exactly once"):
        MUTATIONS[0]._replace(changes=[(old, "pass")]).mutant()
