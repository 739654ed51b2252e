"""Rules 2.7 and 3.3: what is not a condition, where the mistake is, and how to fix it."""

import copy
import pickle
import random
from typing import TYPE_CHECKING, ClassVar

import pytest

from flow_conditions import (
    Condition,
    ConditionError,
    ConditionSyntaxError,
    DeclaredError,
    InvalidNameError,
    Vocabulary,
    all_of,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

OPERAND = "expected a name, '!' or '('"
OPERATOR = "expected '&&', '||' or the end"
INSIDE = "expected '&&', '||' or ')'"
LETTERS = "names are made of A-Z, a-z, 0-9, '_' and '-', and do not begin with '-'"
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
        (" \n\t", 0, 0, f"the condition is empty: {OPERAND}"),
        ("A &&", 4, 4, f"{OPERAND}, got the end"),
        ("A && \n", 4, 4, f"{OPERAND}, got the end"),
        ("!", 1, 1, f"{OPERAND}, got the end"),
        ("(", 1, 1, f"{OPERAND}, got the end"),
        ("A && || B", 5, 7, f"{OPERAND}, got '||'"),
        ("&& A", 0, 2, f"{OPERAND}, got '&&'"),
        ("()", 1, 2, f"{OPERAND}, got ')'"),
        ("(A || )", 6, 7, f"{OPERAND}, got ')'"),
        ("A && &B", 5, 6, f"{OPERAND}, got '&'"),
        (
            "A && = B",
            5,
            6,
            f"{OPERAND}, got '='; a condition cannot compare values; write NAME.succeeded",
        ),
        ("-A", 0, 1, f"{OPERAND}, got '-'; {LETTERS}"),
        ("$A", 0, 1, f"{OPERAND}, got '$'; names are written as they are, without '$' and braces"),
        ("'A'", 0, 1, f'{OPERAND}, got "\'"; names are written without quotes'),
        (".failed", 0, 1, f"{OPERAND}, got '.'; write NAME.succeeded, without a space"),
        # An operator is missing.
        ("A B", 2, 3, f"{OPERATOR}, got 'B'"),
        ("A (B)", 2, 3, f"{OPERATOR}, got '('"),
        ("A !B", 2, 3, f"{OPERATOR}, got '!'"),
        ("(A B)", 3, 4, f"{INSIDE}, got 'B'"),
        ("(A) B", 4, 5, f"{OPERATOR}, got 'B'"),
        ("((A) B", 5, 6, f"{INSIDE}, got 'B'"),
        ("A, B", 1, 2, f"{OPERATOR}, got ','; for ',' write '&&'"),
        ("A -B", 2, 3, f"{OPERATOR}, got '-'; {LETTERS}"),
        ("größe", 2, 3, f"{OPERATOR}, got 'ö'; {LETTERS}"),
        ("A\x1b[31m", 1, 2, f"{OPERATOR}, got '\\x1b'"),
        ("A\u00a0&& B", 1, 2, f"{OPERATOR}, got '\\xa0'"),
        # Parentheses do not match.
        ("A)", 1, 2, f"{OPERATOR}, got ')', which closes nothing"),
        ("(A))", 3, 4, f"{OPERATOR}, got ')', which closes nothing"),
        ("(A", 0, 1, f"this '(' is never closed: {INSIDE}, got the end"),
        ("(A) && ((B) || C", 7, 8, f"this '(' is never closed: {INSIDE}, got the end"),
        # Predicates.
        ("A.fail", 2, 6, f"unknown predicate 'fail'; did you mean 'failed'? ({KNOWN})"),
        ("A.Failed", 2, 8, f"unknown predicate 'Failed'; did you mean 'failed'? ({KNOWN})"),
        ("A.SKIPPED", 2, 9, f"unknown predicate 'SKIPPED'; did you mean 'skipped'? ({KNOWN})"),
        ("A.xyz", 2, 5, f"unknown predicate 'xyz'; {KNOWN}"),
        ("A.success", 2, 9, f"unknown predicate 'success'; write 'succeeded'; {KNOWN}"),
        ("!A.Errored", 3, 10, f"unknown predicate 'Errored'; write 'failed'; {KNOWN}"),
        (
            "B || A.always",
            7,
            13,
            f"unknown predicate 'always'; a step that always runs asks NAME.finished; {KNOWN}",
        ),
        ("A.", 1, 2, f"{OPERATOR}, got '.'; write NAME.succeeded, without a space"),
        ("A .failed", 2, 3, f"{OPERATOR}, got '.'; write NAME.succeeded, without a space"),
        ("A. failed", 1, 2, f"{OPERATOR}, got '.'; write NAME.succeeded, without a space"),
        ("A.failed.x", 8, 9, "'A.failed' has a predicate already; write 'A.failed'"),
        # The operators of other languages, where an operator belongs.
        ("A and B", 2, 5, f"{OPERATOR}, got 'and'; for 'and' write '&&'"),
        ("A AND B", 2, 5, f"{OPERATOR}, got 'AND'; for 'AND' write '&&'"),
        ("A Or B", 2, 4, f"{OPERATOR}, got 'Or'; for 'Or' write '||'"),
        ("(A and B)", 3, 6, f"{INSIDE}, got 'and'; for 'and' write '&&'"),
        ("A & B", 2, 3, f"{OPERATOR}, got '&'; for '&' write '&&'"),
        ("A &&& B", 2, 5, f"{OPERATOR}, got '&&&'; for '&&&' write '&&'"),
        ("A | B", 2, 3, f"{OPERATOR}, got '|'; for '|' write '||'"),
        ("A |& B", 2, 3, f"{OPERATOR}, got '|'; for '|' write '||'"),
        (
            "A = B",
            2,
            3,
            f"{OPERATOR}, got '='; a condition cannot compare values; write NAME.succeeded",
        ),
        (
            "A == B",
            2,
            4,
            f"{OPERATOR}, got '=='; a condition cannot compare values; write NAME.succeeded",
        ),
        (
            "A != B",
            2,
            4,
            f"{OPERATOR}, got '!='; a condition cannot compare values; write NAME.succeeded",
        ),
        (
            "A < B",
            2,
            3,
            f"{OPERATOR}, got '<'; a condition cannot compare values; write NAME.succeeded",
        ),
        # ... and where two operands stand in a row.
        ("not A", 0, 3, f"{OPERATOR}, got 'A'; for 'not' write '!'"),
        ("A && NOT !B", 5, 8, f"{OPERATOR}, got '!'; for 'NOT' write '!'"),
        ("not (A)", 0, 3, f"{OPERATOR}, got '('; for 'not' write '!'"),
        ("~A", 0, 1, f"{OPERAND}, got '~'; for '~' write '!'"),
        ("A ~B", 2, 3, f"{OPERATOR}, got '~'; for '~' write '!'"),
        ("always()", 0, 6, f"{OPERATOR}, got '('; a step that always runs asks NAME.finished"),
        ("A always", 2, 8, f"{OPERATOR}, got 'always'; a step that always runs asks NAME.finished"),
        ("success()", 0, 7, f"{OPERATOR}, got '('; for 'success' write NAME.succeeded"),
        ("failed(A)", 0, 9, "there is no 'failed(A)'; write 'A.failed'"),
        ("A failed", 2, 8, f"{OPERATOR}, got 'failed'; for 'failed' write NAME.failed"),
        ("not, A", 3, 4, f"{OPERATOR}, got ','; for ',' write '&&'"),
    ],
)
def test_syntax_errors(text: str, start: int, end: int, message: str, outcomes: Vocabulary) -> None:
    """A mistake is named with what was expected, what stands there, and what to write."""
    error = _error(text, outcomes)
    assert (error.source, error.start, error.end, error.message) == (text, start, end, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A.failed", "unknown predicate 'failed'; names have no predicates here"),
        ("A.", f"{OPERATOR}, got '.'; names contain no '.'"),
        ("A == B", f"{OPERATOR}, got '=='; a condition cannot compare values"),
    ],
)
def test_without_predicates_none_is_suggested(text: str, message: str) -> None:
    """Which predicates exist is the caller's to say; without any, messages name none."""
    assert _error(text, Vocabulary()).message == message


def test_the_callers_advice_goes_first() -> None:
    """A hint of the vocabulary replaces the package's own advice for the same word."""
    vocabulary = Vocabulary(hints={"and": "join steps with '&&'"})
    assert _error("A AND B", vocabulary).message == f"{OPERATOR}, got 'AND'; join steps with '&&'"


@pytest.mark.parametrize(
    ("text", "drawing"),
    [
        ("A and B", ["  A and B", "    ^^^"]),
        ("A &&", ["  A &&", "      ^"]),
        ("A &&   ", ["  A &&", "      ^"]),
        ("A\tB", ["  A B", "    ^"]),
        ("A\x1b[1m", ["  A [1m", "   ^"]),
        ("A && 日本", ["  A && 日本", "       ^^"]),
        ("日", ["  日", "  ^^"]),
        ("A e\u0301 B", ["  A e\u0301 B", "    ^"]),
        ("A &&\n  B C\n|| D", ["    B C", "      ^"]),
        ("A &&\r\nB C\r\n", ["  B C", "    ^"]),
        (
            "A" * 100 + " B " + "C" * 100,
            ["  ..." + "A" * 35 + " B " + "C" * 34 + "...", " " * 41 + "^"],
        ),
        ("A B " + "C" * 100, ["  A B " + "C" * 68 + "...", "    ^"]),
        ("C" * 100 + " B", ["  ..." + "C" * 70 + " B", " " * 76 + "^"]),
        ("A " + "B" * 100, ["  A " + "B" * 70 + "...", "    " + "^" * 70]),
    ],
)
def test_carets_mark_the_mistake(text: str, drawing: list[str]) -> None:
    """Rule 2.7: the line of the mistake is shown, cut to a window, with carets under the span."""
    assert str(_error(text, Vocabulary())).splitlines()[1:] == drawing


def test_the_line_is_named_where_there_are_several() -> None:
    """In a condition over several lines the message says which one, and the column."""
    error = _error("A &&\n  B C\n|| D", Vocabulary())
    assert str(error).splitlines()[0] == f"{OPERATOR}, got 'C' (line 2, column 5)"


def test_an_empty_condition_is_not_drawn() -> None:
    """Where there is nothing to point at, the sentence stands alone."""
    assert str(_error("\n", Vocabulary())) == f"the condition is empty: {OPERAND}"


def test_a_syntax_error_survives_a_pickle() -> None:
    """An error may cross a process border with everything it says."""
    error = _error("A and B", Vocabulary())
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(twin), twin.start, twin.end) == (str(error), error.start, error.end)


def test_errors_are_of_their_builtin_kind() -> None:
    """Each error is a `ConditionError` and the builtin a stranger would catch."""
    for kind in (ConditionSyntaxError, InvalidNameError):
        assert issubclass(kind, ConditionError)
        assert issubclass(kind, ValueError)


@pytest.mark.parametrize("name", ["", "a b", "-a", "a.failed", "!a", "a\n", "ä", "(a)"])
def test_a_conjunction_takes_plain_names_only(name: str) -> None:
    """`all_of` refuses a name that could not be read back from its text."""
    with pytest.raises(InvalidNameError) as caught:
        all_of(["A", name])
    assert (caught.value.word, caught.value.role) == (name, "name")
    assert str(caught.value) == f"{name!r} is not a name: {LETTERS}"


def test_a_single_string_is_not_a_collection_of_words() -> None:
    """`all_of("AB")` and `Vocabulary("late")` are slips, not collections of letters."""
    with pytest.raises(TypeError, match="single string 'AB'"):
        all_of("AB")
    with pytest.raises(TypeError, match="not 'late'"):
        Vocabulary("late")


@pytest.mark.parametrize(
    "predicate", ["", "is late", "is-late", "2late", ".late", "l\u00e4te", "late\n"]
)
def test_a_predicate_must_be_one_that_conditions_can_spell(predicate: str) -> None:
    """A vocabulary with a word that no condition could contain is a mistake of the caller."""
    with pytest.raises(InvalidNameError, match="is not a predicate: predicates are made of"):
        Vocabulary((predicate,))


@pytest.mark.parametrize("text", [None, 5, b"A", ["A"]])
def test_something_else_than_text_is_a_type_error(text: object) -> None:
    """`parse` reads text and nothing else."""
    with pytest.raises(TypeError):
        parse(text)  # type: ignore[arg-type]


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

    others: "Sequence[str]" = ()
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


def test_what_is_no_field_is_not_set() -> None:
    """A class variable is not a field, and an `OSError` reads no error number out of the fields."""
    error = Missing("a", 2)
    assert Missing.LIMIT == 7
    assert (error.errno, error.strerror, error.filename) == (None, None, None)


@pytest.mark.parametrize("error", [Missing("a", 2), MissingTwice("a", 2, ("b",), 6), Unkeyed("k")])
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
    with pytest.raises(TypeError):
        Missing("a", 2, 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Missing("a", what=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Missing("a", name="a")  # type: ignore[misc]
    with pytest.raises(TypeError):
        ConditionError("a")  # mypy accepts it: it makes no `__init__` where there are no fields
    Missing(3)  # type: ignore[arg-type]  # run-time types are not checked
