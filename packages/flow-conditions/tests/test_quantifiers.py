"""Rule 3.7: a predicate asked of many names at once, `any(late)`, as a part of the grammar."""

import pickle
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_conditions import (
    FALSE,
    ConditionSyntaxError,
    Name,
    Quantifier,
    Vocabulary,
    all_of,
    operands_in,
    parse,
)

DEPTH = 10_000
ANY = Quantifier("any", "||", synonyms=("some",))
ALL = Quantifier("all", "&&")
NONE = Quantifier("none", "||", negated=True)
VOCABULARY = Vocabulary(
    predicates=("late", "missing"),
    hints={"overdue": "late", "never()": "write '!A'"},
    quantifiers=(ANY, ALL, NONE),
    domain="the reports of this team",
    max_calls=3,
)


def written_out(word: str, predicate: str, names: list[str]) -> str:
    """Return, in parentheses, what a call stands for by the words of rule 3.7."""
    operator = {"any": " || ", "all": " && ", "none": " || "}[word]
    row = f"({operator.join(f'{name}.{predicate}' for name in names)})"
    return f"!{row}" if word == "none" else row


@settings(deadline=None)
@given(data=st.data())
def test_a_call_is_what_it_stands_for(
    data: st.DataObject, texts: st.SearchStrategy[str], outcomes: Vocabulary
) -> None:
    """Wherever a name may stand a call may, and it equals its written-out form."""
    vocabulary = Vocabulary(outcomes.predicates, quantifiers=(ANY, ALL, NONE))
    names = data.draw(st.lists(st.from_regex(r"[a-z0-9_][a-z-]{0,3}", fullmatch=True), min_size=1))
    word = data.draw(st.sampled_from(["any", "all", "none"]))
    space = data.draw(st.sampled_from(["", " ", "\n", "\t"]))
    predicate = data.draw(st.sampled_from(sorted(outcomes.predicates)))
    call = f"{word}{space}({space}{predicate}{space})"
    before, operator, after = data.draw(texts), data.draw(st.sampled_from(["&&", "||"])), "!("
    text = f"({before}) {operator} {after}{{}} {operator} {{}})"
    short = parse(text.format(call, call), vocabulary, over=names)
    long = written_out(word, predicate, names)
    assert short == parse(text.format(long, long), vocabulary)
    assert parse(str(short), vocabulary) == short


@pytest.mark.parametrize("word", ["any", "all", "none"])
def test_calls_have_no_depth_limit(word: str) -> None:
    """A call at depth 10,000, over 10,000 names, equals its written-out form (rule 2.8)."""
    opened = "!(A && "
    names = [f"n{number}" for number in range(DEPTH)]
    text = f"{opened * DEPTH}CALL{')' * DEPTH}"
    started = time.process_time()
    short = parse(text.replace("CALL", f"{word}(late)"), VOCABULARY, over=names)
    assert time.process_time() - started < 1
    assert short == parse(text.replace("CALL", written_out(word, "late", names)), VOCABULARY)
    assert parse(str(short), VOCABULARY) == short


def test_a_quantifier_makes_conditions_without_text_too() -> None:
    """`over` is what the parser puts in the place of a call."""
    assert NONE.over(["A", "B"], "late") == parse("!(A.late || B.late)", VOCABULARY)
    assert (ANY.over([], "late"), NONE.over([], "late")) == (FALSE, ~FALSE)
    assert parse("A", VOCABULARY, over=["a b"]) == all_of(["A"])  # names nobody asks for


@pytest.mark.parametrize("text", ["any", "any && all", "!(any)", "any.late", "any-late || any_"])
def test_without_a_parenthesis_a_quantifier_is_a_name(text: str) -> None:
    """No word is reserved: a thing may be called `any`."""
    assert parse(text, VOCABULARY, over=["A"]) == parse(text, VOCABULARY)


NONE_OF_MANY = "'none(late)' asks about the reports of this team, and there are none"
OPERATOR = "expected '&&', '||' or the end"
KNOWN = "with one of late, missing; it asks about the reports of this team"


@pytest.mark.parametrize(
    ("text", "start", "end", "message"),
    [
        ("any(overdue)", 0, 12, "there is no 'any(overdue)'; write 'any(late)'"),
        ("A && Any( late )", 5, 16, "there is no 'Any( late )'; write 'any(late)'"),
        ("any()", 0, 5, f"there is no 'any()'; write 'any(...)' {KNOWN}"),
        ("late(A)", 0, 7, "there is no 'late(A)'; write 'A.late'"),
        ("overdue(A-1)", 0, 12, "there is no 'overdue(A-1)'; write 'A-1.late'"),
        ("never()", 0, 7, "there is no 'never()'; write '!A'"),
        ("exists(A)", 6, 7, f"{OPERATOR}, got '('"),
        ("any(late", 0, 4, "the call of 'any' is never closed; expected ')' after it"),
        ("any(all(late))", 3, 4, f"{OPERATOR}, got '('"),
        ("any(late).late", 9, 10, f"{OPERATOR}, got '.'; write NAME.late, without a space"),
        ("not any(late)", 0, 3, f"{OPERATOR}, got 'any(late)'; for 'not' write '!'"),
        (
            "any(late) && all(late) && none(late) && any(missing)",
            40,
            52,
            "more than 3 calls in one condition; write each call once",
        ),
    ],
)
def test_a_wrong_call_is_answered_with_the_right_one(
    text: str, start: int, end: int, message: str
) -> None:
    """Each mistake is shown where it stands, with what to write instead (rule 2.7)."""
    error = refusal(text, over=["A", "B"])
    assert (error.source, error.start, error.end, error.message) == (text, start, end, message)


def test_a_call_without_names_is_refused() -> None:
    """There is nothing that it could ask."""
    error = refusal("!A && none(late) || B", over=[])
    assert (error.start, error.end, error.message) == (6, 16, NONE_OF_MANY)


def refusal(text: str, over: list[str]) -> ConditionSyntaxError:
    with pytest.raises(ConditionSyntaxError) as caught:
        parse(text, VOCABULARY, over)
    return caught.value


ASKING = replace(VOCABULARY, asks_one=True)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("any(load)", "any(load)"),
        ("!(any ( load.late\n))", "!any(load.late)"),
        (
            "A || none(load@x.missing) && any(late)",
            "A || none(load@x.missing) && (B.late || C.late)",
        ),
    ],
)
def test_a_call_may_ask_one_name_that_stands_for_many(text: str, canonical: str) -> None:
    """It is one operand, with a spelling of its own."""
    condition = parse(text, ASKING, over=["B", "C"])
    assert str(condition) == canonical
    assert parse(str(condition), ASKING) == condition
    assert pickle.loads(pickle.dumps(condition.operands)) == condition.operands  # noqa: S301


def test_the_name_in_a_call_is_an_operand() -> None:
    """It has its name, its predicate and its quantifier, and is asked once."""
    condition = parse("any(load.late) && !all(load) && !any(load.late) && load", ASKING)
    operands = Name("load", "late", "any"), Name("load", None, "all"), Name("load")
    assert condition.operands == operands
    assert not condition.is_satisfiable()
    either = parse("any(load.late) || load", ASKING)
    assert either.blame(lambda operand: operand.quantifier is None) == (Name("load"),)


def test_a_call_of_one_name_is_refused_unless_the_vocabulary_asks_one() -> None:
    """A predicate comes first: `any(late)` asks many names, and calls with names do not count."""
    assert (
        refusal("any(load)", over=["A"]).message
        == f"there is no 'any(load)'; write 'any(...)' {KNOWN}"
    )
    assert parse("any(late)", ASKING, over=["A"]) == parse("A.late", ASKING)
    many = " && ".join(f"any(load{number})" for number in range(50))
    assert len(parse(many, ASKING).operands) == 50


def test_a_quantifier_joins_by_one_of_the_operators() -> None:
    """What else is wrong with a quantifier is a mistake of the caller, too."""
    with pytest.raises(ValueError, match=r"operator must be '&&' or '\|\|', not 'and'"):
        Quantifier("all", "and")
    with pytest.raises(TypeError, match="synonyms must be a collection of words, not 'some'"):
        Quantifier("any", "||", synonyms="some")


def test_two_quantifiers_differ() -> None:
    with pytest.raises(ValueError, match="two quantifiers have the same word: any, any"):
        Vocabulary(["late"], quantifiers=[ANY, Quantifier("any", "&&")])


WITH_SUBJECT = replace(ASKING, subjects={"run": ("late", "early")}, hints={"run(soon)": "no"})


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("run(late)", [("late", None, "run")]),
        ("!run( early ) && run", [("early", None, "run"), ("run", None, None)]),
        ("run.late || any(run)", [("run", "late", None), ("run", None, "any")]),
    ],
)
def test_a_subject_has_predicates_of_its_own(
    text: str, operands: list[tuple[str, str | None, str | None]]
) -> None:
    """It is one operand; without parentheses the word is a name like any other."""
    condition = parse(text, WITH_SUBJECT)
    found = [(one.name, one.predicate, one.quantifier) for one in condition.operands]
    assert found == operands
    assert parse(str(condition), WITH_SUBJECT) == condition
    calls = [(one.name, one.predicate) for one in operands_in(text, ["late"], ["run"])]
    assert calls[0] == {"run(": (None, "late"), "!run": (None, "early")}.get(
        text[:4], ("run", "late")
    )


@pytest.mark.parametrize(
    ("text", "fact", "advice"),
    [
        ("run(A)", "there is no 'run(A)'", "write 'run(...)' with one of late, early"),
        ("run(soon)", "there is no 'run(soon)'", "no"),
    ],
)
def test_what_a_subject_cannot_be_asked(text: str, fact: str, advice: str) -> None:
    """The error lists what it can be asked, and only a vocabulary with subjects knows any."""
    with pytest.raises(ConditionSyntaxError) as caught:
        parse(text, WITH_SUBJECT)
    assert (caught.value.fact, caught.value.help) == (fact, advice)
    with pytest.raises(ConditionSyntaxError):
        parse("run(late)", ASKING)
