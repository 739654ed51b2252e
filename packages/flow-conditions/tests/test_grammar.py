"""Rule 3.1: what conditions are made of, and how operators bind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import (
    And,
    Name,
    Not,
    Or,
    Quantifier,
    Tree,
    Vocabulary,
    all_of,
    operands_in,
    parse,
)
from flow_conditions.grammar import OPERATORS

A, B, C, D = map(Name, "ABCD")
PREDICATES = Vocabulary(predicates=("succeeded", "failed"))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("A", A),
        ("!A", Not(A)),
        ("!!A", Not(Not(A))),
        ("(A)", A),
        ("((A))", A),
        ("A && B", And(A, B)),
        ("A || B", Or(A, B)),
        # `!` binds before `&&`, `&&` before `||`.
        ("!A && B", And(Not(A), B)),
        ("A && !B", And(A, Not(B))),
        ("!A || B", Or(Not(A), B)),
        ("A || B && C", Or(A, And(B, C))),
        ("A && B || C", Or(And(A, B), C)),
        ("A && B || C && D", Or(And(A, B), And(C, D))),
        ("A || B && C || D", Or(Or(A, And(B, C)), D)),
        ("A || !B && C", Or(A, And(Not(B), C))),
        # Both binary operators associate to the left.
        ("A && B && C", And(And(A, B), C)),
        ("A || B || C", Or(Or(A, B), C)),
        ("A && B && C && D", And(And(And(A, B), C), D)),
        # Parentheses go first.
        ("A && (B && C)", And(A, And(B, C))),
        ("A || (B || C)", Or(A, Or(B, C))),
        ("(A || B) && C", And(Or(A, B), C)),
        ("A && (B || C)", And(A, Or(B, C))),
        ("!(A && B)", Not(And(A, B))),
        ("!(A) && B", And(Not(A), B)),
        ("!!(A || B)", Not(Not(Or(A, B)))),
        ("!(!(A))", Not(Not(A))),
        ("(A && B) || !C", Or(And(A, B), Not(C))),
        ("(A && (B || !(C && D)))", And(A, Or(B, Not(And(C, D))))),
    ],
)
def test_operators_bind_in_order_and_to_the_left(text: str, tree: Tree) -> None:
    """Rule 3.1: `!` binds before `&&` before `||`; rows associate to the left."""
    assert parse(text).tree == tree


@pytest.mark.parametrize(
    "name", ["A", "a", "_", "0", "7up", "1_0", "no", "and", "not", "load-raw", "a--b", "A-", "_-_"]
)
def test_names(name: str) -> None:
    """A name is letters, digits, `_` and `-`, not beginning with `-`; no word is reserved."""
    assert parse(name).tree == Name(name)
    assert parse(f"!{name}&&({name})").tree == And(Not(Name(name)), Name(name))


@pytest.mark.parametrize("text", ["and && or", "and || (not)", "!not && !or", "(and)"])
def test_operator_words_of_other_languages_are_names(text: str) -> None:
    """A step may be called `and`: a name in its proper place is never questioned."""
    assert str(parse(text)) == text.replace("(not)", "not").replace("(and)", "and")


@pytest.mark.parametrize(
    "text", ["A&&!B", " A && !B ", "A\n&&\r\n!B", "\tA\v&&\f! B\n", "A && ! B"]
)
def test_white_space_between_tokens_means_nothing(text: str) -> None:
    """White space, line ends included, may stand between any two tokens."""
    assert parse(text) == parse("A && !B")


def test_a_predicate_follows_its_name() -> None:
    """`A.failed` asks a predicate of A, and is another operand than `A`."""
    condition = parse("A.failed && !(A || B.succeeded)", PREDICATES)
    assert condition.operands == (Name("A", "failed"), Name("A"), Name("B", "succeeded"))
    assert condition.names == ("A", "B")


def test_a_vocabulary_is_a_value() -> None:
    """A vocabulary copies its words, whatever they come in, and does not change with them."""
    words = {"late": None}
    hints = {"overdue": "late"}
    vocabulary = Vocabulary(words.keys(), hints)
    words["early"] = None
    hints.clear()
    assert vocabulary == Vocabulary(["late"], {"overdue": "late"})
    assert hash(vocabulary) == hash(Vocabulary(["late"], {"overdue": "late"}))
    assert parse("A.late", vocabulary).operands == (Name("A", "late"),)


def test_names_and_operands_come_in_order_of_first_appearance() -> None:
    """Operands are listed once each, from left to right."""
    condition = parse("C && (B || !A) && B && C")
    assert condition.operands == (C, B, A)
    assert condition.names == ("C", "B", "A")


@pytest.mark.parametrize(
    ("names", "text"),
    [(["A"], "A"), (["A", "B"], "A && B"), (["C", "A", "B"], "C && A && B")],
)
def test_a_conjunction_of_names(names: list[str], text: str) -> None:
    """Rule 3.5: `all_of([A, B])` is the condition that `A && B` spells."""
    assert all_of(iter(names)) == parse(text)


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
        ("A", [("A", None, "A")]),
        ("!A&&(B-1.late)", [("A", None, "A"), ("B-1", "late", "B-1.late")]),
        ("load@a@2.late || load", [("load@a@2", "late", "load@a@2.late"), ("load", None, "load")]),
        ("any( late\n) && any", [(None, "late", "any( late\n)"), ("any", None, "any")]),
        (
            "any( load.late ) || all(load)",
            [
                ("load", "late", "any( load.late )"),
                ("load", None, "all(load)"),
            ],
        ),
        # What is not a condition:
        ("A and B", [("A", None, "A"), ("and", None, "and"), ("B", None, "B")]),
        ("A.late == 'x' &&", [("A", "late", "A.late"), ("x", None, "x")]),
        ("(A . late", [("A", None, "A"), ("late", None, "late")]),
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
