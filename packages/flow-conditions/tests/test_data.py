"""Conditions as data for JSON (rule 11.1)."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from flow_conditions import Condition, ConditionDataError, parse


def test_data_make_the_same_condition(
    cases: Callable[[Iterable[int]], Iterator[Any]],
) -> None:
    """`from_json(to_json(c)) == c`, through text, however it is nested."""
    for case in cases(range(200)):
        data = json.loads(json.dumps(case.condition.to_json()))
        assert Condition.from_json(data) == case.condition, case


def test_data_are_flat() -> None:
    """A reader of JSON recurses; a condition 20,000 deep is no problem for it."""
    condition = parse("!(a && " * 20_000 + "b" + ")" * 20_000)
    assert Condition.from_json(json.loads(json.dumps(condition.to_json()))) == condition


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a", "not a condition: it must be a list, not str"),
        ({"a": 1}, "not a condition: it must be a list, not dict"),
        ([], "not a condition: the list is empty"),
        (["a", 1], "not a condition at position 1: it must be text, not int"),
        (["a", "b c"], "not a condition at position 1: 'b c' is not an operand or operator"),
        (["a.b.c"], "not a condition at position 0: 'a.b.c' is not an operand or operator"),
        (["&"], "not a condition at position 0: '&' is not an operand or operator"),
        (["a\n"], "not a condition at position 0: 'a\\n' is not an operand or operator"),
        (["!"], "not a condition at position 0: nothing is before '!'"),
        (
            ["a", "&&"],
            "not a condition at position 1: '&&' joins two parts before it, and there are not two",
        ),
        (["a", "b"], "not a condition: 2 parts are left that no operator joins"),
    ],
)
def test_what_is_no_condition_is_refused(data: object, message: str) -> None:
    """The message says where and what."""
    with pytest.raises(ConditionDataError) as error:
        Condition.from_json(data)
    assert str(error.value) == message


def test_operands_may_have_any_predicate() -> None:
    """Data come from a condition that was checked when it was parsed."""
    assert str(Condition.from_json(["load@berlin.failed", "!"])) == "!load@berlin.failed"
