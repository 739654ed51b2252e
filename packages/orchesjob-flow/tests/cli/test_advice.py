"""What a wrong command line is answered with: what to type instead (rule 6.12)."""

import shlex
from pathlib import Path

import click
import pytest

from orchesjob_flow.cli.advice import advice_on
from orchesjob_flow.cli.facts import foreign_words
from orchesjob_flow.cli.sections import HIDDEN, SHOWN, cli, load_command
from orchesjob_flow.main import describe

WORDS = foreign_words()
COMMANDS, NO_COMMANDS = WORDS["commands"], WORDS["no_commands"]
OPTIONS, NO_OPTIONS = WORDS["options"], WORDS["no_options"]
_, NO_SCHEDULER, NO_SERVER, *_ = (reason.replace("FLOW_FILE", "a.yaml") for reason in NO_COMMANDS)
MAKES_KEY = "  # makes a key; with your own: orchesjob-flow start"
REMOVES = "  # without --dry-run it removes them"
OURS = (*SHOWN, *HIDDEN)
ADVICE = [
    ("ps", "list"),
    ("ps -a", "list --limit all"),
    ("ls -la", "list --limit all"),
    ("stop nightly", "cancel nightly"),
    ("kill 'a b'", "cancel 'a b'"),
    ("abort -k nightly", "cancel nightly"),
    ("rerun nightly", "retry nightly"),
    ("init", "example"),
    ("tail nightly", "logs -f nightly"),
    ("describe nightly", "status nightly"),
    ("show nightly load", "status nightly"),
    ("why nightly load", "explain nightly load"),
    ("check flow.yaml", "validate flow.yaml"),
    ("lint", "validate a.yaml"),
    ("gc", f"prune --older-than 30d --dry-run{REMOVES}"),
    ("up", "run a.yaml"),
    ("continue nightly", "resume nightly"),
    ("log nightly", "logs nightly"),
    ("man", "help  # lists commands and topics"),
    ("statsu nightly", "status nightly"),
    ("lsit", "list"),
    ("stast --since 30d", "stats --since 30d"),
    ("valdate flow.yaml", "validate flow.yaml"),
    ("a.yaml", "run a.yaml"),
    ("frobnicate", "--help"),
    ("status", "no run is recorded: `orchesjob-flow list` shows all runs"),
    ("start", f"run a.yaml{MAKES_KEY} a-1 a.yaml"),
    ("start a.yaml", f"run a.yaml{MAKES_KEY} a-1 a.yaml"),
    ("start b.yaml", f"run b.yaml{MAKES_KEY} b-1 b.yaml"),
    ("start nightly", "start nightly a.yaml"),
    ("status --key nightly", "status -k nightly"),
    ("status --json nightly", "status --format json nightly"),
    ("status -o json nightly", "status --format json nightly"),
    ("list -n 5", "list --limit 5"),
    ("start k f.yaml --background", "start k f.yaml --detach"),
    ("start k f.yaml -e A=b", "start k f.yaml --env A=b"),
    ("start k f.yaml --var A=b", "start k f.yaml --param A=b"),
    ("run f.yaml --dry-run", "simulate f.yaml  # shows what would run, and starts nothing"),
    ("plan f.yaml", "simulate f.yaml"),
    ("make -v a", "run a.yaml --follow  # shows what the steps print; there is no -v"),
    ("make -B a", "run a.yaml  # no step is ever skipped as up to date"),
    ("make -k a", "run a.yaml  # after a failure, steps that do not need the failed one still run"),
    ("list --limit 0", "list --limit 10"),
    ("--watch", "watch -  # - is the newest run"),
    ("abort -k -x", "cancel -k -x"),
    ("preview", "simulate a.yaml"),
    ("run f.yaml -k x", 'start x f.yaml  # "run" chooses the key itself'),
    ("cancel k --force", "cancel k --now"),
    ("retry k -s load", "retry k --step load"),
    ("prune -k nightly", "prune nightly"),
    ("prune --before 30d", f"prune --older-than 30d --dry-run{REMOVES}"),
    ("status k --db x", "--db x status k  # --db goes before the command"),
    ("status k --colour", "status k  # NO_COLOR=1 before the command turns colours off"),
    ("status k l", "explain k l"),
    ("workflow run a.yaml", "run a.yaml"),
    ("workflow list", "list"),
    ("compose up -d", "run -d a.yaml"),
    ("dags trigger nightly", "run a.yaml"),
    ("tasks clear nightly", "retry nightly"),
    ("get runs", "list"),
    ("describe run nightly", "status nightly"),
    (
        "is-active nightly",
        (
            "status --exit-status nightly  "
            "# exit code 8: has not ended; 0: SUCCEEDED; 1: ended otherwise"
        ),
    ),
    ("list-units", "list"),
    (
        "exec load sh",
        "nothing can run inside a step: `orchesjob-flow logs KEY STEP` shows what it printed",
    ),
    ("START nightly a.yaml", "start nightly a.yaml"),
    ("strat nightly a.yaml -d", "start nightly a.yaml -d"),
    ("trigger nightly", "run a.yaml"),
    ("pull_request", "run a.yaml"),
    (
        "login",
        "nobody logs in: each user has runs of their own, and `orchesjob-flow list` shows yours",
    ),
    ("all", "--help"),
    ("--list", "list"),
    ("-j4", 'set "max_parallel: 4" at the top level of a.yaml'),
    ("-f a.yaml", "run a.yaml"),
    ("-V", "--version"),
    ("start k a.yaml --step load", "start k a.yaml --until load"),
    ("run a.yaml load check", "run a.yaml --until load --until check"),
    ("run a.yaml b.yaml", "run a.yaml; orchesjob-flow run b.yaml"),
    ("run a.yaml --tags load", "run a.yaml --until load"),
    ("run a.yaml SHOP=berlin", "run a.yaml --param SHOP=berlin"),
    ("start k a.yaml -j 4", 'set "max_parallel: 4" at the top level of a.yaml'),
    (
        "start -f a.yaml",
        "run a.yaml  # makes a key; with your own: orchesjob-flow start a-1 a.yaml",
    ),
    ("start k a.yaml --attach", "start k a.yaml --follow"),
    ("start k a.yaml --daemon", "start k a.yaml --detach"),
    ("status -a", "list"),
    ("status k --watch", "watch k"),
    ("watch -n 1 k", "watch --interval 1 k"),
    ("logs k --step load", "logs k load"),
    ("logs k load check", "logs k load; orchesjob-flow logs k check"),
    ("retry k load", "retry k --step load"),
    ("retry k --failed", "retry k  # it repeats what failed"),
    ("retry k --from load", "retry k --step load"),
    ("cancel k -9", "cancel k --now"),
    ("list nightly", "list --flow-id nightly"),
    ("list --all", "list --limit all"),
    ("enable a.service", NO_SCHEDULER),
    ("cron", NO_SCHEDULER),
    ("webserver", NO_SERVER),
    (
        "dags backfill nightly",
        "give each day a run of its own: `orchesjob-flow start a-1 a.yaml`",
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
    monkeypatch.setenv("ORCHESJOB_FLOW_HOME", str(tmp_path))
    (tmp_path / "a.yaml").write_text("flow_id: a\n")
    words = shlex.split(line)
    with pytest.raises(click.UsageError) as caught:
        cli.main(words, "orchesjob-flow", standalone_mode=False)
    told = describe(caught.value, words)
    assert told["help"] in {advice, f"orchesjob-flow {advice}"}
    assert advice_on(caught.value, words) in {told["help"], None}


@pytest.mark.parametrize("check", ["--dry-run", "-n", "--check"])
def test_a_check_stays_one(check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another tool calls a command with an effect: with such an option it has none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESJOB_FLOW_HOME", str(tmp_path))
    (tmp_path / "a.yaml").write_text("flow_id: a\n")
    effective = ("run", "cancel", "retry", "resume", "settle")
    for line, words in COMMANDS.items():
        for word in words.split() if line.startswith(effective) else ():
            typed = [*word.split("_", 1), check, "a.yaml" if line.startswith("run") else "k"]
            with pytest.raises(click.UsageError) as caught:
                cli.main(typed, "orchesjob-flow", standalone_mode=False)
            told = describe(caught.value, typed)["help"]
            assert not told.startswith(tuple(f"orchesjob-flow {name} " for name in effective)), told


def test_what_is_advised_exists() -> None:
    """Each line of ours begins with a command or an option, and no word is one of our commands."""
    params = [param for name in OURS for param in load_command(name).params]
    for line, words in COMMANDS.items():
        assert line.split()[0] in {*OURS, "--help", "--version"}
        assert not set(words.split()) & set(OURS)
    assert {line.split()[0] for line in OPTIONS} <= {
        option for param in params for option in param.opts
    }


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
