"""What to type instead of a wrong command line: for words of other tools, and for what is missing.

It is imported only after a mistake (rule 6.12). click says what the mistake is; the advice is the
`help` of the error. Wherever possible it is the typed line as it was meant, ready to be pasted; a
`#` leads what is said about it. `foreign_words.toml` holds what other tools call the commands,
options and values of this program.
"""

import os
import re
import shlex
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import click

from flow_spec import closest_words
from flow_store import FlowStatus, FlowStore, StoreError
from orchesjob_flow.cli.completion import settings_of
from orchesjob_flow.cli.options import (
    CommandOnRun,
    CommandThatNames,
    KeyArgument,
    OptionGivenOnce,
)
from orchesjob_flow.errors import FlowError
from orchesjob_flow.home.runs import UNFINISHED, RunHandle, find_runs, nearest_keys, newest_run

PROGRAM = "orchesjob-flow"
LIKE = 0.7
"""How alike two words must be to count as the same; "pause" is not "prune"."""
EXTRA = re.compile(r"Got unexpected extra arguments? \((.*)\)$", re.DOTALL)
GIVEN_AGAIN = re.compile(r"is given \d+ times")
FLOW_FILES = (".yaml", ".yml", ".json")
PLACEHOLDER = re.compile(r"\b(?:KEY|FLOW_FILE|STEP|SECONDS|PATH|N)\b")
HAS_FLOW_ID = re.compile(rb'^\s*\{?\s*"?flow_id"?\s*:', re.MULTILINE)
HEAD, MOST_LOOKED_AT, MOST_NAMED = 65536, 200, 3
"""How much is read of how many files, and how many files or runs are named."""
RUN_KEYS = ("-k", "--run-key", "--key", "--name", "--id", "--run-id")
"""How a run is named, in a line that starts one."""
NEWEST = ("--latest", "--newest", "-l", "-1")
"""How other tools name the newest run."""
EXAMPLES = {
    "--as": "skipped",
    "--reason": "why it was decided",
    "--older-than": "30d",
    "--since": "30d",
    "--interval": "2s",
    "--timeout": "10m",
    "--grace-seconds": "30s",
    "--limit": "10",
    "--tail": "20",
    "--keep": "10",
    "--attempt": "1",
    "--format": "json",
}
"""A value for each option whose value is missing or makes no sense."""
NO_OUTCOME = ("--as", "failed")
ENDED_BADLY = (FlowStatus.FAILED, FlowStatus.CANCELLED)
WANTED: Mapping[str, tuple[Collection[FlowStatus], str]] = {
    "cancel": (UNFINISHED, "every run has ended"),
    "resume": (UNFINISHED, "no run is without a runner"),
    "watch": (UNFINISHED, "every run has ended"),
    "wait": (UNFINISHED, "every run has ended"),
    "retry": (ENDED_BADLY, "no run has FAILED or was cancelled"),
    "settle": (ENDED_BADLY, "no run has FAILED or was cancelled"),
}
"""Which runs a command is for, and what to say if there is none."""


@cache
def foreign_words() -> Mapping[str, Any]:
    """Return the words of other tools, by the tables of the file."""
    path = Path(__file__).with_name("foreign_words.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def advice_on(  # noqa: PLR0911 - one for each kind of mistake
    error: click.UsageError, words: Sequence[str]
) -> str | None:
    """Return what to type instead of these words; None where only the help can tell."""
    if (given := getattr(error, "advice", None)) is not None:
        return _with_only_file(str(given))
    ctx = error.ctx
    if ctx is None:
        return None
    line = Line(ctx, words)
    if ctx.info_name == "run" and ctx.parent is not None:
        ours = _command_after_run(ctx.parent, line.words[line.begin :])
        if ours is not None:
            return ours
    if (unknown := getattr(error, "unknown", None)) is not None:
        before = words[: len(words) - len(unknown[0])] if words else ()
        ours = _for_command(ctx, *unknown)
        if ours is None or not before or not ours.startswith(f"{PROGRAM} "):
            return ours
        return f"{text_of(before)}{ours.removeprefix(PROGRAM)}"
    match error:
        case click.NoSuchOption():
            return _for_option(line, error)
        case click.MissingParameter():
            return _for_missing(line, error.param)
        case click.BadOptionUsage():
            return _for_usage(line, error)
        case click.BadParameter():
            return _for_value(line, error)
    if (extra := EXTRA.match(error.message)) is not None:
        return _for_extra(line, extra[1])
    return None


def context_of(program: click.Group, words: Sequence[str]) -> click.Context | None:
    """Return the context of the command in a line, for an error of click that has none."""
    ctx = click.Context(program, info_name=PROGRAM)
    known = program.list_commands(ctx)
    name = next((word for word in words if word in known), None)
    command = None if name is None else program.get_command(ctx, name)
    return None if command is None else click.Context(command, ctx, name)


def unknown_command(
    ctx: click.Context, words: list[str], known: Collection[str]
) -> click.UsageError:
    """Return the error for an unknown command, which led these words."""
    error = click.UsageError(f"No such command {words[0]!r}.", ctx)
    error.unknown = (words, known)  # type: ignore[attr-defined]
    return error


def corrected(words: Sequence[str], typed: str, meant: Sequence[str]) -> str | None:
    """Return the line in which the word `typed` is `meant`; None if it is not in the line.

    It may be the value of an option. Further words go to the end.
    """
    first, *more = meant
    for place, word in enumerate(words):
        if word == typed or (word.startswith("-") and word.endswith(f"={typed}")):
            new = f"{word.removesuffix(typed)}{first}"
            return text_of([*words[:place], new, *words[place + 1 :], *more])
    return None


def instead_of_attempt(words: Sequence[str], run_key: str, attempt: str) -> str | None:
    """Return the line for a step or an attempt that was typed where a run key belongs.

    The tables show `KEY:STEP:NUMBER`, and `attempt` is that.
    """
    step, _, number = attempt.removeprefix(f"{run_key}:").partition(":")
    more: list[str] = []
    if "logs" in words:
        more = [step, "--attempt", number] if number else [step]
    elif "explain" in words:
        more = [step]
    elif "retry" in words:
        more = ["--step", step]
    return corrected(words, attempt, [run_key, *more])


def with_step_meant(program: click.Group, words: Sequence[str], typed: str) -> str | None:
    """Return the line in which a word is not a run, but a step of the newest run; else None."""
    if not {"logs", "explain"} & {*words}:
        return None
    with suppress(FlowError, StoreError, OSError):
        run = newest_run(settings_of(click.Context(program))).snapshot().run
        if typed in (step.step_id.partition("@")[0] for step in run.steps):
            place = words.index(typed)
            return text_of([*words[:place], "-", *words[place:]])
    return None


def for_missing_file(program: click.Group, words: Sequence[str], file: str) -> str | None:
    """Return what to type where a flow file is named that is not there.

    A run may have this key, or it is a command, as in `gh run list`. Otherwise the flow files of
    the current folder are compared.
    """
    ctx = click.Context(program, info_name=PROGRAM)
    if "run" in words and (ours := _command_after_run(ctx, words[words.index("run") + 1 :])):
        return ours
    ctx.params["db"] = next((word for option, word in pairwise(words) if option == "--db"), None)
    if is_recorded(ctx, file):
        if "graph" in words:
            return corrected(words, file, ["-k", file])
        return f"{text_of(['explain', file])}  # {file} is a run, not a flow file"
    files = flow_files_here()
    stems = {Path(name).stem: name for name in files}
    near = next(iter(closest_words(Path(file).stem, stems, least_alike=LIKE)), None)
    meant = files if near is None else [stems[near]]
    if len(meant) == 1:
        return corrected(words, file, meant)
    return f"the flow files here are {', '.join(map(shlex.quote, files))}" if files else None


class Line:
    """A command line as it was typed, from which the one that was meant is made."""

    def __init__(self, ctx: click.Context, words: Sequence[str]) -> None:
        """Find where the words of the command begin."""
        self.ctx = ctx
        self.words = list(words)
        self.own_params = ctx.command.params
        self.own = {option: param for param in self.own_params for option in param.opts}
        is_program = ctx.parent is None
        named = not is_program and ctx.info_name in self.words
        self.begin = self.words.index(str(ctx.info_name)) + 1 if named else 0

    def place_of(self, option: str) -> int | None:
        """Return the place of an option, which may have its value in the same word."""
        is_short = not option.startswith("--")
        for place in range(self.begin, len(self.words)):
            word = self.words[place]
            if word.partition("=")[0] == option or (
                is_short and word.startswith(option) and not word.startswith("--")
            ):
                return place
        return None

    def value_of(self, option: str) -> tuple[str | None, bool]:
        """Return what follows an option and may be its value, and whether it is in its word."""
        place = self.place_of(option)
        if place is None:
            return None, False
        if attached := self.words[place][len(option) :]:
            return attached.removeprefix("="), True
        following = self.words[place + 1 : place + 2]
        return (following[0] if following and not following[0].startswith("-") else None), False

    def arguments_before(self, place: int) -> list[str]:
        """Return the words before a place that are neither options nor their values."""
        found, rest = [], iter(self.words[self.begin : place])
        for word in rest:
            if not word.startswith("-") or word == "-":
                found.append(word)
            elif (param := self.own.get(word)) is not None and not getattr(param, "is_flag", False):
                next(rest, None)
        return found

    def replaced(self, option: str, ours: str, value: Sequence[str] = ()) -> str:
        """Write the line with an option of ours, and its value, in place of another option."""
        param = self.own[ours]
        is_flag = getattr(param, "is_flag", False)
        place = self.place_of(option)
        if place is None:
            example = [] if is_flag else value or [example_of(ours, param)]
            return f"{self.ctx.command_path} {shlex.join([ours, *example])}"
        typed, is_attached = self.value_of(option)
        after = self.words[place + 1 :]
        if is_flag:
            new = [ours]
        elif value:
            new = [ours, *value]
            takes_arguments = any(isinstance(one, click.Argument) for one in self.own_params)
            if typed is not None and not is_attached and not takes_arguments:
                after = after[1:]
        elif typed is None or not is_valid(param, typed):
            new = [ours, example_of(ours, param, typed)]
            after = after[0 if is_attached or typed is None else 1 :]
        else:
            new, after = [ours, typed], after[0 if is_attached else 1 :]
        return text_of([*self.words[:place], *new, *after])

    def filled(self, text: str, option: str) -> str:
        """Put what was typed before an option, and its value, into a text with placeholders."""
        place = self.place_of(option)
        before = [] if place is None else self.arguments_before(place)
        value, _ = self.value_of(option)
        is_on_run = isinstance(self.ctx.command, CommandOnRun)
        files = (word for word in self.words if looks_like_flow_file(word))
        keys = (word for word in self.words[self.begin :] if is_recorded(self.ctx, word))
        known = {
            "KEY": (next(iter(before), None) or next(keys, None)) if is_on_run else value,
            "FLOW_FILE": next(files, None),
        }
        for name in ("STEP", "SECONDS", "PATH", "N"):
            known[name] = value
        return PLACEHOLDER.sub(lambda name: shlex.quote(known[name[0]] or name[0]), text)

    def without(self, extras: Sequence[str]) -> list[str]:
        """Return the words without the last of them that are among some others."""
        left = list(self.words)
        for extra in reversed(extras):
            for place in range(len(left) - 1, self.begin - 1, -1):
                if left[place] == extra:
                    del left[place]
                    break
        return left


def text_of(words: Iterable[str]) -> str:
    """Write a command line of this program."""
    return shlex.join([PROGRAM, *words])


def is_valid(param: click.Parameter, value: str) -> bool:
    """Tell whether an option takes a value."""
    with suppress(click.UsageError):
        param.type.convert(value, param, None)
        return True
    return False


def example_of(option: str, param: click.Parameter, typed: str | None = None) -> str:
    """Return a value for an option: of several, the one most like the typed one."""
    if typed is not None and (meant := getattr(param.type, "meant", None)) is not None:
        found = meant(typed)
        if found is not None:
            return str(found)
    if isinstance(param.type, click.Choice):
        choices = {str(choice): str(choice) for choice in param.type.choices}
        if typed is not None:
            for choice, theirs in foreign_words()["values"].items():
                if choice in choices and typed.lower() in theirs.split():
                    return str(choice)
            folded = {choice.lower(): choice for choice in choices}
            for near in closest_words(typed.lower(), folded):
                return folded[near]
        example = EXAMPLES.get(option)
        return example if example in choices else next(iter(choices))
    return EXAMPLES.get(option) or (param.metavar if isinstance(param, click.Option) else "") or "X"


def is_recorded(ctx: click.Context, run_key: str) -> bool:
    """Tell whether there is a run of this key; no word that looks like an option is asked for."""
    with suppress(FlowError, StoreError, OSError):
        return not run_key.startswith("-") and RunHandle(run_key, settings_of(ctx)).is_recorded()
    return False


def run_meant(ctx: click.Context, run_key: str) -> str:
    """Return the key of the run that was probably meant, or the same word if none is near."""
    with suppress(FlowError, StoreError, OSError):
        if not is_recorded(ctx, run_key):
            with FlowStore.open_readonly(settings_of(ctx).home.database) as store:
                return next(iter(nearest_keys(store, run_key)), run_key)
    return run_key


def looks_like_flow_file(word: str) -> bool:
    """Tell whether a word is a file, or named as flow files are."""
    return os.path.isfile(word) or word.endswith(FLOW_FILES)  # noqa: PTH113 - of any length


def flow_files_here(*, cases: bool = False) -> list[str]:
    """Return the first flow files of the current folder, or files of cases, by name."""
    found = []
    with suppress(OSError), os.scandir() as entries:
        names = sorted(one.name for one in islice(entries, MOST_LOOKED_AT) if one.is_file())
        for name in names:
            path = Path(name)
            is_cases = path.stem.endswith(".test")
            if path.suffix not in FLOW_FILES or is_cases is not cases:
                continue
            with suppress(OSError), path.open("rb") as file:
                if cases or HAS_FLOW_ID.search(file.read(HEAD)):
                    found.append(name)
    return found


def file_meant(word: str) -> str | None:
    """Return the flow file that a word means: by its name, with or without the ending."""
    if looks_like_flow_file(word):
        return word
    return next((name for name in flow_files_here() if Path(name).stem == word), None)


def with_file(words: Sequence[str], files: Sequence[str]) -> str:
    """Write a line that needs a flow file, with the only one of the folder, or with several."""
    if len(files) == 1:
        return text_of([*words, files[0]])
    line = f"{text_of(words)} FLOW_FILE"
    if not files:
        return f"{line}  # `{PROGRAM} example > flow.yaml` writes one"
    more = ", ..." if len(files) > MOST_NAMED else ""
    return f"{line}  # such as {', '.join(files[:MOST_NAMED])}{more}"


def _for_command(ctx: click.Context, words: Sequence[str], known: Collection[str]) -> str | None:
    """Return the line to type instead of a command and its arguments, or why there is none."""
    word, rest = words[0], words[1:]
    nouns = foreign_words()["nouns"].split()
    if word in nouns and rest and not rest[0].startswith("-"):  # as in `gh run list`
        return _for_command(ctx, rest, known)
    if rest and rest[0] in nouns and word not in known:  # as in `kubectl get runs`
        rest = rest[1:]
        word = "list" if word == "get" and all(one.startswith("-") for one in rest) else word
    if (reason := _found_in(foreign_words()["no_commands"], word.lower())) is not None:
        key = next((one for one in rest if is_recorded(ctx, one)), "KEY")
        return _with_only_file(re.sub(r"\bKEY\b(?!-)", shlex.quote(key), reason))
    ours = _line_of_ours(ctx, word, rest, known)
    return None if ours is None else f"{PROGRAM} {ours}"


def _command_after_run(ctx: click.Context, words: Sequence[str]) -> str | None:
    """Return the line for what other tools call `run list` or `run view KEY`; else None."""
    known = ctx.command.list_commands(ctx) if isinstance(ctx.command, click.Group) else []
    if not words or looks_like_flow_file(words[0]):
        return None
    is_command = words[0] in known or _found_in(foreign_words()["commands"], words[0])
    return _for_command(ctx, words, known) if is_command else None


def _line_of_ours(  # noqa: PLR0911 - one for each kind of word
    ctx: click.Context, word: str, rest: Sequence[str], known: Collection[str]
) -> str | None:
    """Return the line, without the program, for a word of another tool or a misspelled one."""
    if (file := file_meant(word)) is not None:
        return _filled(ctx, "run FLOW_FILE", [file, *rest])
    if is_recorded(ctx, word):
        return shlex.join(["status", word])
    if word == "help" and rest and rest[0] in known:
        return f"{rest[0]} --help"
    if word in known:  # after a noun
        of_ours = next((one for one in foreign_words()["commands"] if one.split()[0] == word), word)
        last = _last_of(ctx, word)
        return _filled(ctx, f"{word} {last}" if last else of_ours, rest)
    if (line := _found_in(foreign_words()["commands"], word.lower())) is not None:
        return _filled(ctx, line, rest)
    has_argument = bool(rest) and not rest[0].startswith("-")
    alike = closest_words(word.lower(), known, least_alike=LIKE)
    fitting = (name for name in alike if not has_argument or _takes_arguments(ctx, name))
    close = next(fitting, None)
    if close is None or rest:
        return close and f"{close} {shlex.join(rest)}"
    line = next((line for line in foreign_words()["commands"] if line.split()[0] == close), close)
    return _filled(ctx, line, ())


def _last_of(ctx: click.Context, name: str) -> str:
    """Return the placeholder for the argument of a command, if it is a run or a flow file."""
    command = ctx.command.get_command(ctx, name) if isinstance(ctx.command, click.Group) else None
    arguments = [] if command is None else [one.name for one in command.params]
    return "FLOW_FILE" if "flow_file" in arguments else "KEY" if "handle" in arguments else ""


def _takes_arguments(ctx: click.Context, name: str) -> bool:
    """Tell whether a command takes more than options."""
    command = ctx.command.get_command(ctx, name) if isinstance(ctx.command, click.Group) else None
    return command is not None and any(isinstance(one, click.Argument) for one in command.params)


def _found_in(table: Mapping[str, str], word: str) -> str | None:
    """Return the entry of a table for a word that another tool uses."""
    return next((ours for ours, theirs in table.items() if word in theirs.split()), None)


def _filled(  # noqa: PLR0911 - as above
    ctx: click.Context, line: str, rest: Sequence[str]
) -> str:
    """Put the typed arguments into the line where they can stay the same.

    Options that the command of ours has stay too. Otherwise all options are left out.
    """
    words, comment, _ = line.partition("  #")
    *begin, last = words.split()
    comment = line[len(words) :]
    options, arguments = _own_options(ctx, begin[0] if begin else last, rest)
    begin += [option for option in options if option not in begin]
    if last == "KEY":
        most = 2 if begin[0] in {"logs", "explain"} else 1
        arguments = [run_meant(ctx, arguments[0]), *arguments[1:]] if arguments else []
        if len(arguments) > most and begin[0] in WANTED:
            lines = [shlex.join([*begin, argument]) for argument in arguments]
            return f"; {PROGRAM} ".join(lines)
        if arguments or not {"-k", "--run-key"}.isdisjoint(options):
            return shlex.join([*begin, *arguments[:most]])
        if begin[0] in WANTED or begin[0] == "prune":
            return f"{shlex.join(begin)} KEY  # `{PROGRAM} list` shows the keys"
        return f"{shlex.join(begin)} -  # of the newest run; `{PROGRAM} list` shows all keys"
    if last == "FLOW_FILE":
        if arguments and (file := file_meant(arguments[0])) is not None:
            return shlex.join([*begin, file])
        text = with_file(begin, flow_files_here())
        return text.removeprefix(f"{PROGRAM} ")
    if " " not in words:  # the command alone, so that the options follow it
        return f"{shlex.join([last, *begin])}{comment}"
    return f"{shlex.join([*begin, last])}{comment}"


def _own_options(ctx: click.Context, name: str, rest: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the words after a command into its options, with their values, and its arguments.

    Options of other tools are replaced or left out. What follows one that is left out may be its
    value, and is an argument only if it is a run or a flow file.
    """
    command = ctx.command.get_command(ctx, name) if isinstance(ctx.command, click.Group) else None
    own = {} if command is None else {o: param for param in command.params for o in param.opts}
    if "flow_file" in {param.name for param in own.values()}:
        own.pop("-f", None)  # --follow; in other tools a file or a value follows -f there
    options: list[str] = []
    arguments: list[str] = []
    is_certain = True
    words = iter(rest)
    for word in words:
        if not word.startswith("-") or word == "-":
            if is_certain or file_meant(word) == word or is_recorded(ctx, word):
                arguments.append(word)
            elif "=" in word and "--param" in own:  # as in `gh workflow run -f DAY=monday`
                options += ["--param", word]
            continue
        typed, equals, value = word.partition("=")
        ours = [typed] if typed in own else _option_of_ours(own, typed)
        if not ours:
            is_certain = False
            continue
        param = own[ours[0]]
        options += ours
        if len(ours) == 1 and not getattr(param, "is_flag", False):
            given = value if equals else next(words, "")
            options.append(given if is_valid(param, given) else example_of(ours[0], param, given))
    return options, arguments


def _option_of_ours(own: Mapping[str, click.Parameter], theirs: str) -> list[str]:
    """Return the option of a command, perhaps with its value, for that of another tool."""
    for ours, words in foreign_words()["options"].items():
        if ours.split()[0] in own and theirs in words.split():
            return str(ours).split()
    return []


def _with_only_file(text: str) -> str:
    """Name the only flow file of the folder in a sentence."""
    files = flow_files_here()
    return text.replace("FLOW_FILE", shlex.quote(files[0])) if len(files) == 1 else text


def _for_option(  # noqa: PLR0911 - as above
    line: Line, error: click.NoSuchOption
) -> str | None:
    """Return what to type instead of an option of another tool, or one in the wrong place."""
    ctx, name = line.ctx, error.option_name
    program = ctx.find_root()
    if program is not ctx and any(name in param.opts for param in program.command.params):
        return _moved(line, name)
    if ctx.info_name == "run" and name in RUN_KEYS:
        typed = line.place_of(name)
        if typed is not None:
            words = [*line.words]
            words[line.begin - 1] = "start"
            attached = words[typed].removeprefix(name).removeprefix("=")
            words[typed] = f"--run-key={attached}" if attached else "--run-key"
            return f"{text_of(words)}  # `run` makes a key of its own"
        return f"{PROGRAM} start KEY FLOW_FILE  # `run` makes a key of its own"
    if program is ctx and (moved := _moved_behind(line, name)) is not None:
        return moved
    value, is_attached = line.value_of(name)
    if value is not None and not is_attached and "=" in value and "--param" in line.own:
        is_variable = name in foreign_words()["options"]["--env"].split()
        return line.replaced(name, "--env" if is_variable else "--param")
    command = "" if program is ctx else str(ctx.command.name)
    for names, lines in foreign_words()["no_options"].items():
        if command in names.split(" ") and (found := _found_in(lines, name)) is not None:
            return _with_only_file(line.filled(found, name))
    if ours := _option_of_ours(line.own, name):
        return line.replaced(name, ours[0], ours[1:])
    place = line.place_of(name)
    if place is not None and name in NEWEST and isinstance(ctx.command, CommandOnRun):
        return text_of([*line.words[:place], "-", *line.words[place + 1 :]])
    reason = _found_in(foreign_words()["left_out"], name)
    if place is not None and reason is not None:
        return f"{text_of([*line.words[:place], *line.words[place + 1 :]])}  # {reason}"
    for near in closest_words(name, line.own, least_alike=LIKE):
        return line.replaced(name, near)
    if program is ctx:
        return None
    options = ", ".join(max(param.opts, key=len) for param in _shown_options(ctx.command))
    return f"{ctx.command_path} --help  # its options are {options}" if options else None


def _moved_behind(line: Line, option: str) -> str | None:
    """Write the line with an option that stands before its command after it; else None."""
    program = line.ctx.command
    known = program.list_commands(line.ctx) if isinstance(program, click.Group) else []
    place = line.place_of(option)
    at = next((at for at, word in enumerate(line.words) if word in known), None)
    if place is None or at is None or not isinstance(program, click.Group):
        return None
    command = program.get_command(line.ctx, line.words[at])
    own = {} if command is None else {one: param for param in command.params for one in param.opts}
    if option not in own:
        return None
    has_value = not getattr(own[option], "is_flag", False) and "=" not in line.words[place]
    moved = line.words[place : place + (2 if has_value else 1)]
    before = [*line.words[:place], *line.words[place + len(moved) : at]]
    words = [*before, line.words[at], *moved, *line.words[at + 1 :]]
    return f"{text_of(words)}  # {option} stands after the command"


def _shown_options(command: click.Command) -> Iterator[click.Option]:
    """Yield the options of a command that its help shows."""
    return (one for one in command.params if isinstance(one, click.Option) and not one.hidden)


def _moved(line: Line, option: str) -> str:
    """Write the line with an option of the program before the command."""
    place = line.place_of(option)
    if place is None:
        command = line.ctx.command_path.removeprefix(f"{PROGRAM} ")
        return f"{PROGRAM} {option} VALUE {command}  # {option} stands before the command"
    count = 1 if "=" in line.words[place] else 2
    moved, after = line.words[place : place + count], line.words[place + count :]
    words = [*moved, *line.words[:place], *after]
    return f"{text_of(words)}  # {option} stands before the command"


def _for_usage(line: Line, error: click.BadOptionUsage) -> str | None:
    """Return the line with a value for an option that lacks one, or without one for a flag."""
    option = error.option_name
    param, place = line.own.get(option), line.place_of(option)
    if param is None or place is None:
        return None
    new = [option]
    if not getattr(param, "is_flag", False):
        new.append(example_of(option, param))
    return text_of([*line.words[:place], *new, *line.words[place + 1 :]])


def _for_value(  # noqa: PLR0911 - as above
    line: Line, error: click.BadParameter
) -> str | None:
    """Return the line with a value that an option takes."""
    param = error.param
    if isinstance(param, click.Argument):
        wrong = (word for word in line.words[line.begin :] if not is_valid(param, word))
        word = next(wrong, None) if isinstance(param.type, click.Choice) else None
        return word and corrected(line.words, word, [example_of("", param, word)])
    if not isinstance(param, click.Option):
        return None
    source = line.ctx.get_parameter_source(str(param.name))
    if source is click.core.ParameterSource.ENVIRONMENT:
        return f"unset {param.envvar}  # or set it to {example_of(param.opts[-1], param)}"
    if isinstance(param, OptionGivenOnce) and GIVEN_AGAIN.match(error.message):
        return _given_once(line, param)
    for option in param.opts:
        value, is_attached = line.value_of(option)
        place = line.place_of(option)
        if place is None or value is None or is_valid(param, value):
            continue
        if option == "--jobs" and value.isdecimal():  # as in `make --jobs 4`
            return f"max_parallel: {value} in the flow file"
        after = line.words[place + (1 if is_attached else 2) :]
        values = value.split(",") if param.multiple and "," in value else [value]
        head = []
        for one in values:
            new = one if is_valid(param, one) else example_of(option, param, one)
            is_long = is_attached and option.startswith("--")
            head += [f"{option}={new}"] if is_long else [option, new]
        words = [*line.words[:place], *head, *after]
        already = "  # a step that FAILED is that without `settle`"
        return f"{_with_options(line, words)}{already if (option, value) == NO_OUTCOME else ''}"
    return None


def _given_once(line: Line, param: click.Option) -> str:
    """Write the line with only the last of several values of an option."""
    words = list(line.words)
    placed = range(line.begin, len(words))
    places = [place for place in placed if words[place].partition("=")[0] in param.opts]
    for place in reversed(places[:-1]):
        del words[place : place + (1 if "=" in words[place] else 2)]
    return text_of(words)


def _for_extra(line: Line, found: str) -> str | None:  # noqa: PLR0911 - as above
    """Return what to type instead of surplus words."""
    ctx = line.ctx
    extras = found.split()
    left = line.without(extras)
    settings = [word for word in extras if "=" in word]
    name = str(ctx.command.name)
    match name:
        case "start" | "run" | "simulate" | "graph" if settings:
            file = str(line.ctx.params.get("flow_file"))
            if (meant := file_meant(file)) is not None:
                left = [meant if word == file else word for word in left]
            return text_of([*left, *(part for one in settings for part in ("--param", one))])
        case "run" if all(map(looks_like_flow_file, extras)):
            return "; ".join([text_of(left), *(text_of(["run", one]) for one in extras)])
        case "start" | "run" | "simulate":
            return text_of([*left, *(part for one in extras for part in ("--until", one))])
        case "retry":
            return text_of([*left, *(part for one in extras for part in ("--step", one))])
        case "list":
            statuses = {status.value.lower() for status in FlowStatus}
            is_status = all(one.lower() in statuses for one in extras)
            option = "--status" if is_status else "--flow-id"
            return text_of([*left, option, extras[0]])
        case "stats":
            return text_of([*left, "--flow-id", extras[0]])
        case "logs" | "explain":
            return f"{text_of(left)}  # one step, or all without STEP"
        case "status" | "watch" | "wait" | "cancel" | "report" | "resume" | "doctor":
            return _one_by_one(line, left, extras)
        case "example" | "schema":
            return f"{text_of(left)} > {shlex.quote(extras[0])}"
        case _:
            return f"{text_of(left)}"


def _one_by_one(line: Line, left: Sequence[str], extras: Sequence[str]) -> str:
    """Return a line for each of several runs; or if the next word is a step, the line about it."""
    handle = line.ctx.params.get("handle")
    name, first = str(line.ctx.command.name), "KEY" if handle is None else handle.run_key
    with suppress(FlowError, StoreError, OSError):
        if name != "cancel" and handle is not None:
            is_run = handle._replace(run_key=extras[0]).is_recorded()
            if not is_run:
                return text_of(["explain", first, extras[0]])
    lines = [text_of(left), *(f"{text_of([name, extra])}" for extra in extras)]
    return "; ".join(lines)


def _for_missing(  # noqa: PLR0911 - as above
    line: Line, param: click.Parameter | None
) -> str | None:
    """Return how to name the run, the flow file, or the option that is missing."""
    ctx = line.ctx
    words = line.words or [str(ctx.info_name)]
    handle = ctx.params.get("handle")
    if isinstance(param, KeyArgument) and isinstance(ctx.command, CommandThatNames):
        return f"{with_file(['run'], flow_files_here())}{_or_start('FLOW_FILE')}"
    if isinstance(param, KeyArgument):
        return _with_key(line, words)
    if isinstance(param, click.Option):
        return _with_options(line, words)
    if param is None:
        return None
    if param.name == "flow_file" and handle is not None and looks_like_flow_file(handle.run_key):
        file = handle.run_key
        return f"{text_of(['run', file])}{_or_start(shlex.quote(file))}"
    if param.name in {"flow_file", "flow_files"}:
        return with_file(words, flow_files_here())
    if param.name == "case_files":
        files = flow_files_here(cases=True)[:MOST_NAMED]
        named = text_of([*words, *(files or ["nightly.test.yaml"])])
        return named if files else f"{named}  # NAME.test.yaml tests NAME.yaml beside it"
    offered = [item.value for item in param.shell_complete(ctx, "")]
    return text_of([*words, offered[0]]) if offered else None


def _or_start(file: str) -> str:
    """Say how a run gets a key of its own, beside the line that makes one."""
    return f"  # makes a key; with your own: {PROGRAM} start KEY {file}"


def _with_options(line: Line, words: Sequence[str]) -> str:
    """Write the line with an example of each option that it lacks."""
    more: list[str] = []
    for param in line.ctx.command.params:
        is_missing = isinstance(param, click.Option) and param.required
        if is_missing and not any(line.place_of(option) is not None for option in param.opts):
            option = max(param.opts, key=len)
            more += [option, example_of(option, param)]
    return text_of([*words, *more])


def _with_key(line: Line, words: Sequence[str]) -> str:
    """Write the line with the newest run that the command is for, or say that there is none."""
    name = str(line.ctx.command.name)
    statuses, none = WANTED.get(name, ((), "no run is recorded"))
    listing = f"`{PROGRAM} list` shows all"
    keys: list[str] = []
    with suppress(FlowError, StoreError, OSError):
        runs = find_runs(settings_of(line.ctx), statuses=statuses, limit=MOST_LOOKED_AT)
        keys = [one.run.run_key for one in runs if name != "resume" or one.is_abandoned]
    if not keys:
        return f"{none}: `{PROGRAM} list` shows all runs"
    first, *more = keys
    key = f"--run-key={first}" if first.startswith("-") else first
    others = f"or {', '.join(more[: MOST_NAMED - 1])}; " if more else ""
    return f"{text_of([*words, key])}  # {others}{listing}"
