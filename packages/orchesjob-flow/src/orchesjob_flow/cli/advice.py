"""What to type instead of a wrong command line: for words of other tools, and for what is missing.

Only a mistake comes here (rule 6.12). What is said is the `help` of the error; that there is a
mistake, click says.
"""

import shlex
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import click

from orchesjob_flow.cli.run_key import CommandThatNames, KeyArgument

_COMMANDS = {
    "cancel KEY": "stop kill abort terminate end halt down interrupt",
    "list": "ps ls runs history top jobs ll dir",
    "retry KEY": "rerun restart redo replay repeat again clear",
    "example": "init new create scaffold quickstart demo template sample",
    "logs -f KEY": "tail follow attach",
    "logs KEY": "log output cat journal print stdout stderr",
    "status KEY": "describe show inspect info get state view stat details",
    "explain KEY": "why reason blame",
    "validate FLOW_FILE": "check lint verify test parse config compile",
    "prune --older-than 30d": "clean rm gc purge delete remove cleanup vacuum del",
    "resume KEY": "continue unpause recover proceed unlock",
    "start KEY": "strat",
    "run FLOW_FILE": "exec execute launch trigger submit dispatch apply play begin go up make",
    "graph FLOW_FILE": "dag draw plot tree viz diagram",
    "simulate FLOW_FILE": "plan dry dry-run dryrun preview simulation rehearse what-if whatif",
    "doctor": "audit diagnose health fsck ping",
    "completion bash": "completions autocomplete",
    "watch KEY": "monitor live",
    "wait KEY": "join await",
    "--help": "help usage man",
    "--version": "version",
}
"""Command lines of ours, and the words with which other tools call the same."""

_OPTIONS: Mapping[str, str] = {
    "-k": "--key --name --run --id --run-id --run_key --runkey",
    "--format": "--json --output -o --table --pretty --text -F",
    "--detach": "--detached --background --daemon --bg -b --async --no-wait",
    "--tail": "-n --lines --last",
    "--limit": "-n --lines --last --max -l",
    "--param": "-p --var --set --arg --input --parameter --params -P -D",
    "--env": "-e --environment --setenv -E",
    "--progress": "-q --quiet --silent -v --verbose --debug --no-progress",
    "--status": "--failed --running --state --filter",
    "--older-than": "--before --until --age --days",
    "--grace-seconds": "--grace --grace-period --time -t",
    "--now": "--force -f --hard --immediately",
    "--step": "-s --steps --task --job --only-step",
    "--follow": "-F",
}
"""Options of ours, and how other tools spell them; an option counts where the command has it."""


def advice_on(error: click.UsageError) -> str | None:
    """Return what to type instead, or None where only the help of the command can tell."""
    if isinstance(error, click.NoSuchOption):
        return _for_option(error)
    if isinstance(error, click.MissingParameter) and error.ctx is not None:
        return _for_missing(error.ctx, error.param)
    return getattr(error, "advice", None)


def unknown_command(ctx: click.Context, words: list[str], known: Iterable[str]) -> click.UsageError:
    """Return the error for a command that there is not, with the one that was probably meant."""
    word, rest = words[0], words[1:]
    error = click.UsageError(f"No such command {word!r}.", ctx)
    if Path(word).is_file():
        line: str | None = f"run {shlex.quote(word)}"
    else:
        meant = (ours for ours, theirs in _COMMANDS.items() if word.lower() in theirs.split())
        close = get_close_matches(word.lower(), list(known), n=1)
        shapes = (ours for ours in _COMMANDS if ours.split()[0] in close)
        line = next(meant, None) or next(shapes, None) or next(iter(close), None)
    if line is not None and rest and line.endswith(("KEY", "FLOW_FILE")):
        # The words that came after it, where they are no options, which may differ too.
        most = 2 if line.startswith(("logs", "explain")) else 1
        if not any(one.startswith("-") for one in rest):
            line = f"{line.rpartition(' ')[0]} {shlex.join(rest[:most])}"
    if line is not None:
        error.advice = f"{ctx.command_path} {line}"  # type: ignore[attr-defined]
    return error


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
    if error.option_name == "--dry-run":
        return f"{program.command_path} simulate FLOW_FILE: it shows what would run"
    own = {option: param for param in error.ctx.command.params for option in param.opts}
    for option, theirs in _OPTIONS.items():
        if option in own and error.option_name in theirs.split():
            value = own[option].make_metavar(error.ctx) if _has_value(own[option]) else ""
            return f"{command} {option} {value}".rstrip()
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
        if Path(handle.run_key).is_file() or handle.run_key.endswith((".yaml", ".yml", ".json")):
            return f"{ctx.command_path} KEY {given}, or `{program} run {given}`, which makes a key"
        return f"{ctx.command_path} {given} FLOW_FILE"
    return None
