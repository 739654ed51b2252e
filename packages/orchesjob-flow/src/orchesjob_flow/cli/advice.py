"""What to type instead of a wrong command line: for words of other tools, and for what is missing.

It is imported only after a mistake (rule 6.12). click says what the mistake is; the advice is the
`help` of the error. The tables hold what other tools call the commands and options of this program:
words of gh, act, docker, systemctl, make, dagu, airflow, kubectl and shells.
"""

import os
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

import click

from orchesjob_flow.cli.options import CommandThatNames, KeyArgument

COMMANDS: Mapping[str, str] = {
    "cancel KEY": "stop kill abort terminate end halt down interrupt",
    "list": "ps ls runs history top jobs ll dir list-units units overview",
    "retry KEY": "rerun restart redo replay repeat again clear",
    "example": "init new create scaffold quickstart demo template sample",
    "logs -f KEY": "tail follow attach",
    "logs KEY": "log output cat journal print stdout stderr",
    "status KEY": "describe show inspect info get state view stat details",
    "status --exit-status KEY": "is-active is-failed is-running",
    "explain KEY": "why reason blame",
    "validate FLOW_FILE": "check lint verify test parse config compile",
    "prune --older-than 30d": "clean rm gc purge delete remove cleanup vacuum del",
    "resume KEY": "continue unpause recover proceed unlock",
    "retry KEY --file FLOW_FILE": "edit modify patch update",
    "run FLOW_FILE": "exec execute launch trigger submit dispatch apply play begin go up make "
    "push pull_request workflow_dispatch",
    "graph FLOW_FILE": "dag draw plot tree viz diagram",
    "simulate FLOW_FILE": "plan dry dry-run dryrun preview simulation rehearse what-if whatif",
    "doctor": "audit diagnose health fsck ping",
    "completion bash": "completions autocomplete",
    "stats": "statistics durations timings slowest",
    "metrics": "prometheus exporter telemetry",
    "watch KEY": "monitor live",
    "wait KEY": "join await",
    "--help": "help usage man",
    "--version": "version",
}
"""Command lines of ours, and the words with which other tools call the same."""

NO_SCHEDULER = (
    "nothing here waits for a time: let cron or a systemd timer call `orchesjob-flow run FLOW_FILE`"
)
NO_SERVER = (
    "no server is needed: `orchesjob-flow run FLOW_FILE` runs a flow, `orchesjob-flow list` shows "
    "the runs"
)
NO_COMMANDS: Mapping[str, str] = {
    NO_SCHEDULER: "enable disable schedule unschedule scheduler cron crontab timer at daily",
    NO_SERVER: "server serve webserver standalone daemon start-all dashboard ui web worker agent",
    "a run cannot be paused: `orchesjob-flow cancel KEY` ends it, `orchesjob-flow retry KEY` runs "
    "the rest": "pause suspend hold freeze",
    "give each day a run of its own: `orchesjob-flow start KEY-OF-THE-DAY FLOW_FILE`": "backfill",
}
"""What is not here, and the words with which other tools call it."""

NOUNS = frozenset(
    {
        *("workflow", "workflows", "job", "jobs", "run", "runs", "dag", "dags", "task", "tasks"),
        *("container", "containers", "compose", "flow", "flows", "unit", "units", "service"),
        *("services", "step", "steps", "pipeline", "pipelines"),
    }
)
"""What some tools want beside a command; here each command is one word."""

OPTIONS: Mapping[str, str] = {
    "-k": "--key --name --run --id --run-id --run_key --runkey",
    "--format": "--json --output -o --table --pretty --text -F",
    "--detach": "--detached --background --daemon --bg -b --async --no-wait",
    "--tail": "-n --lines --last",
    "--limit": "-n --lines --last --max -l -a --all",
    "--interval": "-n -i --every --refresh",
    "--param": "-p --var --set --arg --input --parameter --params -P -D",
    "--env": "-e --environment --setenv -E",
    "--progress": "-q --quiet --silent -v --verbose --debug --no-progress",
    "--status": "--failed --running --state --filter",
    "--flow-id": "--flow --workflow --dag --dag-id --name",
    "--older-than": "--before --until --age --days",
    "--grace-seconds": "--grace --grace-period --time -t",
    "--now": "--force -f --hard --immediately -9 --kill --signal -s",
    "--step": "-s --steps --task --job --only-step --from --from-step",
    "--follow": "-F",
}
"""Options of ours, and how other tools spell them; an option counts where the command has it."""

WHOLE_FLOW = "a run has all steps of its flow; `orchesjob-flow retry KEY --step ID` repeats some"
REHEARSAL = "orchesjob-flow simulate FLOW_FILE: it shows what would run"
WIDTH = "max_parallel: N in the flow file"
ALL_RUNS = "one run at a time: `orchesjob-flow list --status running` shows which there are"
NO_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "": {
        "orchesjob-flow list": "--list -l",
        "orchesjob-flow run FLOW_FILE": "-f --file --flow -W --workflows",
        "orchesjob-flow --version": "-V",
        WIDTH: "-j --jobs --parallel",
        REHEARSAL: "-n --dry-run --just-print",
        "`orchesjob-flow logs KEY` shows what steps print, `orchesjob-flow explain KEY` why they "
        "wait": "-v --verbose --debug",
    },
    "start run": {
        REHEARSAL: "-n --dry-run --just-print",
        WHOLE_FLOW: "--step --steps --job --task --only --target -t --tags",
        WIDTH: "-j --max-parallel --parallel --concurrency --workers",
        "timeout_sec: SECONDS in the flow file": "--timeout --time-limit",
        "retries: N at a step of the flow file": "--retry --retries",
        "working_dir: PATH in the flow file": "-C --chdir --cwd --workdir --working-directory",
        "env_file: PATH in the flow file": "--env-file",
        "it waits for the end, and shows the run, unless --detach is given": "--wait --watch -w "
        "--follow",
        NO_SCHEDULER: "--schedule --cron --at --every",
    },
    "start": {
        "nothing runs twice under a key: `orchesjob-flow retry KEY` repeats steps, another KEY "
        "begins anew": "--force --rerun --overwrite --restart --again",
        "orchesjob-flow start KEY FLOW_FILE": "-f --file --flow",
    },
    "run": {"orchesjob-flow run FLOW_FILE": "-f --file --flow --force -W --workflows"},
    "status": {
        "orchesjob-flow list": "--all -a -A",
        "orchesjob-flow watch KEY": "--watch -w --follow -f",
        "orchesjob-flow explain KEY": "--verbose -v --why",
    },
    "logs": {
        "orchesjob-flow logs KEY STEP": "--step --steps --task --job -c --container -u --unit -s",
        "orchesjob-flow logs KEY --tail N: when a line was printed is not kept": "--since --until "
        "-t --timestamps",
        "orchesjob-flow logs KEY: it shows all steps": "--all -a",
    },
    "cancel": {ALL_RUNS: "--all -a", "cancel ends the whole run": "--step --task --job"},
    "retry": {
        "orchesjob-flow retry KEY: it repeats what failed": "--failed --failed-only --force -f",
        "another run key runs all steps: `orchesjob-flow start KEY FLOW_FILE`": "--all -a",
    },
    "prune": {
        "orchesjob-flow prune --older-than 0s removes all that have ended; --dry-run shows them "
        "first": "--all -a --force -f -y --yes",
        "it asks nothing, and --dry-run shows first what it would remove": "-i --interactive",
    },
}
"""What to write for options that a command lacks, by the commands; the first ones have none."""

LIKE = 0.7
"""How alike two words must be to count as the same; "pause" is not "prune"."""
EXTRA = re.compile(r"Got unexpected extra arguments? \((\S+?)[ )]")
FLOW_FILES = (".yaml", ".yml", ".json")


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
    if word in NOUNS and rest and not rest[0].startswith("-"):  # as in `gh run list`
        return _for_command(ctx, rest, known)
    if rest and rest[0] in NOUNS and word not in known:  # as in `kubectl get runs`
        word = "list" if len(rest) == 1 and rest[0].endswith("s") else word
        rest = rest[1:]
    reason = _found_in(NO_COMMANDS, word.lower())
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
    if (line := _found_in(COMMANDS, word.lower())) is not None:
        return _filled(line, rest)
    has_argument = bool(rest) and not rest[0].startswith("-")
    alike = get_close_matches(word.lower(), known, n=len(known), cutoff=LIKE)
    fitting = (name for name in alike if not has_argument or _takes_arguments(ctx, name))
    close = next(fitting, None)
    if close is None or rest:
        return close and f"{close} {shlex.join(rest)}"
    return next((line for line in COMMANDS if line.split()[0] == close), close)


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
    """Return what to type instead of a surplus word."""
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
