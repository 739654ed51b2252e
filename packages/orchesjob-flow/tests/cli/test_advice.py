"""What a wrong command line is answered with: what to type instead (rule 6.12)."""

import shlex
from pathlib import Path

import click
import pytest

from orchesjob_flow.cli import cli
from orchesjob_flow.cli.advice import _COMMANDS, _OPTIONS, advice_on
from orchesjob_flow.main import describe

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
]


@pytest.mark.parametrize(("line", "advice"), ADVICE)
def test_advice(line: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of other tools, slips, and what is missing are answered with a line to type."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").touch()
    with pytest.raises(click.UsageError) as caught:
        cli.main(shlex.split(line), "orchesjob-flow", standalone_mode=False)
    told = describe(caught.value)
    status = cli.commands["status"]
    (format_,) = (param for param in status.params if "--format" in param.opts)
    metavar = format_.make_metavar(click.Context(status))
    assert told["help"] == f"orchesjob-flow {advice.format(format=metavar)}"
    assert advice_on(caught.value) in {told["help"], None}


def test_what_is_advised_exists() -> None:
    """Each line of ours begins with a command or an option, and no word is one of our commands."""
    params = [param for command in cli.commands.values() for param in command.params]
    for line, words in _COMMANDS.items():
        assert line.split()[0] in {*cli.commands, "--help", "--version"}
        assert not set(words.split()) & set(cli.commands)
    assert set(_OPTIONS) <= {option for param in params for option in param.opts}
