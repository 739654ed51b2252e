"""The mutations that `python3 noxfile.py -s mutation` tries still fit the code."""

import ast
from collections import Counter

import pytest

from .mutations import MUTATIONS, Mutation
from .operators import drop, negate, replace, replace_argument, replace_text, returns

CODE = '''
def f(x):
    """Do something."""
    if x and ready(x):
        g(x, deep=True)
        h("one two")
    match x:
        case 1 | 2:
            return 1
        case _:
            return 2
'''


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_it_changes_its_module(mutation: Mutation) -> None:
    """What a mutation changes is there exactly once, and the mutant is a module that differs."""
    path, text = mutation.mutant()
    ast.parse(text, path)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_its_tests_are_there(mutation: Mutation) -> None:
    """The module of tests that must notice a mutation is there, under a name that only it has."""
    assert not mutation.tests or mutation.arguments()


def test_each_has_a_name_of_its_own() -> None:
    """The end of the log names the mutations that survived."""
    names = Counter(mutation.name for mutation in MUTATIONS)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("operator", "gone", "there"),
    [
        (drop("g(x, deep = True)"), "g(", "h("),
        (drop("if x and ready(x):"), "if", "match x"),
        (drop("case 1|2:"), "case 1", "case _"),
        (negate("ready(x)"), "and ready", "not ready(x)"),
        (replace("ready(x)", "True"), "ready", "x and True"),
        (replace("case 1 | 2:", "case 1:"), "1 | 2", "case 1:\n            return 1"),
        (replace("g(x, deep=True)\nh('one two')", "return"), "h(", "    return\n"),
        (replace_argument("deep=True", "deep=False"), "True", "g(x, deep=False)"),
        (replace_text("two", "2"), "two", "one 2"),
        (returns("x"), "ready", "return x"),
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


@pytest.mark.parametrize("fragment", ["x", "missing", "if missing:", "case 3:"])
def test_what_is_not_there_once_is_refused(fragment: str) -> None:
    """A fragment that is there several times, or not at all, is refused."""
    (node,) = ast.parse(CODE).body
    with pytest.raises(ValueError, match="found"):
        drop(fragment)(node) if fragment.endswith(":") else replace(fragment, "y")(node)
