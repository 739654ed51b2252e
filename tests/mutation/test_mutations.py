"""The mutations that `python3 noxfile.py -s mutation` tries still fit the code."""

import ast

from .mutations import MUTATIONS


def test_each_fits_the_code() -> None:
    """What one changes is there exactly once, and so are its tests; its name is its own."""
    for mutation in MUTATIONS:
        path, text = mutation.mutant()
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(path.read_text(encoding="utf-8")))
        assert not mutation.tests or mutation.arguments()
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) > 40
