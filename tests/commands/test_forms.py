"""Text for people, JSON for programs: what commands print on a terminal and in a pipe (6.11)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate
from support.terminal import PICTURE, Terminal

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "output.md"
FAILS = {"id": "check", "command": ["sh", "-c", "echo row 17 is broken; exit 3"], "when": "fetch"}
STEPS = (
    {"id": "fetch", "command": ["true"]},
    FAILS,
    {"id": "load", "command": ["true"], "when": "check"},
)


@pytest.fixture(scope="module")
def ended(shared_flow: Flow) -> Flow:
    """A run that has FAILED, which no command of this table changes."""
    shared_flow.start("k", shared_flow.write(*STEPS), code=1)
    return shared_flow


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_what_a_cancel_waits_for(flow: Flow, gate: Gate) -> None:
    """Who waits for more than a second is told for what; in the end that is gone (6.11)."""
    tidy = {"id": "tidy", "command": gate.command()}
    fields: dict[str, Any] = {"finally": [tidy]}
    file = flow.write({"id": "a", "command": ["sleep", "600"]}, **fields)
    flow.ask("start", "k", "-d", file)
    command, terminal = flow.spawn_on_terminal("cancel", "k", stream="stderr")
    gate.await_arrival()
    terminal.await_text("cancel: cancelled; finally: tidy is running (")
    gate.let_through()
    terminal.read_to_end()
    assert json.loads(command.communicate()[0])["status"] == "CANCELLED"
    assert terminal.shown.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("words", "shown", "answered"),
    [
        (["prune", "--older-than=0s"], "0 of 1 runs removed", "removed"),
        (["resume", "--all"], "0 of 1 runs go on; waiting for k", "resumed"),
    ],
)
def test_what_a_command_for_many_runs_waits_for(
    flow: Flow, gate: Gate, words: list[str], shown: str, answered: str
) -> None:
    """While orchesjob takes long, a person sees how far it is (6.11)."""
    flow.abandon(flow.write({"id": "a", "command": gate.command()}), gate)
    if answered == "removed":
        gate.let_through()
        flow.ask("resume", "k")
    flow.wrap_orchesjob(gate.command()[-1])
    command, terminal = flow.spawn_on_terminal(*words, stream="stderr")
    gate.await_arrival()
    terminal.await_text(shown)
    gate.let_through(100)
    terminal.read_to_end()
    assert json.loads(command.communicate()[0])[answered][0]["run_key"] == "k"
    assert terminal.shown.endswith("\r\x1b[K")


def test_a_terminal_that_changes_its_size(flow: Flow, gate: Gate) -> None:
    """What is drawn fits the terminal that there is now, and so does the last table (6.6, 6.11)."""
    steps = ({"id": f"a-step-of-a-long-name-{n}", "command": gate.command()} for n in range(1))
    terminal = Terminal()
    terminal.resize(200, 50)
    command = flow.spawn(
        *("start", "k", flow.write(*steps)), stdout=terminal.line, stderr=terminal.line
    )
    terminal.hand_over()
    terminal.await_picture("RUNNING")
    terminal.resize(30, 10)
    terminal.await_picture("...", pictures=terminal.shown.count(PICTURE) + 1)
    gate.let_through()
    terminal.read_to_end()
    assert command.wait() == 0
    lines = [line.replace("\x1b[K", "") for line in terminal.picture.splitlines()]
    plain = [line for line in lines if not line.startswith("\x1b[J")]
    assert any(line.startswith("a-step-of-a-lo ") for line in plain)
    assert any(line == "ng-name-0" for line in plain)
    assert max(map(len, plain)) <= 30 + len("\x1b[32m\x1b[0m")


@pytest.mark.parametrize(("spelling", "is_data"), [("json", True), ("text", False)])
def test_the_variable_sets_the_default(ended: Flow, spelling: str, is_data: bool) -> None:
    """`ORCHESJOB_FLOW_FORMAT` decides wherever no `--format` is given, and only there (6.11)."""
    environ = {**ended.environ, "ORCHESJOB_FLOW_FORMAT": spelling}
    for words in (["status", "--run-key=k"], ["--patience=1", "status", "--run-key=k"], ["list"]):
        assert is_json(ended.run(*words, env=environ).stdout) == is_data
        assert is_json(ended.run(*words, "--format=json", env=environ).stdout)
        assert not is_json(ended.run(*words, "--format=table", env=environ).stdout)
        assert is_json(ended.run(*words, "--format=auto", env=environ).stdout)
    assert is_json(ended.run_on_terminal("list", ORCHESJOB_FLOW_FORMAT=spelling)[1]) == is_data


def test_a_wrong_variable_is_named(ended: Flow) -> None:
    """What the variable says must be one of the spellings; `--format` makes it harmless (6.11)."""
    environ = {**ended.environ, "ORCHESJOB_FLOW_FORMAT": "yaml"}
    for command in ("status", "wait"):  # with and without click
        error = ended.refusal(command, "--run-key=k", env=environ)["error"]
        assert "of $ORCHESJOB_FLOW_FORMAT: 'yaml'" in error
        assert is_json(ended.run(command, "--run-key=k", "--format=json", env=environ).stdout)


@pytest.mark.parametrize("progress", ["auto", "plain", "none"])
def test_the_end_of_a_run(flow: Flow, progress: str) -> None:
    """A person sees the table once, then the last words of what failed, then what to do (6.11)."""
    words = ("start", "--run-key=k", f"--progress={progress}", flow.write(*STEPS))
    code, shown = flow.run_on_terminal(*words)
    assert code == 1
    end = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", shown.rpartition(PICTURE)[2])
    assert end.count("Status: ") == 1
    table, _, rest = end.rpartition("\nload ")
    assert "exit code 3" in table
    assert ("\n\ncheck FAILED exit code 3, after printing:\ncheck | row 17" in rest) == (
        progress != "none"
    )
    assert rest.rstrip().splitlines()[-1].startswith("orchesjob-flow retry k  # ")
    assert not shown.count('"run_key"')


def test_a_result_elsewhere(flow: Flow) -> None:
    """The table drawn on stderr is no result: what reads stdout gets that (6.11)."""
    terminal, other = Terminal(), Terminal()
    words = ("start", "--run-key=k", flow.write(*STEPS))
    command = flow.spawn(*words, stdout=other.line, stderr=terminal.line)
    terminal.hand_over()
    other.hand_over()
    terminal.read_to_end()
    assert "Status: " in other.read_to_end()
    assert command.wait() == 1


def test_a_background_run(flow: Flow) -> None:
    """`-d` says what was started, its process, where its logs are, and how to look at it (6.11)."""
    file = flow.write({"id": "a", "command": ["sleep", "600"]})
    database = str(flow.folder / "own" / "flows.sqlite3")
    words = ("--db", database, "start", "--run-key=a b", "-d", file)
    code, shown = flow.run_on_terminal(*words, size=(200, 50))
    assert code == 0
    run = json.loads(flow.run("--db", database, "status", "--run-key=a b").stdout)
    assert shown.startswith(f"Run a b of flow f is RUNNING; process {run['runner']['pid']} ")
    for stream in ("stdout", "stderr"):
        assert f"{stream}.log\n" in shown
    assert f"orchesjob-flow --db {database} watch 'a b'  # " in shown
    assert flow.run("--db", database, "cancel", "--run-key=a b", "--format=table").returncode == 0


MISTAKES = [
    pytest.param(("status", "--run-key=gone"), "error: no run 'gone' in", id="no run"),
    pytest.param(("statsu",), "error: No such command 'statsu'.", id="no command"),
    pytest.param(
        ("start", "w", "wrong.yaml"), "4 |     comand: x\n  |     ^^^^^^\n", id="flow file"
    ),
    pytest.param(("validate", "wrong.yaml"), " --> wrong.yaml:4:5\n", id="validate"),
    pytest.param(("stop", "k"), "= help: orchesjob-flow cancel KEY\n", id="usage"),
]


@pytest.fixture(scope="module")
def wrong(ended: Flow) -> Flow:
    """A flow file that is wrong, beside a run."""
    text = "flow_id: f\nsteps:\n  - id: a\n    comand: x\n"
    (ended.folder / "wrong.yaml").write_text(text)
    return ended


@pytest.mark.parametrize(("words", "shown"), MISTAKES)
def test_errors(wrong: Flow, words: tuple[str, ...], shown: str) -> None:
    """A person reads an error as a compiler's, a program as JSON, with the same code (6.11)."""
    code, text = wrong.run_on_terminal(*words, NO_COLOR="1")
    assert code == 2
    assert shown in text
    assert "\x1b" not in text
    code, text = wrong.run_on_terminal(*words, ORCHESJOB_FLOW_FORMAT="json")
    assert (code, is_json(text)) == (2, True)


def test_the_error_in_the_reference(wrong: Flow) -> None:
    """docs/reference/output.md shows what is shown on a terminal."""
    step = "  - id: load\n    command: [x]\n"
    text = f"flow_id: f\nsteps:\n{step}  - id: b\n    command: [x]\n    when: load && chek\n"
    (wrong.folder / "nightly.yaml").write_text(text + step.replace("load", "check"))
    _, shown = wrong.run_on_terminal("validate", "nightly.yaml", NO_COLOR="1")
    assert f"```text\n{shown}```\n" in REFERENCE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "variable", "is_data"),
    [
        ("", "", True),
        ("", "text", False),
        ("", "json", True),
        ("--format=table", "json", False),
        ("--format=json", "table", True),
        ("--format=auto", "table", True),
        ("--format=yaml", "table", True),
    ],
)
def test_whose_errors_are_text(wrong: Flow, option: str, variable: str, is_data: bool) -> None:
    """Errors have the format that was asked for; otherwise it is stderr that decides (6.11)."""
    words = ("validate", "--allow=x", "wrong.yaml", *filter(None, [option]))
    environ = {**wrong.environ, "ORCHESJOB_FLOW_FORMAT": variable}
    result = wrong.run(*words, env=environ)
    assert (result.returncode, is_json(result.stderr)) == (2, is_data)
    if not variable and not option:
        command, terminal = wrong.spawn_on_terminal("start", "w", "wrong.yaml", stream="stderr")
        assert terminal.read_to_end().endswith('help: did you mean "command"?\n')
        assert command.communicate()[0] == ""


@pytest.mark.parametrize(
    ("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours(wrong: Flow, variables: dict[str, str], colours: bool) -> None:
    """Colours are for terminals that have them, and people who want them (rules 6.5 and 6.11)."""
    for words in (("status", "--run-key=k"), ("list",), ("start", "w", "wrong.yaml")):
        shown = wrong.run_on_terminal(*words, size=(80, 24), **variables)[1]
        assert ("\x1b[" in shown) == colours


def test_in_any_time_zone(ended: Flow) -> None:
    """What programs read of a run is the same wherever it is asked for."""
    for words in (["status", "k"], ["list"], ["metrics"]):
        here, there = (
            ended.run(*words, env={**ended.environ, "TZ": zone})
            for zone in ("UTC", "Pacific/Auckland")
        )
        assert here.returncode == 0
        assert there.stdout == here.stdout
