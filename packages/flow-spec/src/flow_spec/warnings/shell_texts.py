"""What a shell makes of a text that its author did not expect: lost failures, joined lines (11.2).

The texts are those after `-c` of a command, scripts of other shells than the default one included.
They are cut into commands after quoted parts, comments and substitutions have been masked. This is
no parser of a shell: where an author may ignore a failure on purpose, nothing is found.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from posixpath import dirname, normpath
from typing import NamedTuple

from flow_spec.warnings.shell import (
    KNOWN,
    NAME_IN_WORD,
    is_shell,
    name_of,
    texts_for_shells,
    variable_of,
)

_LONGEST = 32 * 1024
"""The longest text that is looked at; nobody writes a longer one into a list of words."""

_OPAQUE = re.compile(
    r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|`[^`]*`|\$\{[^}]*\}"""
    r"""|[$<>]\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"""
    r"""|(?P<comment>(?:^|(?<=[\s;]))\#[^\n]*)"""
    r"""|<<-?[ ]*(?P<quote>['"]?)(?P<end>\w+)(?P=quote)[^\n]*\n"""
    r"""(?:[^\n]*\n)*?[ \t]*(?P=end)(?=\n|$)""",
    re.DOTALL,
)
"""Quoted text, a substitution, a comment, a here document."""
_OPERATOR = re.compile(
    r"\|\||&&|\|&|[;\n|()]|(?<![<>])&(?!>)|(?:(?<=\s)|^)[{}](?=[\s;]|$)", re.MULTILINE
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")


class Command(NamedTuple):
    """A command in a text: where it is, its words, and the operators around it."""

    begin: int
    end: int
    words: tuple[str, ...]
    before: str
    after: str

    @property
    def name(self) -> str:
        """The name of its program, or its keyword."""
        return name_of(self.words[0])


def commands_in(text: str) -> list[Command]:
    """Cut a text into its commands; keywords such as `do` that begin others are left out."""
    hidden = _masked(text)
    cuts = [(0, 0, ""), *((*found.span(), found[0]) for found in _OPERATOR.finditer(hidden))]
    commands = []
    for (_, begin, before), (end, _, after) in pairwise([*cuts, (len(text), len(text), "")]):
        words = list(re.finditer(r"[^\s#]\S*", hidden[begin:end]))
        while words and words[0][0] in _OPENING:
            del words[0]
        if words:
            first, last = begin + words[0].start(), begin + words[-1].end()
            spans = (text[begin + word.start() : begin + word.end()] for word in words)
            commands.append(Command(first, last, tuple(spans), before, after))
    return commands


_OPENING, _ASKING = KNOWN["before_commands"], KNOWN["before_conditions"]


def _masked(text: str) -> str:
    """Return a text of the same length with `"` for what is quoted, and `#` for comments."""
    return _OPAQUE.sub(
        lambda found: ('"' if found["comment"] is None else "#") * len(found[0]), text
    )


class LostFailure(NamedTuple):
    """A command whose failure a shell ignores: where it is, and whether in a pipe."""

    place: int
    begin: int
    end: int
    in_pipe: bool


def lost_failure(words: Sequence[str]) -> LostFailure | None:
    """Find the first command in a shell's text whose failure the shell ignores."""
    for place in texts_for_shells(words):
        text = words[place]
        shell = next(at for at in range(place - 1, -1, -1) if is_shell(words[at]))
        if name_of(words[shell]) not in KNOWN["like_sh"] or len(text) > _LONGEST:
            continue
        options = words[shell + 1 : place]
        commands = commands_in(text)
        found = None
        if not re.search("pipefail|PIPESTATUS", " ".join((*options, text))):
            found = next(_lost_in_pipes(commands), None)
        stops = any(re.fullmatch(r"-[a-df-zA-Z]*e[a-zA-Z]*", word) for word in options)
        if not stops and "errexit" not in options and not _CHECKS.search(text):
            lost = next(_lost_before_others(commands), None)
            found = min(filter(None, (found, lost)), default=None)
        if found is not None:
            return LostFailure(place, found.begin, found.end, found.after in _PIPES)
    return None


_PIPES = frozenset({"|", "|&"})
_JOINING = _PIPES | {"&&", "||"}
_CHECKS = re.compile(r"\bset -\w*e|errexit|\$\?|\btrap\b|\(\)")
"""What checks failures, or defines functions, whose callers may check them."""


def _lost_in_pipes(commands: Sequence[Command]) -> Iterator[Command]:
    """Yield the commands that write into one that succeeds without any input."""
    for one, reader in pairwise(commands):
        if one.after not in _PIPES or one.name in KNOWN["fail_safely"] | _ASKING:
            continue
        if reader.after not in _PIPES and reader.name in KNOWN["take_no_input"]:
            yield one


def _lost_before_others(commands: Sequence[Command]) -> Iterator[Command]:
    """Yield the commands after which the text goes on in any case."""
    if not commands or commands[-1].name in {"true", ":", "exit"}:
        return  # the outcome is not meant to be that of the commands
    depth = 0
    closing = {"fi", "done", "esac"}
    last = max((at for at, one in enumerate(commands) if one.name not in closing), default=0)
    head = ""
    for at, one in enumerate(commands):
        if one.before not in _JOINING:
            head = one.name
        depth += (one.name in {"if", "case"}) - (one.name in {"fi", "esac"})
        is_asked = one.before == "||" or one.after in _JOINING | {"&", "("}
        is_last = at == last and not any(after.name == "done" for after in commands[at:])
        is_asked |= head in _ASKING
        if depth or is_asked or is_last or one.name in KNOWN["fail_safely"] | closing:
            continue
        if not _ASSIGNMENT.match(one.words[0]):
            yield one


def joined_commands(text: str, joins: Iterable[int]) -> tuple[int, int] | None:
    """Find where YAML has joined two lines of a shell's text that look like two commands.

    `joins` are the places of the blanks between lines. The result spans the line break.
    """
    hidden = _masked(text)
    for at in joins if len(text) <= _LONGEST else ():
        before, after = hidden[:at].rstrip(), hidden[at:].lstrip()
        begin = max((found.end() for found in _OPERATOR.finditer(before)), default=0)
        words, following = text[begin : len(before)].split(), text[at:].split()
        is_escaped = text[at - 1] == "\\" and hidden[at - 2 : at - 1] != '"'
        if not words or not following or (hidden[at] == '"' and not is_escaped):
            continue  # the line ends with an operator, or within quotes
        is_swallowed = hidden[at] == "#" or after.startswith("#")
        if is_escaped or is_swallowed or _are_apart(words, following):
            return at - len(words[-1]), at + text[at:].index(following[0]) + len(following[0])
    return None


def _are_apart(words: Sequence[str], following: Sequence[str]) -> bool:
    """Whether some words and those of the next line look like two commands."""
    name, last, first = name_of(words[0]), words[-1], following[0]
    if last in _OPENING | _ASKING or first[0] in "-+|&;<>)}\"'" or re.match(r"\d*[<>]", first):
        return False
    if name in KNOWN["take_one_line"] or first in KNOWN["begin_lines"]:
        return True
    if last.startswith("-") or _TAKE_PROGRAMS & set(map(name_of, words)):
        return False
    is_setting = bool(_ASSIGNMENT.match(first)) and not _ASSIGNMENT.match(last)
    return is_setting or first == words[0] or name_of(first) in KNOWN["often_begin"]


_TAKE_PROGRAMS = (KNOWN["take_names_of_programs"] | KNOWN["wrappers"] | KNOWN["pass_on"]) - {
    "curl",
    "wget",
    "systemctl",
    "crontab",
}
"""Words after which the name of a program may be an argument."""


def writes(words: Sequence[str], path: str) -> bool:
    """Whether a command seems to write a file, or a file that matches a pattern."""
    wanted = _normal(path)
    if re.search(r"[*?[]", wanted) is None:
        return wanted in map(_normal, _written(words))
    return any(
        fnmatchcase(one, wanted) or fnmatchcase(f"{one}x", wanted) or one == dirname(wanted)
        for one in map(_normal, _written(words))
    )


def _written(words: Sequence[str]) -> Iterator[str]:
    """Yield the names of files and folders that a command writes, as far as known."""
    commands = [words]
    for place in texts_for_shells(words):
        if len(words[place]) <= _LONGEST:
            commands += [one.words for one in commands_in(words[place])]
    for one in commands:
        program = name_of(one[0])
        if program == "tee":
            yield from one[1:]
        elif program in KNOWN["write_last_word"]:
            yield one[-1]
        for word, following in pairwise((*one, "")):
            option, equals, value = word.partition("=")
            if option in KNOWN["options_for_output"]:
                yield value if equals else following
            elif found := re.match(r"[12&]?>{1,2}\|?(.*)", word, re.DOTALL):
                yield found[1] or following


def _normal(path: str) -> str:
    """Spell a path in one way: without quotes, and with `$NAME` for what stands for a value."""
    named = NAME_IN_WORD.sub(lambda found: f"${variable_of(found[1])}", path.translate(_NO_QUOTES))
    return normpath(re.sub(r"\$\{(\w+)\}", r"$\1", named))


_NO_QUOTES = str.maketrans("", "", "'\"")
