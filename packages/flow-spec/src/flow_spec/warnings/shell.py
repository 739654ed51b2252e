"""Shell syntax in commands that no shell will read, and what is known about programs (rule 11.2).

A command is passed on as it stands (rule 2.2). Programs that read words in a language of their own
are left alone, as far as they are known here; so is text for people. Only the last part of a path
counts: `/bin/sh` is `sh`.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import attrs

from flow_spec.fields.env import StepVariable
from flow_spec.flow import FlowSpec
from flow_spec.step import StepSpec

KNOWN: Mapping[str, frozenset[str]] = {
    section: frozenset(names.split())
    for section, names in tomllib.loads(
        Path(__file__).with_name("programs.toml").read_text("utf-8")
    ).items()
}
"""The names of programs, by section of `programs.toml`."""

SHELLS = KNOWN["shells"]
ONLY_IN_SHELLS = KNOWN["only_in_shells"]
COMMANDS_OF_SHELLS = ONLY_IN_SHELLS | KNOWN["commands_of_shells"]
_PASS_ON, _LANGUAGES, _TAKE_FILES = KNOWN["pass_on"], KNOWN["languages"], KNOWN["take_files"]
_PYTHON = re.compile(r"(?:python|pypy|ipython)[0-9.]*")


def name_of(word: str) -> str:
    """Return the name of the program that a word starts."""
    return word.rpartition("/")[2]


def is_shell(word: str) -> bool:
    """Whether a word starts a shell."""
    return name_of(word) in SHELLS


def has_language(word: str) -> bool:
    """Whether a word starts a program that reads text in a language, or passes words on."""
    name = name_of(word)
    return name in SHELLS | _PASS_ON | _LANGUAGES or bool(_PYTHON.fullmatch(name))


def texts_for_shells(words: Sequence[str]) -> Iterator[int]:
    """Yield the positions of the words that a shell reads as a program: those after `-c`."""
    for place, word in enumerate(words[:-2]):
        if is_shell(word):
            for after in range(place + 1, len(words) - 1):
                option = words[after]
                is_value = re.fullmatch(r"[-+][a-zA-Z]*[oO]", words[after - 1])
                if not option.startswith(("-", "+")) and not is_value:
                    break
                if re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", option):
                    yield after + 1
                    break


_OF_WRAPPER = re.compile(r"-|\d|\w+=")
_OPTIONS_WITH_TEXT = frozenset({
    *("-d", "-t", "-F", "-s", "-e", "-D", "-S", "-E", "-R", "-separator", "-fs", "-m", "-c"),
})  # fmt: skip
_TAKE_PATTERNS = frozenset({"-I", "-x", "-X", "--ignore", "--hide", "--exclude", "--include"})
_EXECUTING = frozenset({"-exec", "-execdir", "-ok", "-okdir"})


@attrs.frozen(slots=False)
class CommandLine:
    """The words of a command, as written, and what is known about each.

    Little is known about what programs do with their words; the rest is left alone.
    """

    words: Sequence[str]

    @cached_property
    def program(self) -> int:
        """The position of the program after wrappers such as `nice` and `env`."""
        words, last = self.words, len(self.words) - 1
        place = 0
        while place < last and name_of(words[place]) in KNOWN["wrappers"]:
            place += 1
            while place < last and _OF_WRAPPER.match(words[place]):
                place += 1
        return place

    @cached_property
    def name(self) -> str:
        """The name of that program."""
        return name_of(self.words[self.program])

    @cached_property
    def end(self) -> int:
        """The position from which a shell, or another host, gets the words."""
        return self._first(SHELLS | _PASS_ON)

    @cached_property
    def begins_with_language(self) -> bool:
        """Whether the first word is a program that reads text in a language."""
        return has_language(self.words[0])

    @cached_property
    def _language_from(self) -> int:
        return self._first(_LANGUAGES)

    @cached_property
    def _pattern(self) -> int:
        """The position of the first argument that is not an option."""
        places = range(self.program + 1, len(self.words))
        return next((place for place in places if self.words[place][:1] != "-"), 0)

    @cached_property
    def _executes_from(self) -> int:
        found = (place for place, word in enumerate(self.words) if word in _EXECUTING)
        return next(found, len(self.words))

    def _first(self, names: frozenset[str]) -> int:
        found = (place for place, word in enumerate(self.words) if name_of(word) in names)
        return next(found, len(self.words))

    def is_last(self, place: int) -> bool:
        """Whether nothing follows a word."""
        return place == len(self.words) - 1

    def is_read_as_text(self, place: int) -> bool:
        """Whether a program before a word has a language of its own.

        That of `test` has no word with `~` or `$`.
        """
        begin = self._language_from
        return place > begin and name_of(self.words[begin]) not in {"test", "["}

    def ends_execution(self, place: int) -> bool:
        """Whether `;` ends a command that `find` executes."""
        return place > self._executes_from

    def is_own_matter(self, place: int) -> bool:
        """Whether a word may be an operator, a pattern, or the value of an option."""
        if place <= self.program or self.name in KNOWN["comparing"] or self.is_value(place):
            return True
        return self.name in KNOWN["searching"] and place == self._pattern

    def is_value(self, place: int) -> bool:
        """Whether a word is the value of an option, as far as known."""
        if self.name in _TAKE_FILES - KNOWN["separating"]:
            return False
        before = self.words[place - 1]
        return before in _OPTIONS_WITH_TEXT or (before.startswith("--") and before != "--")

    def is_file(self, place: int) -> bool:
        """Whether a word is the name of a file to the program."""
        if self.name not in _TAKE_FILES or place <= self.program or self.is_value(place):
            return False
        return self.words[place][:1] != "-" and self.words[place - 1] not in _TAKE_PATTERNS


class ShellWord(NamedTuple):
    """A word with shell syntax: its position, the characters, and what they look like."""

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
"""Programs that are commonly called between backticks, which also quote words in messages."""
_COMMAND = re.compile(rf"(?<![$\\])\$\([a-z/.][^()]*\)|`(?:{_ASKED})\b[^`]*`")
_GLOB = re.compile(
    r"[^\s=:]*(?:[*?]|\[(?:\w-\w)+\]|\{[\w.-]*(?:,[\w.-]*)+\}|\{\d+\.\.\d+\})[^\s:]*"
)
_MESSAGE = frozenset({"-m", "--message", "--body", "--title", "--description", "--notes", "-s"})
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]+")
_SAYING = frozenset({"echo", "printf"})
"""Programs to which `~` is an ordinary word."""
_LONGEST = 4096
"""The longest word that is checked; longer ones are not words of a command line."""


def shell_words(words: Sequence[str], variables: Set[str] = frozenset()) -> Iterator[ShellWord]:
    """Yield the words of a command with shell syntax, with the first occurrence in each.

    `variables` are names that the command's environment is known to have.
    """
    line = CommandLine(words)
    for place in range(1, min(len(words), line.end + 1)):
        if len(words[place]) <= _LONGEST:
            found = (find(line, place, variables) for find in _FINDERS)
            yield from islice(filter(None, found), 1)


def _joining(line: CommandLine, place: int, _: Set[str]) -> ShellWord | None:
    """Find an operator that joins commands, as a word of its own: `|`, `&&`, `;`."""
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
    """Find a text that begins or ends with an operator that joins commands."""
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
    """Find a redirection of output or input."""
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


def shell_text(text: str, variables: Set[str] = frozenset()) -> ShellWord | None:
    """Find a `~` or a variable in a text that no program reads as a command."""
    if found := _TILDE.match(text) if len(text) > 1 else None:
        return ShellWord(0, found.start(), found.end(), "a home directory")
    return _variable_in(text, 0, variables)


def _variable_in(word: str, place: int, variables: Set[str]) -> ShellWord | None:
    """Find a variable that the environment has or probably has."""
    for found in _VARIABLE.finditer(word):
        name = found[1] or found[2]
        if name in variables or _ENVIRONMENT.fullmatch(name):
            return ShellWord(place, found.start(), found.end(), "a variable")
    return None


def has_several_commands(words: Sequence[str]) -> bool:
    """Whether a shell reads a text here that has more than one command."""
    texts = (_UNREAD.sub("", words[place]) for place in texts_for_shells(words))
    return any(_BETWEEN_COMMANDS.search(text.strip()) for text in texts)


_UNREAD = re.compile(r"""\\\n|^\s*\#.*|'[^']*'|"(?:\\.|[^"\\])*\"""", re.MULTILINE)
"""Continuations, comments and quoted texts."""
_BETWEEN_COMMANDS = re.compile(r"[\n;|]|&&")

_DOTTED = r"\$\{\{\s*[a-z_]+(?:\.[\w.-]+)+\s*\}\}"
_BRACED = r"(?<![${])\{\{\s*(?!end\b|else\b)[A-Za-z_][\w.]*\s*\}\}"
_TASK = r"(?<![${])\{\{\s*\.[A-Z][A-Z0-9_]{3,}\s*\}\}"
_RANGE = r"^\{?-?\d+\.\.-?\d+\}?$"
IN_SCRIPT, IN_WORD = re.compile(f"{_DOTTED}|{_TASK}"), re.compile(f"{_BRACED}|{_TASK}")
IN_LIST = re.compile(f"{_DOTTED}|{_BRACED}|{_TASK}|{_RANGE}")
"""What other systems replace by values: `${{ matrix.X }}`, `{{ NAME }}`, `{{.NAME}}`, and a range.

Task writes its variables in capitals. The fields of templates in Go, such as `{{.Names}}`, are not.

A name in a word is known by `NAME_IN_WORD`, and a template in a script is the matter of a program.
"""


def _variable(line: CommandLine, place: int, variables: Set[str]) -> ShellWord | None:
    """Find a variable that the environment has or probably has, or a substituted command."""
    word = line.words[place]
    if line.is_read_as_text(place) or "://" in word:
        return None
    if found := _variable_in(word, place, variables):
        return found
    command = None if line.words[place - 1] in _MESSAGE else _COMMAND.search(word)
    return command and ShellWord(place, command.start(), command.end(), "the output of a command")


def _pattern(line: CommandLine, place: int, _: Set[str]) -> ShellWord | None:
    """Find a pattern of file names, passed to a program that takes only names."""
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


NAME_IN_WORD = re.compile(r"(?<!\$)\$\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")

_VARIABLES = {
    "FLOW_DIR": StepVariable.DIR,
    "RUN_DIR": StepVariable.RUN_DIR,
    "RUN_KEY": StepVariable.RUN_KEY,
}
"""The variables that hold the values of built-in names."""
_HARMLESS = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")


def names_for_shells(
    flow: FlowSpec, step: StepSpec, words: tuple[str, ...]
) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield each name in a word that a shell reads as a program, with the word's position.

    A name is left out if the file has all its values and none means anything to a shell.
    """
    harmless = values_in_file(flow, step)
    for place in texts_for_shells(words):
        for found in NAME_IN_WORD.finditer(words[place]):
            if not all(map(_HARMLESS.fullmatch, harmless.get(found[1], ("$",)))):
                yield place, found


def values_in_file(flow: FlowSpec, step: StepSpec) -> Mapping[str, tuple[str, ...]]:
    """Return the values of the names in a step's words, if the file has all of them."""
    values = {param.name: param.enum for param in flow.params if param.enum}
    for block in flow.blocks:
        if step.id in block.ids and not any(one.origin for one in block.lists):
            rows = [copy.values for copy in block.copies]
            values |= dict(zip(block.names, zip(*rows, strict=True), strict=True))
    return values


def variable_of(name: str) -> str:
    """Return the environment variable that holds the value of a name."""
    return _VARIABLES.get(name, name)


def repairs(step: StepSpec) -> bool:
    """Whether a step looks like a repair after a failure, or keeps evidence of it, by its id.

    This is a guess, so it is used only for steps that are proven to answer a failure.
    """
    return bool(KNOWN["words_of_repairs"] & set(re.split(r"[-_@]", step.id.lower())))


def cleans_up(step: StepSpec) -> bool:
    """Whether a step looks like a cleanup, by its id or its program.

    This is a guess, so it is used only for steps that are proven to run whatever happens.
    """
    if KNOWN["words_of_cleanups"] & set(re.split(r"[-_]", step.id.lower())):
        return True
    words = step.command if step.script is None else tuple(step.script.split()[:3])
    program = name_of(words[0]) if words else ""
    return program in KNOWN["cleaning_up"] or (
        program in KNOWN["cleaning_up_with_verb"]
        and not KNOWN["verbs_of_cleanups"].isdisjoint(words[1:3])
    )
