"""Rules 2.7 and 3.3: what is not a condition, where the mistake is, and how to fix it."""

import copy
import pickle
import random
import re
from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from flow_conditions import (
    Condition,
    ConditionError,
    ConditionSyntaxError,
    DeclaredError,
    InvalidNameError,
    Name,
    Quantifier,
    Vocabulary,
    all_of,
    parse,
)

ASKING = Vocabulary(["late"], quantifiers=[Quantifier("any", "||")])
OPERAND = "expected a name, '!' or '('"
OPERATOR = "expected '&&', '||' or the end"
INSIDE = "expected '&&', '||' or ')'"
LETTERS = "names are made of A-Z, a-z, 0-9, '_' and '-', and do not begin with '-'"
COMPARED = "a condition cannot compare values; write NAME.succeeded"
ALWAYS = "a step that always runs asks NAME.finished"
DOT = "got '.'; write NAME.succeeded, without a space"
KNOWN = "the predicates are succeeded, failed, skipped, finished"


def _error(text: str, vocabulary: Vocabulary) -> ConditionSyntaxError:
    with pytest.raises(ConditionSyntaxError) as caught:
        parse(text, vocabulary)
    return caught.value


@pytest.mark.parametrize(
    ("text", "start", "end", "message"),
    [
        # An operand is missing.
        ("", 0, 0, f"the condition is empty: {OPERAND}"),
        ("A &&", 4, 4, f"{OPERAND}, got the end"),
        ("A && || B", 5, 7, f"{OPERAND}, got '||'"),
        ("()", 1, 2, f"{OPERAND}, got ')'"),
        ("-A", 0, 1, f"{OPERAND}, got '-'; {LETTERS}"),
        ("$A", 0, 1, f"{OPERAND}, got '$'; names are written as they are, without '$' and braces"),
        ("'A'", 0, 1, f'{OPERAND}, got "\'"; names are written without quotes'),
        (".failed", 0, 1, f"{OPERAND}, {DOT}"),
        # An operator is missing.
        ("A B", 2, 3, f"{OPERATOR}, got 'B'"),
        ("(A B)", 3, 4, f"{INSIDE}, got 'B'"),
        ("A, B", 1, 2, f"{OPERATOR}, got ','; for ',' write '&&'"),
        ("A -B", 2, 3, f"{OPERATOR}, got '-'; {LETTERS}"),
        ("größe", 2, 3, f"{OPERATOR}, got 'ö'; {LETTERS}"),
        # Parentheses do not match.
        ("A)", 1, 2, f"{OPERATOR}, got ')', which closes nothing"),
        ("(A", 0, 1, f"this '(' is never closed: {INSIDE}, got the end"),
        # Predicates.
        ("A.fail", 2, 6, f"unknown predicate 'fail'; did you mean 'failed'? ({KNOWN})"),
        ("A.Failed", 2, 8, f"unknown predicate 'Failed'; did you mean 'failed'? ({KNOWN})"),
        ("A.xyz", 2, 5, f"unknown predicate 'xyz'; {KNOWN}"),
        ("!A.Errored", 3, 10, f"unknown predicate 'Errored'; write 'failed'; {KNOWN}"),
        ("A.always", 2, 8, f"unknown predicate 'always'; {ALWAYS}; {KNOWN}"),
        ("A.", 1, 2, f"{OPERATOR}, {DOT}"),
        ("A .failed", 2, 3, f"{OPERATOR}, {DOT}"),
        ("A.failed.x", 8, 9, "'A.failed' has a predicate already; write 'A.failed'"),
        # The operators of other languages, where an operator belongs.
        ("A and B", 2, 5, f"{OPERATOR}, got 'and'; for 'and' write '&&'"),
        ("A AND B", 2, 5, f"{OPERATOR}, got 'AND'; for 'AND' write '&&'"),
        ("A &&& B", 2, 5, f"{OPERATOR}, got '&&&'; for '&&&' write '&&'"),
        ("A != B", 2, 4, f"{OPERATOR}, got '!='; {COMPARED}"),
        # ... and where two operands stand in a row.
        ("not A", 0, 3, f"{OPERATOR}, got 'A'; for 'not' write '!'"),
        ("not (A)", 0, 3, f"{OPERATOR}, got '('; for 'not' write '!'"),
        ("~A", 0, 1, f"{OPERAND}, got '~'; for '~' write '!'"),
        ("always()", 0, 6, f"{OPERATOR}, got '('; {ALWAYS}"),
        ("success()", 0, 7, f"{OPERATOR}, got '('; for 'success' write NAME.succeeded"),
        ("failed(A)", 0, 9, "there is no 'failed(A)'; write 'A.failed'"),
    ],
)
def test_syntax_errors(text: str, start: int, end: int, message: str, outcomes: Vocabulary) -> None:
    error = _error(text, outcomes)
    assert (error.source, error.start, error.end, error.message) == (text, start, end, message)


def test_without_predicates_none_is_suggested() -> None:
    """Which predicates exist is the caller's to say; without any, messages name none."""
    for text, message in (
        ("A.failed", f"'A.failed' is not a name; {LETTERS}"),
        ("A.", f"{OPERATOR}, got '.'; names contain no '.'"),
        ("A == B", f"{OPERATOR}, got '=='; a condition cannot compare values"),
    ):
        assert _error(text, Vocabulary()).message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a && false ( b.c )", "there is no 'false ( b.c )'; write 'false()'"),
        ("a || FALSE( )", "there is no 'FALSE( )'; write 'false()'"),
        ("failed(a)", f"{OPERATOR}, got '('"),
    ],
)
def test_constants_have_one_spelling(text: str, message: str) -> None:
    """What looks like one of them is not silently something else (rule 11.1)."""
    assert _error(text, Vocabulary()).message == message
    assert "true()" not in _error(text, Vocabulary(constants=False)).message
    with pytest.raises(ConditionSyntaxError, match=re.escape(f"{OPERATOR}, got '('")):
        parse("true()", Vocabulary(constants=False))


def test_the_callers_advice_goes_first() -> None:
    vocabulary = Vocabulary(hints={"and": "join steps with '&&'"})
    assert _error("A AND B", vocabulary).message == f"{OPERATOR}, got 'AND'; join steps with '&&'"


@pytest.mark.parametrize(
    ("text", "drawing"),
    [
        ("A and B", ["  A and B", "    ^^^"]),
        ("A &&", ["  A &&", "      ^"]),
        ("A\x1b[1m", ["  A [1m", "   ^"]),
        ("A && 日本", ["  A && 日本", "       ^"]),
        ("A &&\n  B C\n|| D", ["    B C", "      ^"]),
        ("A &&\r\nB C\r\n", ["  B C", "    ^"]),
        (
            "A" * 100 + " B " + "C" * 100,
            ["  ..." + "A" * 35 + " B " + "C" * 34 + "...", " " * 41 + "^"],
        ),
        ("C" * 100 + " B", ["  ..." + "C" * 70 + " B", " " * 76 + "^"]),
        ("A " + "B" * 100, ["  A " + "B" * 70 + "...", "    " + "^" * 70]),
    ],
)
def test_carets_mark_the_mistake(text: str, drawing: list[str]) -> None:
    """Rule 2.7: the line of the mistake is shown, cut to a window, with carets under the span."""
    assert str(_error(text, Vocabulary())).splitlines()[1:] == drawing


def test_the_line_is_named_where_there_are_several() -> None:
    """In a condition over several lines the message says which one; an empty one is not drawn."""
    error = _error("A &&\n  B C\n|| D", Vocabulary())
    assert str(error).splitlines()[0] == f"{OPERATOR}, got 'C' (line 2, column 5)"
    assert str(_error("\n", Vocabulary())) == f"the condition is empty: {OPERAND}"


WORDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "all_of": ("name", lambda word: all_of(["A", word])),
    "rename": ("name", lambda word: all_of(["A"]).rename({"A": word})),
    "over": ("name", lambda word: parse("any(late)", ASKING, over=["A", word])),
    "Quantifier.over": ("predicate", lambda word: Quantifier("any", "||").over(["A"], word)),
    "Vocabulary": ("predicate", lambda word: Vocabulary((word,))),
    "Quantifier": ("quantifier", lambda word: Quantifier(word, "&&")),
    "Name": ("quantifier", lambda word: Name("a", None, word)),
}


@pytest.mark.parametrize("maker", WORDS)
@pytest.mark.parametrize("word", ["", "a b", "-a", "a.failed", "!a", "a\n", "\u00e4", "(a)", "2nd"])
def test_a_word_that_could_not_be_read_back_is_refused(maker: str, word: str) -> None:
    """It is a mistake of the caller; only names begin with a digit."""
    role, make = WORDS[maker]
    if role == "name" and word == "2nd":
        make(word)
        return
    with pytest.raises(InvalidNameError) as caught:
        make(word)
    assert (caught.value.word, caught.value.role) == (word, role)
    allowed = f"{role}s are made of A-Z, a-z, 0-9 and '_', and do not begin with a digit"
    assert (
        str(caught.value) == f"{word!r} is not a {role}: {LETTERS if role == 'name' else allowed}"
    )


def test_a_single_string_is_not_a_collection_of_words() -> None:
    """`all_of("AB")` and `Vocabulary("late")` are slips, not collections of letters."""
    with pytest.raises(TypeError, match="single string 'AB'"):
        all_of("AB")
    with pytest.raises(TypeError, match="single string 'AB'"):
        parse("any(late)", ASKING, over="AB")
    with pytest.raises(TypeError, match="not 'late'"):
        Vocabulary("late")
    with pytest.raises(TypeError):
        parse(None)  # type: ignore[arg-type]


def test_any_text_is_a_condition_or_a_syntax_error(outcomes: Vocabulary) -> None:
    """No text makes the parser, or the drawing of its error, fail in another way."""
    generator = random.Random(20261125)  # noqa: S311
    pieces = [*"AB!()&|.=~-' \n\t\\\u00e9\u65e5\u0301\x00\ud800", "&&", "||", ".failed", "not ", ""]
    refused = 0
    for _ in range(20_000):
        text = "".join(generator.choices(pieces, k=generator.randint(0, 12)))
        result = _parsed(text, outcomes)
        if isinstance(result, ConditionSyntaxError):
            refused += 1
            assert 0 <= result.start <= result.end <= len(text)
            assert result.message in str(result)
        else:
            assert parse(str(result), outcomes) == result
    assert 10_000 < refused < 20_000


def _parsed(text: str, vocabulary: Vocabulary) -> Condition | ConditionSyntaxError:
    try:
        return parse(text, vocabulary)
    except ConditionSyntaxError as error:
        return error


class Missing(DeclaredError, OSError):
    """Something is missing."""

    says = "{name!r} is missing from {place.real:,}"
    LIMIT: ClassVar[int] = 7
    name: str
    place: int = 1000


class MissingTwice(Missing):
    """Two things are missing; `errno` is a field that `OSError` has as well."""

    others: Sequence[str] = ()
    errno: int = 5

    def __str__(self) -> str:
        return f"{super().__str__()}, and {', '.join(self.others)}"


class Unkeyed(DeclaredError, KeyError):
    """A lookup failed; `KeyError` itself would quote the sentence."""

    says = "no key {key}"
    key: str


def test_fields_are_arguments_in_order() -> None:
    """The inherited fields come first; each can be given by place or by name, or have a default."""
    error = MissingTwice("a", 2, ["b"])
    assert (error.name, error.place, error.others, error.errno) == ("a", 2, ["b"], 5)
    assert error.args == ("a", 2, ["b"], 5)
    assert MissingTwice("a", others=(), errno=6).args == ("a", 1000, (), 6)
    assert Missing(name="a").args == ("a", 1000)


def test_the_sentence_names_fields() -> None:
    """`says` is formatted with the fields, their attributes too; a computed sentence may use it."""
    assert str(Missing("a")) == "'a' is missing from 1,000"
    assert str(MissingTwice("a", others=["b", "c"])) == "'a' is missing from 1,000, and b, c"
    assert str(Unkeyed("{k}")) == "no key {k}"
    assert str(DeclaredError()) == str(ConditionError()) == ""
    error = Missing("a", 2)  # no class variable is a field, and no field an error number
    assert (Missing.LIMIT, error.errno, error.strerror, error.filename) == (7, None, None, None)


@pytest.mark.parametrize(
    "error",
    [
        *(Missing("a", 2), MissingTwice("a", 2, ("b",), 6), Unkeyed("k")),
        ConditionSyntaxError("A and B", 2, 5, "expected '&&'", "write '&&'"),
    ],
)
def test_a_declared_error_can_be_sent_and_copied(error: DeclaredError) -> None:
    """It may cross a process border, and be copied, with its fields and its notes."""
    error.add_note("noted")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - made here
        assert type(twin) is type(error)
        assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_other_arguments_are_refused() -> None:
    """A field that is missing, unknown or given twice is a TypeError, at run time and to mypy."""
    with pytest.raises(TypeError, match=r"^Missing takes \(name, place\)$"):
        Missing()  # type: ignore[call-arg]
    for values, named in (("a", 2, 3), {}), (("a",), {"what": 3}), (("a",), {"name": "a"}):
        with pytest.raises(TypeError):
            Missing(*values, **named)
    with pytest.raises(TypeError):
        ConditionError("a")  # mypy accepts it: it makes no `__init__` where there are no fields
