"""`parse`, and the `Vocabulary` and `Quantifier`s that say which words a condition may use.

One scan finds the tokens, and one shunting-yard pass makes a postfix program of them. A call of a
quantifier looks like a name before a parenthesis, where otherwise no parenthesis can stand. The
parser replaces that name with what the call stands for.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from flow_conditions.condition import Condition, Program, joined, made
from flow_conditions.errors import InvalidNameError
from flow_conditions.grammar import (
    AND,
    BINDING,
    CLOSE,
    DOT,
    FUNCTION,
    NAME_START,
    NOT,
    OPEN,
    OPERATOR_WORDS,
    OPERATORS,
    OR,
    PREDICATE,
    TOKEN,
)


@dataclass(frozen=True)
class Quantifier:
    """A word that asks one predicate of many names at once: `any(failed)`.

    `operator` (`&&` or `||`) joins the predicate of all names, and `negated` puts a `!` before the
    whole. `synonyms` are words in lower case that users type instead of `word`; they get an error
    that names it.
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
    predicate and for a name that stands where an operator belongs or directly before another
    operand; a name in its proper place is never questioned. An all-lower-case key serves every
    spelling of its word. A key such as `always()` is a call that does not exist.

    `quantifiers` are the words that may be called with a predicate, over the names that `parse` is
    given; messages call these names `domain` ("the steps of this group"). One condition may hold
    `max_calls` calls, since each of them may stand for thousands of operands. With `asks_one`, a
    quantifier may also be called with an operand, such as `any(load.late)`, whose name stands for
    many things; that is one operand.

    `functions` are words of operands with an argument that has no parentheses, such as
    `changed(src/**)` or `always()`, which only the lookup gives a meaning. `true()` and `false()`
    are the constants. With `operator_words`, `not`, `and` and `or`, in any case, are operators too,
    and no names.
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
        if isinstance(self.predicates, str):
            raise TypeError(f"predicates must be a collection of words, not {self.predicates!r}")
        object.__setattr__(self, "predicates", tuple(self.predicates))
        object.__setattr__(self, "hints", dict(self.hints))
        object.__setattr__(self, "quantifiers", tuple(self.quantifiers))
        object.__setattr__(self, "functions", tuple(self.functions))
        for role, words in (("predicate", self.predicates), ("function", self.functions)):
            for word in words:
                if not PREDICATE.fullmatch(word):
                    raise InvalidNameError(word, role)

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
        """Return whether a token is a name, or a name with one of the predicates."""
        if token[0] not in NAME_START:
            return False
        _, dot, predicate = token.partition(DOT)
        return not dot or predicate in self.predicates or token[-1] == CLOSE

    def quantifier(self, word: str) -> Quantifier | None:
        """Return the quantifier that is spelled like this, if there is one."""
        return next((known for known in self.quantifiers if known.word == word), None)


_PLAIN = Vocabulary()


def parse(text: str, vocabulary: Vocabulary = _PLAIN, over: Collection[str] = ()) -> Condition:
    """Return the condition that a text spells.

    Operands are names, with one of the vocabulary's predicates if any; `!` binds before `&&`, `&&`
    before `||`, and both associate to the left. A call of one of the vocabulary's quantifiers is
    read as what it stands for over the names `over`.

    Raises:
        ConditionSyntaxError: the text is not a condition, uses a predicate that does not exist,
            calls a quantifier although `over` is empty, or holds more calls than the vocabulary
            allows.
        InvalidNameError: a quantifier is called, and something in `over` is not a plain name.
    """
    program: list[str] = []
    places: list[int] = []  # by operand of the program: the token that it, or its call, begins with
    waiting: list[str] = []  # operators whose right side is not complete, and open parentheses
    operand_is_next = True
    calls_left = vocabulary.max_calls if over else 0
    tokens = vocabulary.tokens(text)
    numbered = enumerate(tokens)
    for index, token in numbered:
        if operand_is_next:
            if token in (NOT, OPEN):
                waiting.append(token)
            elif vocabulary.is_operand(token):
                program.append(token if token[-1] != CLOSE else _canonical(token))
                places.append(index)
                operand_is_next = False
            else:
                break
        elif token in (AND, OR):
            _complete(BINDING[token], waiting, program)
            waiting.append(token)
            operand_is_next = True
        elif token == CLOSE:
            _complete(BINDING[OR], waiting, program)
            if not waiting:
                break
            waiting.pop()
        elif token == OPEN and (
            call := _call(tokens, index, vocabulary, over if calls_left else ())
        ):
            program[-1:] = call
            places[-1:] = [index - 1] * (len(call) - sum(map(OPERATORS.__contains__, call)))
            _, argument = next(numbered)
            calls_left -= argument in vocabulary.predicates
            next(numbered)  # the closing parenthesis
        else:
            break
    else:
        index = len(tokens)
        _complete(BINDING[OR], waiting, program)
        if not (operand_is_next or waiting):
            condition = made(tuple(program))
            condition.__dict__["_find_spans"] = partial(_spans, vocabulary.token, text, places)
            return condition
    from flow_conditions.mistakes import mistake

    raise mistake(text, index, vocabulary, over, operand_is_next=operand_is_next)


def _canonical(call: str) -> str:
    """Return the call of a function without white space around its argument."""
    word, _, argument = call[:-1].partition(OPEN)
    return f"{word.rstrip()}{OPEN}{argument.strip()}{CLOSE}"


def _spans(
    pattern: "re.Pattern[str]", text: str, places: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield where the operands and calls stand that begin with these tokens."""
    found = list(pattern.finditer(text))
    for place in places:
        is_call = [each.group() for each in found[place + 1 : place + 2]] == [OPEN]
        yield found[place].start(), found[place + 3 * is_call].end()


def _call(
    tokens: Sequence[str], index: int, vocabulary: Vocabulary, over: Collection[str]
) -> Program:
    """Return what the call with the parenthesis at `index` stands for; nothing if it is none."""
    quantifier = vocabulary.quantifier(tokens[index - 1])
    if quantifier is None or tokens[index + 2 : index + 3] != [CLOSE]:
        return ()
    argument = tokens[index + 1]
    if argument in vocabulary.predicates:
        return quantifier.over(over, argument).program if over else ()
    if vocabulary.asks_one and vocabulary.is_operand(argument):
        return (f"{quantifier.word}{OPEN}{argument}{CLOSE}",)
    return ()


def _complete(binding: int, waiting: list[str], program: list[str]) -> None:
    """Move to the program the operators since the last open parenthesis that bind as strongly."""
    while waiting and BINDING[waiting[-1]] >= binding:
        program.append(waiting.pop())
