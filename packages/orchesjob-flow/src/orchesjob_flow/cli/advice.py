"""What to type instead of a wrong command line: for words of other tools, and for what is missing.

It is imported only after a mistake (rule 6.12). click says what the mistake is; the advice is the
`help` of the error. Wherever possible it is the typed line as it was meant, ready to be pasted; a
`#` leads what is said about it. `foreign_words.toml` holds what other tools call the commands,
options and values of this program.
"""

import json
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import click

from flow_spec import Problem, closest_words
from orchesjob_flow.cli.facts import (
    MOST_LOOKED_AT,
    MOST_NAMED,
    PLACEHOLDER,
    PROGRAM,
    WANTED,
    Facts,
    Line,
    declared,
    example_of,
    failed_steps,
    file_meant,
    flow_files_here,
    flow_id_of,
    flow_meant,
    foreign_words,
    is_on_run,
    is_recorded,
    is_valid,
    keys_for,
    looks_like_flow_file,
    newest_for,
    newest_of,
    others,
    run_meant,
    run_with_step,
    text_of,
)
from orchesjob_flow.cli.options import (
    CommandThatNames,
    KeyArgument,
    Misused,
    OptionGivenOnce,
)
from orchesjob_flow.errors import HomeMissing, RunNotFound

LIKE = 0.7
"""How alike two words must be to count as the same; "pause" is not "prune"."""
EXTRA = re.compile(r"Got unexpected extra arguments? \((.*)\)$", re.DOTALL)
GIVEN_AGAIN = re.compile(r"is given \d+ times")
WITHOUT = re.compile(r"WITHOUT\[(.*?)\]")
"""In advice: the typed line without one of two options that do not fit each other."""
REFUSED_VALUE = re.compile(
    r'must be one of (?P<values>".*?"(?:, ".*?")*)(?P<more>.*), (?P<got>got ".*")', re.DOTALL
)
UNKNOWN_PARAM = re.compile(r'the flow has no parameter "(\w+)"')
DID_YOU_MEAN = re.compile(r'did you mean "(.*)"\?')
RUN_KEYS = ("-k", "--run-key", "--key", "--name", "--id", "--run-id")
"""How a run is named, in a line that starts one."""
NEWEST = ("--latest", "--newest", "-l", "-1", "latest", "@latest", "last", "newest")
"""How other tools name the newest run."""
IS_NEWEST = "- is the newest run"
STARTS = f"{PROGRAM} run FLOW_FILE  # makes a key; with your own: {PROGRAM} start NEW_KEY FLOW_FILE"
NO_FLOW_FILE = '{!r} is not a flow file; "run" only runs flows'
REMOVES_BY_AGE = re.compile(rf"{PROGRAM} .*\bprune .*--older-than")
NO_OUTCOME = ("--as", "failed")


def advice_on(error: click.UsageError, words: Sequence[str]) -> str | None:
    """Return what to type instead of these words; None where only the help can tell."""
    text = _advice_on(error, words)
    line, _, about = (text or "").partition("  # ")
    if not REMOVES_BY_AGE.match(line) or "--dry-run" in line:
        return text
    return f"{line} --dry-run  # {about}{'; ' if about else ''}without --dry-run it removes them"


def _advice_on(  # noqa: PLR0911 - one for each kind of mistake
    error: click.UsageError, words: Sequence[str]
) -> str | None:
    """Do as `advice_on` does; the line may remove runs."""
    ctx = error.ctx
    given = getattr(error, "advice", None)
    if ctx is None:
        return given
    line = Line(ctx, words)
    if given is not None:
        text = WITHOUT.sub(lambda option: line.without_option(option[1], has_value=True), given)
        handle = ctx.params.get("handle")
        key = "-" if handle is None else handle.run_key
        return Facts(ctx, line.words[line.begin :], key=key).fill(text)
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


def fact_of(error: click.UsageError, words: Sequence[str]) -> str | None:
    """Return what is wrong, where click's words differ between versions or blame another word."""
    ctx = error.ctx
    if ctx is not None and ctx.info_name == "run" and ctx.parent is not None:
        line = Line(ctx, words)
        typed = line.words[line.begin :]
        if _command_after_run(ctx.parent, typed) is not None:
            return NO_FLOW_FILE.format(typed[0])
    if isinstance(error, click.NoSuchOption):
        return f"No such option {error.option_name!r}."
    if ctx is not None and isinstance(error, click.MissingParameter):
        missing = Line(ctx, words).missing_options()
        if error.param in missing and len(missing) > 1:
            return f"Missing options {' and '.join(repr(max(one.opts)) for one in missing)}."
        return "Missing argument 'KEY'." if _file_as_key(ctx, error.param) else None
    if isinstance(error, click.BadParameter) and error.param is not None:
        return _flaw_of_value(error, error.param)
    return None


def _flaw_of_value(error: click.BadParameter, param: click.Parameter) -> str:
    """Return what is wrong with a value, by the name of the option or the variable."""
    message = error.message
    if isinstance(param.type, click.Choice):
        choices = ", ".join(map(str, param.type.choices))
        message = f"{message.partition(' is not one of ')[0]} is not one of {choices}"
    if _is_from_environment(error):
        return f"Invalid value of ${param.envvar}: {message}"
    if message.startswith(("is ", "has ")):
        return f"{max(param.opts, key=len)} {message}"
    return error.format_message().replace(error.message, message)


def context_of(program: click.Group, words: Sequence[str]) -> click.Context:
    """Return the context of the command in a line, for an error that has none."""
    ctx = click.Context(program, info_name=PROGRAM)
    known = program.list_commands(ctx)
    ctx.params["db"] = next((word for option, word in pairwise(words) if option == "--db"), None)
    name = next((word for word in words if word in known), None)
    command = None if name is None else program.get_command(ctx, name)
    return ctx if command is None else click.Context(command, ctx, name)


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


def _instead_of_attempt(words: Sequence[str], run_key: str, attempt: str) -> str | None:
    """Return the line for a step or an attempt that was typed where a run key belongs.

    The tables show `KEY:STEP:NUMBER`, and `attempt` is that.
    """
    step, _, number = attempt.removeprefix(f"{run_key}:").partition(":")
    more: list[str] = []
    if "logs" in words:
        more = [step, "--attempt", number] if number else [step]
    elif "explain" in words:
        more = [step]
    elif "status" in words:
        output = [run_key, step, "--attempt", number] if number else [run_key, step]
        return f"{text_of(['explain', run_key, step])}  # its output: {text_of(['logs', *output])}"
    elif "retry" in words:
        more = ["--step", step]
    return corrected(words, attempt, [run_key, *more])


def for_unknown_run(
    program: click.Group, words: Sequence[str], error: RunNotFound
) -> dict[str, str]:
    """Return the help, and perhaps better words, for a key that no run has.

    It may be a step of the newest run, a flow or its file, an attempt, or a slip.
    """
    ctx, typed = context_of(program, words), error.run_key
    if any(typed.startswith(f"{key}:") for key in error.nearest):
        line = _instead_of_attempt(words, error.nearest[0], typed)
        return {} if line is None else {"help": line}
    if typed in NEWEST:
        line = f"{corrected(words, typed, ['-'])}  # {IS_NEWEST}"
        return {"error": f"no run {typed!r}", "help": line}
    if (found := newest_for(ctx, str(ctx.info_name), typed)) is not None:
        key, about = found
        about = about or (f"the newest run of {typed}" if error.is_file else "")
        return {
            "help": f"{corrected(words, typed, [key])}{about and f'  # {about}'}" if key else about
        }
    if not error.nearest and (run := run_with_step(ctx, typed)) is not None:
        line = _instead_of_attempt(words, run.run_key, typed)
        fact = f'no run {typed!r}; it is a step of flow "{run.flow_id}"'
        about = "" if "  # " in str(line) else "  # the newest run of this flow"
        return {"error": fact, "help": f"{line}{about}"}
    if error.is_file or not error.nearest:
        return {}
    first, *more = error.nearest
    line = corrected(words, typed, [first])
    return {} if line is None else {"help": f"{line}  # or {', '.join(more)}" if more else line}


def corrected_line(program: click.Group, words: Sequence[str], error: Exception) -> str | None:
    """Return the typed line with the word that was meant in place of the wrong one, if known."""
    typed, (first, *more) = getattr(error, "meant", None) or ("", [""])
    if first == "NEW_KEY":
        first = Facts(context_of(program, words), words).fill(first)
    line = corrected(words, typed, [first]) if typed else None
    return f"{line}  # or {', '.join(more)}" if line and more else line


def for_wrong_database(program: click.Group, error: Exception) -> dict[str, str]:
    """Return better words where `--db` names a file that is not there, or a flow file."""
    path, default = getattr(error, "path", Path()), Facts(click.Context(program), [])
    line = f"{PROGRAM} list  # the default database, DATABASE"
    if isinstance(error, HomeMissing):
        return {"error": f"there is no database {path}", "help": default.fill(line)}
    is_database = hasattr(error, "cause") and path.is_file()
    if not is_database or (flow_id := flow_id_of(path)) is None:
        return {}
    line = f"{text_of(['list', '--flow-id', flow_id])}  # in the default database, DATABASE"
    return {"error": f"{path} is a flow file, not a flow database", "help": default.fill(line)}


def with_value_meant(
    program: click.Group, words: Sequence[str], problem: Problem
) -> click.UsageError | None:
    """Return the error for a parameter that the flow lacks, or that cannot have its value.

    None for another problem, and for a value that is not on the command line.
    """
    unknown = UNKNOWN_PARAM.fullmatch(problem.fact)
    refused = REFUSED_VALUE.fullmatch(problem.fact)
    name = unknown[1] if unknown else (problem.path or "").removeprefix("params.")
    given = (re.sub("^--(?:param|env)=", "", word) for word in words)
    typed = next((word for word in given if word.startswith(f"{name}=")), None)
    if typed is None or not (unknown or refused or problem.fact.startswith("is a parameter")):
        return None
    fact, ctx = problem.fact, context_of(program, words)
    place = next(place for place, word in enumerate(words) if word.endswith(typed))
    if fact.startswith("is a parameter"):
        before = words[: place - (words[place] == typed)]
        line = text_of([*before, "--param", typed, *words[place + 1 :]])
        return Misused(f"{name} is a parameter of the flow, not a variable", line, ctx)
    if refused is not None:
        values = re.findall('"(.*?)"', refused["values"])
        value = next(iter(closest_words(typed.partition("=")[2], values)), values[0])
        listed = refused["values"].replace('", "', '" or "')
        fact = f"{name} must be {listed}{refused['more']}, {refused['got']}"
        return Misused(
            f"Invalid value for '--param': {fact}",
            str(corrected(words, typed, [f"{name}={value}"])),
            ctx,
        )
    if (near := DID_YOU_MEAN.fullmatch(problem.help or "")) is not None:
        return Misused(fact, str(corrected(words, typed, [near[1] + typed[len(name) :]])), ctx)
    left = [*words[: place - (words[place] == typed)], *words[place + 1 :]]
    return Misused(fact, f"{text_of(left)}  # {problem.help}", ctx)


def for_missing_file(
    program: click.Group, words: Sequence[str], file: str
) -> click.UsageError | str | None:
    """Return what to type where a flow file is named that is not there, or a better error.

    It is an error of its own if a run has this key, or if it is a command, as in `gh run list`.
    Otherwise the flow files of the current folder are compared.
    """
    ctx = context_of(program, words).find_root()
    if "run" in words and (ours := _command_after_run(ctx, words[words.index("run") + 1 :])):
        return Misused(NO_FLOW_FILE.format(file), ours)
    if is_recorded(ctx, file):
        told = text_of(["explain", file])
        line: str | None = f"{told}  # why its steps ended as they did"
        if "graph" in words:
            line = corrected(words, file, ["-k", file])
        elif {"simulate", "validate"} & {*words} and (of_run := Facts(ctx, [file]).flow_files):
            line = f"{corrected(words, file, of_run[:1])}  # the run itself: {told}"
        return Misused(f"{file!r} is a run, not a flow file", str(line))
    place = words.index(file) if file in words else 0
    if "start" in words[:place] and looks_like_flow_file(before := words[place - 1]):
        swapped = text_of([*words[: place - 1], file, before, *words[place + 1 :]])
        return Misused("the run key comes before the flow file", swapped)
    files = flow_files_here()
    stems = {Path(name).stem: name for name in files}
    near = next(iter(closest_words(Path(file).stem, stems, least_alike=LIKE)), None)
    meant = files if near is None else [stems[near]]
    if len(meant) == 1:
        return corrected(words, file, meant)
    return f"the flow files here are {', '.join(map(shlex.quote, files))}" if files else None


def _for_command(ctx: click.Context, words: Sequence[str], known: Collection[str]) -> str | None:
    """Return the line to type instead of a command and its arguments, or why there is none."""
    word, rest = words[0], words[1:]
    pair = "_".join(words[:2])  # as in `kubectl rollout status`
    if (line := _found_in(foreign_words()["commands"], pair)) is not None:
        return _filled(ctx, line, words[2:])
    nouns = foreign_words()["nouns"].split()
    if word in nouns and rest and not rest[0].startswith("-"):  # as in `gh run list`
        return _for_command(ctx, rest, known)
    if word in nouns and word not in known:  # as in `just --list`
        return _filled(ctx, "run FLOW_FILE" if rest else "list", rest)
    if rest and rest[0] in nouns and word not in known:  # as in `kubectl get runs`
        rest = rest[1:]
        names_run = any(is_recorded(ctx, one) or newest_of(ctx, one) for one in rest)
        if word == "get" and not names_run:
            word = "watch" if "-w" in rest else "list"
            rest = [one for one in rest if one != "-w"]
    if (reason := _found_in(foreign_words()["no_commands"], word.lower())) is not None:
        return Facts(ctx, rest).fill(reason)
    return _line_of_ours(ctx, word, rest, known)


def _command_after_run(ctx: click.Context, words: Sequence[str]) -> str | None:
    """Return the line for what other tools call `run list` or `run view KEY`; else None."""
    known = ctx.command.list_commands(ctx) if isinstance(ctx.command, click.Group) else []
    if not words or looks_like_flow_file(words[0]):
        return None
    is_command = words[0] in known or _found_in(foreign_words()["commands"], words[0])
    return _for_command(ctx, words, known) if is_command else None


def _line_of_ours(
    ctx: click.Context, word: str, rest: Sequence[str], known: Collection[str]
) -> str | None:
    """Return the line for a word of another tool or a misspelled one."""
    commands = foreign_words()["commands"]
    if (file := file_meant(word)) is not None:
        return _filled(ctx, "run FLOW_FILE", [file, *rest])
    if is_recorded(ctx, word):
        return text_of(["status", word])
    if word in known:  # after a noun
        of_ours = next((one for one in commands if one.split()[0] == word), word)
        last = _last_of(ctx, word)
        return _filled(ctx, f"{word} {last}" if last else of_ours, rest, word)
    if (line := _found_in(commands, word.lower())) is not None:
        return _filled(ctx, line, rest, word.lower())
    has_argument = bool(rest) and not rest[0].startswith("-")
    alike = closest_words(word.lower(), known, least_alike=LIKE)
    fitting = (name for name in alike if not has_argument or _takes_arguments(ctx, name))
    close = next(fitting, None)
    if close is None or rest:
        return close and text_of([close, *rest])
    line = next((line for line in commands if line.split()[0] == close), close)
    return _filled(ctx, line, ())


def _last_of(ctx: click.Context, name: str) -> str:
    """Return the placeholder for the argument of a command, if it is a run or a flow file."""
    command = ctx.command.get_command(ctx, name) if isinstance(ctx.command, click.Group) else None
    params = [] if command is None else command.params
    arguments = [one.name for one in params if isinstance(one, click.Argument)]
    return "FLOW_FILE" if "flow_file" in arguments else "KEY" if "handle" in arguments else ""


def _takes_arguments(ctx: click.Context, name: str) -> bool:
    """Tell whether a command takes more than options."""
    command = ctx.command.get_command(ctx, name) if isinstance(ctx.command, click.Group) else None
    return command is not None and any(isinstance(one, click.Argument) for one in command.params)


def _found_in(table: Mapping[str, str], word: str) -> str | None:
    """Return the entry of a table for a word that another tool uses."""
    return next((ours for ours, theirs in table.items() if word in theirs.split()), None)


def _filled(  # noqa: PLR0911 - as above
    ctx: click.Context, line: str, rest: Sequence[str], typed: str = ""
) -> str:
    """Put the typed arguments into the line where they can stay the same.

    Options that the command of ours has stay too. What is said about another one decides: it may be
    that of a check. `typed` is the command of the other tool.
    """
    words, _, comment = line.partition("  # ")
    *begin, last = words.split()
    name = begin[0] if begin else last
    options, arguments, lost = _own_options(ctx, name, rest)
    facts = Facts(ctx, arguments or [*rest])
    remarks = [facts.fill(comment)] if comment else []
    for option in lost:
        answer = _about_option(name, option)
        if answer is None:
            remarks.append(_why_left_out(option)[0] or f"there is no {option}")
        elif not answer.startswith((f"{PROGRAM} {name} ", "LINE")):
            return facts.fill(answer)
        else:
            text, _, reason = answer.partition("  # ")
            options += text.split()[1:] if text.startswith("LINE") else []
            remarks += [facts.fill(reason)] if reason else []
    about = f"  # {'; '.join(dict.fromkeys(remarks))}" if remarks else ""
    options = [option for option in options if option not in begin]
    if last not in {"KEY", "FLOW_FILE"}:
        if PLACEHOLDER.search(words):
            return facts.fill(f"{PROGRAM} {line}")
        if name in {"list", "stats"} and arguments and newest_of(ctx, arguments[0]):
            options += ["--flow-id", flow_meant(arguments[0])]
        return f"{text_of([*begin, last, *options])}{about}"
    if last == "KEY":
        names_flow = arguments and not is_recorded(ctx, arguments[0])
        if names_flow and newest_of(ctx, arguments[0]) is not None:
            tables = foreign_words()["flow_commands"]
            if (of_flow := _found_in(tables, typed) or _found_in(tables, name)) is not None:
                return facts.fill(of_flow)
        return _on_run(ctx, begin, arguments, options, about)
    if (file := next(filter(None, map(file_meant, arguments)), None)) is not None:
        return f"{text_of([*begin, file, *options])}{about}"
    return facts.fill(f"{text_of([*begin, *options])} FLOW_FILE{about}")


def _on_run(
    ctx: click.Context,
    begin: Sequence[str],
    arguments: Sequence[str],
    options: Sequence[str],
    about: str,
) -> str:
    """Write a line about the run that the arguments name; one for each of several runs."""
    name = begin[0]
    if "-k" in options and not options[options.index("-k") + 1].startswith("-"):
        place = options.index("-k")
        arguments, options = [options[place + 1]], [*options[:place], *options[place + 2 :]]
    if not arguments and {"-k", "--run-key"}.isdisjoint(options):
        if name in WANTED:
            return _with_key(ctx, name, [*begin, *options])
        line = text_of([*begin, *options])
        if name == "prune":
            return f"{line} KEY  # `{PROGRAM} list` shows the keys"
        return f"{line} -  # - is the newest run; `{PROGRAM} list` shows all"
    keys = ["-" if one in NEWEST else one for one in arguments]
    if "-" in {*keys} - {*arguments}:
        about = about or f"  # {IS_NEWEST}"
    if keys and (found := newest_for(ctx, name, keys[0])) is not None:
        keys[0], reason = found
        if not keys[0]:
            return reason
        about = f"  # {reason}" if reason else about
    if keys:
        keys[0] = run_meant(ctx, keys[0])
    most = {"logs": 2, "explain": 2, "prune": MOST_LOOKED_AT}.get(name, 1)
    if len(keys) > most and name in WANTED:
        return "; ".join(text_of([*begin, key, *options]) for key in keys)
    return f"{text_of([*begin, *keys[:most], *options])}{about}"


def _own_options(
    ctx: click.Context, name: str, rest: Sequence[str]
) -> tuple[list[str], list[str], list[str]]:
    """Part the words after a command into its options, with values, its arguments, and the rest.

    Options of other tools are replaced if that is possible. What follows one that is not may be its
    value, and is an argument only if it is a run, a flow or a flow file, or else parameters.
    """
    command = ctx.command.get_command(ctx, name) if isinstance(ctx.command, click.Group) else None
    own = {} if command is None else {o: param for param in command.params for o in param.opts}
    takes_file = command is not None and _last_of(ctx, name) == "FLOW_FILE"
    if takes_file:
        own.pop("-f", None)  # --follow; in other tools a file or a value follows -f there
    options: list[str] = []
    arguments: list[str] = []
    lost: list[str] = []
    is_certain = True
    words = iter(_parted(own, rest))
    for word in words:
        if not word.startswith("-") or word == "-":
            settings = _settings_in(word) if "--param" in own else []
            if is_certain or is_recorded(ctx, word) or _names_flow(ctx, word, takes_file):
                arguments.append(word)
            elif settings:  # as in `gh workflow run -f DAY=monday`
                options += [part for one in settings for part in ("--param", one)]
            else:
                continue
            if not is_certain and _about_option(name, lost[-1]) is None:
                lost.pop()
            is_certain = True
            continue
        typed, equals, value = word.partition("=")
        is_answered = typed not in own and _about_option(name, typed) is not None
        ours = [typed] if typed in own else [] if is_answered else _option_of_ours(own, typed)
        is_certain = bool(ours)
        if not ours:
            lost.append(typed)
            continue
        param = own[ours[0]]
        if len(ours) > 1 or getattr(param, "is_flag", False):
            options += ours
        elif given := value if equals else next(words, ""):
            options += [
                ours[0],
                given if is_valid(param, given) else example_of(ours[0], param, given),
            ]
        else:
            lost.append(typed)
    return options, arguments, lost


def _parted(own: Mapping[str, click.Parameter], words: Iterable[str]) -> Iterator[str]:
    """Yield the words, with short options that are written as one, such as `-aq`, each alone."""
    for word in words:
        letters = dict.fromkeys(f"-{letter}" for letter in word[1:])
        ours = {
            letter: [letter] if letter in own else _option_of_ours(own, letter)
            for letter in letters
        }
        flags = [one for one in letters if len(ours[one]) > 1 or one in own or not ours[one]]
        is_one = re.fullmatch("-[A-Za-z]{2,}", word) is None or not any(ours.values())
        yield from [word] if is_one else flags


def _settings_in(word: str) -> list[str]:
    """Return the parameters in the value of an option: `DAY=monday`, or an object of JSON."""
    if word.startswith("{"):
        with suppress(ValueError, AttributeError):
            return [f"{name}={value}" for name, value in json.loads(word).items()]
    return [word] if "=" in word else []


def _names_flow(ctx: click.Context, word: str, takes_file: bool) -> bool:
    """Tell whether a word names a flow file, or for a command on a run a flow that has runs."""
    return file_meant(word) is not None if takes_file else newest_of(ctx, word) is not None


def _why_left_out(option: str) -> tuple[str | None, bool]:
    """Return why an option does nothing here, if it is one of these, and whether it has a value."""
    with_value = _found_in(foreign_words()["left_out_with_value"], option)
    return with_value or _found_in(foreign_words()["left_out"], option), with_value is not None


def _about_option(name: str, option: str) -> str | None:
    """Return what is said about an option that a command lacks."""
    for names, lines in foreign_words()["no_options"].items():
        if name in names.split(" ") and (found := _found_in(lines, option)) is not None:
            return found
    return None


def _option_of_ours(own: Mapping[str, click.Parameter], theirs: str) -> list[str]:
    """Return the option of a command, perhaps with its value, for that of another tool."""
    for ours, words in foreign_words()["options"].items():
        if ours.split()[0] in own and theirs in words.split():
            return str(ours).split()
    return []


def _for_option(  # noqa: PLR0911, PLR0912 - as above
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
            key, is_attached = line.value_of(name)
            words = [*line.words]
            del words[typed : typed + (1 if is_attached or key is None else 2)]
            words[line.begin - 1 : line.begin] = ["start", key or "KEY"]
            return f'{text_of(words)}  # "run" chooses the key itself'
        return f'{PROGRAM} start KEY FLOW_FILE  # "run" chooses the key itself'
    if program is ctx and (moved := _moved_behind(line, name)) is not None:
        return moved
    value, is_attached = line.value_of(name)
    if value is not None and not is_attached and "--param" in line.own:
        is_variable = name in foreign_words()["options"]["--env"].split()
        if value.partition("=")[0] in declared(line.words):
            return line.replaced(name, "--param")
        if "=" in value:
            return line.replaced(name, "--env" if is_variable else "--param")
    command = "" if program is ctx else str(ctx.command.name)
    if (found := _about_option(command, name)) is not None:
        return line.filled(found, name)
    if ours := _option_of_ours(line.own, name):
        return line.replaced(name, ours[0], ours[1:])
    place = line.place_of(name)
    if place is not None and name in NEWEST and is_on_run(ctx.command):
        return f"{text_of([*line.words[:place], '-', *line.words[place + 1 :]])}  # {IS_NEWEST}"
    reason, has_value = _why_left_out(name)
    if place is not None and reason is not None:
        return f"{line.without_option(name, has_value=has_value)}  # {reason}"
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
    return f"{text_of(words)}  # {option} goes after the command"


def _shown_options(command: click.Command) -> Iterator[click.Option]:
    """Yield the options of a command that its help shows."""
    return (one for one in command.params if isinstance(one, click.Option) and not one.hidden)


def _moved(line: Line, option: str) -> str:
    """Write the line with an option of the program before the command."""
    place = line.place_of(option)
    if place is None:
        command = line.ctx.command_path.removeprefix(f"{PROGRAM} ")
        return f"{PROGRAM} {option} VALUE {command}  # {option} goes before the command"
    count = 1 if "=" in line.words[place] else 2
    moved, after = line.words[place : place + count], line.words[place + count :]
    words = [*moved, *line.words[:place], *after]
    return f"{text_of(words)}  # {option} goes before the command"


def _for_usage(line: Line, error: click.BadOptionUsage) -> str | None:
    """Return the line with a value for an option that lacks one, or without one for a flag."""
    option = error.option_name
    param, place = line.own.get(option), line.place_of(option)
    if param is None or place is None:
        return None
    new = [option]
    if not getattr(param, "is_flag", False):
        new.append(line.example(option, None))
    return text_of([*line.words[:place], *new, *line.words[place + 1 :]])


def _for_value(  # noqa: PLR0911 - as above
    line: Line, error: click.BadParameter
) -> str | None:
    """Return the line with a value that an option takes."""
    param = error.param
    if isinstance(param, click.Argument):
        wrong = (word for word in line.words[line.begin :] if not is_valid(param, word))
        word = next(wrong, None) if isinstance(param.type, click.Choice) else None
        about = _found_in(foreign_words()["about_values"], (word or "").lower())
        text = word and corrected(line.words, word, [example_of("", param, word)])
        return f"{text}  # {about}" if text and about else text
    if not isinstance(param, click.Option):
        return None
    if _is_from_environment(error):
        return f"unset {param.envvar}  # or set it to {example_of(param.opts[-1], param)}"
    if isinstance(param, OptionGivenOnce) and GIVEN_AGAIN.match(error.message):
        return _given_once(line, param)
    for option in param.opts:
        value, is_attached = line.value_of(option)
        place = line.place_of(option)
        if place is None or value is None or is_valid(param, value):
            continue
        if option == "--jobs" and value.isdecimal():  # as in `make --jobs 4`
            return line.filled(str(_about_option("run", "-j")), option)
        if (option, value) == NO_OUTCOME and (told := _already_failed(line)) is not None:
            return told
        after = line.words[place + (1 if is_attached else 2) :]
        values = value.split(",") if param.multiple and "," in value else [value]
        head = []
        for one in values:
            new = one if is_valid(param, one) else line.example(option, one)
            is_long = is_attached and option.startswith("--")
            head += [f"{option}={new}"] if is_long else [option, new]
        words = [*line.words[:place], *head, *after]
        if option == "--older-than" and value.isdecimal():
            return f"{text_of(words)}  # {value} days"
        about = _found_in(foreign_words()["about_values"], value.lower())
        return _with_options(line, words) + (f"  # {about}" if about else "")
    return None


def _is_from_environment(error: click.BadParameter) -> bool:
    """Tell whether the value is that of a variable, and not on the command line."""
    name = str(getattr(error.param, "name", ""))
    source = None if error.ctx is None else error.ctx.get_parameter_source(name)
    return source is click.core.ParameterSource.ENVIRONMENT


def _already_failed(line: Line) -> str | None:
    """Say that a step need not be settled as FAILED, if it is that."""
    key, step, *_ = (*line.arguments_before(len(line.words)), "", "")
    run = Facts(line.ctx, [], key=key).run
    if run is None or step not in failed_steps(run):
        return None
    return f'step "{step}" is already FAILED; nothing needs to be settled'


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
        case "list":
            statuses = {str(one).lower() for one in line.own["--status"].type.choices}  # type: ignore[attr-defined]
            is_status = all(one.lower() in statuses for one in extras)
            option = "--status" if is_status else "--flow-id"
            return text_of([*left, option, extras[0]])
        case "logs" | "explain":
            key, *_ = line.arguments_before(len(line.words))
            return "; ".join([text_of(left), *(text_of([name, key, one]) for one in extras)])
        case "status" | "watch" | "wait" | "cancel" | "report" | "resume" | "doctor":
            return _one_by_one(line, left, extras)
        case _ if (more := _found_in(foreign_words()["arguments"], name)) is not None:
            return text_of([*left, *(part for one in extras for part in (more, one))])
        case "example" | "schema":
            return f"{text_of(left)} > {shlex.quote(extras[0])}"
        case _:
            return f"{text_of(left)}"


def _one_by_one(line: Line, left: Sequence[str], extras: Sequence[str]) -> str:
    """Return a line for each of several runs; or if the next word is a step, the line about it."""
    handle = line.ctx.params.get("handle")
    name, first = str(line.ctx.command.name), "KEY" if handle is None else handle.run_key
    if name != "cancel" and handle is not None and not is_recorded(line.ctx, extras[0]):
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
        return Facts(ctx, []).fill(STARTS)
    if isinstance(param, KeyArgument):
        return _with_key(ctx, str(ctx.command.name), words)
    if isinstance(param, click.Option):
        choices = param.type.choices if isinstance(param.type, click.Choice) else ()
        option, example = max(param.opts, key=len), example_of(max(param.opts, key=len), param)
        others = " or ".join(f"{option} {one}" for one in choices if one != example)
        return f"{_with_options(line, words)}{f'  # or {others}' if others else ''}"
    if param is None:
        return None
    if handle is not None and _file_as_key(ctx, param):
        return Facts(ctx, [handle.run_key]).fill(STARTS)
    if param.name in {"flow_file", "flow_files"}:
        return Facts(ctx, []).fill(f"{text_of(words)} FLOW_FILE")
    if param.name == "case_files":
        files = flow_files_here(cases=True)[:MOST_NAMED]
        named = text_of([*words, *(files or ["nightly.test.yaml"])])
        return named if files else f"{named}  # NAME.test.yaml tests NAME.yaml beside it"
    offered = [item.value for item in param.shell_complete(ctx, "")]
    return text_of([*words, offered[0]]) if offered else None


def _file_as_key(ctx: click.Context, missing: click.Parameter | None) -> bool:
    """Tell whether the flow file was typed where the run key is missing."""
    handle = ctx.params.get("handle")
    is_file = handle is not None and looks_like_flow_file(handle.run_key)
    return missing is not None and missing.name == "flow_file" and is_file


def _with_options(line: Line, words: Sequence[str]) -> str:
    """Write the line with an example of each option that it lacks."""
    left, more = [*words], list[str]()
    for param in line.missing_options():
        option = max(param.opts, key=len)
        choices = param.type.choices if isinstance(param.type, click.Choice) else ()
        typed = next((word for word in left if word in choices), None)
        if typed is not None:  # as in `settle KEY STEP skipped`
            left.remove(typed)
        more += [option, typed or line.example(option, None)]
    return text_of([*left, *more])


def _with_key(ctx: click.Context, name: str, words: Sequence[str]) -> str:
    """Write the line with the newest run that the command is for, or say that there is none."""
    keys = keys_for(ctx, name)
    if not keys:
        what = WANTED.get(name, ((), "is recorded"))[1]
        return f"no run {what}: `{PROGRAM} list` shows all runs"
    key = f"--run-key={keys[0]}" if keys[0].startswith("-") else keys[0]
    return f"{text_of([*words, key])}  # {others(name, keys)}; `{PROGRAM} list` shows all"
