"""The wording of syntax errors: what was expected, what stands there, and how to fix it.

The parser imports this module once it has found a mistake, and names that by the index of a token.
"""

import re
from collections.abc import Collection

from flow_conditions.errors import NAMES_ARE, ConditionSyntaxError, quoted
from flow_conditions.grammar import AND, CLOSE, DOT, NAME, NAME_START, NOT, OPEN, OR, TOKEN
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


def mistake(
    text: str,
    index: int,
    vocabulary: Vocabulary,
    over: Collection[str],
    *,
    operand_is_next: bool,
) -> ConditionSyntaxError:
    """Describe the first token that cannot stand where it stands.

    `index` is that of the token, or the number of tokens where the text ends too early. `over` has
    the names for quantifiers. `operand_is_next` says whether an operand was expected.
    """
    if operand_is_next:
        return _no_operand(text, index, vocabulary)
    token, start, end = _token(text, index, vocabulary)
    if token and token != CLOSE:
        return _no_operator(text, index, vocabulary, over)
    message = f"expected {AND!r}, {OR!r} or the end, got {CLOSE!r}, which closes nothing"
    if not token:
        message = (
            f"this {OPEN!r} is never closed: expected {AND!r}, {OR!r} or {CLOSE!r}, got the end"
        )
        _, start, end = _token(text, _open_parentheses(text, vocabulary)[-1], vocabulary)
    return ConditionSyntaxError(text, start, end, message)


def _no_operand(text: str, index: int, vocabulary: Vocabulary) -> ConditionSyntaxError:
    """Describe a token, or the end, where an operand of this vocabulary should begin."""
    token, start, end = _token(text, index, vocabulary)
    if index == 0 and not token:
        return ConditionSyntaxError(text, 0, 0, f"the condition is empty: expected {_AN_OPERAND}")
    if token and vocabulary.sign(token)[0] in NAME_START:
        if found := _comparison(text, start, vocabulary):
            return found
        if token[-1] == CLOSE:
            constant = token.partition(OPEN)[0].rstrip() + OPEN + CLOSE
            fact = f"{quoted(constant)} takes no argument"
            return ConditionSyntaxError(text, start, end, fact, f"write {constant!r}")
        name, _, word = token.partition(DOT)
        if vocabulary.sign(name) != name:
            end, fact = start + len(name), f"{quoted(name)} is an operator here"
            return ConditionSyntaxError(text, start, end, fact, "it cannot be a name")
        fact = f"unknown predicate {quoted(word)}"
        advice = _known(word, vocabulary)
        return ConditionSyntaxError(text, start + len(name) + len(DOT), end, fact, advice)
    remark = (_instead if token.startswith("~") else _remark)(token, vocabulary)
    fact = f"expected {_AN_OPERAND}, got {_shown(token)}"
    return ConditionSyntaxError(text, start, end, fact, remark)


def _no_operator(
    text: str, index: int, vocabulary: Vocabulary, over: Collection[str]
) -> ConditionSyntaxError:
    """Describe a token that follows an operand and is neither an operator nor a closing."""
    token, start, end = _token(text, index, vocabulary)
    if found := _comparison(text, _token(text, index - 1, vocabulary)[1], vocabulary):
        return found
    call = _call(text, index, vocabulary)
    if call and _is_right(call, vocabulary):
        if token == OPEN:
            return ConditionSyntaxError(text, *call.span(), *_refusal(call[0], vocabulary, over))
        token, end = call[0], call.end()
    elif call and (advice := _advice_on_call(call, vocabulary)):
        return ConditionSyntaxError(text, *call.span(), f"there is no {quoted(call[0])}", advice)
    before, before_start, _ = _token(text, index - 1, vocabulary)
    known = vocabulary.quantifier(before) or before in vocabulary.functions
    if token == OPEN and known and CLOSE not in text[start:]:
        fact = f"the call of {quoted(before)} is never closed"
        return ConditionSyntaxError(text, before_start, end, fact, f"expected {CLOSE!r} after it")
    if token in (OPEN, DOT) and DOT in before:
        fact = "is asked without parentheses" if token == OPEN else "has a predicate already"
        fact = f"{quoted(before)} {fact}"
        return ConditionSyntaxError(text, start, end, fact, f"write {before!r}")
    closing = repr(CLOSE) if _open_parentheses(text, vocabulary, index) else "the end"
    remark = _instead(token, vocabulary)
    if not remark and (token in (NOT, OPEN) or token[0] in NAME_START):
        # Two operands stand in a row; perhaps the first was not meant to be one (`not A`).
        word, word_start, word_end = _token(text, index - 1, vocabulary)
        remark = _instead(word, vocabulary)
        if remark:
            start, end = word_start, word_end
    remark = remark or _remark(token, vocabulary)
    fact = f"expected {AND!r}, {OR!r} or {closing}, got {_shown(token)}"
    return ConditionSyntaxError(text, start, end, fact, remark)


def _known(word: str, vocabulary: Vocabulary) -> str:
    """Say which predicates there are, led by the likeliest."""
    if not vocabulary.predicates:
        return "names have no predicates here"
    known = f"the predicates are {', '.join(vocabulary.predicates)}"
    hint = vocabulary.hint(word)
    if hint:
        return f"{hint}; {known}" if " " in hint else f"write {hint!r}; {known}"
    import difflib

    similar = difflib.get_close_matches(word.lower(), vocabulary.predicates, n=1)
    return f"did you mean {similar[0]!r}? ({known})" if similar else known


def _call(text: str, index: int, vocabulary: Vocabulary) -> "re.Match[str] | None":
    """Return the call, right or wrong, whose name or opening parenthesis a token is."""
    _, start, _ = _token(text, index - (_token(text, index, vocabulary)[0] == OPEN), vocabulary)
    return re.compile(_CALL, re.ASCII).match(text, start)


def _is_right(call: "re.Match[str]", vocabulary: Vocabulary) -> bool:
    """Tell whether a call is one of the vocabulary's."""
    if not vocabulary.quantifier(call[1]):
        return False
    argument = call[2].strip()
    if argument in vocabulary.predicates:
        return True
    is_token = TOKEN.fullmatch(argument) is not None
    return vocabulary.asks_one and is_token and vocabulary.is_operand(argument)


def _refusal(call: str, vocabulary: Vocabulary, over: Collection[str]) -> tuple[str, str | None]:
    """Say why a call that is right in itself cannot be written out, and what to do."""
    if over:
        return f"more than {vocabulary.max_calls} calls in one condition", "write each call once"
    return f"{quoted(call)} asks about {vocabulary.domain}, and there are none", None


def _comparison(text: str, start: int, vocabulary: Vocabulary) -> ConditionSyntaxError | None:
    """Describe a comparison that begins here, if its other side names one of the predicates."""
    found = re.compile(_COMPARED, re.ASCII | re.IGNORECASE).match(text, start)
    if found is None:
        return None
    name, sign, word = found["name"], found["sign"].lower(), found["word"]
    predicate = _predicate_meant(word, vocabulary)
    if predicate is None:
        return None
    negated = NOT if sign.startswith(("!", "ne", "is not")) else ""
    advice = f"write '{negated}{name}.{predicate}'"
    return ConditionSyntaxError(text, *found.span(), _NO_COMPARISONS, advice)


def _advice_on_call(call: "re.Match[str]", vocabulary: Vocabulary) -> str | None:
    """Return what to write instead of a call that does not exist; None where nobody can tell."""
    word, argument = call[1], call[2].strip()
    if not argument and (advice := vocabulary.hint(f"{word}()")):
        return advice
    for quantifier in vocabulary.quantifiers:
        if word.lower() in (quantifier.word, *quantifier.synonyms):
            asked = _predicate_meant(argument, vocabulary)
            if asked:
                return f"write '{quantifier.word}({asked})'"
            known = f"with one of {', '.join(vocabulary.predicates)}"
            return f"write '{quantifier.word}(...)' {known}; it asks about {vocabulary.domain}"
    predicate = _predicate_meant(word, vocabulary)
    if predicate and NAME.fullmatch(argument):
        return f"write '{argument}.{predicate}'"
    import difflib

    similar = difflib.get_close_matches(word.lower(), vocabulary.called, n=1)
    return f"did you mean '{similar[0]}({argument})'?" if similar else None


def _predicate_meant(word: str, vocabulary: Vocabulary) -> str | None:
    """Return the predicate that a word is, or that its hint names."""
    meant = word if word in vocabulary.predicates else vocabulary.hint(word)
    return meant if meant in vocabulary.predicates else None


def _token(text: str, index: int, vocabulary: Vocabulary) -> tuple[str, int, int]:
    """Return a token with its span; the one after the last is empty and stands at its end."""
    end = 0
    for number, match in enumerate(vocabulary.token.finditer(text)):
        if number == index:
            return match.group(), match.start(), match.end()
        end = match.end()
    return "", end, end


def _open_parentheses(text: str, vocabulary: Vocabulary, before: int | None = None) -> list[int]:
    """Return the indexes of the parentheses that are open before a token, or at the end."""
    opened: list[int] = []
    for index, token in enumerate(vocabulary.tokens(text)[:before]):
        if token == OPEN:
            opened.append(index)
        elif token == CLOSE:
            opened.pop()
    return opened


def _shown(token: str) -> str:
    """Name a token, or what stands where there is none."""
    return quoted(token) if token else "the end"


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
