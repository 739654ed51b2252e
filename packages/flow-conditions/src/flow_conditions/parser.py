"""`parse`, and the `Vocabulary` and `Quantifier`s that say which words a condition may use.

One scan finds the tokens, and one shunting-yard pass makes a postfix program of them. A name before
a parenthesis is a call, and is replaced with what that stands for.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from flow_conditions.condition import Condition, Program, check_word, joined, made
from flow_conditions.grammar import AND, CLOSE, CONSTANT, DOT, NAME_START, NOT, OPEN, OR, TOKEN


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
        check_word(self.word, "quantifier")
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

    `subjects` are words that may be called with predicates of their own, as in `run(late)`. That is
    a `Name` whose quantifier is the subject, and whose name is the predicate.

    With `constants`, `true()` and `false()` are conditions.
    """

    predicates: Collection[str] = ()
    hints: Mapping[str, str] = field(default_factory=dict, hash=False)
    quantifiers: Collection[Quantifier] = ()
    domain: str = "the names given"
    max_calls: int = 12
    asks_one: bool = False
    constants: bool = True
    subjects: Mapping[str, Collection[str]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Take copies, so that the vocabulary cannot change under its users."""
        object.__setattr__(self, "hints", dict(self.hints))
        object.__setattr__(self, "subjects", dict(self.subjects))
        if isinstance(self.predicates, str):
            raise TypeError(f"predicates must be a collection of words, not {self.predicates!r}")
        object.__setattr__(self, "predicates", tuple(self.predicates))
        object.__setattr__(self, "quantifiers", tuple(self.quantifiers))
        for predicate in self.predicates:
            check_word(predicate, "predicate")
        words = [quantifier.word for quantifier in self.quantifiers]
        if len(set(words)) < len(words):
            raise ValueError(f"two quantifiers have the same word: {', '.join(words)}")

    @cached_property
    def token(self) -> "re.Pattern[str]":
        """Finds every token of a text; a constant is one."""
        return re.compile(f"{CONSTANT}|{TOKEN.pattern}", re.ASCII) if self.constants else TOKEN

    def hint(self, word: str) -> str | None:
        """Return the advice for a word, as spelled or in lower case."""
        return self.hints.get(word) or self.hints.get(word.lower())

    def is_operand(self, token: str) -> bool:
        """Return whether a token is a name, with one of the predicates if any, or a constant."""
        if token[0] not in NAME_START:
            return False
        _, dot, predicate = token.partition(DOT)
        return not dot or predicate in self.predicates

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
    tokens = vocabulary.token.findall(text)
    numbered = enumerate(tokens)
    for index, token in numbered:
        if operand_is_next:
            if token[0] in NAME_START and (token.isalnum() or vocabulary.is_operand(token)):
                program.append(token if token[-1] != CLOSE else "".join(token.split()))
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
            call := _call(tokens, index, vocabulary, names if calls_left > 0 else ())
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
            return made(tuple(program))
    from flow_conditions.mistakes import mistake

    raise mistake(text, index, vocabulary, names, operand_is_next=operand_is_next)


def _call(
    tokens: Sequence[str], index: int, vocabulary: Vocabulary, over: Collection[str]
) -> Program:
    """Return what the call with the parenthesis at `index` stands for; nothing if it is none."""
    if tokens[index + 2 : index + 3] != [CLOSE]:
        return ()
    word, argument = tokens[index - 1], tokens[index + 1]
    if argument in vocabulary.subjects.get(word, ()):
        return (f"{word}{OPEN}{argument}{CLOSE}",)
    quantifier = vocabulary.quantifier(word)
    if quantifier is None:
        return ()
    if argument in vocabulary.predicates:
        return quantifier.over(over, argument).program if over else ()
    if vocabulary.asks_one and argument[-1] != CLOSE and vocabulary.is_operand(argument):
        return (f"{word}{OPEN}{argument}{CLOSE}",)
    return ()
