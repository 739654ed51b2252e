"""The wording of syntax errors: what was expected, what stands there, and how to fix it.

The parser imports this module once it has found a mistake, and names that by the index of a token.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from flow_conditions.errors import NAMES_ARE, ConditionSyntaxError, quoted
from flow_conditions.grammar import AND, CLOSE, CONSTANTS, DOT, NAME, NAME_START, NOT, OPEN, OR
from flow_conditions.parser import Vocabulary

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
