"""Rule 11.1: what is proven of a condition is what its truth table shows."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from flow_conditions import FALSE, TRUE, Name, Quantifier, Vocabulary, equivalent, implies, parse

SEEDS = [
    pytest.param(range(500), id="some"),
    pytest.param(range(500, 10_500), id="many", marks=pytest.mark.long),
]

type Cases = Callable[[Iterable[int]], Iterator[Any]]


@pytest.mark.parametrize("seeds", SEEDS)
def test_constants_and_comparisons_are_those_of_the_truth_table(cases: Cases, seeds: range) -> None:
    """`is_satisfiable`, `is_tautology`, `equivalent` and `implies` (rule 11.1)."""
    for case in cases(seeds):
        mine, others = case.table(case.condition), case.table(case.other)
        assert case.condition.is_satisfiable() == (True in mine), case
        assert case.condition.is_tautology() == (False not in mine), case
        assert equivalent(case.condition, case.other) == (mine == others), case
        implied = all(other or not one for one, other in zip(mine, others, strict=True))
        assert implies(case.condition, case.other) == implied, case


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_model_is_there_exactly_if_a_row_fits(cases: Cases, seeds: range) -> None:
    """`model` fits what is given, and makes the condition true (rule 11.1)."""
    for case in cases(seeds):
        model = case.condition.model(case.known)
        known = {name: value for name, value in case.known.items() if value is not None}
        fitting = [row for row in case.rows if known.items() <= row.items()]
        if model is None:
            assert not any(case.condition.evaluate(row) for row in fitting), case
            continue
        assert tuple(model) == case.condition.operands, case
        assert case.condition.evaluate(model) is True, case
        assert any(model.items() <= row.items() for row in fitting), case


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_residue_has_the_value_that_the_whole_has(cases: Cases, seeds: range) -> None:
    """`restrict` commutes with `evaluate`, and leaves nothing known in what is left (rule 11.1)."""
    for case in cases(seeds):
        residue = case.condition.restrict(case.known)
        for row in case.rows:
            mixed = {
                name: row[name] if value is None else value for name, value in case.known.items()
            }
            assert residue.evaluate(mixed) is case.condition.evaluate(mixed), case
        assert all(case.known[name] is None for name in residue.operands), case
        assert residue in (TRUE, FALSE) or case.condition.evaluate(case.known) is None, case


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
            assert renamed.evaluate(row | {"z": row[name]}) is case.condition.evaluate(row)


def test_constants_have_the_values_that_they_have() -> None:
    """Whatever mappings say of `true()` and `false()` is ignored (rule 11.1)."""
    condition = parse("a && true() || false( )")
    assert condition.operands == (Name("a"),)
    lies = {"true()": False, "false()": True}
    assert condition.evaluate(lies) is None
    assert condition.evaluate(lies | {"a": True}) is True
    assert condition.explain(lies | {"a": True}).value is True
    assert condition.blame(lies | {"a": True}) == (Name("a"),)
    assert condition.model(lies) == {Name("a"): True}
    assert parse("a || true()").restrict({"a": False}) == TRUE
    assert [TRUE.evaluate({}), FALSE.evaluate({}), TRUE.blame({})] == [True, False, ()]
    assert [TRUE.is_tautology(), FALSE.is_satisfiable(), TRUE.model()] == [True, False, {}]
    assert str(TRUE.explain({})) == "true: true()"
    for constant in (TRUE, FALSE):
        assert constant.restrict(lies) == constant
        assert constant.substitute({"true()": FALSE, "false()": TRUE}) == constant
        assert constant.rename({"true()": "a", "true": "a", "false": "a"}) == constant


def test_what_is_known_is_true_false_or_not_known() -> None:
    """Anything else is refused, and operands of other conditions do no harm."""
    condition = parse("a && b")
    with pytest.raises(TypeError, match=r"'a' is 1; it must be True, False or None"):
        condition.restrict({"a": 1})  # type: ignore[arg-type]
    assert condition.restrict({"a": True, "z": False, "b": None}) == parse("b")
    assert condition.restrict({Name("b"): False}) == FALSE
    with_constant = parse("a || true()")
    for nothing in ({}, {"z": True}, {"a": None}):
        assert with_constant.restrict(nothing) is with_constant


def test_names_are_changed_wherever_they_stand() -> None:
    """Operands keep their predicates and quantifiers (rule 11.1)."""
    vocabulary = Vocabulary(["late"], quantifiers=[Quantifier("any", "||")], asks_one=True)
    condition = parse("any(a.late) && a && a.late && b", vocabulary)
    assert condition.names == ("a", "b")
    assert str(condition.rename({"a": "c", "z": "y"})) == "any(c.late) && c && c.late && b"


def test_conditions_are_joined_as_python_joins() -> None:
    """`&`, `|` and `~` make conditions of conditions, and nothing else."""
    either, other = parse("a || b"), parse("c")
    assert str(either & other) == "(a || b) && c"
    assert str(either | other) == "a || b || c"
    assert str(~either) == "!(a || b)"
    with pytest.raises(TypeError, match="unsupported operand"):
        either & True
    with pytest.raises(TypeError, match="unsupported operand"):
        either | "c"
    for mistake in (lambda: either and other, lambda: either or other, lambda: not either):
        with pytest.raises(TypeError, match="has no truth value by itself"):
            mistake()


def of(value: object) -> Any:
    """Return a value that no type checker looks at."""
    return value


WRONG_TYPES: dict[str, Callable[[], object]] = {
    "expected a Vocabulary, got ['late']": lambda: parse("a", of(["late"])),
    "a lookup is a mapping or a function, not None": lambda: parse("a").evaluate(of(None)),
    "a lookup is a mapping or a function, not 'ab'": lambda: parse("a").blame(of("ab")),
    "a mapping from operands, got <class 'bool'>": lambda: parse("a").restrict(of(bool)),
    "an operand is a text, not 1": lambda: parse("a").restrict(of({1: True})),
    "expected a mapping from operands, got []": lambda: parse("a").model(of([])),
    "expected a mapping from operands, got 'ab'": lambda: parse("a").rename(of("ab")),
    "expected a Condition, got 'b'": lambda: parse("a").substitute({"a": of("b")}),
    "unary ~: 'str'": lambda: implies(parse("a"), of("c")),
    "expected a Condition, got 'd'": lambda: equivalent(of("d"), of("d")),
}


@pytest.mark.parametrize("message", WRONG_TYPES)
def test_a_value_of_the_wrong_type_is_named(message: str) -> None:
    """It is a `TypeError` with a sentence, at the call that was wrong."""
    with pytest.raises(TypeError, match=re.escape(message)):
        WRONG_TYPES[message]()
