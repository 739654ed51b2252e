"""Rule 11.1: conditions made of others, constants, declared functions, and words for operators."""

import copy
import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from flow_conditions import (
    FALSE,
    TRUE,
    Condition,
    ConditionDataError,
    ConditionSyntaxError,
    InvalidNameError,
    Name,
    Or,
    Quantifier,
    Vocabulary,
    all_of,
    any_of,
    parse,
)

SEEDS = [
    pytest.param(range(300), id="some"),
    pytest.param(range(300, 5_000), id="many", marks=pytest.mark.long),
]
WORDS = Vocabulary(["failed"], functions=["always", "changed"], operator_words=True)

type Cases = Callable[[Iterable[int]], Iterator[Any]]


@pytest.mark.parametrize("seeds", SEEDS)
def test_models_are_counted_as_in_the_truth_table(cases: Cases, seeds: range) -> None:
    """`count_models` counts the rows that the exclusions allow (rule 11.1)."""
    for case in cases(seeds):
        # The rows are over all names of a case; each counts once for each value of the others.
        names = case.condition.operands
        rows = {
            tuple(row[name] for name in names)
            for row in case.rows
            if case.condition.evaluate(row) is True
        }
        assert case.condition.count_models(exclusions=case.exclusions) == len(rows), case
        wide = case.condition & any_of([f"w{number}" for number in range(14)])
        many = wide.count_models(exclusions=case.exclusions)
        assert many == len(rows) * (2**14 - 1), case


@pytest.mark.parametrize("seeds", SEEDS)
def test_substituted_it_has_the_value_of_what_stands_there(cases: Cases, seeds: range) -> None:
    """`substitute` and `rename` commute with `evaluate` (rule 11.1)."""
    for case in cases(seeds):
        name = case.condition.operands[0]
        whole = case.condition.substitute({name: case.other})
        renamed = case.condition.rename({name: "z"})
        assert "z" in renamed.names, case
        for row in case.rows:
            inner = row | {name: case.other.evaluate(row)}
            assert whole.evaluate(row) is case.condition.evaluate(inner), case
            assert renamed.evaluate(row | {Name("z"): row[name]}) is case.condition.evaluate(row)


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_tree_is_the_condition_that_it_was_grown_of(cases: Cases, seeds: range) -> None:
    """`from_tree` undoes `tree`, also of constants (rule 11.1)."""
    for case in cases(seeds):
        constant = case.condition.substitute({case.condition.operands[0]: TRUE})
        for condition in (case.condition, constant):
            assert Condition.from_tree(condition.tree) == condition, case
            assert parse(str(condition)) == condition, case


def test_constants_are_conditions() -> None:
    """`true()` and `false()` are spelt, read, evaluated and proven like others (rule 11.1)."""
    condition = parse("a && true() || false( )")
    assert condition.operands == (Name("a"),)
    assert condition.evaluate({"a": None}) is None
    assert condition.simplify() == parse("a")
    assert condition.blame({"a": True}) == (Name("a"),)
    assert parse("a || true()").restrict({}) == TRUE
    assert [TRUE.evaluate({}), FALSE.evaluate({})] == [True, False]
    assert [TRUE.is_tautology(), FALSE.is_satisfiable()] == [True, False]
    assert (TRUE.count_models(), FALSE.count_models(), TRUE.model()) == (1, 0, {})
    assert str(TRUE.explain({})) == "true: true()"
    assert TRUE.explain({}).operands == {}
    assert (TRUE.tree, Or(Name("a"), False)) == (True, parse("a || false()").tree)
    assert (all_of([]), any_of([])) == (TRUE, FALSE)
    assert ~FALSE != TRUE
    assert (~FALSE).simplify() == TRUE


def test_any_of_joins_names() -> None:
    """`any_of` is beside `all_of`, and refuses what that refuses."""
    assert any_of(["a", "b", "c"]) == parse("a || b || c")
    with pytest.raises(TypeError, match="not the single string 'ab'"):
        any_of("ab")


def test_values_are_given_by_text_or_name_in_a_mapping_or_a_function() -> None:
    """A name is a text, so that `dict.get` finds it (rule 11.1)."""
    condition = parse("a && b.failed", WORDS)
    values = {"a": True, "b.failed": False}
    for lookup in (values, values.get, {Name("a"): True, Name("b", "failed"): False}):
        assert condition.evaluate(lookup) is False
        assert condition.decided(lookup) is False
        assert condition.blame(lookup) == (Name("b", "failed"),)
        assert condition.explain(lookup).value is False
    assert condition.evaluate({"a": True}) is None
    model = condition.model()
    assert model is not None
    assert model["b.failed"] is True  # type: ignore[index]


def test_a_name_is_a_text_that_does_not_change() -> None:
    """It is equal to its spelling, and has three fields."""
    name = Name("b", "failed", "any")
    assert name == "any(b.failed)"
    assert (name.name, name.predicate, name.quantifier) == ("b", "failed", "any")
    assert (name.argument, Name("b").argument) == ("b.failed", None)
    assert pickle.loads(pickle.dumps(name)) == copy.deepcopy(name) == name  # noqa: S301
    with pytest.raises(AttributeError, match="a Name cannot be changed: name"):
        name.name = "c"


def test_a_condition_has_no_truth_value() -> None:
    """`a and b` would be `b` (rule 11.1)."""
    a, b = parse("a"), parse("b")
    for mistake in (lambda: a and b, lambda: a or b, lambda: not a, lambda: bool(TRUE)):
        with pytest.raises(TypeError, match="has no truth value by itself"):
            mistake()


def test_what_is_no_program_is_no_condition() -> None:
    """The constructor checks as `from_json` does."""
    for program in (("&&",), ("a", "b"), ("a b",), ()):
        with pytest.raises(ConditionDataError):
            Condition(program)
    assert Condition(("a", "b", "&&")) == parse("a && b")


def test_what_finds_nothing_returns_the_same_object() -> None:
    """`simplify`, `restrict`, `substitute` and `rename` (rule 11.1)."""
    condition = parse("a && (b || c)")
    assert condition.simplify() is condition
    assert condition.restrict({"z": True}) is condition
    assert condition.substitute({"z": FALSE}) is condition
    assert condition.rename({"z": "y"}) is condition


def test_a_name_that_cannot_be_spelt_is_refused() -> None:
    """`rename` keeps predicates and quantifiers, and takes plain names only."""
    vocabulary = Vocabulary(["late"], quantifiers=[Quantifier("any", "||")], asks_one=True)
    renamed = parse("any(a.late) && a && b", vocabulary).rename({"a": "c"})
    assert str(renamed) == "any(c.late) && c && b"
    with pytest.raises(InvalidNameError, match="'a b' is not a name"):
        renamed.rename({"c": "a b"})


def test_declared_functions_are_operands() -> None:
    """Only the lookup gives them a meaning (rule 11.1)."""
    condition = parse("always() && !changed( src/**, *.md ) || a", WORDS)
    assert str(condition) == "always() && !changed(src/**, *.md) || a"
    call = condition.operands[1]
    assert (call, call.quantifier, call.argument) == (
        *("changed(src/**, *.md)", "changed", "src/**, *.md"),
    )
    assert condition.evaluate({"always()": True, call: False}) is True
    assert parse(str(condition), WORDS) == condition
    assert Condition.from_json(condition.to_json()) == condition
    assert parse("changed && always", WORDS).names == ("changed", "always")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a and not b or c", "a && !b || c"),
        ("NOT (a Or b) && c", "!(a || b) && c"),
        ("a.failed and android", "a.failed && android"),
    ],
)
def test_operators_are_words_too_where_the_vocabulary_says_so(text: str, same: str) -> None:
    """The canonical text has signs (rule 11.1)."""
    assert parse(text, WORDS) == parse(same, WORDS)
    assert str(parse(text, WORDS)) == same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a and", "expected a name, '!' or '(', got the end"),
        ("a and or b", "expected a name, '!' or '(', got 'or'"),
        ("a (and b)", "expected '&&', '||' or the end, got '('"),
        ("changed(a", "the call of 'changed' is never closed; expected ')' after it"),
        ("a and (b or c", "this '(' is never closed"),
    ],
)
def test_mistakes_beside_words_and_functions(text: str, message: str) -> None:
    """What is shown is what the text has."""
    with pytest.raises(ConditionSyntaxError, match=re.escape(message)):
        parse(text, WORDS)


def test_a_call_without_its_end_says_so() -> None:
    """The call is underlined, not the parenthesis alone."""
    vocabulary = Vocabulary(["late"], quantifiers=[Quantifier("any", "||")])
    with pytest.raises(ConditionSyntaxError, match="the call of 'any' is never closed") as error:
        parse("a && any(on", vocabulary, over=["b"])
    assert (error.value.start, error.value.end) == (5, 9)


def test_operands_have_places_after_parsing() -> None:
    """`spans` has every occurrence, in order, with the place of its call (rule 11.1)."""
    vocabulary = Vocabulary(
        ["late"], quantifiers=[Quantifier("any", "||")], operator_words=True, functions=["on"]
    )
    text = "a  and any( late ) or !( on( x ) )&&a"
    condition = parse(text, vocabulary, over=["b", "c"])
    found = [(str(name), text[start:end]) for name, start, end in condition.spans]
    assert found == [
        ("a", "a"),
        ("b.late", "any( late )"),
        ("c.late", "any( late )"),
        ("on(x)", "on( x )"),
        ("a", "a"),
    ]
    assert (~condition).spans == ()
    assert parse("true() && a").spans == ((Name("a"), 10, 11),)


def test_a_drawing_has_a_node_for_each_part() -> None:
    """`to_dot` is read by Graphviz."""
    assert parse("a && !b").to_dot().splitlines() == [
        "digraph {",
        '  0 [label="a"];',
        '  1 [label="b"];',
        '  2 [label="!"];',
        "  2 -> 1;",
        '  3 [label="&&"];',
        "  3 -> 0;",
        "  3 -> 2;",
        "}",
    ]
    assert 'label="on(\\"\\\\\\")"' in parse('on("\\")', Vocabulary(functions=["on"])).to_dot()
