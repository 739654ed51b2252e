"""Rule 11.1: conditions made of others, constants, declared functions, and words for operators."""

import copy
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import (
    FALSE,
    TRUE,
    And,
    Condition,
    ConditionDataError,
    ConditionSyntaxError,
    Functions,
    InvalidNameError,
    Name,
    Not,
    Or,
    Quantifier,
    Vocabulary,
    all_of,
    any_of,
    equivalent,
    implies,
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
    assert parse("a || true()").restrict({"a": False}) == TRUE
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
    with_constant = parse("a || true()")
    for known in ({}, {"z": True}, {"a": None}):
        assert with_constant.restrict(known) is with_constant
    assert condition.substitute({"z": FALSE}) is condition
    assert condition.rename({"z": "y"}) is condition


def test_a_name_that_cannot_be_spelt_is_refused() -> None:
    """`rename` keeps predicates, and takes plain names only."""
    renamed = parse("a.failed && a && b", WORDS).rename({"a": "c"})
    assert str(renamed) == "c.failed && c && b"
    with pytest.raises(InvalidNameError, match="'a b' is not a name"):
        renamed.rename({"c": "a b"})


def test_what_stands_in_parentheses_is_no_name() -> None:
    """Functions are opaque; `rename` is told which calls are of quantifiers (rule 11.1)."""
    vocabulary = Vocabulary(
        ["late"], quantifiers=[Quantifier("any", "||")], asks_one=True, functions=["changed"]
    )
    condition = parse("any(a.late) && a && changed(a) && changed(src/a.py)", vocabulary)
    assert condition.names == ("a",)
    names = {"a": "b"}
    assert str(condition.rename(names)) == str(condition).replace("&& a &&", "&& b &&")
    renamed = condition.rename(names, quantifiers=["any"])
    assert str(renamed) == "any(b.late) && b && changed(a) && changed(src/a.py)"
    call = condition.operands[-1]
    assert (call.name, call.predicate, call.argument) == ("src/a.py", None, "src/a.py")


NO_OPERANDS = [
    *("", "!", "&&", "||", "a b", "a || b", "-a", "a.b.c", "a\n", "(a)", "any(a b", "f( x )"),
    *("f(x )", "f(\tx)", "f (x)", "f(x)y", "f(g(x))", "true( )", "true(x)", "false(a.b)"),
]


@pytest.mark.parametrize("spelling", NO_OPERANDS)
def test_what_cannot_be_read_back_is_refused(spelling: str) -> None:
    """A condition has operands in the spelling that `parse` gives them (rule 11.1)."""
    makers: list[Callable[[Name], object]] = [
        *(Condition.from_tree, Not, lambda name: And(Name("a"), name), lambda name: Or(name, True)),
    ]
    for make in makers:
        with pytest.raises(
            ConditionDataError, match=f"{re.escape(repr(spelling))} is not an operand"
        ):
            make(Name(spelling))
    with pytest.raises(ConditionDataError):
        Condition((spelling,))
    with pytest.raises(InvalidNameError, match="is not a predicate"):
        Quantifier("any", "||").over(["a"], spelling)


def test_a_constant_in_a_tree_is_a_bool() -> None:
    """A `Name` that is spelled like one would be another operand afterwards."""
    with pytest.raises(ConditionDataError, match=r"'true\(\)' is not an operand"):
        Condition.from_tree(Name("", None, "true"))


@settings(deadline=None)
@given(
    st.builds(
        Name,
        st.text("ab.!&|() \n", max_size=3),
        st.none() | st.text("a. ", max_size=2),
        st.none() | st.sampled_from(["f", "true"]),
    )
)
def test_a_name_is_refused_or_read_back(name: Name) -> None:
    """Whatever it was made of (rule 11.1)."""
    try:
        conditions = [Condition.from_tree(name), Condition.from_tree(Or(Not(name), True))]
    except ConditionDataError:
        return
    anything = Vocabulary(["a", "aa", "b"], functions=["f", "true", "false"])
    for each in conditions:
        assert parse(str(each), anything) == Condition.from_json(each.to_json()) == each
        assert Condition.from_tree(each.tree) == each


def of(value: object) -> Any:
    """Return a value of a type that is wrong."""
    return value


WRONG_TYPES: Mapping[str, Callable[[], object]] = {
    "expected a Vocabulary, got ['late']": lambda: parse("a", of(["late"])),
    "functions must be a collection of str, not 'ab'": lambda: Vocabulary(functions="ab"),
    "a collection of Quantifier, not ['any']": lambda: Vocabulary(quantifiers=of(["any"])),
    "predicates must be a collection of str, not [1]": lambda: Vocabulary(of([1])),
    "expected a Condition, got 'f'": lambda: Functions().without_idle_parts(
        of("f"), lambda _: 0, lambda *_: True
    ),
    "made of Name, Not, And, Or and bool, not of 'a'": lambda: Condition.from_tree(of("a")),
    "a lookup is a mapping or a function, not None": lambda: parse("a").evaluate(of(None)),
    "a lookup is a mapping or a function, not 'ab'": lambda: parse("a").decided(of("ab")),
    "a mapping from operands, got <class 'bool'>": lambda: parse("a").restrict(of(bool)),
    "an operand is a text, not 1": lambda: parse("a").restrict(of({1: True})),
    "an operand is a text, not 2": lambda: parse("a").simplify(exclusions=[("a", of(2))]),
    "expected a mapping from operands, got []": lambda: parse("a").model(of([])),
    "expected a mapping from operands, got 'ab'": lambda: parse("a").rename(of("ab")),
    "expected a Condition, got 'b'": lambda: parse("a").substitute({"a": of("b")}),
    "expected a Condition, got 'c'": lambda: implies(parse("a"), of("c")),
    "expected a Condition, got 'd'": lambda: equivalent(of("d"), of("d")),
    "expected a Condition, got 'e'": lambda: Functions().of(of("e"), lambda _: 0),
}


@pytest.mark.parametrize("message", WRONG_TYPES)
def test_a_value_of_the_wrong_type_is_named(message: str) -> None:
    """It is a `TypeError` with a sentence, at the call that was wrong."""
    with pytest.raises(TypeError, match=re.escape(message)):
        WRONG_TYPES[message]()


@pytest.mark.parametrize("word", ["not", "And", "OR"])
def test_words_of_operators_are_nothing_else(word: str) -> None:
    """With `operator_words`, no name, function, predicate or quantifier is one (rule 11.1)."""
    with pytest.raises(ConditionSyntaxError, match=f"'{word}' is an operator here; it cannot be"):
        parse(f"{word}.failed", WORDS)
    for role, each in (
        ("function", word),
        ("predicate", word),
        ("quantifier", Quantifier(word, "||")),
    ):
        fields = {f"{role}s": [each]}
        with pytest.raises(InvalidNameError, match=f"'{word}' is not a {role}: it is an operator"):
            Vocabulary(**of(fields), operator_words=True)
        assert isinstance(Vocabulary(**of(fields)), Vocabulary)
    any_of_them = replace(WORDS, quantifiers=[Quantifier("any", "||")], asks_one=True)
    with pytest.raises(InvalidNameError, match=f"'{word}' is not a name: it is an operator"):
        parse("any(failed)", any_of_them, over=["a", word])
    for text in (f"any({word})", f"any({word}.failed)"):
        with pytest.raises(ConditionSyntaxError):
            parse(text, any_of_them)


def test_two_words_that_are_called_differ() -> None:
    """Nobody could tell which of them a call is of."""
    some, every = Quantifier("any", "||"), Quantifier("any", "&&")
    for quantifiers, functions in (([some, every], []), ([some], ["any"]), ([], ["f", "f"])):
        with pytest.raises(ValueError, match="two quantifiers or functions have the same word"):
            Vocabulary(["late"], quantifiers=quantifiers, functions=functions)


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
        ("a and chnged(x)", "there is no 'chnged(x)'; did you mean 'changed(x)'?"),
        ("Always( )", "there is no 'Always( )'; did you mean 'always()'?"),
        ("a Changed(x)", "there is no 'Changed(x)'; did you mean 'changed(x)'?"),
        ("exists(x)", "expected '&&', '||' or the end, got '('"),
    ],
)
def test_mistakes_beside_words_and_functions(text: str, message: str) -> None:
    """What is shown is what the text has."""
    with pytest.raises(ConditionSyntaxError, match=re.escape(message)):
        parse(text, WORDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true(x)", "'true()' takes no argument; write 'true()'"),
        ("a && false ( b.c )", "'false()' takes no argument; write 'false()'"),
        ("True()", "there is no 'True()'; did you mean 'true()'?"),
        ("a || FALSE( )", "there is no 'FALSE( )'; did you mean 'false()'?"),
    ],
)
def test_constants_have_one_spelling(text: str, message: str) -> None:
    """What looks like one of them is not silently an operand (rule 11.1)."""
    with pytest.raises(ConditionSyntaxError, match=re.escape(message)):
        parse(text)


def test_white_space_in_calls_is_that_between_tokens() -> None:
    """Six characters are white space; others stay in an argument (rule 11.1)."""
    vocabulary = Vocabulary(functions=["on"])
    assert str(parse("on \t( \n\r\f\vx )", vocabulary)) == "on(x)"
    for argument in ("\x1cx\x1f", "\u00a0", "\x85x"):
        condition = parse(f"on( {argument} )", vocabulary)
        assert condition.operands[0].argument == argument
        assert Condition(condition.program) == condition == parse(str(condition), vocabulary)


def test_a_generator_of_names_serves_every_call() -> None:
    """`over` is read once."""
    vocabulary = Vocabulary(["late"], quantifiers=[Quantifier("any", "||")])
    condition = parse("any(late) && any(late)", vocabulary, over=(name for name in "ab"))
    assert str(condition) == "(a.late || b.late) && (a.late || b.late)"
    assert [span[1:] for span in condition.spans] == [(0, 9)] * 2 + [(13, 22)] * 2


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
