"""Rule 3.1: a condition decided by jumps is worth what its truth tables say, however deep."""

import random
from collections.abc import Callable, Mapping
from itertools import cycle, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import Name, Tree, Vocabulary, parse
from flow_conditions.grammar import OPERATORS
from flow_conditions.jumps import decide, jump_program
from flow_conditions.kleene import values

type Value = bool | None
type Kleene = Callable[[Tree, Mapping[Name, Value]], Value]

DEPTH = 20_000
NAMES = [f"A{number}" for number in range(DEPTH)]
TURNS = list(islice(cycle(("&&", "||", "&& !", "|| !")), DEPTH))

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
