"""Rule 2.8: a condition nested 20,000 deep, or with 20,000 operands in a row, is simply right.

Each operation that is one pass takes less than a tenth of a second. The bound here is on processor
time and leaves room for a slow machine that measures coverage as well. Proofs have a budget of
steps instead, and no clock (rule 11.1).
"""

import copy
import pickle
import random
import re
import time
from collections.abc import Callable
from itertools import cycle, pairwise

import pytest

from flow_conditions import (
    BudgetExceeded,
    Condition,
    ConditionSyntaxError,
    Name,
    Vocabulary,
    equivalent,
    implies,
    parse,
)

pytestmark = pytest.mark.heavy

DEPTH = 20_000
BOUND_SEC = 1.0

NAMES = [f"A{number}" for number in range(DEPTH)]
JOINED = list(zip(NAMES, cycle(("&&", "||")), strict=False))
CLOSED = ")" * DEPTH

# The text, and its values if all operands are true, and all false.
SHAPES = {
    "negations": ("!" * DEPTH + "A", True, False),
    "parentheses": ("(" * DEPTH + "A" + CLOSED, True, False),
    "negated rows": ("!(A && " * DEPTH + "A" + CLOSED, True, True),
    "nested to the right": (
        " (".join(f"{name} {operator}" for name, operator in JOINED) + " !Z" + CLOSED[1:],
        True,
        False,
    ),
    "nested to the left": (
        "(" * DEPTH + "Z" + "".join(f" {operator} {name})" for name, operator in JOINED),
        True,
        False,
    ),
    "conjunction": (" && ".join(NAMES), True, False),
    "disjunction": ("||".join(NAMES), True, False),
    "conjunction to the right": (" && (".join(NAMES) + CLOSED[1:], True, False),
}


def _timely[T](operation: Callable[[], T]) -> T:
    started = time.process_time()
    result = operation()
    assert time.process_time() - started < BOUND_SEC
    return result


@pytest.mark.parametrize("shape", SHAPES)
def test_conditions_have_no_depth_limit(shape: str) -> None:
    """Parsing, reading, evaluating, spelling, comparing and copying know no nesting."""
    text, if_true, if_false = SHAPES[shape]
    names = tuple(dict.fromkeys(re.findall(r"\w+", text)))
    condition = _timely(lambda: parse(text))
    assert _timely(lambda: condition.names) == names
    assert _timely(lambda: condition.operands) == tuple(map(Name, names))
    for value, expected in (True, if_true), (False, if_false), (None, None):
        known: dict[str, bool | None] = dict.fromkeys(names, value)
        assert _timely(lambda: condition.evaluate(known)) is expected  # noqa: B023
        blamed = _timely(lambda: condition.blame(known))  # noqa: B023
        assert (blamed is None) is (expected is None)
    canonical = _timely(lambda: str(condition))
    assert len(canonical) <= len(text) + 2 * text.count("||")
    twin = _timely(lambda: parse(canonical))
    assert _timely(lambda: twin == condition)
    assert _timely(lambda: hash(twin)) == hash(condition)
    assert _timely(lambda: pickle.loads(pickle.dumps(condition))) == condition  # noqa: S301
    assert _timely(lambda: copy.deepcopy(condition)) == condition


@pytest.mark.parametrize("shape", SHAPES)
def test_explanations_have_no_depth_limit(shape: str) -> None:
    """Explaining is right however deep; its lines stay proportional to the operands."""
    condition, if_true = parse(SHAPES[shape][0]), SHAPES[shape][1]
    explanation = _timely(lambda: condition.explain(lambda _: True))
    assert explanation.value is if_true
    assert _timely(lambda: explanation.text) == str(condition)
    assert _timely(lambda: explanation.operands) == dict.fromkeys(condition.operands, True)
    shown = _timely(lambda: str(explanation))
    assert len(shown) < 120 * (len(condition.names) + 20)
    innermost = explanation
    levels = 0
    while children := innermost.children:
        innermost = children[-1]
        levels += 1
    assert innermost.text == str(condition.operands[levels and -1])
    assert innermost.value is True


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        ("(" * DEPTH + "A" + CLOSED[1:], 0, "this '(' is never closed"),
        ("A" + " && A" * DEPTH + " A", 5 * DEPTH + 2, "got 'A'"),
        ("A.late" + ".late" * DEPTH, 6, "write 'A.late'"),
        ("A" + "&" * DEPTH + "A", 1, "for '&&&"),
        ("A " + "B" * DEPTH, 2, f"got '{'B' * 60}...'"),
        ("\n" * DEPTH + "A" * DEPTH + " B", 2 * DEPTH + 1, "got 'B'"),
    ],
)
def test_mistakes_deep_inside_are_found_in_time(text: str, start: int, message: str) -> None:
    """A mistake at the end of a long condition is as quick and as precise as any."""

    def parsed() -> Condition | ConditionSyntaxError:
        try:
            return parse(text, Vocabulary(("late",)))
        except ConditionSyntaxError as error:
            return error

    error = _timely(parsed)
    assert isinstance(error, ConditionSyntaxError)
    assert error.start == start
    assert message in error.message
    assert len(_timely(lambda: str(error))) < 400


def _differ(one: str, other: str) -> str:
    return f"({one} && !{other} || !{one} && {other})"


def _nested_difference(operands: int) -> str:
    text = "x0"
    for number in range(1, operands):
        text = _differ(f"x{number}", text)
    return text


# None of these is always true or always false.
PROVEN = {shape: text for shape, (text, *_) in SHAPES.items() if shape != "negated rows"} | {
    "row with its first name again": " && ".join([*NAMES, NAMES[0]]),
    "names in turn": "(" * DEPTH
    + "Z"
    + "".join(
        f" {operator} {'!' if place % 3 else ''}A{place % 50})"
        for place, (_, operator) in enumerate(JOINED)
    ),
    "ten times the same ||": " && ".join([f"({' || '.join(NAMES[:20])})"] * 10),
    "differences in a row": " && ".join(_differ(a, b) for a, b in pairwise(NAMES[:1_000])),
    "nested differences": _nested_difference(13),
}


@pytest.mark.parametrize("shape", PROVEN)
def test_what_people_write_is_proven_however_long(shape: str) -> None:
    """The default budget is enough for every question, 20,000 deep or in a row (rule 11.1)."""
    condition = parse(PROVEN[shape])
    model = condition.model()
    assert model is not None
    assert condition.evaluate(model) is True
    assert not condition.is_tautology()


def test_the_order_of_the_operands_is_no_matter() -> None:
    """A row costs a few steps for each operand, whichever way it is written (rule 11.1)."""
    row = parse(" && (".join(NAMES) + CLOSED[1:] + f" && ({NAMES[5]} || !{NAMES[7]})")
    assert equivalent(row, parse(" && ".join(reversed(NAMES))), budget=5 * DEPTH)


def _sums(names: int) -> str:
    """Spell sums of three names modulo 2, one more than there are names."""
    dice = random.Random(names)  # noqa: S311
    triples = (dice.sample(range(names), 3) for _ in range(names + 1))
    return " && ".join(
        dice.choice(("", "!")) + _differ(_differ(f"n{a}", f"n{b}"), f"n{c}") for a, b, c in triples
    )


def test_what_is_too_much_is_refused() -> None:
    """Beyond the budget there is an error that says so, and no question hangs (rule 11.1)."""
    condition, few = parse(_sums(90)), 10_000
    questions: list[Callable[[], object]] = [
        lambda: condition.is_satisfiable(budget=few),
        lambda: (~condition).is_tautology(budget=few),
        lambda: condition.model(budget=few),
        lambda: equivalent(condition, condition & parse("z"), budget=few),
        lambda: implies(condition, parse("z"), budget=few),
    ]
    for question in questions:
        with pytest.raises(BudgetExceeded) as error:
            question()
        assert error.value.budget == few
        assert str(error.value) == (
            "undecided after 10,000 steps: allow more of them (budget=...), "
            "or ask about a part of the condition"
        )
    small = parse(_nested_difference(5))
    assert small.is_satisfiable(budget=1_000)
    with pytest.raises(BudgetExceeded, match="undecided after 5 steps"):
        small.is_satisfiable(budget=5)
