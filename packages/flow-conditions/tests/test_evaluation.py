"""Rules 3.1 and 9.4: what a condition is worth, also while operands are not known yet.

Jumps and truth tables agree, however deep a condition is.
"""

import itertools
import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import Name, Tree, Vocabulary, parse
from flow_conditions.condition import decide, jump_program, values
from flow_conditions.grammar import OPERATORS

type Value = bool | None
type Kleene = Callable[[Tree, Mapping[Name, Value]], Value]


@pytest.mark.parametrize(
    ("text", "table"),
    [
        # Values for A, B in the order true-true, true-unknown, true-false, unknown-true, ...
        ("A && B", "T?F ??F FFF"),
        ("A || B", "TTT T?? T?F"),
        ("!A", "FFF ??? TTT"),
        ("!!A", "TTT ??? FFF"),
        ("!(A && B)", "F?T ??T TTT"),
        ("!A || !B", "F?T ??T TTT"),
        ("A && !A", "FFF ??? FFF"),
        ("A || !A", "TTT ??? TTT"),
    ],
)
def test_three_valued_truth_tables(text: str, table: str) -> None:
    """An unknown operand leaves the result unknown unless the known ones settle it."""
    condition = parse(text)
    expected = [{"T": True, "?": None, "F": False}[letter] for letter in table.replace(" ", "")]
    pairs = itertools.product((True, None, False), repeat=2)
    got = [condition.evaluate({Name("A"): a, Name("B"): b}.get) for a, b in pairs]
    assert got == expected


def test_each_operand_is_asked_once_in_order() -> None:
    """The lookup is called once for each distinct operand, even one that decides nothing."""
    asked: list[str] = []

    def lookup(operand: Name) -> bool:
        asked.append(str(operand))
        return True

    condition = parse("B || A || B.late || !A", Vocabulary(("late",)))
    assert condition.evaluate(lookup) is True
    assert asked == ["B", "A", "B.late"]


def test_every_evaluation_asks_anew() -> None:
    """A condition remembers no answer: it may hold today and not tomorrow."""
    condition = parse("A && !B || C")
    for a, b, c in itertools.product((True, None, False), repeat=3):
        answers = {Name("A"): a, Name("B"): b, Name("C"): c}
        assert condition.evaluate(answers.get) is parse("A && !B || C").evaluate(answers.get)


@pytest.mark.parametrize("answer", [1, 0, "SUCCEEDED", "", [], NotImplemented])
def test_an_answer_that_is_no_truth_value_is_refused(answer: object) -> None:
    """A lookup that answers with a status instead of a truth value is a mistake, not "true"."""
    answers: dict[Name, object] = {Name("A"): True, Name("B"): answer}
    with pytest.raises(TypeError, match="for 'B'; it must return True, False or None"):
        parse("A || B").evaluate(answers.get)  # type: ignore[arg-type]


def test_an_error_in_the_lookup_passes_through() -> None:
    """What the lookup raises reaches the caller unchanged."""
    with pytest.raises(KeyError, match="B"):
        parse("A || B").evaluate({Name("A"): True}.__getitem__)


def test_ten_thousand_conditions_agree_with_python(kleene: Kleene) -> None:
    """Generated conditions mean what Python's `not`, `and`, `or` make of the same text."""
    generator = random.Random(20260507)  # noqa: S311
    disagreements: list[tuple[str, Mapping[Name, Value]]] = []
    for _ in range(10_000):
        text = _random_condition(generator, depth=generator.randint(0, 5))
        condition = parse(text)
        answers = {operand: generator.random() < 0.5 for operand in condition.operands}
        python = text.replace("!", " not ").replace("&&", " and ").replace("||", " or ")
        by_python = eval(python.strip(), {str(name): value for name, value in answers.items()})  # noqa: S307
        # First by the tables, then by jumps: see `Condition.evaluate`.
        found = [condition.evaluate(answers.__getitem__) for _ in range(2)]
        if found != [by_python, by_python]:
            disagreements.append((text, answers))
        unknown = {name: generator.choice((True, None, False)) for name in answers}
        if condition.evaluate(unknown.__getitem__) is not kleene(condition.tree, unknown):
            disagreements.append((text, unknown))
    assert not disagreements


def _random_condition(generator: random.Random, depth: int) -> str:
    if depth == 0:
        return generator.choice("ABCDEFGH")
    match generator.randrange(6):
        case 0:
            return "!" + _random_factor(generator, depth - 1)
        case 1:
            return f"({_random_condition(generator, depth - 1)})"
        case _:
            operator = generator.choice(("&&", " && ", "||", " || "))
            sides = (_random_condition(generator, depth - 1) for _ in range(2))
            return operator.join(sides)


def _random_factor(generator: random.Random, depth: int) -> str:
    inner = _random_condition(generator, depth)
    return inner if inner.isalpha() else f"({inner})"


@settings(deadline=None)
@given(data=st.data())
def test_a_settled_result_stays(
    data: st.DataObject, texts: st.SearchStrategy[str], outcomes: Vocabulary
) -> None:
    """Rule 9.4: what is true or false while operands are unknown stays so, whatever they become."""
    condition = parse(data.draw(texts), outcomes)
    answers = {name: data.draw(st.sampled_from((True, None, False))) for name in condition.operands}
    early = condition.evaluate(answers.__getitem__)
    completed = {
        name: data.draw(st.booleans()) if answer is None else answer
        for name, answer in answers.items()
    }
    late = condition.evaluate(completed.__getitem__)
    assert late is not None
    assert early in (None, late)


DEPTH = 20_000
NAMES = [f"A{number}" for number in range(DEPTH)]
TURNS = list(itertools.islice(itertools.cycle(("&&", "||", "&& !", "|| !")), DEPTH))

SHAPES = {
    "negations": "!" * DEPTH + "A0",
    "negated parentheses": "!(" * DEPTH + "A0" + ")" * DEPTH,
    "conjunction": " && ".join(NAMES),
    "disjunction": " || ".join(NAMES),
    "row of both": "".join(f"{a} {turn}" for a, turn in zip(NAMES, TURNS, strict=True)) + "Z",
    "one name in a row": " && ".join(["A0"] * DEPTH),
    "nested to the left": "(" * DEPTH
    + "Z"
    + "".join(f" {turn}{name})" for name, turn in zip(NAMES, TURNS, strict=True)),
    "nested to the right": "".join(
        f"{name} {turn}(" for name, turn in zip(NAMES, TURNS, strict=True)
    )
    + "Z"
    + ")" * DEPTH,
    "negated rows": "".join(f"!({name} && " for name in NAMES) + "Z" + ")" * DEPTH,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("likely", [0.5, 0.001, 0.999])
def test_deep_conditions_are_decided_as_by_the_tables(shape: str, likely: float) -> None:
    """Jumps and truth tables agree on 20,000 operands, whether few, half or most are true."""
    generator = random.Random(20261125)  # noqa: S311
    condition = parse(SHAPES[shape])
    answers: dict[str, Value] = {name: generator.random() < likely for name in condition.names}
    expected = values(condition.program, answers)[-1]
    assert expected is not None
    assert decide(jump_program(condition.program), answers) is expected
    assert condition.evaluate(lambda operand: answers[operand.name]) is expected


@pytest.mark.parametrize("shape", SHAPES)
def test_a_jump_program_has_a_step_for_each_operand_and_no_way_back(shape: str) -> None:
    """A program is no longer than the condition, and each jump leads nearer to the end."""
    program = parse(SHAPES[shape]).program
    steps = jump_program(program)
    written = [token for token in program if token not in OPERATORS]
    assert [operand for operand, _, _ in reversed(steps[2:])] == written
    for number, (_, if_true, if_false) in enumerate(steps[2:], 2):
        assert 0 <= if_true < number
        assert 0 <= if_false < number


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_jumps_and_tables_agree_on_any_condition(
    data: st.DataObject, texts: st.SearchStrategy[str], outcomes: Vocabulary, kleene: Kleene
) -> None:
    """What the jumps settle is the value; all known is always settled; the rest is for tables."""
    condition = parse(data.draw(texts), outcomes)
    worth = st.sampled_from((True, False, None) if data.draw(st.booleans()) else (True, False))
    answers = {operand: data.draw(worth) for operand in condition.operands}
    expected = kleene(condition.tree, answers)
    spelled = {str(operand): answer for operand, answer in answers.items()}
    settled = decide(jump_program(condition.program), spelled)
    assert settled in (expected, None)
    assert None in answers.values() or settled is expected
    assert condition.evaluate(answers.__getitem__) is expected
