"""Random conditions with an independent reading of them, for all tests."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import strategies as st

from flow_conditions import Condition, Vocabulary, parse

type Value = bool | None
type Tree = str | tuple[str, Tree] | tuple[str, Tree, Tree]


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks; an sdist has no settings that do."""
    for mark in ("heavy", "long"):
        config.addinivalue_line("markers", mark)


def kleene(tree: Tree, answers: Mapping[str, Value]) -> Value:
    """Evaluate a tree recursively, by the words of the definition instead of truth tables."""
    if isinstance(tree, str):
        return answers[tree]
    operator, *parts = tree
    sides = {kleene(part, answers) for part in parts}
    if operator == "!":
        (inner,) = sides
        return None if inner is None else not inner
    settling = operator == "||"  # the value that settles the matter alone
    if settling in sides:
        return settling
    return None if None in sides else not settling


@dataclass(frozen=True)
class Case:
    """A random condition with its truth table: what is proven must be what this shows.

    Attributes:
        seed: What repeats it.
        tree: What it was made of: up to nine operands over up to six names.
        condition: The condition of the tree's text.
        other: Another one over the same names.
        rows: All values of the names.
        known: Some values of one row, None for the others.
    """

    seed: int
    tree: Tree
    condition: Condition
    other: Condition
    rows: Sequence[Mapping[str, bool]]
    known: Mapping[str, Value]

    def table(self, condition: Condition) -> list[Value]:
        """Return the value of a condition in every row."""
        return [condition.evaluate(row) for row in self.rows]


def _random_tree(dice: random.Random, names: Sequence[str], operands: int) -> Tree:
    if dice.random() < 0.25:
        return "!", _random_tree(dice, names, operands)
    if operands == 1:
        return dice.choice(names)
    left = dice.randint(1, operands - 1)
    sides = (_random_tree(dice, names, count) for count in (left, operands - left))
    return (dice.choice(("&&", "||")), *sides)  # type: ignore[return-value]


def _spelled(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    operator, *parts = tree
    sides = [part if isinstance(part, str) else f"({_spelled(part)})" for part in parts]
    return f"!{sides[0]}" if operator == "!" else f" {operator} ".join(sides)


def _case(seed: int) -> Case:
    dice = random.Random(seed)  # noqa: S311
    names = "abcdef"[: dice.randint(1, 6)]
    tree, other = (_random_tree(dice, names, dice.randint(1, 9)) for _ in ("one", "other"))
    rows = [
        dict(zip(names, values, strict=True))
        for values in product((False, True), repeat=len(names))
    ]
    row = dice.choice(rows)
    known = {name: row[name] if dice.random() < 0.7 else None for name in names}
    return Case(seed, tree, parse(_spelled(tree)), parse(_spelled(other)), rows, known)


@pytest.fixture(scope="session")
def cases() -> Callable[[Iterable[int]], Iterator[Case]]:
    """Make the cases of some seeds."""
    return lambda seeds: map(_case, seeds)


@pytest.fixture(scope="session")
def meaning() -> Callable[[Tree, Mapping[str, Value]], Value]:
    """Evaluate a tree without the package."""
    return kleene


@pytest.fixture(scope="session")
def outcomes() -> Vocabulary:
    """Predicates as a workflow would have them, with advice for its users."""
    return Vocabulary(
        predicates=("succeeded", "failed", "skipped", "finished"),
        hints={
            "success": "succeeded",
            "errored": "failed",
            "always": "a step that always runs asks NAME.finished",
        },
    )


@pytest.fixture(scope="session")
def texts() -> st.SearchStrategy[str]:
    """Conditions in every spelling: spaces, line ends, and more parentheses than needed."""
    space = st.sampled_from(["", " ", "  ", "\n", "\t", "\r\n"])
    name = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,3}", fullmatch=True)
    predicate = st.sampled_from(["", "", ".succeeded", ".failed", ".skipped", ".finished"])
    operand = st.builds(str.__add__, name, predicate)
    return st.recursive(
        operand,
        lambda inner: st.one_of(
            st.tuples(st.just("!"), space, inner).map("".join),
            st.tuples(st.just("("), space, inner, space, st.just(")")).map("".join),
            st.tuples(inner, space, st.sampled_from(["&&", "||"]), space, inner).map("".join),
        ),
        max_leaves=20,
    )
