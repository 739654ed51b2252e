"""Rule 11.1: what the algebra says of a condition is what its truth table shows."""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any

import pytest

from flow_conditions import (
    FALSE,
    TRUE,
    BudgetExceeded,
    Condition,
    ExclusionError,
    Name,
    Vocabulary,
    equivalent,
    implies,
    parse,
)

SEEDS = [
    pytest.param(range(500), id="some"),
    pytest.param(range(500, 10_500), id="many", marks=pytest.mark.long),
]

EXCLUDED = [("a", "a.failed", "a.skipped"), ("b", "b.failed")]


@pytest.fixture(params=["tables", "search", "diagrams"], autouse=True)
def representation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer by truth tables, as for so few operands, and by what answers for many."""
    # Which of them answers is nobody's choice; and of so many operands that the others would, no
    # truth table could be made to compare with.
    if request.param != "tables":
        monkeypatch.setattr("flow_conditions.boolean_functions.MOST_IN_TABLES", -1)
    if request.param == "diagrams":
        monkeypatch.setattr("flow_conditions.boolean_functions._Search.example", _give_up)


def _give_up(_: object) -> None:
    raise BudgetExceeded(0)


type Cases = Callable[[Iterable[int]], Iterator[Any]]


def parse_outcomes(text: str) -> Condition:
    """Parse with the predicates that these tests use."""
    return parse(text, Vocabulary(("failed", "skipped")))


@pytest.mark.parametrize("seeds", SEEDS)
def test_constants_and_comparisons_are_those_of_the_truth_table(cases: Cases, seeds: range) -> None:
    """`is_satisfiable`, `is_tautology`, `equivalent` and `implies` (rule 11.1)."""
    for case in cases(seeds):
        given = {"exclusions": case.exclusions}
        mine, others = case.table(case.condition), case.table(case.other)
        assert case.condition.is_satisfiable(**given) == (True in mine), case
        assert case.condition.is_tautology(**given) == (False not in mine), case
        assert equivalent(case.condition, case.other, **given) == (mine == others), case
        implied = all(other or not one for one, other in zip(mine, others, strict=True))
        assert implies(case.condition, case.other, **given) == implied, case


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_model_is_there_exactly_if_a_row_fits(cases: Cases, seeds: range) -> None:
    """`model` fits what is given and excluded, and makes the condition true (rule 11.1)."""
    for case in cases(seeds):
        model = case.condition.model(case.known, exclusions=case.exclusions)
        if model is None:
            assert True not in case.outcomes(case.known), case
            continue
        assert tuple(model) == case.condition.operands, case
        assert case.condition.evaluate(model.__getitem__) is True, case
        whole = case.known | model
        known = {name: value for name, value in case.known.items() if value is not None}
        assert known.items() <= whole.items(), case
        fixed = {name: value for name, value in whole.items() if value is not None}
        assert any(fixed.items() <= row.items() for row in case.rows), case


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_residue_has_the_value_that_the_whole_has(cases: Cases, seeds: range) -> None:
    """`restrict` commutes with `evaluate`, and leaves nothing known in what is left (rule 11.1)."""
    for case in cases(seeds):
        residue = case.condition.restrict(case.known)
        for row in case.rows:
            mixed = {
                name: row[name] if value is None else value for name, value in case.known.items()
            }
            whole = case.condition.evaluate(mixed.__getitem__)
            assert residue.evaluate(mixed) is whole, case
        assert all(case.known[name] is None for name in residue.operands), case


@pytest.mark.parametrize("seeds", SEEDS)
def test_what_is_decided_is_so_for_every_completion(cases: Cases, seeds: range) -> None:
    """`decided` is the one value that all rows have which fit what is known (rule 11.1)."""
    for case in cases(seeds):
        outcomes = case.outcomes(case.known)
        expected = outcomes.pop() if len(outcomes) == 1 else None
        decided = case.condition.decided(case.known.__getitem__, exclusions=case.exclusions)
        assert decided is expected, case


@pytest.mark.parametrize("seeds", SEEDS)
def test_no_smaller_set_is_to_blame(cases: Cases, seeds: range) -> None:
    """`blame` decides alone, and no smaller set of operands does (rule 11.1)."""
    for case in cases(seeds):
        blamed = case.condition.blame(case.known.__getitem__, exclusions=case.exclusions)
        if blamed is None:
            assert len(case.outcomes(case.known)) == 2, case
            continue
        assert len(case.outcomes({name: case.known[name] for name in blamed})) == 1, case
        known = [name for name, value in case.known.items() if value is not None]
        for smaller in combinations(known, max(0, len(blamed) - 1)):
            part = {name: case.known[name] for name in smaller}
            assert smaller == blamed or len(case.outcomes(part)) == 2, case


@pytest.mark.parametrize("seeds", SEEDS)
def test_simplified_it_is_the_same_and_no_longer(cases: Cases, seeds: range) -> None:
    """`simplify` is equivalent, never longer, idempotent, and finds constants (rule 11.1)."""
    for case in cases(seeds):
        given = {"exclusions": case.exclusions}
        simple = case.condition.simplify(**given)
        table = case.table(case.condition)
        assert case.table(simple) == table, case
        assert written(simple) <= written(case.condition), case
        if simple in (TRUE, FALSE):
            continue
        assert len(set(table)) == 2, case
        assert len(str(simple)) <= len(str(case.condition)), case
        assert set(simple.operands) <= set(case.condition.operands), case
        assert simple.simplify(**given) == simple, case


def written(condition: Condition) -> int:
    """Count the operands, as often as they occur."""
    return sum(token not in {"!", "&&", "||", "true()", "false()"} for token in condition.program)


def test_simplified_it_has_no_operand_without_effect(cases: Cases) -> None:
    """No occurrence can be left out as if it were true, or false (rule 11.1)."""
    for case in cases(range(200)):
        simple = case.condition.simplify()
        program = [] if simple in (TRUE, FALSE) else simple.to_json()
        for place, token in enumerate(program):
            if token in ("!", "&&", "||"):
                continue
            marked = Condition.from_json([*program[:place], "this", *program[place + 1 :]])
            for value in (True, False):
                without = marked.restrict({"this": value})
                assert not equivalent(without, simple), case


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("a && a", "a"),
        ("a || !a", "true()"),
        ("a && b && !a", "false()"),
        ("a && (a || b)", "a"),
        ("a || a && b", "a"),
        ("a && (!a || b)", "a && b"),
        ("a && b || a && !b", "a"),
        ("a && b || !a && c || b && c", "a && b || !a && c"),
        ("!!a", "a"),
        ("!(!a || !b)", "a && b"),
        ("!(a && !b)", "!a || b"),
        ("!a && !b && !c", "!a && !b && !c"),
        ("!(a || b || c)", "!(a || b || c)"),
        ("!a && !b && !c && !d", "!(a || b || c || d)"),
        ("z && !a && !b && !c && !d && y", "z && !(a || b || c || d) && y"),
        ("(b && a)", "b && a"),
        ("c || b || a || b", "c || b || a"),
        ("a && b || a && c", "a && (b || c)"),
        ("(a || b) && (a || c)", "a || b && c"),
        ("a && b && c || d || a && e && b", "a && b && (c || e) || d"),
        ("(a || b) && c || d && (b || a)", "(a || b) && (c || d)"),
        ("a && b || a && c || d && b || d && c", "(a || d) && (b || c)"),
        ("a && (b && c)", "a && b && c"),
        ("(a || b) && (a || !b) && (!a || c)", "a && c"),
        ("a.failed && !a.failed", "false()"),
    ],
)
def test_simplified_it_reads_as_its_author_would_have_it(text: str, simple: str) -> None:
    """Nothing is without effect, and the operands keep their order (rule 11.1)."""
    assert str(parse_outcomes(text).simplify()) == simple


def test_exclusions_are_what_the_caller_says() -> None:
    """What cannot be true together makes conditions constant, and known ones settle others."""
    both = parse_outcomes("a && a.failed")
    assert both.is_satisfiable()
    assert not both.is_satisfiable(exclusions=EXCLUDED)
    assert both.model(exclusions=EXCLUDED) is None
    assert both.simplify(exclusions=EXCLUDED) == FALSE
    assert parse_outcomes("!a || !a.failed").is_tautology(exclusions=EXCLUDED)
    assert implies(parse_outcomes("a"), parse_outcomes("!a.failed"), exclusions=EXCLUDED)
    assert equivalent(
        parse_outcomes("a && !a.skipped || b"), parse_outcomes("b || a"), exclusions=EXCLUDED
    )
    assert str(parse_outcomes("a && !a.failed").simplify(exclusions=EXCLUDED)) == "a"
    either = parse_outcomes("a.failed || b")
    assert either.restrict({"a": True}, exclusions=EXCLUDED) == parse("b")
    assert either.model({"a": True}, exclusions=EXCLUDED) == {
        Name("a", "failed"): False,
        Name("b"): True,
    }
    known = {Name("a"): True, Name("a", "failed"): None}
    assert both.decided(known.get, exclusions=EXCLUDED) is False
    assert both.blame(known.get, exclusions=EXCLUDED) == ()
    failed = parse_outcomes("a.failed && (a || b)")
    values = {Name("a"): True, Name("a", "failed"): None, Name("b"): None}
    assert failed.blame(values.get, exclusions=EXCLUDED) == (Name("a"),)
    assert failed.blame(values.__getitem__) is None


def test_what_is_known_beside_a_condition_decides_too() -> None:
    """Exclusions make use of operands that the condition lacks (rule 11.1)."""
    neither = parse_outcomes("!a.failed && !a.skipped || b")
    for lookup in ({"a": True}, {"a": True}.get):
        assert neither.decided(lookup) is None
        assert neither.decided(lookup, exclusions=EXCLUDED) is True
        assert neither.blame(lookup, exclusions=EXCLUDED) == (Name("a"),)
    beside = {"a": True, "c": True, "d": False}
    assert neither.blame(beside, exclusions=[*EXCLUDED, ("c", "d")]) == (Name("a"),)


def test_constants_have_the_values_that_they_have() -> None:
    """Whatever mappings and exclusions say of `true()` and `false()` is ignored (rule 11.1)."""
    condition = parse("a && true() || false()")
    lies, groups = {"true()": False, "false()": True}, [("true()", "a"), ("true()", "false()")]
    assert condition.evaluate(lies | {"a": True}) is True
    assert condition.explain(lies | {"a": True}).value is True
    assert condition.decided(lies | {"a": True}, exclusions=groups) is True
    assert condition.blame(lies | {"a": True}, exclusions=groups) == (Name("a"),)
    assert condition.model(lies, exclusions=groups) == {Name("a"): True}
    assert condition.count_models(exclusions=groups) == 1
    for constant in (TRUE, FALSE):
        assert constant.restrict(lies, exclusions=groups) is constant
        assert constant.substitute({"true()": FALSE, "false()": TRUE}) is constant
        assert constant.rename({"true()": "a", "true": "a", "false": "a"}) is constant


def test_exclusions_may_come_from_a_generator() -> None:
    """They are read once, also where two questions are asked."""
    both, never = parse_outcomes("a && a.failed"), FALSE
    assert equivalent(both, never, exclusions=(group for group in EXCLUDED))
    assert equivalent(never, both, exclusions=map(list, EXCLUDED))


def test_operands_that_exclude_each_other_are_not_both_true() -> None:
    """Who says so is told which two they are, whether the condition has them or not."""
    condition = parse_outcomes("a && a.failed")
    questions: list[Callable[[], object]] = [
        lambda: condition.restrict({"a": True, "a.failed": True}, exclusions=EXCLUDED),
        lambda: condition.decided(lambda _: True, exclusions=EXCLUDED),
        lambda: condition.blame(lambda _: True, exclusions=EXCLUDED),
        lambda: condition.model({"a": True, "a.failed": True}, exclusions=EXCLUDED),
        lambda: parse("z").restrict({"a": True, "a.failed": True}, exclusions=EXCLUDED),
        lambda: parse("z").decided({"a": True, "a.failed": True}, exclusions=EXCLUDED),
        lambda: parse("z").blame({"a": True, "a.failed": True}, exclusions=EXCLUDED),
        lambda: parse("z").model({"a": True, "a.failed": True}, exclusions=EXCLUDED),
    ]
    for question in questions:
        with pytest.raises(ExclusionError, match=r"'a' and 'a\.failed' exclude each other"):
            question()


def test_a_group_of_exclusions_is_no_single_string() -> None:
    """`exclusions=("a", "b")` would be two groups of letters."""
    with pytest.raises(TypeError, match="exclusions are collections of operands, not the string"):
        parse("a").is_satisfiable(exclusions=("a", "b"))


def test_what_is_known_is_true_false_or_not_known() -> None:
    """Anything else is refused, and operands of other conditions do no harm."""
    condition = parse("a && b")
    with pytest.raises(TypeError, match=r"'a' is 1; it must be True, False or None"):
        condition.restrict({"a": 1})  # type: ignore[arg-type]
    assert condition.restrict({"a": True, "z": False, "b": None}) == parse("b")
    assert condition.restrict({Name("b"): False}) == FALSE


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


@pytest.mark.parametrize(
    ("text", "known", "blamed"),
    [
        ("a && b && c", {"a": True, "b": False, "c": False}, "b"),
        ("a && b && c", {"a": True, "b": True, "c": True}, "a b c"),
        ("a && b || c", {"a": True, "b": True, "c": True}, "c"),
        ("a || !a", {"a": None}, ""),
        ("a && b || !a && b", {"a": None, "b": True}, "b"),
        ("a && b || c && d", {"a": False, "b": None, "c": True, "d": False}, "a d"),
        ("(a || b) && (a || c) && (b || c)", {"a": True, "b": False, "c": True}, "a c"),
    ],
)
def test_the_fewest_are_to_blame(text: str, known: dict[str, bool | None], blamed: str) -> None:
    """Of equally small sets, that is named whose operands come first (rule 11.1)."""
    found = parse(text).blame(lambda operand: known[operand.name])
    assert found == tuple(map(Name, blamed.split()))


def test_nothing_is_to_blame_while_nothing_decides() -> None:
    """None is no set, and differs from the empty one."""
    assert parse("a && b").blame(lambda _: None) is None
    assert parse("a && b || a && !b").blame(lambda _: None) is None
