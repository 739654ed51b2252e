"""Generated conditions, and the plainest independent reading of a tree, for all tests."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import strategies as st

from flow_conditions import And, Condition, Name, Not, Tree, Vocabulary, parse


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks; an sdist has no settings that do."""
    for mark in ("heavy", "long"):
        config.addinivalue_line("markers", mark)


type Value = bool | None
type Values = Mapping[Name, bool]


@dataclass(frozen=True)
class Case:
    """A random condition with its truth table: what the algebra says must be what this shows.

    Attributes:
        seed: What repeats it.
        condition: Up to nine operands over up to six names.
        other: Another one over the same names.
        exclusions: Groups of names of which one at most is true; often there are none.
        rows: All values of the names that the exclusions allow.
        known: Some values of one row, None for the others, as a lookup would have them; also of
            names that the condition lacks.
    """

    seed: int
    condition: Condition
    other: Condition
    exclusions: Sequence[Sequence[str]]
    rows: Sequence[Values]
    known: Mapping[Name, Value]

    def table(self, condition: Condition) -> list[Value]:
        """Return the value of a condition in every row."""
        return [condition.evaluate(row) for row in self.rows]

    def outcomes(self, known: Mapping[Name, Value]) -> set[Value]:
        """Return the values that the condition has in the rows that fit what is known."""
        fitting = (
            row
            for row in self.rows
            if all(value is None or row[name] == value for name, value in known.items())
        )
        return {self.condition.evaluate(row.__getitem__) for row in fitting}


def _random_text(dice: random.Random, names: Sequence[str], operands: int) -> str:
    negation = "!" if dice.random() < 0.25 else ""
    if operands == 1:
        return negation + dice.choice(names)
    left = dice.randint(1, operands - 1)
    sides = (_random_text(dice, names, count) for count in (left, operands - left))
    return f"{negation}({dice.choice((' && ', ' || ')).join(sides)})"


def _case(seed: int) -> Case:
    dice = random.Random(seed)  # noqa: S311
    names = "abcdef"[: dice.randint(1, 6)]
    condition, other = (
        parse(_random_text(dice, names, dice.randint(1, 9))) for _ in ("one", "other")
    )
    groups = dice.choice((0, 0, 1, 2))
    exclusions = [dice.sample(names, min(len(names), dice.randint(1, 3))) for _ in range(groups)]
    rows = [
        dict(zip(map(Name, names), values, strict=True))
        for values in product((False, True), repeat=len(names))
        if all(sum(values[names.index(name)] for name in group) < 2 for group in exclusions)
    ]
    row = dice.choice(rows)
    known = {name: row[name] if dice.random() < 0.7 else None for name in map(Name, names)}
    return Case(seed, condition, other, exclusions, rows, known)


@pytest.fixture(scope="session")
def cases() -> Callable[[Iterable[int]], Iterator[Case]]:
    """Make the cases of some seeds."""
    return lambda seeds: map(_case, seeds)


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


@pytest.fixture(scope="session")
def kleene() -> Callable[[Tree, Mapping[Name, Value]], Value]:
    """Evaluate a tree recursively, by the words of the definition instead of truth tables."""

    def value(tree: Tree, answers: Mapping[Name, Value]) -> Value:
        if isinstance(tree, bool):
            return tree
        if isinstance(tree, Name):
            return answers[tree]
        if isinstance(tree, Not):
            inner = value(tree.operand, answers)
            return None if inner is None else not inner
        sides = {value(tree.left, answers), value(tree.right, answers)}
        settling = not isinstance(tree, And)  # the value that settles the matter alone
        if settling in sides:
            return settling
        return None if None in sides else not settling

    return value
