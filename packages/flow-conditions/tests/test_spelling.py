"""Rule 3.1: conditions as text, and conditions as values."""

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import Condition, InvalidNameError, Name, Quantifier, Vocabulary, all_of, parse


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


def test_conditions_are_values() -> None:
    condition = parse("A && !(B || A)")
    assert condition.evaluate({"A": True}) is False
    pickled = pickle.loads(pickle.dumps(condition))  # noqa: S301
    for twin in (copy.copy(condition), copy.deepcopy(condition), pickled):
        assert (twin, hash(twin), repr(twin)) == (condition, hash(condition), repr(condition))
        assert twin.operands == condition.operands
    assert repr(condition) == "<Condition 'A && !(B || A)'>"


def test_conditions_are_equal_by_structure() -> None:
    """Layout does not matter to equality; the order of operands and their grouping do."""
    assert parse("(A)&&B") == parse("A && B")
    assert len({parse("A && B"), parse("(A && B)"), all_of(["A", "B"])}) == 1
    for other in ("B && A", "A || B", "A && A", "!(A && B)"):
        assert parse(other) != parse("A && B")
    assert parse("A && B && C") != parse("A && (B && C)")
    text: object = "A"
    assert parse("A") != text


def test_conditions_cannot_be_changed() -> None:
    for frozen, field in ((parse("A && B"), "program"), (Name("A"), "name")):
        with pytest.raises(AttributeError):
            setattr(frozen, field, "C")


def test_a_name_is_a_text() -> None:
    name = Name("b", "failed", "any")
    assert name == "any(b.failed)"
    assert (name.name, name.predicate, name.quantifier) == ("b", "failed", "any")
    assert pickle.loads(pickle.dumps(name)) == copy.deepcopy(name) == name  # noqa: S301
    assert eval(repr(name)) == name  # noqa: S307
    assert repr(Name("b", "failed")) == "Name('b', 'failed')"


@given(
    st.text("ab1.!@-() \n", max_size=4),
    st.none() | st.text("a1. ", max_size=2),
    st.none() | st.sampled_from(["f", "true", "f g", "1"]),
)
def test_a_name_is_refused_or_read_back(
    name: str, predicate: str | None, quantifier: str | None
) -> None:
    """Whatever it is made of (rule 11.1)."""
    try:
        operand = Name(name, predicate, quantifier)
    except InvalidNameError:
        return
    words = [predicate] if predicate else []
    quantifiers = [Quantifier(quantifier, "||")] if quantifier else []
    vocabulary = Vocabulary(words, quantifiers=quantifiers, asks_one=True)
    if quantifier and name in words:
        return  # a call with a predicate asks many names
    assert parse(operand, vocabulary).operands == (operand,)
    assert Name.spelled(str(operand)) == operand
    fields = operand.name, operand.predicate, operand.quantifier
    assert fields == (name, predicate, quantifier)


NO_OPERANDS = [
    *("", "!", "&&", "a b", "a || b", "-a", "a.b.c", "a\n", "(a)", "any(a b", "f( x )", "f()"),
    *("f(x )", "f (x)", "f(x)y", "f(g(x))", "true( )", "f(a.b.c)", "f(true())"),
]


@pytest.mark.parametrize("spelling", [*NO_OPERANDS, "true()"])
def test_what_cannot_be_read_back_is_no_operand(spelling: str) -> None:
    """An operand has the spelling that `parse` gives it (rule 11.1)."""
    with pytest.raises(InvalidNameError, match="is not a name"):
        Name.spelled(spelling)


def test_a_program_may_have_any_predicate() -> None:
    """It comes from a condition that was checked when it was parsed."""
    assert (
        str(Condition(("load@berlin.failed", "!", "any(a.b)", "&&")))
        == "!load@berlin.failed && any(a.b)"
    )
