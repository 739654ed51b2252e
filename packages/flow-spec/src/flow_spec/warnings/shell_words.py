"""Words of a command in which shell syntax stands that no shell will see (rule 11.2).

A command is passed on as it stands (rule 2.2). What is found here does harm as it is, as far as
that can be known: what a program may want to read itself is left alone, and so is text for people.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import islice
from typing import NamedTuple

from flow_spec.warnings.command_line import CommandLine


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
_ATTACHED = re.compile(r"(?:[0-2]|&)?>>?(?:&[0-2-]|[A-Za-z_./~$%{-][^\s=]*)")
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
_GLOB = re.compile(
    r"[^\s=:]*(?:[*?]|\[(?:\w-\w)+\]|\{[\w.-]*(?:,[\w.-]*)+\}|\{\d+\.\.\d+\})[^\s:]*"
)
_MESSAGE = frozenset({"-m", "--message", "--body", "--title", "--description", "--notes", "-s"})
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]+")
_SAYING = frozenset({"echo", "printf"})
"""Programs to which `~` is as good as any word."""
_LONGEST = 4096
"""Characters of a word that is looked at: what is longer is no word of a command line."""


def shell_words(words: Sequence[str], variables: Set[str] = frozenset()) -> Iterator[ShellWord]:
    """Yield the words of a command that have shell syntax, with the first thing in each.

    `variables` are the names that the command's environment is known to have.
    """
    line = CommandLine(words)
    for place in range(1, min(len(words), line.end + 1)):
        if len(words[place]) <= _LONGEST:
            found = (find(line, place, variables) for find in _FINDERS)
            yield from islice(filter(None, found), 1)


def _joining(line: CommandLine, place: int, _: Set[str]) -> ShellWord | None:
    """Find what joins commands, as a word of its own: `|`, `&&`, `;`."""
    word, is_last = line.words[place], line.is_last(place)
    if line.is_own_matter(place):
        return None
    if word in _JOINING and not is_last:
        return ShellWord(place, 0, len(word), _JOINING[word])
    if word == ";" and not is_last and not line.ends_execution(place):
        return ShellWord(place, 0, 1, "a list of commands")
    is_background = word == "&" and is_last
    return ShellWord(place, 0, 1, "a command in the background") if is_background else None


def _cut_apart(line: CommandLine, place: int, _: Set[str]) -> ShellWord | None:
    """Find a text that begins or ends with what joins commands: it was cut apart there."""
    word = line.words[place]
    parts = word.split()
    if len(parts) < _LEAST_PARTS or line.begins_with_language or line.is_own_matter(place):
        return None
    first, end = parts[0], parts[-1]
    if end in _JOINING and first not in _JOINING and not line.is_last(place):
        begin = word.rindex(end)
        return ShellWord(place, begin, begin + len(end), _JOINING[end])
    if first in _JOINING and end not in _JOINING and place > 1:
        begin = word.index(first)
        return ShellWord(place, begin, begin + len(first), _JOINING[first])
    return None


_LEAST_PARTS = 2


def _redirection(line: CommandLine, place: int, _: Set[str]) -> ShellWord | None:
    """Find where output or input would go."""
    word = line.words[place]
    if line.is_own_matter(place):
        return None
    is_whole = (word in _INTO and not line.is_last(place)) or _ATTACHED.fullmatch(word)
    if is_whole or _SUBSTITUTED.fullmatch(word):
        return ShellWord(place, 0, len(word), "a redirection")
    found = None if line.begins_with_language else _ATTACHED_IN_TEXT.search(word)
    return found and ShellWord(place, found.start(), found.end(), "a redirection")


def _tilde(line: CommandLine, place: int, _: Set[str]) -> ShellWord | None:
    """Find a `~` that stands for a home directory."""
    if line.is_read_as_text(place) or line.is_value(place):
        return None
    word = line.words[place]
    found = None if word == "~" and line.name in _SAYING else _TILDE.match(word)
    return found and ShellWord(place, 0, 1, "a home directory")


def _variable(line: CommandLine, place: int, variables: Set[str]) -> ShellWord | None:
    """Find a variable that the environment has, or that is named as such are; or a command."""
    word = line.words[place]
    if line.is_read_as_text(place) or "://" in word:
        return None
    for found in _VARIABLE.finditer(word):
        name = found[1] or found[2]
        if name in variables or _ENVIRONMENT.fullmatch(name):
            return ShellWord(place, found.start(), found.end(), "a variable")
    command = None if line.words[place - 1] in _MESSAGE else _COMMAND.search(word)
    return command and ShellWord(place, command.start(), command.end(), "the output of a command")


def _pattern(line: CommandLine, place: int, _: Set[str]) -> ShellWord | None:
    """Find a pattern of file names, given to a program that takes names only."""
    word = line.words[place]
    found = _GLOB.fullmatch(word) if line.is_file(place) else None
    return found and ShellWord(place, 0, len(word), "a pattern of file names")


_FINDERS: tuple[Callable[[CommandLine, int, Set[str]], ShellWord | None], ...] = (
    _joining,
    _cut_apart,
    _redirection,
    _tilde,
    _variable,
    _pattern,
)
