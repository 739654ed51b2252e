"""Rule 9.4: why a condition holds, does not hold, or is undecided."""

import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import Name, Vocabulary, parse

A, B, C = map(Name, "ABC")


def test_an_explanation_is_data() -> None:
    """Value, text, operator, operands and children can be taken apart by programs."""
    explanation = parse("(A && (B || A)) || !C").explain({A: True, B: False, C: True}.get)
    assert (explanation.value, explanation.operator) == (True, "||")
    assert explanation.text == "A && (B || A) || !C"
    assert explanation.operands == {A: True, B: False, C: True}
    left, right = explanation.children
    assert (left.value, left.operator, left.text) == (True, "&&", "A && (B || A)")
    assert left.operands == {A: True, B: False}
    assert [part.text for part in left.children] == ["A", "B || A"]
    assert (right.value, right.operator, right.text) == (False, "!", "!C")
    (inner,) = right.children
    assert (inner.value, inner.operator, inner.text) == (True, None, "C")
    assert (inner.operands, inner.children) == ({C: True}, ())


@pytest.mark.parametrize(
    ("text", "children"),
    [
        ("A && (B && C)", ["A", "B && C"]),
        ("A && B || C && A || !B", ["A && B", "C && A", "!B"]),
        ("!!A", ["!A"]),
        ("A", []),
    ],
)
def test_the_children_are_the_parts_of_a_row(text: str, children: list[str]) -> None:
    """What is written in one row is explained in one row, from left to right."""
    explanation = parse(text).explain(lambda _: None)
    assert [part.text for part in explanation.children] == children


@settings(deadline=None)
@given(data=st.data())
def test_the_parts_of_any_condition_are_found_in_its_text(
    data: st.DataObject, texts: st.SearchStrategy[str], outcomes: Vocabulary
) -> None:
    """A part's text is that of the same condition on its own, wherever parentheses stand."""
    condition = parse(data.draw(texts), outcomes)
    answers = {name: data.draw(st.sampled_from((True, None, False))) for name in condition.operands}
    todo = [condition.explain(answers.__getitem__)]
    assert todo[0].text == str(condition)
    while todo:
        part = todo.pop()
        alone = parse(part.text, outcomes)
        assert str(alone) == part.text
        assert list(part.operands) == list(alone.operands)
        assert alone.evaluate(answers) is part.value
        explanation = alone.explain(answers.__getitem__)
        assert list(explanation.lines(depth=99, width=999)) == list(part.lines(depth=99, width=999))
        todo += part.children


def test_deep_parts_and_long_texts_are_cut() -> None:
    """`lines` goes as deep and as far to the right as asked."""
    explanation = parse("A && (A || (A && (A || B)))").explain({A: True, B: None}.get)
    assert list(explanation.lines(depth=2, width=12)) == [
        "true: A && (A |...",
        "  true: A",
        "  true: A || A &&...",
        "    true: A",
        "    true: A && (A |...",
    ]
    assert list(explanation.lines(depth=0, width=5)) == ["true: A ..."]
    assert list(explanation.lines(depth=0, width=2)) == ["true: .."]
    assert list(explanation.lines(depth=0, width=25)) == ["true: A && (A || A && (A || B))"]


def test_operands_keep_their_predicates() -> None:
    condition = parse("A && A.late", Vocabulary(("late",)))
    explanation = condition.explain(lambda name: name.predicate is None)
    assert str(explanation) == "false: A && A.late\n  true: A\n  false: A.late"
    assert repr(explanation) == "<Explanation false: A && A.late>"


def test_explanations_are_values() -> None:
    """Equal conditions under equal answers have equal explanations, which can be pickled."""
    explanation, twin = (parse(text).explain({A: True}.get) for text in ("(A)||B", "A || B"))
    assert explanation == twin
    assert hash(explanation) == hash(twin)
    assert pickle.loads(pickle.dumps(explanation)) == explanation  # noqa: S301
    assert explanation != parse("A || B").explain({A: False}.get)
    assert explanation != explanation.children[0]


@pytest.mark.parametrize(
    ("text", "true", "false", "blamed"),
    [
        ("a && b && c", "a", "b c", "b"),
        ("a && b || c", "a b c", "", "c"),
        ("!(a && b)", "a", "b", "b"),
        ("a && b || c && d", "c", "a d", "a d"),
        ("true() || a", "", "a", ""),
        ("a && true()", "a", "", "a"),
        ("a || !a", "", "", None),
        ("a && b", "a", "", None),
    ],
)
def test_those_who_decide_are_to_blame(
    text: str, true: str, false: str, blamed: str | None
) -> None:
    """Of equally small sets, that is named whose operands come first (rules 9.4 and 11.1)."""
    known = dict.fromkeys(true.split(), True) | dict.fromkeys(false.split(), False)
    found = parse(text).blame(known)
    assert found == (None if blamed is None else tuple(map(Name, blamed.split())))


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(500), id="some"),
        pytest.param(range(500, 10_500), id="many", marks=pytest.mark.long),
    ],
)
def test_blame_decides_alone(cases: Callable[[Iterable[int]], Iterator[Any]], seeds: range) -> None:
    """No smaller set does if no operand occurs twice (rules 9.4 and 11.1)."""
    for case in cases(seeds):
        value, blamed = case.condition.evaluate(case.known), case.condition.blame(case.known)
        assert (blamed is None) is (value is None), case
        if blamed is None:
            continue
        assert list(blamed) == [name for name in case.condition.operands if name in blamed], case
        assert case.condition.evaluate({name: case.known[name] for name in blamed}) is value, case
        operands = [token for token in case.condition.program if token.isalpha()]
        if len(operands) == len(set(operands)):
            for smaller in itertools.combinations(operands, max(len(blamed) - 1, 0)):
                part = {name: case.known[name] for name in smaller}
                assert case.condition.evaluate(part) is None or not blamed, case
