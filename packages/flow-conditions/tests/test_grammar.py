"""Rule 3.1: what conditions are made of, and how operators bind."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import (
    Condition,
    Name,
    Quantifier,
    Vocabulary,
    all_of,
    any_of,
    operands_in,
    parse,
)
from flow_conditions.grammar import OPERATORS


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("((A))", "A"),
        # `!` binds before `&&`, `&&` before `||`.
        ("!A && B", "(!A) && B"),
        ("A && !B", "A && (!B)"),
        ("A && B || C && D", "(A && B) || (C && D)"),
        ("A || B && C || D", "(A || (B && C)) || D"),
        # Both binary operators associate to the left.
        ("A && B && C && D", "((A && B) && C) && D"),
        # Parentheses go first.
        ("!(A) && B", "(!A) && B"),
        ("!!(A || B)", "!(!(A || B))"),
        ("(A && (B || !(C && D)))", "A && (B || (!(C && D)))"),
    ],
)
def test_operators_bind_in_order_and_to_the_left(text: str, grouped: str) -> None:
    """Rule 3.1: `!` binds before `&&` before `||`; rows associate to the left."""
    assert parse(text) == parse(grouped)


@pytest.mark.parametrize(
    "name", ["A", "a", "_", "0", "7up", "1_0", "no", "and", "not", "load-raw", "a--b", "A-", "_-_"]
)
def test_names(name: str) -> None:
    """A name is letters, digits, `_` and `-`, not beginning with `-`; no word is reserved."""
    assert parse(name).operands == (Name(name),)
    assert parse(f"!{name}&&({name})").program == (name, "!", name, "&&")


@pytest.mark.parametrize(
    "text", ["A&&!B", " A && !B ", "A\n&&\r\n!B", "\tA\v&&\f! B\n", "A && ! B"]
)
def test_white_space_between_tokens_means_nothing(text: str) -> None:
    assert parse(text) == parse("A && !B")


def test_a_vocabulary_is_a_value() -> None:
    """A vocabulary copies its words, whatever they come in, and does not change with them."""
    words = {"late": None}
    hints, synonyms = {"overdue": "late"}, ["some"]
    quantifiers = [Quantifier("any", "||", synonyms=synonyms)]
    vocabulary = Vocabulary(words.keys(), hints, quantifiers)
    for one in (words, hints, synonyms, quantifiers):
        one.clear()
    same = Vocabulary(["late"], {"overdue": "late"}, [Quantifier("any", "||", synonyms=["some"])])
    assert vocabulary == same == pickle.loads(pickle.dumps(vocabulary))  # noqa: S301
    assert hash(vocabulary) == hash(same)


def test_conditions_and_names_are_joined() -> None:
    """In any mixture; without any, a constant is left (rule 3.5)."""
    assert all_of(iter(["C", "A", "B"])) == parse("C && A && B")
    parts: list[Condition | str] = [parse("A || B"), "C", ~parse("D")]
    parts = [*parts, Name("E", "late"), Name("F", quantifier="any")]
    assert str(all_of(parts)) == "(A || B) && C && !D && E.late && any(F)"
    assert str(any_of(parts)) == "A || B || C || !D || E.late || any(F)"
    assert [str(all_of([])), str(any_of([]))] == ["true()", "false()"]


def found_in(text: str) -> list[tuple[str | None, str | None, str]]:
    """Return the name, the predicate and the text of each operand and call."""
    found = list(operands_in(text, ["late"]))
    for one in found:
        assert one.name is None or text.startswith(one.name, one.name_start)
    return [(one.name, one.predicate, text[one.start : one.end]) for one in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("!A&&(B-1.late)", [("A", None, "A"), ("B-1", "late", "B-1.late")]),
        ("load@a@2.late || load", [("load@a@2", "late", "load@a@2.late"), ("load", None, "load")]),
        ("any( late\n) && any", [(None, "late", "any( late\n)"), ("any", None, "any")]),
        (
            "any( load.late ) || all(load)",
            [("load", "late", "any( load.late )"), ("load", None, "all(load)")],
        ),
        # What is not a condition:
        ("A.late == 'x' &&", [("A", "late", "A.late"), ("x", None, "x")]),
        ("a-b(late) c@ \u00e9", [("a-b", None, "a-b"), ("late", None, "late"), ("c", None, "c")]),
        ("all() || some (late)", [("all", None, "all"), (None, "late", "some (late)")]),
    ],
)
def test_operands_are_found_in_a_text(
    text: str, found: list[tuple[str | None, str | None, str]]
) -> None:
    """Every operand and call has its place, also in a text that does not parse."""
    assert found_in(text) == found


@settings(deadline=None)
@given(data=st.data())
def test_the_operands_in_a_text_are_those_of_its_condition(
    data: st.DataObject, texts: st.SearchStrategy[str], outcomes: Vocabulary
) -> None:
    """What `operands_in` finds is what `parse` reads, each occurrence and in their order."""
    text = data.draw(texts)
    program = parse(text, outcomes).program
    assert [spelled for *_, spelled in found_in(text)] == [
        token for token in program if token not in OPERATORS
    ]


@given(text=st.text(st.sampled_from("aB1_-@.!&|() \n=\u00e9"), max_size=30))
def test_any_text_has_operands_in_order(text: str) -> None:
    """No text is an error, and no two operands overlap."""
    end = 0
    for one in operands_in(text):
        assert end <= one.start < one.end <= len(text)
        assert one.name is None or text.startswith(one.name, one.name_start)
        end = one.end


def test_a_call_is_found_where_the_parser_reads_one() -> None:
    """A call is one occurrence, however many operands the parser makes of it."""
    text = "any(late) && !(A || any ( late ))"
    vocabulary = Vocabulary(("late",), quantifiers=[Quantifier("any", "||")])
    assert parse(text, vocabulary, over=["x", "y"]).names == ("x", "y", "A")
    assert [one.name for one in operands_in(text, ["late"])] == [None, "A", None]
    assert [one.name for one in operands_in(text)] == ["late", "A", "late"]
