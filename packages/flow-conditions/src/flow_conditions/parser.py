"""`parse`, and the `Vocabulary` and `Quantifier`s that say which words a condition may use.

One scan finds the tokens, and one shunting-yard pass makes a postfix program of them. A name before
a parenthesis is a call, and is replaced with what that stands for. The second half words mistakes:
what was expected, what stands there, and how to fix it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from flow_conditions.condition import Condition, Program, check_word, joined, made
from flow_conditions.errors import NAMES_ARE, ConditionSyntaxError, quoted
from flow_conditions.grammar import (
    AND,
    CLOSE,
    CONSTANT,
    CONSTANTS,
    DOT,
    NAME,
    NAME_START,
    NOT,
    OPEN,
    OR,
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


_AN_OPERAND = f"a name, {NOT!r} or {OPEN!r}"

# How other languages spell the operators. Each word is a fine name where a name can stand.
_FOREIGN = {"and": AND, "&": AND, ",": AND, ";": AND, "or": OR, "|": OR, "not": NOT, "~": NOT}
_COMPARISONS = frozenset("=<>")
_QUOTES = frozenset("'\"`")

_CALL = r"([A-Za-z_]\w*)\s*\(([^()]*)\)"

# `a == failed`, `a.status != 'failed'`, `steps.a.outcome == "failure"`, `needs.a.result == success`
_NO_COMPARISONS = "a condition cannot compare values"

_COMPARED = (
    r"(?:(?:steps|needs|jobs|tasks)\.)?(?P<name>\w[\w-]*)"
    r"(?:\.(?:status|outcome|result|conclusion|state|exit_?code))?"
    r"\s*(?P<sign>[=!]==?|=|(?:is not|is|eq|ne)\b)\s*(?P<quote>['\"]?)(?P<word>\w+)(?P=quote)"
)


type _Tokens = Sequence[tuple[str, int, int]]
"""The tokens of a text with their spans, and at the end an empty one."""


def mistake(
    text: str, index: int, vocabulary: Vocabulary, over: Collection[str], *, operand_is_next: bool
) -> ConditionSyntaxError:
    """Describe the first token that cannot stand where it stands.

    `index` is that of the token, or the number of tokens where the text ends too early. `over` has
    the names for quantifiers. `operand_is_next` says whether an operand was expected.
    """
    tokens = [(found.group(), *found.span()) for found in vocabulary.token.finditer(text)]
    _, _, end = tokens[-1] if tokens else ("", 0, 0)
    tokens.append(("", end, end))
    if operand_is_next:
        return _no_operand(text, tokens, index, vocabulary)
    token, start, end = tokens[index]
    if token and token != CLOSE:
        return _no_operator(text, tokens, index, vocabulary, over)
    fact = f"expected {AND!r}, {OR!r} or the end, got {CLOSE!r}, which closes nothing"
    if not token:
        fact = f"this {OPEN!r} is never closed: expected {AND!r}, {OR!r} or {CLOSE!r}, got the end"
        _, start, end = _open_parentheses(tokens)[-1]
    return ConditionSyntaxError(text, start, end, fact)


def _no_operand(
    text: str, tokens: _Tokens, index: int, vocabulary: Vocabulary
) -> ConditionSyntaxError:
    """Describe a token, or the end, where an operand of this vocabulary should begin."""
    token, start, end = tokens[index]
    if index == 0 and not token:
        return ConditionSyntaxError(text, 0, 0, f"the condition is empty: expected {_AN_OPERAND}")
    if token and token[0] in NAME_START:
        if found := _comparison(text, start, vocabulary):
            return found
        if not vocabulary.predicates:
            fact = f"{quoted(token)} is not a name"
            return ConditionSyntaxError(text, start, end, fact, NAMES_ARE)
        word = token.partition(DOT)[2]
        fact = f"unknown predicate {quoted(word)}"
        return ConditionSyntaxError(text, end - len(word), end, fact, _known(word, vocabulary))
    remark = (_instead if token.startswith("~") else _remark)(token, vocabulary)
    fact = f"expected {_AN_OPERAND}, got {quoted(token) if token else 'the end'}"
    return ConditionSyntaxError(text, start, end, fact, remark)


def _no_operator(
    text: str, tokens: _Tokens, index: int, vocabulary: Vocabulary, over: Collection[str]
) -> ConditionSyntaxError:
    """Describe a token that follows an operand and is neither an operator nor a closing."""
    token, start, end = tokens[index]
    before, before_start, before_end = tokens[index - 1]
    if found := _comparison(text, before_start, vocabulary):
        return found
    call = re.compile(_CALL, re.ASCII).match(text, before_start if token == OPEN else start)
    if call and _is_right(call, vocabulary):
        if token == OPEN:
            return ConditionSyntaxError(text, *call.span(), *_refusal(call[0], vocabulary, over))
        token, end = call[0], call.end()
    elif call and (advice := _advice_on_call(call, vocabulary)):
        return ConditionSyntaxError(text, *call.span(), f"there is no {quoted(call[0])}", advice)
    if token == OPEN and vocabulary.quantifier(before) and CLOSE not in text[start:]:
        fact = f"the call of {quoted(before)} is never closed"
        return ConditionSyntaxError(text, before_start, end, fact, f"expected {CLOSE!r} after it")
    if token in (OPEN, DOT) and DOT in before:
        fact = "is asked without parentheses" if token == OPEN else "has a predicate already"
        fact = f"{quoted(before)} {fact}"
        return ConditionSyntaxError(text, start, end, fact, f"write {before!r}")
    remark = _instead(token, vocabulary)
    if not remark and (token in (NOT, OPEN) or token[0] in NAME_START):
        # Two operands stand in a row; perhaps the first was not meant to be one (`not A`).
        remark = _instead(before, vocabulary)
        if remark:
            start, end = before_start, before_end
    closing = repr(CLOSE) if _open_parentheses(tokens[:index]) else "the end"
    fact = f"expected {AND!r}, {OR!r} or {closing}, got {quoted(token)}"
    return ConditionSyntaxError(text, start, end, fact, remark or _remark(token, vocabulary))


def _known(word: str, vocabulary: Vocabulary) -> str:
    known = f"the predicates are {', '.join(vocabulary.predicates)}"
    if hint := vocabulary.hint(word):
        return f"{hint}; {known}" if " " in hint else f"write {hint!r}; {known}"
    similar = _closest(word, vocabulary.predicates)
    return f"did you mean {similar!r}? ({known})" if similar else known


def _closest(word: str, known: Iterable[str]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(word.lower(), known, n=1)), None)


def _is_right(call: "re.Match[str]", vocabulary: Vocabulary) -> bool:
    if not vocabulary.quantifier(call[1]):
        return False
    argument = call[2].strip()
    is_operand = vocabulary.token.fullmatch(argument) is not None and vocabulary.is_operand(
        argument
    )
    return argument in vocabulary.predicates or (vocabulary.asks_one and is_operand)


def _refusal(call: str, vocabulary: Vocabulary, over: Collection[str]) -> tuple[str, str | None]:
    """Say why a call that is right in itself cannot be written out, and what to do."""
    if over:
        return f"more than {vocabulary.max_calls} calls in one condition", "write each call once"
    return f"{quoted(call)} asks about {vocabulary.domain}, and there are none", None


def _comparison(text: str, start: int, vocabulary: Vocabulary) -> ConditionSyntaxError | None:
    """Describe a comparison that begins here, if its other side names one of the predicates."""
    found = re.compile(_COMPARED, re.ASCII | re.IGNORECASE).match(text, start)
    predicate = found and _predicate_meant(found["word"], vocabulary)
    if not found or not predicate:
        return None
    negated = NOT if found["sign"].lower().startswith(("!", "ne", "is not")) else ""
    advice = f"write '{negated}{found['name']}.{predicate}'"
    return ConditionSyntaxError(text, *found.span(), _NO_COMPARISONS, advice)


def _advice_on_call(call: "re.Match[str]", vocabulary: Vocabulary) -> str | None:
    """Return what to write instead of a call that does not exist; None where nobody can tell."""
    word, argument = call[1], call[2].strip()
    known = ", ".join(vocabulary.subjects.get(word, ()))
    if (advice := vocabulary.hint(f"{word}({argument})")) or known:
        return advice or f"write '{word}(...)' with one of {known}"
    for quantifier in vocabulary.quantifiers:
        if word.lower() in (quantifier.word, *quantifier.synonyms):
            if asked := _predicate_meant(argument, vocabulary):
                return f"write '{quantifier.word}({asked})'"
            known = f"with one of {', '.join(vocabulary.predicates)}"
            return f"write '{quantifier.word}(...)' {known}; it asks about {vocabulary.domain}"
    constant = f"{word.lower()}{OPEN}{CLOSE}"
    if vocabulary.constants and constant in CONSTANTS:
        return f"write {constant!r}"
    predicate = _predicate_meant(word, vocabulary)
    if predicate and NAME.fullmatch(argument):
        return f"write '{argument}.{predicate}'"
    similar = _closest(word, [quantifier.word for quantifier in vocabulary.quantifiers])
    return f"did you mean '{similar}({argument})'?" if similar else None


def _predicate_meant(word: str, vocabulary: Vocabulary) -> str | None:
    meant = word if word in vocabulary.predicates else vocabulary.hint(word)
    return meant if meant in vocabulary.predicates else None


def _open_parentheses(tokens: _Tokens) -> _Tokens:
    opened: list[tuple[str, int, int]] = []
    for token in tokens:
        if token[0] == OPEN:
            opened.append(token)
        elif token[0] == CLOSE:
            opened.pop()
    return opened


def _instead(word: str, vocabulary: Vocabulary) -> str | None:
    """Return what to write for a word in an operator's place; the caller's own hint goes first.

    A hint of several words speaks for itself. The first character stands for runs such as `&&&`.
    """
    hint = vocabulary.hint(word) or _FOREIGN.get(word.lower()) or _FOREIGN.get(word[0])
    if hint is None and word in vocabulary.predicates:
        hint = word
    if hint is None or " " in hint:
        return hint
    replacement = f"NAME.{hint}" if hint in vocabulary.predicates else repr(hint)
    return f"for {quoted(word)} write {replacement}"


def _remark(token: str, vocabulary: Vocabulary) -> str | None:
    """Return a remark on a character that belongs to no token."""
    example = next((f"NAME.{predicate}" for predicate in vocabulary.predicates), None)
    first = token[:1]
    if first in _QUOTES:
        return "names are written without quotes"
    if first == "$":
        return "names are written as they are, without '$' and braces"
    if first in _COMPARISONS or token.startswith("!="):
        return f"{_NO_COMPARISONS}; write {example}" if example else _NO_COMPARISONS
    if first == DOT:
        return f"write {example}, without a space" if example else "names contain no '.'"
    if first not in NAME_START and (first.isalnum() or first == "-"):
        return NAMES_ARE
    return None
