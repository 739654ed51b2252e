"""Failures that nobody notices, lines that YAML joins, and files that a step writes (rule 11.2).

The texts are those after `-c` of a command, and so the scripts. They are cut into commands after
quoted parts, comments and substitutions have been masked. This is not a parser: where an author may
ignore a failure on purpose, nothing is found.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice, pairwise
from posixpath import dirname, normpath
from typing import NamedTuple, Self

from flow_spec.warnings.shell import (
    KNOWN,
    NAME_IN_WORD,
    CommandLine,
    is_shell,
    name_of,
    texts_for_shells,
    variable_of,
)

_LONGEST = 32 * 1024
"""Characters of the longest text that is checked; people write shorter ones."""

_OPAQUE = re.compile(
    r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|`[^`]*`|\$\{[^}]*\}"""
    r"""|\[\[\s[^\n]{0,500}?\s\]\]|\(\((?:[^()\n]|\([^()\n]*\))*\)\)"""
    r"""|[$<>]\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"""
    r"""|(?P<comment>(?:^|(?<=[\s;]))\#[^\n]*)"""
    r"""|<<-?[ ]*(?P<quote>['"]?)(?P<end>\w+)(?P=quote)[^\n]*\n"""
    r"""(?:[^\n]*\n){0,500}?[ \t]*(?P=end)(?=\n|$)""",
    re.DOTALL,
)
"""Quoted text, a test, arithmetic, a substitution, a comment, a here document."""
_OPERATOR = re.compile(
    r"\|\||&&|\|&|[;\n|()]|(?<![<>])&(?!>)|(?:(?<=\s)|^)[{}](?=[\s;]|$)", re.MULTILINE
)
_WORD = re.compile(r"[^\s#]\S*")
_REDIRECTED = re.compile(r"\d?[<>]|&>")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")


class Command(NamedTuple):
    """A command in a text: where it is, its words and their places, and the operators around."""

    begin: int
    end: int
    words: tuple[str, ...]
    places: tuple[int, ...]
    before: str
    after: str

    @property
    def name(self) -> str:
        """The name of its program, or its keyword; `[` for a test and for arithmetic."""
        return "[" if self.words[0].startswith(("[[", "((")) else name_of(self.words[0])


def commands_in(text: str) -> list[Command]:
    """Cut a text into its commands; keywords such as `do` that begin others are left out."""
    hidden = _masked(text)
    cuts = [(0, 0, ""), *((*found.span(), found[0]) for found in _OPERATOR.finditer(hidden))]
    commands = []
    for (_, begin, before), (end, _, after) in pairwise([*cuts, (len(text), len(text), "")]):
        words = list(_WORD.finditer(hidden, begin, end))
        while len(words) > 1 and words[0][0] in _OPENING:
            del words[0]
        if words and not _REDIRECTED.match(words[0][0]):
            places = tuple(word.start() for word in words)
            spelled = tuple(text[slice(*word.span())] for word in words)
            commands.append(Command(places[0], words[-1].end(), spelled, places, before, after))
    return commands


_OPENING, _ASKING = KNOWN["before_commands"], KNOWN["before_conditions"]


def _masked(text: str) -> str:
    """Return a text of the same length with `"` for what is quoted, and `#` for comments."""
    return _OPAQUE.sub(
        lambda found: ('"' if found["comment"] is None else "#") * len(found[0]), text
    )


class LostFailure(NamedTuple):
    """A command whose failure nobody notices: where it is, why, and what to write instead.

    Without a remedy, the options of the shell are the flaw. `by_shell` is false if the command
    itself succeeds.
    """

    begin: int
    end: int
    why: str
    remedy: str | None = None
    place: int = 0
    by_shell: bool = True

    @classmethod
    def of(cls, command: Command, why: str, remedy: str | None = None) -> Self:
        """Return that a shell ignores the failure of a command."""
        return cls(command.begin, command.end, why, remedy)


def lost_failure(words: Sequence[str], *, is_gate: bool = False) -> LostFailure | None:
    """Find the first command whose failure nobody notices: a shell, or the command itself.

    At the gate, `only_if`, a failure must not look like a no.
    """
    program = CommandLine(words).program
    alone = Command(0, len(words[program]), tuple(words), (), "", "")
    for found in _lost_in_programs([alone]):
        return found._replace(place=program)
    for place in texts_for_shells(words):
        text = words[place]
        shell = next(at for at in range(place - 1, -1, -1) if is_shell(words[at]))
        if name_of(words[shell]) not in KNOWN["like_sh"] or len(text) > _LONGEST:
            continue
        options = words[shell + 1 : place]
        commands = commands_in(text)
        finders = [_lost_in_substitutions, _lost_in_programs, _lost_in_messages]
        if is_gate:
            finders.append(_lost_in_questions)
        if not re.search("pipefail|PIPESTATUS", " ".join((*options, text))):
            finders.append(_lost_in_pipes)
        if not re.search(r"\$!|\bwait -|\bjobs\b", text):
            finders.append(_lost_in_background)
        if "errexit" in options or any(map(_STOPS.fullmatch, options)) or _SET.search(text):
            finders.append(_lost_in_lists)
        elif not _CHECKS.search(text):
            finders.append(_lost_before_others)
        firsts = [one for find in finders for one in islice(find(commands), 1)]
        if firsts:
            return min(firsts, key=lambda one: one.begin)._replace(place=place)
    return None


_PIPES = frozenset({"|", "|&"})
_JOINING = _PIPES | {"&&", "||"}
_STOPS = re.compile(r"-[a-zA-Z]*e[a-zA-Z]*")
_SET = re.compile(r"\bset -\w*e|\bset -\w*o errexit")
_CHECKS = re.compile(r"\$\?|\btrap\b|\(\)")
"""What checks failures, or defines functions, whose callers may check them."""
_CLOSING = frozenset({"fi", "done", "esac"})
_KEYWORDS = _CLOSING | _OPENING


def _lost_in_pipes(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands that write into one that succeeds without any input."""
    for one, reader in pairwise(commands):
        if one.after not in _PIPES or one.name in KNOWN["fail_safely"] | _ASKING:
            continue
        if reader.after not in _PIPES and reader.name in KNOWN["take_no_input"]:
            yield LostFailure.of(one, "only the last command of a pipe counts")


def _lost_in_questions(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands that write into one whose 1 means no, also without any input."""
    for one, reader in pairwise(commands):
        asks = one.after in _PIPES and reader.name in KNOWN["searching"]
        if asks and one.name not in {"echo", "printf"}:
            remedy = 'write OUTPUT=$(COMMAND) || exit 2, and ask "$OUTPUT"'
            yield LostFailure.of(one, f"{reader.name} says no, which skips the step", remedy)


def _lost_in_messages(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands whose failure is printed, and nothing else."""
    for at, one in enumerate(commands[1:], 1):
        if one.name not in {"echo", "printf", "logger"} or not _FAILED.search(" ".join(one.words)):
            continue
        place = at - 1
        while place and (commands[place].before in _PIPES or commands[place].name in _OPENING):
            place -= 1
        failed = commands[place]
        is_denied = failed.words[:2] == ("if", "!") and len(failed.words) > 2  # noqa: PLR2004
        asked = name_of(failed.words[2]) if is_denied else failed.name
        if asked not in KNOWN["fail_safely"] | _ASKING:
            follows = commands[at + 1].name if at + 1 < len(commands) else ""
            in_if = failed.name == "if" and follows in {"else", "elif", "fi"}
            if in_if or (one.before == "||" and one.after != "&&"):
                remedy = "let it fail: COMMAND || { echo TEXT; exit 1; }"
                yield LostFailure.of(failed, "it is printed, and the text goes on", remedy)


_FAILED = re.compile(r"fail|error|unable|could ?n[o']t|can ?n?[o']t", re.IGNORECASE)


def _lost_in_programs(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands that succeed although their work has failed."""
    for one in commands:
        program, *words = one.words[CommandLine(one.words).program :]
        name, found = name_of(program), None
        if one.before == "||" or one.after == "||":
            continue
        if name == "curl" and any("://" in word for word in words):
            if not any(map(_FAILS_OF_CURL.match, words)):
                found = "curl succeeds if the server answers with an error", "add --fail"
        elif name == "psql" and "ON_ERROR_STOP" not in " ".join(words):
            if any(map(_FILE_OF_PSQL.match, words)):
                found = "psql goes on after an error in its input", "add -v ON_ERROR_STOP=1"
        elif name == "find" and words and words[-1] in {";", "\\;", "';'", '";"'}:
            execs = [after for word, after in pairwise(words) if word in {"-exec", "-execdir"}]
            if any(name_of(word) not in KNOWN["fail_safely"] for word in execs):
                found = "find ignores the exit codes of -exec", "end it with + instead of ;"
        if found is not None:
            why, remedy = found
            yield LostFailure(one.begin, one.end, why, remedy, by_shell=False)


_FAILS_OF_CURL = re.compile(r"-[a-zA-Z#]*[fwI]|--(?:fail|write-out|head)\b")
_FILE_OF_PSQL = re.compile(r"-f|--file\b|<")


def _lost_in_substitutions(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands whose output is used, and nothing else of them."""
    for one in commands:
        loops = one.name in {"for", "select"}
        sets = one.name in {"export", "local", "declare", "readonly", "typeset"}
        for place, word in zip(one.places, one.words, strict=True):
            found = _SUBSTITUTED.match(word)
            if found is None or name_of(found["program"]) in KNOWN["fail_safely"] - {"cat"}:
                continue
            if loops or (sets and found["name"]) or found["kind"] == "<(":
                why = "only its output is used"
                remedy = 'run it before, as in LIST=$(COMMAND), and use "$LIST"'
                yield LostFailure(
                    place + found.start("kind"), place + len(word.rstrip("\"'")), why, remedy
                )


_SUBSTITUTED = re.compile(r"(?P<name>\w+=)?[\"']?(?P<kind>\$\(|`|<\()\s*(?P<program>[^\s()`$|;&]+)")


def _lost_in_background(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands in the background for which only a bare `wait` waits."""
    if any(one.words == ("wait",) for one in commands):
        for one in commands:
            if one.after == "&" and one.name not in KNOWN["fail_safely"]:
                remedy = "make it a step of its own, or wait for each: wait PID"
                yield LostFailure.of(one, "a wait without arguments succeeds", remedy)


def _lost_in_lists(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands before `&&` that do a part of the work, although `-e` is set."""
    for at, one in enumerate(commands):
        if one.after != "&&" or one.before in _JOINING or one.name not in KNOWN["do_work"]:
            continue
        rest = commands[at:]
        size = next((n for n, each in enumerate(rest, 1) if each.after not in _JOINING), len(rest))
        is_handled = any(each.after == "||" for each in rest[:size])
        follows = any(each.name not in _KEYWORDS for each in rest[size:])
        if follows and not is_handled and rest[size - 1].after != ")":
            why = "-e does not stop at a failure before &&, and more follows"
            yield LostFailure.of(one, why, "write each command on a line of its own")


def _lost_before_others(commands: Sequence[Command]) -> Iterator[LostFailure]:
    """Yield the commands after which a shell without `-e` goes on in any case."""
    if not commands or commands[-1].name in {"true", ":", "exit"}:
        return  # the outcome is not meant to be that of the commands
    last = max((at for at, one in enumerate(commands) if one.name not in _KEYWORDS), default=0)
    depth, head = 0, ""
    for at, one in enumerate(commands):
        if one.before not in _JOINING:
            head = one.name
        depth += (one.name in {"if", "case"}) - (one.name in {"fi", "esac"})
        is_asked = head in _ASKING or one.before == "||" or one.after in _JOINING | {"&", "("}
        is_last = at == last and not any(after.name == "done" for after in commands[at:])
        if depth or is_asked or is_last or one.name in KNOWN["fail_safely"] | _KEYWORDS:
            continue
        if not _ASSIGNMENT.match(one.words[0]):
            yield LostFailure.of(one, "it goes on with the next")


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
