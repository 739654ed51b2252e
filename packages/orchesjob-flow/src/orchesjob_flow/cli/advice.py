"""What to type instead of a wrong command line: for words of other tools, and for what is missing.

Only a mistake comes here (rule 6.12). What is said is the `help` of the error; that there is a
mistake, click says.
"""

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import click

from orchesjob_flow.cli.foreign_words import (
    COMMANDS,
    NO_COMMANDS,
    NO_OPTIONS,
    NOUNS,
    OPTIONS,
    WHOLE_FLOW,
)
from orchesjob_flow.cli.run_key import CommandThatNames, KeyArgument

LIKE = 0.7
"""How alike two words must be to be taken for the same; "pause" is not "prune"."""
EXTRA = re.compile(r"Got unexpected extra arguments? \((\S+?)[ )]")
FLOW_FILES = (".yaml", ".yml", ".json")


def advice_on(error: click.UsageError) -> str | None:
    """Return what to type instead, or None where only the help of the command can tell."""
    if isinstance(error, click.NoSuchOption):
        return _for_option(error)
    if isinstance(error, click.MissingParameter) and error.ctx is not None:
        return _for_missing(error.ctx, error.param)
    if (extra := EXTRA.match(error.message)) is not None and error.ctx is not None:
        return _for_extra(error.ctx, extra[1])
    return getattr(error, "advice", None)


def unknown_command(
    ctx: click.Context, words: list[str], ours: Iterable[click.Command]
) -> click.UsageError:
    """Return the error for a command that there is not, with the one that was probably meant."""
    error = click.UsageError(f"No such command {words[0]!r}.", ctx)
    known = {str(command.name): takes_arguments(command) for command in ours}
    error.advice = _for_command(ctx.command_path, words, known)  # type: ignore[attr-defined]
    return error


def takes_arguments(command: click.Command) -> bool:
    """Tell whether a command takes more than options."""
    return any(isinstance(param, click.Argument) for param in command.params)


def _for_command(program: str, words: Sequence[str], known: Mapping[str, bool]) -> str | None:
    """Return the line that was meant by a command and its arguments, or why there is none.

    `known` are the commands of ours, each with whether it takes arguments.
    """
    word, rest = words[0], words[1:]
    if word in NOUNS and rest and not rest[0].startswith("-"):  # as in `gh run list`
        return _for_command(program, rest, known)
    if rest and rest[0] in NOUNS and word not in known:  # as in `kubectl get runs`
        word = "list" if len(rest) == 1 and rest[0].endswith("s") else word
        rest = rest[1:]
    reason = _found_in(NO_COMMANDS, word.lower())
    line = reason or _line_of_ours(word, rest, known)
    return line if line is None or reason else f"{program} {line}"


def _line_of_ours(word: str, rest: Sequence[str], known: Mapping[str, bool]) -> str | None:
    """Return our line, without the program, for a word of others, or one that is misspelled."""
    if looks_like_flow_file(word):
        return f"run {shlex.quote(word)}"
    if word == "help" and rest and rest[0] in known:
        return f"{rest[0]} --help"
    if (line := _found_in(COMMANDS, word.lower())) is not None:
        return _filled(line, rest)
    has_argument = bool(rest) and not rest[0].startswith("-")
    fitting = [name for name, takes_any in known.items() if takes_any or not has_argument]
    close = next(iter(get_close_matches(word.lower(), fitting, n=1, cutoff=LIKE)), None)
    if close is None or rest:
        return close and f"{close} {shlex.join(rest)}"
    return next((line for line in COMMANDS if line.split()[0] == close), close)


def looks_like_flow_file(word: str) -> bool:
    """Tell whether a word is a file, or named as flow files are."""
    return os.path.isfile(word) or word.endswith(FLOW_FILES)  # noqa: PTH113 - of any length


def _found_in(table: Mapping[str, str], word: str) -> str | None:
    """Return what is said about a word that another tool uses."""
    return next((ours for ours, theirs in table.items() if word in theirs.split()), None)


def _filled(line: str, rest: Sequence[str]) -> str:
    """Put what was typed after the command into our line, where it can be the same."""
    *begin, last = line.split()
    if not rest or any(one.startswith("-") for one in rest):  # options may differ too
        return line
    if last == "KEY":
        most = 2 if begin[0] in {"logs", "explain"} else 1
        return " ".join([*begin, shlex.join(rest[:most])])
    if last == "FLOW_FILE" and looks_like_flow_file(rest[0]):
        return " ".join([*begin, shlex.quote(rest[0])])
    return line


def _for_option(error: click.NoSuchOption) -> str | None:
    """Return what an option of another tool, or one in the wrong place, is here."""
    if error.ctx is None:
        return None
    program, command = error.ctx.find_root(), error.ctx.command_path
    if program is not error.ctx and any(
        error.option_name in param.opts for param in program.command.params
    ):
        rest = command.removeprefix(f"{program.command_path} ")
        return f"{program.command_path} {error.option_name} VALUE {rest}: before the command"
    if error.ctx.info_name == "run" and error.option_name in {"-k", "--run-key"}:
        return f"{program.command_path} start KEY FLOW_FILE: `run` makes a key of its own"
    name = "" if program is error.ctx else str(error.ctx.command.name)
    tables = (lines for names, lines in NO_OPTIONS.items() if name in names.split(" "))
    for lines in tables:
        if (line := _found_in(lines, error.option_name)) is not None:
            return line
    own = {option: param for param in error.ctx.command.params for option in param.opts}
    for option, theirs in OPTIONS.items():
        if option in own and error.option_name in theirs.split():
            value = own[option].make_metavar(error.ctx) if _has_value(own[option]) else ""
            return f"{command} {option} {value}".rstrip()
    return None


def _for_extra(ctx: click.Context, word: str) -> str | None:
    """Return what a word too many is here, by the command."""
    line, given = ctx.command_path, shlex.quote(word)
    match ctx.command.name:
        case "start" | "run" if "=" in word:
            return f"{line} --param {given}"
        case "start" | "run":
            return WHOLE_FLOW
        case "retry":
            return f"{line} KEY --step {given}"
        case "list":
            return f"{line} --flow-id {given}"
        case "logs" | "explain":
            return f"{line} KEY STEP: one step, or all without STEP"
        case _:
            return None


def _has_value(param: click.Parameter) -> bool:
    return not (isinstance(param, click.Option) and param.is_flag)


def _for_missing(ctx: click.Context, param: click.Parameter | None) -> str | None:
    """Return how a run or a flow file is named that is not."""
    program = ctx.find_root().command_path
    if isinstance(param, KeyArgument) and isinstance(ctx.command, CommandThatNames):
        return f"{ctx.command_path} KEY FLOW_FILE, or `{program} run FLOW_FILE`, which makes a key"
    if isinstance(param, KeyArgument):
        return f"{ctx.command_path} KEY, or - for the newest run; `{program} list` shows the keys"
    handle = ctx.params.get("handle")
    if param is not None and param.name == "flow_file" and handle is not None:
        given = shlex.quote(handle.run_key)
        if looks_like_flow_file(handle.run_key):
            return f"{ctx.command_path} KEY {given}, or `{program} run {given}`, which makes a key"
        return f"{ctx.command_path} {given} FLOW_FILE"
    return None
