"""What a wrong command line is answered with: what to type instead (rule 6.12)."""

import shlex
from pathlib import Path

import click
import pytest

from orchesjob_flow.cli.advice import (
    advice_on,
    foreign_words,
)
from orchesjob_flow.cli.sections import HIDDEN, SHOWN, cli, load_command
from orchesjob_flow.main import describe

WORDS = foreign_words()
COMMANDS, NO_COMMANDS = WORDS["commands"], WORDS["no_commands"]
OPTIONS, NO_OPTIONS = WORDS["options"], WORDS["no_options"]
NO_SCHEDULER, NO_SERVER, *_ = NO_COMMANDS
WHOLE_FLOW = "a run has all steps of its flow; `orchesjob-flow retry KEY --step ID` repeats some"
OURS = (*SHOWN, *HIDDEN)
ADVICE = [
    ("ps", "list"),
    ("ls -la", "list"),
    ("stop nightly", "cancel nightly"),
    ("kill 'a b'", "cancel 'a b'"),
    ("abort -k nightly", "cancel KEY"),
    ("rerun nightly", "retry nightly"),
    ("init", "example"),
    ("tail nightly", "logs -f nightly"),
    ("describe nightly", "status nightly"),
    ("show nightly load", "status nightly"),
    ("why nightly load", "explain nightly load"),
    ("check flow.yaml", "validate flow.yaml"),
    ("lint", "validate FLOW_FILE"),
    ("gc", "prune --older-than 30d"),
    ("up", "run FLOW_FILE"),
    ("continue nightly", "resume nightly"),
    ("log nightly", "logs nightly"),
    ("help", "--help"),
    ("statsu nightly", "status nightly"),
    ("lsit", "list"),
    ("stast --since 30d", "stats --since 30d"),
    ("valdate flow.yaml", "validate flow.yaml"),
    ("a.yaml", "run a.yaml"),
    ("frobnicate", "--help"),
    ("status", "status KEY, or - for the newest run; `orchesjob-flow list` shows the keys"),
    ("start", "start KEY FLOW_FILE, or `orchesjob-flow run FLOW_FILE`, which makes a key"),
    (
        "start a.yaml",
        "start KEY a.yaml, or `orchesjob-flow run a.yaml`, which makes a key",
    ),
    (
        "start b.yaml",
        "start KEY b.yaml, or `orchesjob-flow run b.yaml`, which makes a key",
    ),
    ("start nightly", "start nightly FLOW_FILE"),
    ("status --key nightly", "status -k KEY"),
    ("status --json nightly", "status --format {format}"),
    ("status -o json nightly", "status --format {format}"),
    ("list -n 5", "list --limit N"),
    ("logs nightly -n 5", "logs --tail N"),
    ("start k f.yaml --background", "start --detach"),
    ("start k f.yaml -e A=b", "start --env NAME=VALUE"),
    ("start k f.yaml --var A=b", "start --param NAME=VALUE"),
    ("run f.yaml --dry-run", "simulate FLOW_FILE: it shows what would run"),
    ("plan f.yaml", "simulate f.yaml"),
    ("preview", "simulate FLOW_FILE"),
    ("run f.yaml -k x", "start KEY FLOW_FILE: `run` makes a key of its own"),
    ("cancel k --force", "cancel --now"),
    ("retry k -s load", "retry --step ID"),
    ("prune --before 30d", "prune --older-than AGE"),
    ("status k --db x", "--db VALUE status: before the command"),
    ("status k --colour", "status --help"),
    ("status k l", "status --help"),
    ("workflow run a.yaml", "run a.yaml"),
    ("workflow list", "list"),
    ("compose up -d", "run FLOW_FILE"),
    ("dags trigger nightly", "run FLOW_FILE"),
    ("tasks clear nightly", "retry nightly"),
    ("get runs", "list"),
    ("describe run nightly", "status nightly"),
    ("is-active nightly", "status --exit-status nightly"),
    ("list-units", "list"),
    ("exec load sh", "run FLOW_FILE"),
    ("help start", "start --help"),
    ("START nightly a.yaml", "start nightly a.yaml"),
    ("strat nightly a.yaml -d", "start nightly a.yaml -d"),
    ("trigger nightly", "run FLOW_FILE"),
    ("pull_request", "run FLOW_FILE"),
    ("login", "--help"),
    ("all", "--help"),
    ("--list", "list"),
    ("-j4", "max_parallel: N in the flow file"),
    ("-f a.yaml", "run FLOW_FILE"),
    ("-V", "--version"),
    ("start k a.yaml --step load", WHOLE_FLOW),
    ("run a.yaml load", WHOLE_FLOW),
    ("run a.yaml SHOP=berlin", "run --param SHOP=berlin"),
    ("start k a.yaml -j 4", "max_parallel: N in the flow file"),
    (
        "start -f a.yaml",
        "start KEY a.yaml, or `orchesjob-flow run a.yaml`, which makes a key",
    ),
    ("start k a.yaml --attach", "start --follow"),
    ("start k a.yaml --daemon", "start --detach"),
    ("status -a", "list"),
    ("status k --watch", "watch KEY"),
    ("watch -n 1 k", "watch --interval DURATION"),
    ("logs k --step load", "logs KEY STEP"),
    ("logs k load check", "logs KEY STEP: one step, or all without STEP"),
    ("retry k load", "retry KEY --step load"),
    ("retry k --failed", "retry KEY: it repeats what failed"),
    ("retry k --from load", "retry --step ID"),
    ("cancel k -9", "cancel --now"),
    ("list nightly", "list --flow-id nightly"),
    ("list --all", "list --limit N"),
    ("enable a.service", NO_SCHEDULER),
    ("cron", NO_SCHEDULER),
    ("webserver", NO_SERVER),
    (
        "dags backfill nightly",
        "give each day a run of its own: `orchesjob-flow start KEY-OF-THE-DAY FLOW_FILE`",
    ),
    (
        "pause nightly",
        (
            "a run cannot be paused: `orchesjob-flow cancel KEY` ends it, "
            "`orchesjob-flow retry KEY` runs the rest"
        ),
    ),
]


@pytest.mark.parametrize(("line", "advice"), ADVICE)
def test_advice(line: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of other tools, slips, and what is missing are answered with a line to type."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").touch()
    with pytest.raises(click.UsageError) as caught:
        cli.main(shlex.split(line), "orchesjob-flow", standalone_mode=False)
    told = describe(caught.value)
    status = load_command("status")
    (format_,) = (param for param in status.params if "--format" in param.opts)
    metavar = format_.make_metavar(click.Context(status))
    line = advice.format(format=metavar)
    assert told["help"] in {line, f"orchesjob-flow {line}"}
    assert advice_on(caught.value) in {told["help"], None}


def test_what_is_advised_exists() -> None:
    """Each line of ours begins with a command or an option, and no word is one of our commands."""
    params = [param for name in OURS for param in load_command(name).params]
    for line, words in COMMANDS.items():
        assert line.split()[0] in {*OURS, "--help", "--version"}
        assert not set(words.split()) & set(OURS)
    assert set(OPTIONS) <= {option for param in params for option in param.opts}


def test_what_is_not_here_is_not_here() -> None:
    """No word or option that is answered with another one is one of ours, or is answered twice."""
    words = [word for line in (*COMMANDS.values(), *NO_COMMANDS.values()) for word in line.split()]
    assert len(words) == len(set(words))
    assert not set(words) & set(OURS)
    for names, lines in NO_OPTIONS.items():
        spelled = [option for line in lines.values() for option in line.split()]
        assert len(spelled) == len(set(spelled))
        for name in names.split(" "):
            command = load_command(name) if name else cli
            assert not set(spelled) & {option for one in command.params for option in one.opts}
