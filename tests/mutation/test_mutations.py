"""The mutations that `python3 noxfile.py -s mutation` tries still fit the code."""

import ast
from collections import Counter

import pytest

from .mutations import MUTATIONS
from .operators import drop, replace, replace_text

CODE = '''
def f(x):
    """Do something."""
    if x and ready(x):
        g(x, deep=True)
        h("one two")
    return 1
'''


def test_each_fits_the_code() -> None:
    """What one changes is there exactly once, and so are its tests; its name is its own."""
    for mutation in MUTATIONS:
        path, text = mutation.mutant()
        ast.parse(text, path)
        assert not mutation.tests or mutation.arguments()
    names = Counter(mutation.name for mutation in MUTATIONS)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("operator", "gone", "there"),
    [
        (drop("g(x, deep = True)"), "g(", "h("),
        (drop("if x and ready(x):"), "if", "return 1"),
        (replace("ready(x)", "True"), "ready", "x and True"),
        (replace("g(x, deep=True)\nh('one two')", "return"), "h(", "    return\n"),
        (replace_text("two", "2"), "two", "one 2"),
    ],
)
def test_operators(operator: object, gone: str, there: str) -> None:
    """An operator changes what its fragment means, however the fragment is formatted."""
    (node,) = ast.parse(CODE).body
    assert callable(operator)
    operator(node)
    changed = ast.unparse(node)
    assert gone not in changed
    assert there in changed


@pytest.mark.parametrize("fragment", ["x", "missing", "if missing:"])
def test_what_is_not_there_once_is_refused(fragment: str) -> None:
    """A fragment that is there several times, or not at all, is refused."""
    (node,) = ast.parse(CODE).body
    with pytest.raises(ValueError, match="found"):
        drop(fragment)(node) if fragment.endswith(":") else replace(fragment, "y")(node)
