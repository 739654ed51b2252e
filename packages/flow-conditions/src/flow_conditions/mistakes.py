"""Wording the mistakes that the parser meets: what was expected, what stands there, how to mend it.

Nothing here decides whether a text is a condition. A mistake is named by the index of its token;
only now are the tokens' places in the text looked up.
"""

from flow_conditions.errors import ALPHABETS, ConditionSyntaxError, quoted
from flow_conditions.grammar import AND, CLOSE, DOT, NAME_START, NOT, OPEN, OR, TOKEN
from flow_conditions.vocabulary import Vocabulary

_AN_OPERAND = f"a name, {NOT!r} or {OPEN!r}"

# How other languages spell the operators. As a word each is also a fine name, so this is consulted
# only where no name can stand.
_FOREIGN = {"and": AND, "&": AND, "or": OR, "|": OR, "not": NOT, "~": NOT}
_FOREIGN_PREFIXES = frozenset("~")
_COMPARISONS = frozenset("=<>")
_QUOTES = frozenset("'\"`")


def no_operand(text: str, index: int, vocabulary: Vocabulary) -> ConditionSyntaxError:
    """Describe a token, or the end, where an operand should begin."""
    token, start, end = _token(text, index)
    if index == 0 and not token:
        return ConditionSyntaxError(text, 0, 0, f"the condition is empty: expected {_AN_OPERAND}")
    remark = (_instead if token in _FOREIGN_PREFIXES else _remark)(token, vocabulary)
    message = f"expected {_AN_OPERAND}, got {_shown(token)}{remark}"
    return ConditionSyntaxError(text, start, end, message)


def no_operator(text: str, index: int, vocabulary: Vocabulary) -> ConditionSyntaxError:
    """Describe a token that follows an operand and is neither an operator nor a closing."""
    token, start, end = _token(text, index)
    closing = repr(CLOSE) if _open_parentheses(text, index) else "the end"
    remark = _instead(token, vocabulary)
    if not remark and (token in (NOT, OPEN) or token[0] in NAME_START):
        # Two operands stand in a row; perhaps the first was not meant to be one (`not A`).
        word, word_start, word_end = _token(text, index - 1)
        remark = _instead(word, vocabulary)
        if remark:
            start, end = word_start, word_end
    remark = remark or _remark(token, vocabulary)
    message = f"expected {AND!r}, {OR!r} or {closing}, got {_shown(token)}{remark}"
    return ConditionSyntaxError(text, start, end, message)


def nothing_to_close(text: str, index: int) -> ConditionSyntaxError:
    """Describe a closing parenthesis that no opening one waits for."""
    _, start, end = _token(text, index)
    message = f"expected {AND!r}, {OR!r} or the end, got {CLOSE!r}, which closes nothing"
    return ConditionSyntaxError(text, start, end, message)


def never_closed(text: str) -> ConditionSyntaxError:
    """Describe the innermost parenthesis that is still open at the end."""
    _, start, end = _token(text, _open_parentheses(text)[-1])
    message = f"this {OPEN!r} is never closed: expected {AND!r}, {OR!r} or {CLOSE!r}, got the end"
    return ConditionSyntaxError(text, start, end, message)


def unknown_predicate(text: str, index: int, vocabulary: Vocabulary) -> ConditionSyntaxError:
    """Describe an operand whose predicate is not in the vocabulary."""
    token, start, end = _token(text, index)
    name, _, word = token.partition(DOT)
    message = f"unknown predicate {quoted(word)}: {_known(word, vocabulary)}"
    return ConditionSyntaxError(text, start + len(name) + len(DOT), end, message)


def _known(word: str, vocabulary: Vocabulary) -> str:
    """Say which predicates there are, led by the likeliest."""
    if not vocabulary.predicates:
        return "names stand alone here, without a predicate"
    known = f"known are {', '.join(vocabulary.predicates)}"
    hint = vocabulary.hint(word)
    if hint:
        return f"{hint}; {known}" if " " in hint else f"write {hint!r}; {known}"
    import difflib

    similar = difflib.get_close_matches(word.lower(), vocabulary.predicates, n=1)
    return f"did you mean {similar[0]!r}? ({known})" if similar else known


def _token(text: str, index: int) -> tuple[str, int, int]:
    """Return a token with its span; the one after the last is empty and stands at its end."""
    end = 0
    for number, match in enumerate(TOKEN.finditer(text)):
        if number == index:
            return match.group(), match.start(), match.end()
        end = match.end()
    return "", end, end


def _open_parentheses(text: str, before: int | None = None) -> list[int]:
    """Return the indexes of the parentheses that are open before a token, or at the end."""
    opened: list[int] = []
    for index, token in enumerate(TOKEN.findall(text)[:before]):
        if token == OPEN:
            opened.append(index)
        elif token == CLOSE:
            opened.pop()
    return opened


def _shown(token: str) -> str:
    """Name a token, or what stands where there is none."""
    return quoted(token) if token else "the end"


def _instead(word: str, vocabulary: Vocabulary) -> str:
    """Return what to write for a word in an operator's place; the caller's own hint goes first.

    A hint of several words speaks for itself; a single one replaces the word, and a predicate does
    so behind a name. The first character alone stands for runs such as `&&&`.
    """
    hint = vocabulary.hint(word) or _FOREIGN.get(word.lower()) or _FOREIGN.get(word[0])
    if hint is None and word in vocabulary.predicates:
        hint = word
    if hint is None or " " in hint:
        return f"; {hint}" if hint else ""
    replacement = f"NAME.{hint}" if hint in vocabulary.predicates else repr(hint)
    return f"; for {quoted(word)} write {replacement}"


def _remark(token: str, vocabulary: Vocabulary) -> str:
    """Return what else there is to say of a character that belongs to no token."""
    example = next((f"NAME.{predicate}" for predicate in vocabulary.predicates), None)
    first = token[:1]
    if first in _QUOTES:
        remark = "names are written without quotes"
    elif first in _COMPARISONS or token.startswith("!="):
        remark = f"nothing is compared here; write {example}" if example else "nothing is compared"
    elif first == DOT:
        remark = f"write {example}, without a space" if example else "names have no '.' in them"
    elif first not in NAME_START and (first.isalnum() or first == "-"):
        remark = ALPHABETS["name"]
    else:
        return ""
    return f"; {remark}"
