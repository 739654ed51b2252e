"""Conditions over things that are functions of other things (rule 11.1)."""

import random
from collections.abc import Sequence
from itertools import product

import pytest

from flow_conditions import BudgetExceeded, Condition, Functions, Name, all_of, parse


def worth(functions: Functions, function: int, values: Sequence[bool]) -> bool:
    """Return what a function is worth."""
    while function >> 1:
        level = functions.level(function)
        function = functions.cofactors(function, level)[values[level]]
    return function == functions.TRUE


def test_a_condition_over_functions_is_their_function() -> None:
    """What a condition comes to is worked out for every value of the variables (rule 11.1)."""
    generator = random.Random(20261128)  # noqa: S311
    for _ in range(100):
        texts = [
            " ".join(
                f"{generator.choice(('&&', '||'))} {generator.choice(('', '!'))}v{number}"
                for number in generator.sample(range(4), 3)
            )[3:]
            for _ in range(4)
        ]
        check_whole([parse(text) for text in texts])


def check_whole(parts: Sequence[Condition]) -> None:
    """Compare a condition over four others with its values."""
    functions = Functions()

    def variable(name: Name) -> int:
        return functions.variable(int(name.name[1:]))

    whole = parse("(n0 || !n1) && !(n2 && n3)")
    known = [functions.of(part, variable) for part in parts]
    function = functions.of(whole, lambda name: known[int(name.name[1:])])
    for values in product((False, True), repeat=4):
        assert worth(functions, function, values) is value_of(whole, parts, values)
    if function != functions.FALSE:
        chosen = functions.example(function)
        assert worth(functions, function, [number in chosen for number in range(4)])


def value_of(whole: Condition, parts: Sequence[Condition], values: Sequence[bool]) -> bool | None:
    """Work out what the whole is worth, part by part."""
    worths = [part.evaluate(lambda name: values[int(name.name[1:])]) for part in parts]
    return whole.evaluate(lambda name: worths[int(name.name[1:])])


def test_what_has_no_effect_is_left_out() -> None:
    """Where `c` is `a || b`, it adds nothing to `a`; but what is to stay does (rule 11.1)."""
    functions = Functions()
    a, b = functions.variable(0), functions.variable(1)
    function_of = {"a": a, "b": b, "c": functions.either(a, b)}
    rest, parts = functions.without_idle_parts(
        parse("a && c && b"), lambda name: function_of[name.name], lambda *_: False
    )
    assert (str(rest), parts) == ("a && b", [frozenset({Name("c")})])
    rest, parts = functions.without_idle_parts(
        parse("a && c && b"),
        lambda name: function_of[name.name],
        lambda name, _is_negated, _is_conjunctive: name.name == "c",
    )
    assert (str(rest), parts) == ("a && c && b", [])


def test_a_compound_part_is_left_out_as_a_whole() -> None:
    """Of `a || a && b` the second part has no effect, with all that is in it."""
    functions = Functions()
    variables = {"x": functions.variable(0), "y": functions.variable(0), "z": functions.variable(1)}
    rest, parts = functions.without_idle_parts(
        parse("x || y && z"), lambda name: variables[name.name], lambda *_: False
    )
    assert (str(rest), parts) == ("x", [frozenset({Name("y"), Name("z")})])


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
    condition = all_of(f"v{number}" for number in range(100))

    def variable(name: Name) -> int:
        return functions.variable(99 - int(name.name[1:]))

    mixed = parse(" || ".join(f"v{number} && v{99 - number}" for number in range(20)))
    with pytest.raises(BudgetExceeded):
        functions.of(mixed, variable)
    functions.allow(100_000)
    assert functions.of(condition, variable) != functions.FALSE
