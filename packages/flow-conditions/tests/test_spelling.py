"""Rule 3.1: conditions as text, and conditions as values."""

import copy
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import And, Condition, Name, Not, Or, Vocabulary, all_of, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("((A))", "A"),
        ("! ( A )", "!A"),
        ("!(!(A))", "!!A"),
        ("A&&B||C", "A && B || C"),
        ("(A && B) || !C", "A && B || !C"),
        ("A || (B && C)", "A || B && C"),
        ("(A || B) && C", "(A || B) && C"),
        ("A && (B || C)", "A && (B || C)"),
        ("!(A || B)", "!(A || B)"),
        ("!(A && B) && !(C)", "!(A && B) && !C"),
        ("((A && B) && C)", "A && B && C"),
        ("A && (B && C)", "A && (B && C)"),
        ("A || (B || C) || D", "A || (B || C) || D"),
        ("(A\n  && B)\n", "A && B"),
        ("!((A || B) && !!(C || D))", "!((A || B) && !!(C || D))"),
    ],
)
def test_the_canonical_text_has_the_fewest_parentheses(text: str, canonical: str) -> None:
    """`str` writes parentheses only where another condition would be read without them."""
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@settings(deadline=None)
@given(data=st.data())
def test_the_canonical_text_reads_as_the_same_condition(
    data: st.DataObject, texts: st.SearchStrategy[str], outcomes: Vocabulary
) -> None:
    """`parse(str(c)) == c`, and no pair of parentheses in it can be left out."""
    condition = parse(data.draw(texts), outcomes)
    text = str(condition)
    assert parse(text, outcomes) == condition
    assert str(parse(text, outcomes)) == text
    for opened, closed in _pairs(text):
        shorter = text[:opened] + text[opened + 1 : closed] + text[closed + 1 :]
        assert parse(shorter, outcomes) != condition


def _pairs(text: str) -> list[tuple[int, int]]:
    opened: list[int] = []
    pairs = []
    for offset, letter in enumerate(text):
        if letter == "(":
            opened.append(offset)
        elif letter == ")":
            pairs.append((opened.pop(), offset))
    return pairs


@settings(deadline=None)
@given(data=st.data())
def test_conditions_and_trees_are_values(
    data: st.DataObject, texts: st.SearchStrategy[str], outcomes: Vocabulary
) -> None:
    """Copies and pickles of a condition and of its tree are equal to it and hash alike."""
    condition = parse(data.draw(texts), outcomes)
    for original in (condition, condition.tree):
        for twin in (
            copy.copy(original),
            copy.deepcopy(original),
            pickle.loads(pickle.dumps(original)),  # noqa: S301
        ):
            assert twin == original
            assert hash(twin) == hash(original)
            assert repr(twin) == repr(original)


def test_conditions_are_equal_by_structure() -> None:
    """Layout does not matter to equality; the order of operands and their grouping do."""
    assert parse("(A)&&B") == parse("A && B")
    assert len({parse("A && B"), parse("(A && B)"), all_of(["A", "B"])}) == 1
    for other in ("B && A", "A || B", "A && A", "!(A && B)"):
        assert parse(other) != parse("A && B")
    assert parse("A && B && C") != parse("A && (B && C)")
    text: object = "A"
    assert parse("A") != text


def test_a_pickle_does_not_carry_what_was_worked_out() -> None:
    """A condition pickles alike before and after its use."""
    condition = parse("A && !B")
    fresh = pickle.dumps(condition)
    assert condition.evaluate(lambda _: True) is False
    assert pickle.dumps(condition) == fresh


def test_conditions_cannot_be_changed() -> None:
    """A condition and its nodes are immutable."""
    condition = parse("A && B")
    for frozen, field in ((condition, "program"), (condition.tree, "left"), (Name("A"), "name")):
        with pytest.raises(AttributeError):
            setattr(frozen, field, "C")


def test_what_people_see_of_conditions_and_trees() -> None:
    """A condition shows its text, a tree the calls that make it."""
    condition = parse("A && !(B.late || C)", Vocabulary(("late",)))
    assert repr(condition) == "<Condition 'A && !(B.late || C)'>"
    assert repr(condition.tree) == "And(Name('A'), Not(Or(Name('B', 'late'), Name('C'))))"
    assert eval(repr(condition.tree)) == condition.tree  # noqa: S307
    assert str(Name("B", "late")) == "B.late"


def test_trees_are_equal_by_shape() -> None:
    """`And` and `Or` of the same operands differ, and a tree is never equal to something else."""
    a, b = Name("A"), Name("B")
    assert And(a, b) == And(a, b)
    assert And(a, b) != Or(a, b)
    assert And(a, b) != And(b, a)
    assert Not(a) != a
    assert Not(a) != "!A"


def test_a_tree_can_be_matched() -> None:
    """A node unpacks into its sides."""
    match parse("A && !B").tree:
        case And(Name(first), Not(Name(second))):
            assert (first, second) == ("A", "B")
        case _:
            pytest.fail("the pattern should have matched")


@pytest.mark.parametrize("node", [Not, lambda stranger: And(Name("A"), stranger)])
def test_a_tree_takes_nothing_but_nodes(node: Callable[[object], object]) -> None:
    """A plain text instead of a `Name` is refused where the node is made."""
    with pytest.raises(TypeError, match="made of Name, Not, And, Or and bool, not of 'B'"):
        node("B")


def test_the_type_of_a_condition() -> None:
    """What `parse` and `all_of` return is a `Condition`."""
    assert type(parse("A")) is type(all_of(["A"])) is Condition
