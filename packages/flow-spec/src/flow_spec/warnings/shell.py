"""Shell syntax in commands that no shell reads, and names in texts that a shell reads (rule 11.2).

A command is passed on as it stands (rule 2.2). Programs that read words in a language of their own,
or pass them on, are left alone, as far as they are known here. Only the last part of a path counts:
`/bin/sh` is `sh`.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from flow_spec.fields.env import StepVariable
from flow_spec.step import StepSpec

KNOWN: Mapping[str, frozenset[str]] = {
    section: frozenset(names.split())
    for section, names in tomllib.loads(
        Path(__file__).with_name("programs.toml").read_text("utf-8")
    ).items()
}
"""The names of programs, by section of `programs.toml`."""

SHELL_PROGRAMS = KNOWN["shells"]
WORDS_OF_SHELLS = KNOWN["settings"] | KNOWN["commands_of_shells"]
"""Words with which a command begins that no program can run."""


def name_of(word: str) -> str:
    """Return the name of the program that a word starts."""
    return word.rpartition("/")[2]


def end_of(words: Sequence[str], programs: str = "read_words") -> int:
    """Return the position of the first program to which shell syntax means something."""
    return next(
        (at for at, word in enumerate(words) if name_of(word) in KNOWN[programs]), len(words)
    )


def texts_for_shells(words: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the positions of the words that a shell reads as a program: those after `-c`.

    Beside each is that shell, with its options.
    """
    for place, word in enumerate(words[:-2]):
        if name_of(word) in SHELL_PROGRAMS:
            for after in range(place + 1, len(words) - 1):
                option = words[after]
                is_value = re.fullmatch(r"[-+][a-zA-Z]*[oO]", words[after - 1])
                if not option.startswith(("-", "+")) and not is_value:
                    break
                if re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", option):
                    yield after + 1, words[place : after + 1]
                    break


class ShellWord(NamedTuple):
    """A word with shell syntax: its position, the characters, and what they look like."""

    place: int
    begin: int
    end: int
    what: str


_OPERATOR = re.compile(r"\|&?|&&|\|\||;|[012&]?(?:>{1,2}|>\||>&)|<{1,3}")
"""A word before another one."""
_REDIRECTION = re.compile(
    r"(?:[0-2]|&)?>>?(?:&[0-2-]|[A-Za-z_./~$%{-][^\s=]*)$|[<>]\(.+\)$"
    r"|.*?\s(?P<part>2>&1|[12&]?>>?\s?/dev/null)(?!\S)"
)
_TILDE = re.compile(r"~(?=/|$)")
_VARIABLE = re.compile(
    r"(?<![$\\\w])\$(?:([A-Za-z_]\w*)|\(([A-Za-z_]\w*)\)|\{([A-Za-z_]\w*)(?:[:#%^,/][^}]*)?\})"
)
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]+")
_COMMAND = re.compile(
    r"(?<![$\\])\$\([a-z/.][^()]*\)|`(?:date|hostname|pwd|whoami|cat|ls|git|nproc|mktemp)\b[^`]*`"
)
"""The output of a command; backticks also quote words in messages."""
_GLOB = re.compile(
    r"[^\s=:]*(?:[*?]|\[(?:\w-\w)+\]|\{[\w.-]*(?:,[\w.-]*)+\}|\{\d+\.\.\d+\})[^\s:]*"
)
_TAKES_TEXT = re.compile(r"-(?:[dtFseDSERmcIx]|-[^=]+)")
"""Options whose value may be an operator or a pattern."""
_WRAPPED = re.compile(
    "[\u201c\u201e\u2018][^\u2018-\u201f]*[\u201c\u201d\u2019]|(?s:\xa0.*|.*\xa0)"
)
"""A word in curly quotes, or with a no-break space at one of its ends (rule 2.5)."""
_LONGEST = 4096
"""The longest word that is checked; longer ones are not words of a command line."""


def shell_words(words: Sequence[str], variables: Set[str] = frozenset()) -> Iterator[ShellWord]:
    """Yield the words of a command with shell syntax, with the first occurrence in each.

    `variables` are names that the command's environment is known to have.
    """
    name = name_of(words[0])
    for place, word in enumerate(words):
        if _WRAPPED.fullmatch(word):
            what = "text in curly quotes, or with a no-break space"
            yield ShellWord(place, 0, len(word), what)
    end, end_of_operators = end_of(words), end_of(words, "take_operators")
    for place in range(1, len(words)):
        found = None
        if len(words[place]) <= _LONGEST and place <= end:
            found = _operator(words, place) or _expansion(words, place, name, variables)
        elif place <= end_of_operators and words[place] in {"&&", "||", "|", ">"}:
            found = _operator(words, place)
        if found is not None:
            yield found


def _operator(words: Sequence[str], place: int) -> ShellWord | None:
    word, before, is_last = words[place], words[place - 1], place == len(words) - 1
    if _TAKES_TEXT.fullmatch(before):
        return None
    if word == "&" if is_last else _OPERATOR.fullmatch(word):
        return ShellWord(place, 0, len(word), "an operator of the shell")
    found = _REDIRECTION.match(word)
    return found and ShellWord(place, *found.span("part" if found["part"] else 0), "a redirection")


def _expansion(
    words: Sequence[str], place: int, name: str, variables: Set[str]
) -> ShellWord | None:
    word, before = words[place], words[place - 1]
    is_value = _TAKES_TEXT.fullmatch(before) is not None
    if not is_value and _TILDE.match(word):
        return ShellWord(place, 0, 1, "a home directory")
    if found := _variable_in(word, place, variables) or _output_in(word, place):
        return found
    if name in KNOWN["take_files"] and not is_value and word[:1] != "-" and _GLOB.fullmatch(word):
        return ShellWord(place, 0, len(word), "a pattern of file names")
    return None


def shell_text(text: str, variables: Set[str] = frozenset()) -> ShellWord | None:
    """Find a `~`, a variable or the output of a command in a text that no program reads."""
    if found := _TILDE.match(text) if len(text) > 1 else None:
        return ShellWord(0, found.start(), found.end(), "a home directory")
    return _variable_in(text, 0, variables) or _output_in(text, 0)


def _output_in(text: str, place: int) -> ShellWord | None:
    found = _COMMAND.search(text) if len(text) <= _LONGEST else None
    return found and ShellWord(place, *found.span(), "the output of a command")


_OF_OTHER_TOOLS = re.compile(r"(?<![$\w])\{\{-?\s*\.?(\w+)\s*-?\}\}")


def name_of_other_tool(text: str, known: Set[str]) -> re.Match[str] | None:
    """Find a known name in the spelling of another tool, such as `{{ NAME }}`; group 1 is the name.

    A text that has the name in our spelling too may replace one with the other, as templates do.
    """
    for found in _OF_OTHER_TOOLS.finditer(text):
        if found[1] in known and not re.search(rf"\$(?:\{{\{{\s*|\{{)?{found[1]}\b", text):
            return found
    return None


def pattern_in(text: str) -> ShellWord | None:
    """Find that a text is a pattern of file names."""
    is_pattern = "*" in text and len(text) <= _LONGEST and _GLOB.fullmatch(text)
    return ShellWord(0, 0, len(text), "a pattern of file names") if is_pattern else None


def _variable_in(word: str, place: int, variables: Set[str]) -> ShellWord | None:
    """Find a variable that the environment has or probably has."""
    for found in _VARIABLE.finditer(word):
        name = found[1] or found[2] or found[3]
        if name in variables or (not found[2] and _ENVIRONMENT.fullmatch(name)):
            return ShellWord(place, found.start(), found.end(), "a variable")
    return None


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


NAME_IN_WORD = re.compile(r"(?<!\$)\$\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")

_VARIABLES = {
    "FLOW_DIR": StepVariable.DIR,
    "RUN_DIR": StepVariable.RUN_DIR,
    "RUN_KEY": StepVariable.RUN_KEY,
}
"""The variables that hold the values of built-in names."""
_HARMLESS = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")


def names_for_shells(
    words: Sequence[str], values: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield each name in a word that a shell reads as a program, with the word's position.

    A name is left out if all its `values` are known and none means anything to a shell.
    """
    for place, _ in texts_for_shells(words):
        for found in NAME_IN_WORD.finditer(words[place]):
            if not all(map(_HARMLESS.fullmatch, values.get(found[1], ("$",)))):
                yield place, found


def variable_of(name: str) -> str:
    """Return the environment variable that holds the value of a name."""
    return _VARIABLES.get(name, name)


def tells(step: StepSpec) -> bool:
    """Whether a step looks like an alert, by its id and by what it calls.

    This is a guess, so it is used only for steps that answer a failure.
    """
    words = " ".join((step.id, *step.command)).lower()
    return not KNOWN["alerts"].isdisjoint(re.split("[^a-z]+", words))


def uses_failures(step: StepSpec) -> bool:
    """Whether the words of a step use a variable that says what failed (rule 9.13)."""
    names = (StepVariable.FAILED_STEPS, StepVariable.OUTCOME)
    return any(name in word for word in step.command for name in names)


def cleans_up(step: StepSpec) -> bool:
    """Whether a step looks like a cleanup, by its id.

    This is a guess, so it is used only for steps that are proven to run whatever happens.
    """
    return not KNOWN["cleanups"].isdisjoint(re.split(r"[-_]", step.id.lower()))
