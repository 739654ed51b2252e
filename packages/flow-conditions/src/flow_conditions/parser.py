"""`parse`, and the `Vocabulary` and `Quantifier`s that say which words a condition may use.

One scan finds the tokens, and one shunting-yard pass makes a postfix program of them. A name before
a parenthesis is a call, and is replaced with what that stands for.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat

from flow_conditions.condition import Condition, Program, joined, made
from flow_conditions.errors import InvalidNameError
from flow_conditions.grammar import (
    AND,
    CLOSE,
    DOT,
    FUNCTION,
    NAME_START,
    NOT,
    OPEN,
    OPERATOR_WORDS,
    OR,
    PREDICATE,
    SPACE,
    SPELLING,
    TOKEN,
)


@dataclass(frozen=True)
class Quantifier:
    """A word that asks one predicate of many names at once: `any(failed)`.

    `operator` (`&&` or `||`) joins the predicate of all names, and `negated` puts a `!` before the
    whole. `synonyms` are words in lower case that users type instead; an error names `word`.
    """

    word: str
    operator: str
    negated: bool = False
    synonyms: Collection[str] = ()

    def __post_init__(self) -> None:
        """Take a copy, so that the quantifier cannot change under its users."""
        if not PREDICATE.fullmatch(self.word):
            raise InvalidNameError(self.word, "quantifier")
        if self.operator not in (AND, OR):
            raise ValueError(f"operator must be {AND!r} or {OR!r}, not {self.operator!r}")
        if isinstance(self.synonyms, str):
            raise TypeError(f"synonyms must be a collection of words, not {self.synonyms!r}")
        object.__setattr__(self, "synonyms", tuple(self.synonyms))

    def over(self, names: Iterable[str], predicate: str) -> Condition:
        """Return what a call stands for: `any(late)` over A and B is `A.late || B.late`."""
        condition = joined(names, self.operator, predicate)
        return ~condition if self.negated else condition


@dataclass(frozen=True)
class Vocabulary:
    """The predicates and quantifiers that exist, and advice for words that do not.

    `predicates` are written without the dot, in the order in which messages list them. `hints` maps
    a word that users type (`success`, `and`, `always`) to what they should write: a replacement
    (one word: a predicate or an operator) or a whole sentence. A hint is given for an unknown
    predicate and for a name in the place of an operator, or before another operand. An
    all-lower-case key serves every spelling. A key such as `always()` is a call that is unknown.

    `quantifiers` are the words that may be called with a predicate, over the names that `parse` is
    given; messages call these names `domain` ("the steps of this group"). One condition may hold
    `max_calls` calls, since each may stand for thousands of operands. With `asks_one`, a quantifier
    may also be called with an operand, as in `any(load.late)`; that is one operand.

    `functions` are words of operands with an argument that has no parentheses, such as
    `changed(src/**)` or `always()`, which only the lookup gives a meaning. `true()` and `false()`
    are the constants. With `operator_words`, `not`, `and` and `or` are operators, and no names.
    """

    predicates: Collection[str] = ()
    hints: Mapping[str, str] = field(default_factory=dict, hash=False)
    quantifiers: Collection[Quantifier] = ()
    domain: str = "the names given"
    max_calls: int = 12
    asks_one: bool = False
    functions: Collection[str] = ("true", "false")
    operator_words: bool = False

    def __post_init__(self) -> None:
        """Take copies, so that the vocabulary cannot change under its users."""
        object.__setattr__(self, "hints", dict(self.hints))
        for group, kind in ("predicates", str), ("quantifiers", Quantifier), ("functions", str):
            given: Collection[object] = getattr(self, group)
            copied = () if isinstance(given, str) else tuple(given)
            if isinstance(given, str) or not all(isinstance(each, kind) for each in copied):
                raise TypeError(f"{group} must be a collection of {kind.__name__}, not {given!r}")
            object.__setattr__(self, group, copied)
            for each in copied:
                word = each.word if isinstance(each, Quantifier) else str(each)
                if not PREDICATE.fullmatch(word) or self.sign(word) != word:
                    raise InvalidNameError(word, group[:-1])
        if twice := [word for word in self.called if self.called.count(word) > 1]:
            raise ValueError(f"two quantifiers or functions have the same word: {twice[0]!r}")

    @cached_property
    def called(self) -> tuple[str, ...]:
        """The words that may be called: those of quantifiers and functions."""
        return (*(quantifier.word for quantifier in self.quantifiers), *self.functions)

    @cached_property
    def token(self) -> "re.Pattern[str]":
        """Finds every token of a text; a call of a function is one."""
        if not self.functions:
            return TOKEN
        return re.compile(rf"(?:{'|'.join(self.functions)}){FUNCTION}|{TOKEN.pattern}", re.ASCII)

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of a text, with signs for the words of operators."""
        found = self.token.findall(text)
        return list(map(self.sign, found)) if self.operator_words else found

    def sign(self, token: str) -> str:
        """Return the operator that a token is, or the token."""
        return OPERATOR_WORDS.get(token.lower(), token) if self.operator_words else token

    def hint(self, word: str) -> str | None:
        """Return the advice for a word, as spelled or in lower case."""
        return self.hints.get(word) or self.hints.get(word.lower())

    def is_operand(self, token: str) -> bool:
        """Return whether a token is a name, with one of the predicates if any, or a function."""
        if token[0] not in NAME_START:
            return False
        if token[-1] == CLOSE:
            return SPELLING.fullmatch(_canonical(token)) is not None
        name, dot, predicate = token.partition(DOT)
        return not dot or (predicate in self.predicates and self.sign(name) == name)

    def quantifier(self, word: str) -> Quantifier | None:
        """Return the quantifier that is spelled like this, if there is one."""
        return next((known for known in self.quantifiers if known.word == word), None)


_PLAIN = Vocabulary()

_PREFIXES = frozenset((NOT, OPEN))
# By token: before which of those that wait all others come into the program.
_STOPS = {AND: frozenset((OPEN, OR)), OR: frozenset((OPEN,)), CLOSE: frozenset((OPEN,))}


def parse(text: str, vocabulary: Vocabulary = _PLAIN, over: Iterable[str] = ()) -> Condition:  # noqa: PLR0912 - one loop
    """Return the condition that a text spells.

    A call of a quantifier is read as what it stands for over the names `over`.

    Raises:
        ConditionSyntaxError: the text is not a condition with this vocabulary, or calls a
            quantifier although `over` is empty.
        InvalidNameError: a quantifier is called, and something in `over` is not a plain name.
    """
    if not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"expected a Vocabulary, got {vocabulary!r}")
    names = over if isinstance(over, str) else tuple(over)
    program: list[str] = []
    waiting = [OPEN]  # operators whose right side is not complete, and open parentheses
    operand_is_next = True
    calls_left = vocabulary.max_calls
    tokens = vocabulary.tokens(text)
    numbered = enumerate(tokens)
    for index, token in numbered:
        if operand_is_next:
            if token[0] in NAME_START and (token.isalnum() or vocabulary.is_operand(token)):
                program.append(token if token[-1] != CLOSE else _canonical(token))
                operand_is_next = False
            elif token in _PREFIXES:
                waiting.append(token)
            else:
                break
        elif stops := _STOPS.get(token):
            while waiting[-1] not in stops:
                program.append(waiting.pop())
            if token != CLOSE:
                waiting.append(token)
                operand_is_next = True
            elif len(waiting) > 1:
                waiting.pop()
            else:
                break
        elif token == OPEN and (
            call := _call(tokens, index, vocabulary, names if calls_left else ())
        ):
            program[-1:] = call
            _, argument = next(numbered)
            calls_left -= argument in vocabulary.predicates
            next(numbered)  # the closing parenthesis
        else:
            break
    else:
        index = len(tokens)
        while waiting[-1] != OPEN:
            program.append(waiting.pop())
        if not operand_is_next and len(waiting) == 1:
            condition = made(tuple(program))
            condition.__dict__["_parsed"] = _spans, text, vocabulary, len(names)
            return condition
    from flow_conditions.mistakes import mistake

    raise mistake(text, index, vocabulary, names, operand_is_next=operand_is_next)


def _canonical(call: str) -> str:
    """Return the call of a function without white space around its argument."""
    word, _, argument = call[:-1].partition(OPEN)
    return f"{word.rstrip(SPACE)}{OPEN}{argument.strip(SPACE)}{CLOSE}"


def _spans(text: str, vocabulary: Vocabulary, name_count: int) -> Iterator[tuple[int, int]]:
    """Yield where the operands of a condition stand; a call stands for `name_count` of them."""
    found = list(vocabulary.token.finditer(text))
    tokens = vocabulary.tokens(text)
    index = 0
    while index < len(tokens):
        last = index
        if vocabulary.is_operand(tokens[index]):
            is_call = tokens[index + 1 : index + 2] == [OPEN]
            last += 3 * is_call
            times = name_count if is_call and tokens[index + 2] in vocabulary.predicates else 1
            yield from repeat((found[index].start(), found[last].end()), times)
        index = last + 1


def _call(
    tokens: Sequence[str], index: int, vocabulary: Vocabulary, over: Collection[str]
) -> Program:
    """Return what the call with the parenthesis at `index` stands for; nothing if it is none."""
    quantifier = vocabulary.quantifier(tokens[index - 1])
    if quantifier is None or tokens[index + 2 : index + 3] != [CLOSE]:
        return ()
    argument = tokens[index + 1]
    if argument in vocabulary.predicates:
        for name in over if vocabulary.operator_words else ():
            if vocabulary.sign(name) != name:
                raise InvalidNameError(name)
        return quantifier.over(over, argument).program if over else ()
    if vocabulary.asks_one and argument[-1] != CLOSE and vocabulary.is_operand(argument):
        return (f"{quantifier.word}{OPEN}{argument}{CLOSE}",)
    return ()
