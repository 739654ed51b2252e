"""Rule 11.1: a question is answered or refused within a number of steps; nothing hangs.

No test here looks at a clock: a budget counts steps, and what has no budget is one pass.
"""

import random
from collections.abc import Callable
from itertools import cycle, pairwise

import pytest

from flow_conditions import FALSE, BudgetExceeded, Condition, equivalent, implies, parse

pytestmark = pytest.mark.heavy

MANY = 20_000
GROUPED = 5_000  # every two of them are more than eighty times the default budget
SOME = 1_000
NAMES = [f"A{number}" for number in range(MANY)]
JOINED = list(zip(NAMES, cycle(("&&", "||")), strict=False))
CLOSED = ")" * (MANY - 1)


def _differ(one: str, other: str) -> str:
    return f"({one} && !{other} || !{one} && {other})"


def _nested_difference(operands: int) -> str:
    text = "x0"
    for number in range(1, operands):
        text = _differ(f"x{number}", text)
    return text


# The text of a condition and how many operands are left of it when it is simplified.
ANSWERED = {
    "negations": ("!" * MANY + "A", 1),
    "one name": (" && ".join(["A"] * MANY), 1),
    "negated rows": ("!(A && " * MANY + "B" + ")" * MANY, 2),
    "row of ||": (" || ".join(NAMES), MANY),
    "row to the right": (" && (".join(NAMES) + CLOSED, MANY),
    "row with its first name again": (" && ".join([*NAMES, NAMES[0]]), MANY),
    "row, and its last name": ("(" + " || ".join(NAMES) + f") && !{NAMES[-1]}", MANY),
    "nested to the right": (
        " (".join(f"{name} {operator}" for name, operator in JOINED) + " Z" + CLOSED,
        MANY + 1,
    ),
    "nested to the left": (
        "(" * MANY + "Z" + "".join(f" {operator} {name})" for name, operator in JOINED),
        MANY + 1,
    ),
    "names in turn": (
        "(" * MANY
        + "Z"
        + "".join(
            f" {operator} {'!' if place % 3 else ''}A{place % 50})"
            for place, (_, operator) in enumerate(JOINED)
        ),
        49,
    ),
    "ten times the same ||": (
        " && ".join(["(" + " || ".join(NAMES[:20]) + ")"] * 10),
        20,
    ),
    "ten times the same names": (
        " && ".join(
            "("
            + " || ".join(f"{'!' if (a * b) % 3 == 1 else ''}n{(a * b) % 20}" for a in range(20))
            + ")"
            for b in range(1, 11)
        ),
        20,
    ),
    "nested differences of few": (_nested_difference(12), 12),
}

# Common factors are seen without diagrams, which grow too large for these.
FACTORS = {
    "one factor": (
        " || ".join(f"A && {name}" for name in NAMES[1:]),
        "A && (" + " || ".join(NAMES[1:]) + ")",
    ),
    "a factor for every two": (
        " && ".join(f"(a{place} || b{place}) && (c{place} || a{place})" for place in range(SOME)),
        " && ".join(f"(a{place} || b{place} && c{place})" for place in range(SOME)),
    ),
    "many factors": (
        " || ".join(" && ".join([*NAMES, end]) for end in ("Y", "Z")),
        " && ".join(NAMES) + " && (Y || Z)",
    ),
}

# What is too long to be simplified, but not to be asked whether it can be true.
HALF_ANSWERED = {
    "pairs in a row": " && ".join(f"({a} || !{b})" for a, b in pairwise(NAMES[:SOME])),
    "differences in a row": " && ".join(_differ(a, b) for a, b in pairwise(NAMES[:SOME])),
    "nested differences": _nested_difference(13),
}

# The search answers these, of which diagrams of any order grow too large.
SEARCHED = {
    "far pairs": " || ".join(
        f"{NAMES[place]} && !{NAMES[place * 7919 % SOME]}" for place in range(SOME)
    ),
    "all pairs": " || ".join(
        f"n{a} && n{b} && !n{a * b % 60}" for a in range(60) for b in range(a)
    ),
    "triples": " && ".join(
        f"({'!' * (a % 2)}n{a} || {'!' * (b % 2)}n{a * a % b} || !n{(a + b) * 7 % 50})"
        for a in range(50)
        for b in (41, 43, 47)
    ),
}


def _sums(names: int) -> str:
    """Spell sums of three names modulo 2, one more than there are names."""
    dice = random.Random(names)  # noqa: S311
    triples = (dice.sample(range(names), 3) for _ in range(names + 1))
    return " && ".join(
        dice.choice(("", "!")) + _differ(_differ(f"n{a}", f"n{b}"), f"n{c}") for a, b, c in triples
    )


# Neither the search nor diagrams end soon for these.
REFUSED = {f"{names} names": _sums(names) for names in (60, 90)}


@pytest.mark.parametrize("shape", ANSWERED)
def test_what_people_write_is_answered_however_long(shape: str) -> None:
    """The default budget is enough for every verb, 20,000 deep or in a row."""
    text, operands = ANSWERED[shape]
    condition = parse(text)
    assert condition.is_satisfiable()
    assert not condition.is_tautology()
    model = condition.model()
    assert model is not None
    assert condition.evaluate(model.__getitem__) is True
    simple = condition.simplify()
    assert isinstance(simple, Condition)
    assert len(simple.operands) == operands
    assert len(simple.program) <= len(condition.program)
    assert condition.decided(lambda _: None) is None
    for value in (True, False):
        blamed = condition.blame(lambda _, value=value: value)  # type: ignore[misc]
        assert blamed is not None
        known = dict.fromkeys(blamed, value)
        whole = condition.evaluate(lambda _, value=value: value)  # type: ignore[misc]
        assert condition.decided(known.get) is whole


@pytest.mark.parametrize("shape", FACTORS)
def test_factors_are_taken_out_however_many(shape: str) -> None:
    """The default budget is enough to write once what rows have in common (rule 11.1)."""
    text, simple = FACTORS[shape]
    assert str(parse(text).simplify()) == simple


@pytest.mark.parametrize("shape", HALF_ANSWERED)
def test_what_cannot_be_simplified_can_still_be_asked(shape: str) -> None:
    """A verb is refused by what it costs itself."""
    condition = parse(HALF_ANSWERED[shape])
    assert condition.is_satisfiable()
    assert not condition.is_tautology()
    model = condition.model()
    assert model is not None
    assert condition.evaluate(model.__getitem__) is True
    with pytest.raises(BudgetExceeded):
        condition.simplify(budget=5_000)


@pytest.mark.parametrize("shape", SEARCHED)
def test_what_is_too_large_for_diagrams_is_searched(shape: str) -> None:
    """The default budget is enough to ask whether it can be true, and is it always (rule 11.1)."""
    condition = parse(SEARCHED[shape])
    model = condition.model()
    assert model is not None
    assert condition.evaluate(model.__getitem__) is True
    assert not condition.is_tautology()
    assert condition.decided(lambda _: None) is None
    with pytest.raises(BudgetExceeded):
        condition.simplify(budget=5_000)


def test_exclusions_are_searched_with_clauses_of_few() -> None:
    """Of 1,000 operands that exclude each other, one is true (rule 11.1)."""
    row, groups = parse(" || ".join(NAMES[:SOME])), [NAMES[:SOME]]
    model = row.model({NAMES[7]: False}, exclusions=groups)
    assert model is not None
    assert sum(model.values()) == 1
    pairs = parse(" && ".join(f"({a} || {b})" for a, b in pairwise(NAMES[: SOME // 10])))
    assert not pairs.is_satisfiable(exclusions=groups)
    assert pairs.is_satisfiable()


@pytest.mark.parametrize("groups", [1, 3])
def test_a_large_group_costs_no_more_than_its_size(groups: int) -> None:
    """A group of 5,000 operands is no work for every two of them (rule 11.1)."""
    names = NAMES[:GROUPED]
    row, excluded = parse(" || ".join(names)), [names[place:] for place in range(groups)]
    assert row.is_satisfiable(exclusions=excluded)
    assert not row.is_tautology(exclusions=excluded)
    assert row.decided({names[-1]: True}, exclusions=excluded) is True
    assert not parse(" && ".join(names)).is_satisfiable(exclusions=excluded)
    with pytest.raises(BudgetExceeded):
        row.is_satisfiable(exclusions=excluded, budget=100)
    pairs = parse(" || ".join(f"{a} && {b}" for a, b in pairwise(names)))
    assert pairs.simplify(exclusions=excluded) == FALSE


def test_many_groups_cost_no_more_than_their_number() -> None:
    """One operand may exclude 5,000 others, one by one, wherever it occurs (rule 11.1)."""
    names = NAMES[:GROUPED]
    excluded = [("a", name) for name in names]
    apart = parse(" || ".join(f"a && z{name} || {name}" for name in names))
    assert apart.is_satisfiable(exclusions=excluded)
    assert not apart.is_tautology(exclusions=excluded)
    together = parse(" || ".join(f"a && {name}" for name in names))
    assert not together.is_satisfiable(exclusions=excluded)
    with pytest.raises(BudgetExceeded):
        together.is_satisfiable(exclusions=excluded, budget=GROUPED)


@pytest.mark.parametrize("shape", REFUSED)
def test_what_is_too_much_is_refused(shape: str) -> None:
    """Beyond the budget there is an error that says so, and no verb hangs."""
    condition = parse(REFUSED[shape])
    few = 10_000
    verbs: list[Callable[[], object]] = [
        lambda: condition.is_satisfiable(budget=few),
        lambda: (~condition).is_tautology(budget=few),
        lambda: condition.model(budget=few),
        lambda: condition.simplify(budget=few),
        lambda: condition.decided(lambda _: None, budget=few),
        lambda: condition.blame(lambda _: True, budget=few),
        lambda: equivalent(condition, condition & parse("z"), budget=few),
        lambda: implies(condition, parse("z"), budget=few),
    ]
    for verb in verbs:
        with pytest.raises(BudgetExceeded) as error:
            verb()
        assert error.value.budget == few
        assert str(error.value) == (
            "undecided after 10,000 steps: allow more of them (budget=...), "
            "or ask about a part of the condition"
        )
    assert condition.restrict({condition.operands[0]: True}) != condition


def test_a_small_budget_is_soon_spent() -> None:
    """What is too much is up to the caller (rule 11.1)."""
    condition = parse(_nested_difference(13))
    assert condition.is_satisfiable(budget=50_000)
    with pytest.raises(BudgetExceeded, match="undecided after 5 steps"):
        condition.is_satisfiable(budget=5)


def test_the_order_of_the_operands_is_no_matter() -> None:
    """A row costs a step for each operand, whichever way it is written (rule 11.1)."""
    row = " && (".join(NAMES) + CLOSED + f" && ({NAMES[5]} || !{NAMES[7]} && {NAMES[9]})"
    other = " && ".join(reversed(NAMES))
    assert equivalent(parse(row), parse(row) & parse("A7"), budget=5 * MANY)
    assert parse(other).is_satisfiable(budget=0)
