"""Rules 3.1 and 9.4: what a condition is worth, also while operands are not known yet."""

from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from flow_conditions import Name, Vocabulary, parse

type Value = bool | None


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(1_000), id="some"),
        pytest.param(range(1_000, 20_000), id="many", marks=pytest.mark.long),
    ],
)
def test_random_conditions_have_the_value_of_the_definition(
    cases: Callable[[Iterable[int]], Iterator[Any]],
    meaning: Callable[[Any, Mapping[str, Value]], Value],
    seeds: range,
) -> None:
    """Two-valued in every row, and three-valued where something is not known."""
    for case in cases(seeds):
        for answers in (*case.rows, case.known):
            assert case.condition.evaluate(answers) is meaning(case.tree, answers), case


def test_values_are_given_in_any_mapping_or_by_a_function() -> None:
    """A name is a text, and what a mapping lacks is not known (rule 11.1)."""
    condition = parse("a && b.failed", Vocabulary(["failed"]))
    values: dict[str, Value] = {"a": True, "b.failed": False}
    unknown: dict[str, Value] = {}
    lookups: list[Any] = [values, values.get, MappingProxyType(values), ChainMap(unknown, values)]
    for lookup in (*lookups, {Name("a"): True, Name("b", "failed"): False}):
        assert condition.evaluate(lookup) is False
        assert condition.blame(lookup) == (Name("b", "failed"),)
        assert condition.explain(lookup).value is False
    assert condition.evaluate({"a": True}) is None
    assert condition.evaluate(defaultdict(lambda: False, a=True)) is False
    assert condition.evaluate(defaultdict(lambda: True)) is True


def test_each_operand_is_asked_once_in_order() -> None:
    """The lookup is called once for each distinct operand, even one that decides nothing."""
    asked: list[str] = []

    def lookup(operand: Name) -> bool:
        asked.append(str(operand))
        return True

    condition = parse("B || A || B.late || !A", Vocabulary(("late",)))
    for _ in range(2):  # a condition remembers no answer
        assert condition.evaluate(lookup) is True
        assert asked == ["B", "A", "B.late"]
        asked.clear()


@pytest.mark.parametrize("answer", [1, 0, "SUCCEEDED", "", [], NotImplemented])
def test_an_answer_that_is_no_truth_value_is_refused(answer: object) -> None:
    """A lookup that answers with a status instead of a truth value is a mistake, not "true"."""
    answers: dict[Name, object] = {Name("A"): True, Name("B"): answer}
    with pytest.raises(TypeError, match="for 'B'; it must return True, False or None"):
        parse("A || B").evaluate(answers.get)  # type: ignore[arg-type]


def test_an_error_in_the_lookup_passes_through() -> None:
    with pytest.raises(KeyError, match="B"):
        parse("A || B").evaluate({Name("A"): True}.__getitem__)
