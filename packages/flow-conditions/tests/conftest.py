"""Generated conditions, and the plainest independent reading of a tree, for all tests."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import strategies as st

from flow_conditions import And, Name, Not, Tree, Vocabulary

type Value = bool | None


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
