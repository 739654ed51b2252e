"""What to type instead of a wrong command line: for words of other tools, and for what is missing.

It is imported only after a mistake (rule 6.12). click says what the mistake is; the advice is the
`help` of the error. `foreign_words.toml` holds what other tools call the commands and options of
this program.
"""

import os
import re
import shlex
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click

from flow_spec import closest_words
from orchesjob_flow.cli.options import CommandThatNames, KeyArgument

LIKE = 0.7
"""How alike two words must be to count as the same; "pause" is not "prune"."""
EXTRA = re.compile(r"Got unexpected extra arguments? \((\S+?)[ )]")
FLOW_FILES = (".yaml", ".yml", ".json")


@cache
def foreign_words() -> Mapping[str, Any]:
    """Return the words of other tools, by the tables of the file."""
    path = Path(__file__).with_name("foreign_words.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def advice_on(error: click.UsageError) -> str | None:
    """Return what to type instead; None where only the help of the command can tell."""
    if isinstance(error, click.NoSuchOption):
        return _for_option(error)
    if isinstance(error, click.MissingParameter) and error.ctx is not None:
        return _for_missing(error.ctx, error.param)
    if (extra := EXTRA.match(error.message)) is not None and error.ctx is not None:
        return _for_extra(error.ctx, extra[1])
    return getattr(error, "advice", None)


def unknown_command(
    ctx: click.Context, words: list[str], known: Collection[str]
) -> click.UsageError:
    """Return the error for an unknown command, with the one of `known` that was probably meant."""
    error = click.UsageError(f"No such command {words[0]!r}.", ctx)
    error.advice = _for_command(ctx, words, known)  # type: ignore[attr-defined]
    return error


def _for_command(ctx: click.Context, words: Sequence[str], known: Collection[str]) -> str | None:
    """Return the line to type instead of a command and its arguments, or why there is none."""
    word, rest = words[0], words[1:]
    nouns = foreign_words()["nouns"].split()
    if word in nouns and rest and not rest[0].startswith("-"):  # as in `gh run list`
        return _for_command(ctx, rest, known)
    if rest and rest[0] in nouns and word not in known:  # as in `kubectl get runs`
        word = "list" if len(rest) == 1 and rest[0].endswith("s") else word
        rest = rest[1:]
    reason = _found_in(foreign_words()["no_commands"], word.lower())
    line = reason or _line_of_ours(ctx, word, rest, known)
    return line if line is None or reason else f"{ctx.command_path} {line}"


def _line_of_ours(
    ctx: click.Context, word: str, rest: Sequence[str], known: Collection[str]
) -> str | None:
    """Return the line, without the program, for a word of another tool or a misspelled one."""
    if looks_like_flow_file(word):
        return f"run {shlex.quote(word)}"
    if word == "help" and rest and rest[0] in known:
        return f"{rest[0]} --help"
    if (line := _found_in(foreign_words()["commands"], word.lower())) is not None:
        return _filled(line, rest)
    has_argument = bool(rest) and not rest[0].startswith("-")
    alike = closest_words(word.lower(), known, least_alike=LIKE)
    fitting = (name for name in alike if not has_argument or _takes_arguments(ctx, name))
    close = next(fitting, None)
    if close is None or rest:
        return close and f"{close} {shlex.join(rest)}"
    return next((line for line in foreign_words()["commands"] if line.split()[0] == close), close)


def _takes_arguments(ctx: click.Context, name: str) -> bool:
    """Tell whether a command takes more than options."""
    command = ctx.command.get_command(ctx, name) if isinstance(ctx.command, click.Group) else None
    return command is not None and any(isinstance(one, click.Argument) for one in command.params)


def looks_like_flow_file(word: str) -> bool:
    """Tell whether a word is a file, or named as flow files are."""
    return os.path.isfile(word) or word.endswith(FLOW_FILES)  # noqa: PTH113 - of any length


def _found_in(table: Mapping[str, str], word: str) -> str | None:
    """Return the entry of a table for a word that another tool uses."""
    return next((ours for ours, theirs in table.items() if word in theirs.split()), None)


def _filled(line: str, rest: Sequence[str]) -> str:
    """Put the typed arguments into the line where they can stay the same."""
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
    """Return what to type instead of an option of another tool, or one in the wrong place."""
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
    for names, lines in foreign_words()["no_options"].items():
        if name in names.split(" ") and (line := _found_in(lines, error.option_name)) is not None:
            return line
    own = {option: param for param in error.ctx.command.params for option in param.opts}
    for option, theirs in foreign_words()["options"].items():
        if option in own and error.option_name in theirs.split():
            is_flag = getattr(own[option], "is_flag", False)
            value = "" if is_flag else own[option].make_metavar(error.ctx)
            return f"{command} {option} {value}".rstrip()
    return None


def _for_extra(ctx: click.Context, word: str) -> str | None:
    """Return what to type instead of a surplus word."""
    line, given = ctx.command_path, shlex.quote(word)
    match ctx.command.name:
        case "start" | "run" if "=" in word:
            return f"{line} --param {given}"
        case "start" | "run":
            return (
                "a run has all steps of its flow; `orchesjob-flow retry KEY --step ID` repeats some"
            )
        case "retry":
            return f"{line} KEY --step {given}"
        case "list":
            return f"{line} --flow-id {given}"
        case "logs" | "explain":
            return f"{line} KEY STEP: one step, or all without STEP"
        case _:
            return None


def _for_missing(ctx: click.Context, param: click.Parameter | None) -> str | None:
    """Return how to name the run or the flow file that is missing."""
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
