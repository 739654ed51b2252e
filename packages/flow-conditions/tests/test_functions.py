"""Conditions over things that are functions of other things (rule 11.1)."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import pytest

from flow_conditions import BudgetExceeded, Functions, Name, all_of, parse


def test_a_condition_over_functions_is_their_function(
    cases: Callable[[Iterable[int]], Iterator[Any]],
) -> None:
    """What a condition comes to is worked out for every value of the variables (rule 11.1)."""
    variables = "abcdef"
    whole = parse("(n0 || !n1) && !(n2 && n3)")
    parts = [part for case in cases(range(100)) for part in (case.condition, case.other)]
    for few in zip(*[iter(parts)] * 4, strict=True):
        functions = Functions()
        known = [functions.of(part, lambda name: variable(name, functions)) for part in few]  # noqa: B023
        function = functions.of(whole, lambda name: known[int(name.name[1:])])  # noqa: B023
        true = set()
        for values in product((False, True), repeat=len(variables)):
            row = dict(zip(variables, values, strict=True))
            worths = {f"n{number}": part.evaluate(row) for number, part in enumerate(few)}
            if whole.evaluate(worths):
                true.add(frozenset(place for place, value in enumerate(values) if value))
        assert (function == functions.FALSE) is not bool(true)
        assert function == functions.FALSE or functions.example(function) in true
        assert (function == functions.TRUE) is (len(true) == 2 ** len(variables))


def variable(name: Name, functions: Functions) -> int:
    return functions.variable("abcdef".index(name))


def test_what_is_joined_is_the_same_in_any_order() -> None:
    functions, dice = Functions(), random.Random(1)  # noqa: S311
    variables = [functions.variable(number) for number in range(20)]
    for conjunctive in (True, False):
        whole = functions.joined(conjunctive, variables)
        dice.shuffle(variables)
        join = functions.both if conjunctive else functions.either
        other = variables[0]
        for each in variables[1:]:
            other = join(other, each)
        assert other == whole == functions.joined(conjunctive, reversed(variables))
        assert functions.both(whole, whole ^ 1) == functions.FALSE


def test_what_is_false_everywhere_has_no_example() -> None:
    """It says so, and does not search for ever (rule 11.1)."""
    functions = Functions(1000)
    never = functions.both(functions.variable(0), functions.variable(0) ^ 1)
    for function in (functions.FALSE, never):
        with pytest.raises(ValueError, match="false everywhere has no example"):
            functions.example(function)
    assert functions.example(functions.TRUE) == frozenset()


def test_the_work_is_bounded() -> None:
    """Beyond the budget there is an error, and never a hang; more may be allowed then."""
    functions = Functions(budget=10)
    mixed = parse(" || ".join(f"v{number} && v{99 - number}" for number in range(20)))

    def of_number(name: Name) -> int:
        return functions.variable(99 - int(name[1:]))

    for _ in range(2):  # what is spent stays spent
        with pytest.raises(BudgetExceeded, match="undecided after 10 steps"):
            functions.of(mixed, of_number)
    functions.allow(1_000)
    row = all_of(f"v{number}" for number in range(100))
    assert functions.of(row, of_number) != functions.FALSE
    with pytest.raises(BudgetExceeded):
        functions.spend(1_000)
