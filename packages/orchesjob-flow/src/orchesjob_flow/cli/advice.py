"""What to type instead of a wrong command line (rule 6.12).

It is imported only after a mistake. click says what is wrong. The advice is the `help` of the
error: what `foreign_words.toml` says about the word, the nearest word that is known, or what is
possible. No database and no folder is searched for it, and it repeats nothing that was typed but
words of this program and the name of a file that is there with another ending. A wrong cure is
worse than none: a word that the tables know is never taken for another one of similar spelling.
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click

from flow_spec import closest_words
from orchesjob_flow.cli.options import FLOW_FILES, CommandThatNames, KeyArgument, Misused
from orchesjob_flow.cli.sections import PROGRAM, SHOWN, cli, load_command
from orchesjob_flow.signals import from_command

LIKE = 0.7
"""How alike two words must be to be taken for the same; "pause" is not "prune"."""
MOST_OFFERED = 3
"""An option of more commands than that is not said to be theirs."""
EXTRA = re.compile(r"Got unexpected extra arguments? \((.*)\)$", re.DOTALL)
NOT_A_CHOICE = re.compile(r"'(.*)' is not one of ", re.DOTALL)
DASHES = "\u2012\u2013\u2014\u2212"
NUMBER = re.compile(r"\d+[a-z]*")
LEADS = (
    f"a command comes first, as in `{PROGRAM} run FLOW_FILE` or `{PROGRAM} status KEY`; "
    f"`{PROGRAM} --help` lists all"
)
ABOUT_ARGUMENTS = {
    "handle": f"`{PROGRAM} list` shows the run keys, and - is the newest run",
    "flow_file": f"`{PROGRAM} example > flow.yaml` writes a flow file; - reads one from stdin",
    "flow_files": f"`{PROGRAM} example > flow.yaml` writes a flow file",
    "case_files": "NAME.test.yaml tests NAME.yaml beside it",
    "step": f"`{PROGRAM} status KEY` shows the steps",
    "shell": "bash, zsh or fish",
}
"""What is said about an argument that is missing, by the name of its parameter."""


@cache
def foreign_lines() -> Mapping[str, Any]:
    """Return the words of other tools, by the tables of the file."""
    path = Path(__file__).with_name("foreign_words.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def groups_in(table: str) -> Iterator[tuple[str, str, str]]:
    """Yield the answers of a table, each with its subjects, such as commands, and its words."""
    for answer, groups in foreign_lines()[table].items():
        for group in groups.split(";"):
            subjects, _, words = group.rpartition(":")
            yield answer, subjects, words.replace("CHECKS", foreign_lines()["checks"])


def answers_in(table: str, word: str, subject: str = "") -> Iterator[str]:
    """Yield the answers of a table to a word, which may depend on a subject such as a command."""
    for answer, subjects, words in groups_in(table):
        is_about = not subjects or not {subject, "*"}.isdisjoint(subjects.split())
        if is_about and _is_among(word, words):
            yield answer


def _is_among(word: str, words: str) -> bool:
    return folded_option(word) in map(folded_option, words.split())


def folded_option(word: str) -> str:
    """Return a word without what people vary: `--dryRun`, `--dry-run`; `-n` is not `-N`."""
    return word if len(word) <= len("-n") else word.lower().replace("_", "").replace("-", "")


def advice_on(error: click.UsageError, words: Sequence[str]) -> str:
    """Return what to type instead, or else the line that prints the help."""
    ctx = error.ctx or _context_of(words)
    if isinstance(error, Misused):
        return error.advice
    known = _after_run(words) or _with_hyphens(ctx, words) or _found(error, ctx, words)
    return known or f"{ctx.command_path} --help"


def _found(error: click.UsageError, ctx: click.Context, words: Sequence[str]) -> str | None:
    match error:
        case click.NoSuchOption():
            return _for_option(ctx, error.option_name, words)
        case click.MissingParameter():
            return _for_missing(ctx, error.param)
        case click.BadOptionUsage():
            return _for_usage(ctx, error.option_name)
        case click.BadParameter():
            return _for_value(error, error.param)
    if (extra := EXTRA.match(error.message)) is not None:
        return _for_extra(ctx, extra[1].split())
    typed_command = from_command(words) if ctx.parent is None else ()
    return for_command(typed_command) if typed_command else None


def _context_of(words: Sequence[str]) -> click.Context:
    program = click.Context(cli, info_name=PROGRAM)
    name = next(iter(from_command(words)), "")
    return click.Context(load_command(name), program, name) if name in SHOWN else program


def fact_of(error: click.UsageError) -> str | None:
    """Return what is wrong, where click's words differ between versions or blame another word."""
    ctx, param = error.ctx, getattr(error, "param", None)
    if isinstance(error, click.NoSuchOption):
        return f"No such option {error.option_name!r}."
    if ctx is not None and isinstance(error, click.MissingParameter):
        return "Missing argument 'KEY'." if _is_file_as_key(ctx) else None
    if not isinstance(error, click.BadParameter) or param is None:
        return None
    message = error.message
    if isinstance(param.type, click.Choice):
        choices = ", ".join(map(str, param.type.choices))
        message = f"{message.partition(' is not one of ')[0]} is not one of {choices}"
    if _is_from_environment(error):
        return f"Invalid value of ${param.envvar}: {message}"
    if message.startswith(("is ", "has ")):
        return f"{max(param.opts, key=len)} {message}"
    return error.format_message().replace(error.message, message)


def file_meant(file: str, before_ending: str = "") -> str | None:
    """Return the file that a name without its ending, or with another one, probably means."""
    stem = Path(file).with_suffix("") if file.endswith(FLOW_FILES) else file
    names = (f"{stem}{before_ending}{ending}" for ending in FLOW_FILES)
    return next((name for name in names if Path(name).is_file()), None)


def for_missing_file(words: Sequence[str], file: str) -> str:
    """Return what may have been meant by the name of a flow file that is not there."""
    if (line := _after_run(words) or _with_hyphens(_context_of(words), words)) is not None:
        return line
    if (meant := file_meant(file)) is not None:
        return f"did you mean {meant}?"
    name, *arguments = from_command(words) or ("",)
    if name == "start" and arguments and arguments[0].endswith(FLOW_FILES):
        return f"the run key comes first: {PROGRAM} start KEY FLOW_FILE"
    if name == "graph":
        return f"name a file, with its ending, or a run: {PROGRAM} graph -k KEY"
    return "check the path: the folder, the name and the ending of a flow file"


def for_command(words: Sequence[str]) -> str:
    """Return the line for a command that this program lacks, and for what follows it."""
    nouns = foreign_lines()["nouns"].split()
    while (pair := next(answers_in("commands", "_".join(words[:2])), None)) is None:
        is_noun = words[0] in nouns or (words[0] == "run" and any(map(_is_command, words[1:2])))
        if not is_noun or len(words) == 1 or words[1].startswith("-"):
            break
        words = words[1:]  # as in `gh run list`
    word = words[0].lower()
    if pair is not None:
        line = typed(pair)
    elif word in SHOWN:
        line = _usage_of(load_command(word))
    elif (answer := next(answers_in("commands", word), None)) is not None:
        line = typed(answer)
    elif word.endswith(FLOW_FILES):
        line = typed("run FLOW_FILE")
    else:
        line = (
            _nearest_command(word, has_arguments=any(not one.startswith("-") for one in words[1:]))
            or LEADS
        )
    command = line.removeprefix(f"{PROGRAM} ").split()[0]
    for option in (one for one in words[1:] if _is_among(one, foreign_lines()["checks"])):
        for answer in answers_in("options", option, command):
            if answer.split()[0] in SHOWN:  # a check must not become a line with an effect
                return typed(answer)
    has_setting = command == "run" and any("=" in one for one in words[1:])
    return f"{line} --param NAME=VALUE" if has_setting else line


def _nearest_command(word: str, *, has_arguments: bool) -> str | None:
    near = closest_words(word, SHOWN, least_alike=LIKE)
    lines = {name: _usage_of(load_command(name)) for name in near}
    fitting = [one for name, one in lines.items() if not has_arguments or not one.endswith(name)]
    return "  # or ".join(fitting[:2]) or None


def typed(answer: str) -> str:
    """Write an answer of the tables: as a line if it is one, or as an option to write."""
    first = answer.partition(" ")[0]
    if first in SHOWN or first == "--version":
        return f"{PROGRAM} {answer}"
    return f"write {answer}" if first.startswith("-") else answer


def _usage_of(command: click.Command) -> str:
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    named = [one.metavar or str(one.name).upper() for one in arguments]
    needed = [_with_value(one) for one in _options_of(command) if one.required]
    return " ".join((PROGRAM, str(command.name), *named, *needed))


def _with_value(option: click.Option) -> str:
    name = max(option.opts, key=len)
    if option.is_flag:
        return name
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    return f"{name} {option.metavar or '|'.join(map(str, choices)) or option.type.name.upper()}"


def _nearest(word: str, known: Collection[str]) -> str | None:
    return next(iter(closest_words(word, known, least_alike=LIKE)), None)


def _options_of(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def _spellings_of(command: click.Command) -> list[str]:
    return [spelling for option in _options_of(command) for spelling in option.opts]


def _after_run(words: Sequence[str]) -> str | None:
    """Return the line for what other tools call `run list` or `run view KEY`; else None."""
    name, *rest = from_command(words) or ("",)
    return for_command(rest) if name == "run" and any(map(_is_command, rest[:1])) else None


def _is_command(word: str) -> bool:
    is_option = word.startswith("-")
    return word in SHOWN or (not is_option and any(answers_in("commands", word)))


def _with_hyphens(ctx: click.Context, words: Sequence[str]) -> str | None:
    """Return an option that was written with the dash of a word processor, as it is written."""
    known = {spelling.strip("-"): spelling for spelling in _spellings_of(ctx.command)}
    for word in words:
        name = word.lstrip(f"-{DASHES}").partition("=")[0]
        if word.startswith(tuple(DASHES)) and name in known:
            return f"write {known[name]} with hyphens, not with a dash"
    return None


def _is_file_as_key(ctx: click.Context) -> bool:
    handle = ctx.params.get("handle")
    names_run = isinstance(ctx.command, CommandThatNames)
    return names_run and handle is not None and handle.run_key.endswith(FLOW_FILES)


def _is_from_environment(error: click.BadParameter) -> bool:
    name = str(getattr(error.param, "name", ""))
    source = None if error.ctx is None else error.ctx.get_parameter_source(name)
    return source is click.core.ParameterSource.ENVIRONMENT


def _for_option(ctx: click.Context, option: str, words: Sequence[str]) -> str:
    """Return what to type instead of an option that a command, or the program, lacks."""
    program, command = ctx.find_root().command, ctx.command
    if command is not program:
        if option in _spellings_of(program):
            return f"{option} goes before the command: {PROGRAM} {option} ... {command.name}"
        typed_whole = (f"-{word.partition('=')[0]}" for word in words if word.startswith("-"))
        whole = {*typed_whole} & {*_spellings_of(command)}
        if whole:  # of `-tail`, click reads the letters
            return f"write {whole.pop()}, with two dashes"
        return _answer(command, option) or _possible(command, option)
    name = next((word for word in words if word in SHOWN), None)
    if name is not None:
        if option in _spellings_of(load_command(name)):
            return f"{option} goes after the command: {PROGRAM} {name} {option}"
        if (answer := _answer(load_command(name), option)) is not None:
            return answer.replace("write ", f"after {name}, write ")
    return _answer(program, option) or _possible(program, option)


def _answer(command: click.Command, option: str) -> str | None:
    """Return what the tables say about an option that a command lacks."""
    own = _spellings_of(command)
    for answer in answers_in("options", option, str(command.name)):
        if not answer.startswith("-") or answer.split()[0] in own:
            return typed(answer)
    return _with_choice(command, option.removeprefix("--"))


def _with_choice(command: click.Command, word: str) -> str | None:
    """Return the option of a command that has a word among its choices: `--failed`, `failed`."""
    for option in _options_of(command):
        choices = option.type.choices if isinstance(option.type, click.Choice) else ()
        for choice in map(str, choices):
            if choice.lower() == word.lower():
                return f"write {_longest(option)} {choice}"
    return None


def _possible(command: click.Command, option: str) -> str:
    """Return the option of a command that is nearest to another one, or else all of them."""
    own = {spelling: one for one in _options_of(command) for spelling in one.opts}
    if "--param" in own and option.isupper() and len(option) > len("-N"):
        return typed("--param NAME=VALUE")
    if option.startswith("--no-") and (name := f"--{option.removeprefix('--no-')}") in own:
        return f"leave {name} out"
    all_own = ", ".join(map(_longest, _options_of(command)))
    possible = f"the options of {command.name} are {all_own}" if all_own else _usage_of(command)
    others = [name for name in SHOWN if option in _spellings_of(load_command(name))]
    if others:
        owners = ", ".join(others) if len(others) <= MOST_OFFERED else "other commands"
        return f"{option} is an option of {owners}; {possible}"
    is_known = any(_is_among(option, theirs) for *_, theirs in groups_in("options"))
    if is_known or not option.startswith("--"):
        return possible
    names = {spelling.strip("-"): one for spelling, one in own.items()}
    begun = [name for name in names if name.startswith(option.strip("-"))]
    near = begun[0] if len(begun) == 1 else _nearest(option.strip("-"), names)
    return possible if near is None else f"write {_with_value(names[near])}"


def _longest(option: click.Option) -> str:
    return max(option.opts, key=len)


def _for_missing(ctx: click.Context, param: click.Parameter | None) -> str:
    """Return the whole line, and what is said about the argument that is missing."""
    if isinstance(param, KeyArgument) and isinstance(ctx.command, CommandThatNames):
        about: str | None = f"without a key of your own: {PROGRAM} run FLOW_FILE"
    elif _is_file_as_key(ctx):
        about = f"the run key comes first; without one: {PROGRAM} run FLOW_FILE"
    else:
        about = ABOUT_ARGUMENTS.get(str(getattr(param, "name", "")))
    return f"{_usage_of(ctx.command)}{f'  # {about}' if about else ''}"


def _for_usage(ctx: click.Context, option: str) -> str | None:
    """Return an option with a value, or without one if it is a flag."""
    param = next((one for one in _options_of(ctx.command) if option in one.opts), None)
    return None if param is None else _written(param)


def _written(option: click.Option) -> str:
    if option.is_flag:
        return f"write {_longest(option)}, without a value, or leave {_longest(option)} out"
    example = getattr(option.type, "example", None)
    return f"write {_with_value(option)}{f', as in {example}' if example else ''}"


def _for_value(error: click.BadParameter, param: click.Parameter | None) -> str | None:
    """Return a value that an option takes."""
    if not isinstance(param, click.Option):
        return _for_missing(error.ctx, param) if error.ctx else None
    choices = list(map(str, param.type.choices)) if isinstance(param.type, click.Choice) else []
    if _is_from_environment(error):
        return f"unset {param.envvar}, or set it to {' or '.join(choices) or 'another value'}"
    if not choices:
        return _written(param)
    refused = NOT_A_CHOICE.search(error.message)
    value = "" if refused is None else refused[1].lower()
    if param.multiple and "," in value:
        return f"give {_longest(param)} several times, with a value each"
    for answer in answers_in("values", value, _longest(param)):
        if not answer.startswith("-") or answer.split()[1] in choices:
            return typed(answer)
    near = _nearest(value, spelled := {choice.lower(): choice for choice in choices})
    return _written(param) if near is None else f"write {_longest(param)} {spelled[near]}"


def _for_extra(ctx: click.Context, extras: Sequence[str]) -> str:
    """Return what a word probably means that follows the last argument."""
    word = extras[0]
    if word.startswith("-"):
        return "write options before --"
    if word in foreign_lines()["nouns"].split():  # as in `list runs`
        return _usage_of(ctx.command)
    if (line := _with_choice(ctx.command, word)) is not None:
        return line
    for kind in _kinds_of(word):
        for answer in answers_in("arguments", str(ctx.command.name), kind):
            return typed(answer)
    return _usage_of(ctx.command)


def _kinds_of(word: str) -> Sequence[str]:
    """Return what a word may be, the likeliest first."""
    if "=" in word:
        return ("setting",)
    if NUMBER.fullmatch(word):
        return ("number", "word")
    kinds = ("flow", "file", "word") if "." in word else ("word",)
    return kinds if word.endswith(FLOW_FILES) else kinds[-2:]
