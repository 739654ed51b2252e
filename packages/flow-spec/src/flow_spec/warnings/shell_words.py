"""Words of a command in which shell syntax stands that no shell will see (rule 11.2).

A command is passed on as it stands (rule 2.2). What is found here does harm as it is, as far as
that can be known: what a program may want to read itself is left alone, and so is text for people.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from typing import NamedTuple

from flow_spec.warnings.programs import (
    LANGUAGES,
    PASS_ON,
    SEARCHING,
    SHELLS,
    TAKE_FILES,
    has_language,
    name_of,
)


class ShellWord(NamedTuple):
    """A word with shell syntax: its position, the characters that are meant, and what they are."""

    place: int
    begin: int
    end: int
    what: str


_JOINING = {"|": "a pipe", "|&": "a pipe", "&&": "a list of commands", "||": "a list of commands"}
_INTO = frozenset({
    *(">", ">>", "<", "<<", "<<<", "2>", "2>>", "1>", "1>>", "&>", "&>>", ">|", ">&"),
})  # fmt: skip
_ATTACHED = re.compile(r"(?:[0-2]|&)?>>?(?:&[0-2-]|[\w./~$%{-][^\s=]*)")
_ATTACHED_IN_TEXT = re.compile(
    r"(?:^|(?<=\s))(?:2>&1|1>&2|>&2|(?:[12]|&)?>>?\s?/dev/null)(?=\s|$|;)"
)
_SUBSTITUTED = re.compile(r"[<>]\(.+\)")
_TILDE = re.compile(r"~(?=/|$)")
_VARIABLE = re.compile(r"(?<![$\\\w])\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:[:#%^,/][^}]*)?\})")
_ASKED = (
    "date|hostname|pwd|whoami|cat|ls|uname|id|git|which|basename|dirname|nproc|mktemp|echo|tail"
    "|head|find"
)
"""What is commonly asked between backticks, which quote words in messages too."""
_COMMAND = re.compile(rf"(?<![$\\])\$\([a-z/.][^()]*\)|`(?:{_ASKED})\b[^`]*`")
_GLOB = re.compile(r"[^\s=:]*(?:[*?]|\[[\w-]+\]|\{[\w.-]*(?:,[\w.-]*)+\}|\{\d+\.\.\d+\})[^\s:]*")
_MESSAGE = frozenset({"-m", "--message", "--body", "--title", "--description", "--notes", "-s"})
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]+")


def shell_words(words: Sequence[str], variables: Set[str] = frozenset()) -> Iterator[ShellWord]:
    """Yield the words of a command that have shell syntax, with the first thing in each.

    `variables` are the names that the command's environment is known to have.
    """
    for place in range(1, len(words)):
        if any(map(_hides_all, words[:place])):
            return
        for find in _FINDERS:
            found = find(words, place, variables)
            if found is not None:
                yield found
                break


def _hides_all(word: str) -> bool:
    return name_of(word) in SHELLS | PASS_ON


def _joining(words: Sequence[str], place: int, _: Set[str]) -> ShellWord | None:
    """Find what joins commands, as a word of its own: `|`, `&&`, `;`."""
    word, last = words[place], place == len(words) - 1
    if _is_own_matter(words, place):
        return None
    if word in _JOINING and not last:
        return ShellWord(place, 0, len(word), _JOINING[word])
    if word == ";" and not last and not {"-exec", "-execdir", "-ok"} & set(words[:place]):
        return ShellWord(place, 0, 1, "a list of commands")
    return ShellWord(place, 0, 1, "a command in the background") if word == "&" and last else None


def _cut_apart(words: Sequence[str], place: int, _: Set[str]) -> ShellWord | None:
    """Find a text that begins or ends with what joins commands: it was cut apart there."""
    word = words[place]
    parts = word.split()
    if len(parts) < _LEAST_PARTS or has_language(words[0]) or _is_own_matter(words, place):
        return None
    first, end = parts[0], parts[-1]
    if end in _JOINING and first not in _JOINING and place < len(words) - 1:
        begin = word.rindex(end)
        return ShellWord(place, begin, begin + len(end), _JOINING[end])
    if first in _JOINING and end not in _JOINING and place > 1:
        begin = word.index(first)
        return ShellWord(place, begin, begin + len(first), _JOINING[first])
    return None


_LEAST_PARTS = 2


def _redirection(words: Sequence[str], place: int, _: Set[str]) -> ShellWord | None:
    """Find where output or input would go."""
    word = words[place]
    if _is_own_matter(words, place):
        return None
    is_whole = (word in _INTO and place < len(words) - 1) or _ATTACHED.fullmatch(word)
    if is_whole or _SUBSTITUTED.fullmatch(word):
        return ShellWord(place, 0, len(word), "a redirection")
    found = None if has_language(words[0]) else _ATTACHED_IN_TEXT.search(word)
    return found and ShellWord(place, found.start(), found.end(), "a redirection")


def _tilde(words: Sequence[str], place: int, _: Set[str]) -> ShellWord | None:
    """Find a `~` that stands for a home directory."""
    found = _TILDE.match(words[place])
    if found is None or any(map(_reads_text, words[:place])) or _is_value(words, place):
        return None
    return ShellWord(place, 0, 1, "a home directory")


def _variable(words: Sequence[str], place: int, variables: Set[str]) -> ShellWord | None:
    """Find a variable that the environment has, or that is named as such are; or a command."""
    word = words[place]
    if any(map(_reads_text, words[:place])) or "://" in word:
        return None
    for found in _VARIABLE.finditer(word):
        name = found[1] or found[2]
        if name in variables or _ENVIRONMENT.fullmatch(name):
            return ShellWord(place, found.start(), found.end(), "a variable")
    command = None if words[place - 1] in _MESSAGE else _COMMAND.search(word)
    return command and ShellWord(place, command.start(), command.end(), "the output of a command")


def _pattern(words: Sequence[str], place: int, _: Set[str]) -> ShellWord | None:
    """Find a pattern of file names, given to a program that takes names only."""
    word, program = words[place], _program(words)
    if name_of(words[program]) not in TAKE_FILES or place <= program or word.startswith("-"):
        return None
    if _is_value(words, place) or words[place - 1] in _TAKE_PATTERNS:
        return None
    found = _GLOB.fullmatch(word)
    return found and ShellWord(place, 0, len(word), "a pattern of file names")


_FINDERS: tuple[Callable[[Sequence[str], int, Set[str]], ShellWord | None], ...] = (
    _joining,
    _cut_apart,
    _redirection,
    _tilde,
    _variable,
    _pattern,
)


def _reads_text(word: str) -> bool:
    return name_of(word) in LANGUAGES


def _program(words: Sequence[str]) -> int:
    """Return the position of the program behind wrappers such as `nice` and `env`."""
    place = 0
    while place < len(words) - 1 and name_of(words[place]) in _WRAPPERS:
        place += 1
        while place < len(words) - 1 and _OF_WRAPPER.match(words[place]):
            place += 1
    return place


def _is_own_matter(words: Sequence[str], place: int) -> bool:
    """Whether a word may be meant for the program: an operator, a pattern, a separator."""
    program = _program(words)
    name = name_of(words[program])
    if place <= program or name in _COMPARING or _is_value(words, place):
        return True
    first = next((at for at in range(program + 1, place) if words[at][:1] != "-"), place)
    return name in SEARCHING and place == first


def _is_value(words: Sequence[str], place: int) -> bool:
    """Whether a word is the value of an option, as far as that is known."""
    name, before = name_of(words[_program(words)]), words[place - 1]
    if name in TAKE_FILES - _SEPARATING:
        return False
    return before in _OPTIONS_WITH_TEXT or (before.startswith("--") and before != "--")


_WRAPPERS = frozenset({"env", "nice", "ionice", "nohup", "timeout", "setsid", "stdbuf", "time"})
_OF_WRAPPER = re.compile(r"-|\d|\w+=")
_COMPARING = frozenset({"expr", "test", "[", "[[", "tr", "bc", "dc", "jq", "yq", "awk", "gawk"})
"""Programs to which `|`, `<` and `>` may be words."""
_SEPARATING = frozenset({"sort", "cut", "paste", "head", "tail", "split", "uniq", "nl"})
"""Programs for names of files whose options have values."""
_OPTIONS_WITH_TEXT = frozenset({
    *("-d", "-t", "-F", "-s", "-e", "-D", "-S", "-E", "-R", "-separator", "-fs", "-m", "-c"),
})  # fmt: skip
_TAKE_PATTERNS = frozenset({"-I", "-x", "-X", "--ignore", "--hide", "--exclude", "--include"})
