"""Rule 2.8: a condition nested 20,000 deep, or with 20,000 operands in a row, is simply right.

Each operation takes less than a tenth of a second. The bound here is on processor time and leaves
room for a slow machine that measures coverage as well.
"""

import copy
import pickle
import time
from collections.abc import Callable
from itertools import cycle

import pytest

from flow_conditions import Condition, ConditionSyntaxError, Name, Not, Vocabulary, parse

pytestmark = pytest.mark.heavy

DEPTH = 20_000
BOUND_SEC = 1.0

NAMES = [f"A{number}" for number in range(DEPTH)]
JOINED = list(zip(NAMES, cycle(("&&", "||")), strict=False))
CLOSED = ")" * DEPTH

# The text, its canonical spelling where that differs, the names, and the values if all operands are
# true, all false.
SHAPES = {
    "negations": ("!" * DEPTH + "A", None, ["A"], True, False),
    "parentheses": ("(" * DEPTH + "A" + CLOSED, "A", ["A"], True, False),
    "negated parentheses": (
        "!(" * (DEPTH - 1) + "A" + CLOSED[1:],
        "!" * (DEPTH - 1) + "A",
        ["A"],
        False,
        True,
    ),
    "negated rows": ("!(A && " * DEPTH + "A" + CLOSED, None, ["A"], True, True),
    "nested to the right": (
        " (".join(f"{name} {operator}" for name, operator in JOINED) + " !Z" + CLOSED[1:],
        "".join(f"{name} && (" if operator == "&&" else f"{name} || " for name, operator in JOINED)
        + "!Z"
        + ")" * (DEPTH // 2),
        [*NAMES, "Z"],
        True,
        False,
    ),
    "nested to the left": (
        "(" * DEPTH + "Z" + "".join(f" {operator} {name})" for name, operator in JOINED),
        "(" * (DEPTH // 2 - 1)
        + "Z"
        + "".join(
            f" {operator} {name}" + (")" if operator == "||" and name != NAMES[-1] else "")
            for name, operator in JOINED
        ),
        ["Z", *NAMES],
        True,
        False,
    ),
    "conjunction": (" && ".join(NAMES), None, NAMES, True, False),
    "disjunction": ("||".join(NAMES), " || ".join(NAMES), NAMES, True, False),
    "right-associated conjunction": (
        " && (".join(NAMES) + CLOSED[1:],
        " && (".join(NAMES[:-1]) + f" && {NAMES[-1]}" + CLOSED[2:],
        NAMES,
        True,
        False,
    ),
}


def _timely[T](operation: Callable[[], T]) -> T:
    started = time.process_time()
    result = operation()
    assert time.process_time() - started < BOUND_SEC
    return result


@pytest.mark.parametrize("shape", SHAPES)
def test_conditions_have_no_depth_limit(shape: str) -> None:
    """Parsing, reading, evaluating, spelling, comparing and copying know no nesting."""
    text, canonical, names, if_true, if_false = SHAPES[shape]
    condition = _timely(lambda: parse(text))
    assert _timely(lambda: condition.names) == tuple(names)
    assert _timely(lambda: condition.operands) == tuple(map(Name, names))
    assert _timely(lambda: condition.evaluate(lambda _: True)) is if_true
    assert _timely(lambda: condition.evaluate(lambda _: False)) is if_false
    assert _timely(lambda: condition.evaluate(lambda _: None)) is None
    assert _timely(lambda: str(condition)) == (canonical or text)
    assert _timely(lambda: repr(condition)) == f"<Condition {canonical or text!r}>"
    twin = _timely(lambda: parse(canonical or text))
    assert _timely(lambda: twin == condition)
    assert _timely(lambda: hash(twin)) == hash(condition)
    assert _timely(lambda: pickle.loads(pickle.dumps(condition))) == condition  # noqa: S301
    assert _timely(lambda: copy.deepcopy(condition)) == condition


@pytest.mark.parametrize("shape", SHAPES)
def test_explanations_have_no_depth_limit(shape: str) -> None:
    """Explaining is right however deep; its lines stay proportional to the operands."""
    text, _, names, if_true, _ = SHAPES[shape]
    condition = parse(text)
    explanation = _timely(lambda: condition.explain(lambda _: True))
    assert explanation.value is if_true
    assert _timely(lambda: explanation.text) == str(condition)
    assert _timely(lambda: explanation.operands) == dict.fromkeys(condition.operands, True)
    shown = _timely(lambda: str(explanation))
    assert len(shown) < 120 * (len(names) + 20)
    innermost = explanation
    levels = 0
    while children := innermost.children:
        innermost = children[-1]
        levels += 1
    assert innermost.text == str(condition.operands[levels and -1])
    assert innermost.value is True


@pytest.mark.parametrize("shape", SHAPES)
def test_trees_have_no_depth_limit(shape: str) -> None:
    """The tree is compared, hashed, shown, pickled, copied and freed without recursion."""
    condition = parse(SHAPES[shape][0])
    tree = _timely(lambda: condition.tree)
    twin = condition.tree
    assert _timely(lambda: tree == twin)
    assert _timely(lambda: hash(tree)) == hash(twin)
    assert _timely(lambda: repr(tree)) == repr(twin)
    assert _timely(lambda: pickle.loads(pickle.dumps(tree))) == tree  # noqa: S301
    assert _timely(lambda: copy.deepcopy(tree)) == tree


def test_a_tree_made_by_hand_has_no_depth_limit() -> None:
    """Nodes put together by a caller are as safe as those of a parsed condition."""
    tree: Not | Name = Name("A")
    for _ in range(3 * DEPTH):
        tree = Not(tree)
    assert tree == parse("!" * 3 * DEPTH + "A").tree
    assert tree != Not(tree)
    assert repr(tree).endswith("Not(Name('A'" + ")" * (3 * DEPTH + 1))


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        ("(" * DEPTH + "A" + CLOSED[1:], 0, "this '(' is never closed"),
        ("(" * DEPTH, DEPTH, "got the end"),
        ("A" + CLOSED, 1, "closes nothing"),
        ("!" * DEPTH, DEPTH, "got the end"),
        ("A && " * DEPTH + "&", 5 * DEPTH, "got '&'"),
        ("A" + " && A" * DEPTH + " A", 5 * DEPTH + 2, "got 'A'"),
        ("A.late" + ".late" * DEPTH, 6, "write 'A.late'"),
        ("A" + "&" * DEPTH + "A", 1, "for '&&&"),
        ("A " + "B" * DEPTH, 2, f"got '{'B' * 60}...'"),
        ("A." + "B" * DEPTH, 2, f"unknown predicate '{'B' * 60}...'"),
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
