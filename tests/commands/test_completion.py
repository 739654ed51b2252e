"""`completion`: shells complete commands, options, run keys and steps (rule 9.15)."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.flow import Flow
from support.steps import TRUE
from support.terminal import Terminal

VARIABLE = "_ORCHESJOB_FLOW_COMPLETE"
LINE, WORD = "_ORCHESJOB_FLOW_LINE", "_ORCHESJOB_FLOW_WORD"


def complete(flow: Flow, *words: str) -> list[str]:
    """Ask as bash does while the last word is being typed; return what is offered."""
    line = " ".join(["orchesjob-flow", *words])
    asked = {VARIABLE: "bash_complete", LINE: line, WORD: words[-1]}
    answer = flow.run(env={**flow.environ, **asked})
    assert (answer.returncode, answer.stderr) == (0, "")
    return [line.partition(",")[2] for line in answer.stdout.splitlines() if line]


@pytest.fixture(scope="module")
def two(shared_flow: Flow) -> Flow:
    """Two runs, of which `nightly-2` is the newer. Tests only read them."""
    file = shared_flow.write(
        {"id": "load", "command": ["true"]}, {"id": "look", "command": ["true"], "when": "!load"}
    )
    shared_flow.start("nightly-1", file)
    shared_flow.start("nightly-2", file)
    return shared_flow


def test_commands_and_options(flow: Flow) -> None:
    """Commands that the help shows are offered, hidden ones are not."""
    assert complete(flow, "st") == ["start", "stats", "status"]
    assert complete(flow, "ti") == []
    assert complete(flow, "status", "--form") == ["--format"]
    assert complete(flow, "completion", "") == ["bash", "zsh", "fish"]
    codes = ["no-effect", "no-such-program", "no-time-limit"]
    assert sorted(complete(flow, "validate", "--allow", "no-")) == codes


@pytest.mark.parametrize("command", ["status", "settle", "graph"])
def test_run_keys(two: Flow, command: str) -> None:
    """The keys of the recorded runs, newest first; of those to prune, several; and flows (9.15)."""
    both = ["nightly-2", "nightly-1"]
    assert complete(two, command, "--run-key", "night") == both
    assert complete(two, command, "-k", "night") == both
    assert command == "graph" or complete(two, command, "night") == both
    assert complete(two, command, "--run-key", "x") == []
    assert complete(two, "prune", "night") == both
    assert complete(two, "prune", "nightly-2", "night") == ["nightly-1"]
    assert complete(two, "list", "--flow-id", "") == ["f"]
    assert complete(two, "list", "--flow-id", "x") == []


def test_run_keys_like_options(flow: Flow) -> None:
    """A key that begins with a dash would be read as an option: it is offered only as a value."""
    flow.start("--all", flow.write(TRUE))
    flow.start("k", flow.write(TRUE))
    assert complete(flow, "status", "") == ["k"]
    assert complete(flow, "status", "--run-key", "") == ["k", "--all"]


@pytest.mark.parametrize("words", [["logs"], ["retry", "--step"]])
def test_steps(two: Flow, words: list[str]) -> None:
    """The steps of the run that the line names."""
    command, *option = words
    for run in (["--run-key", "nightly-1"], ["-k", "nightly-1"], ["nightly-1"], ["-"]):
        assert complete(two, command, *run, *option, "lo") == ["load", "look"]
    for run in (["--run-key", "unknown"], ["unknown"]):
        assert complete(two, command, *run, *option, "lo") == []


def test_steps_to_settle(flow: Flow) -> None:
    """Only those that FAILED or were CANCELLED, and the name of their copies (rule 12.3)."""
    step = {"id": "load", "command": ["sh", "-c", 'test "$X" = p']}
    block = {"foreach": {"X": ["p", "q"]}, "steps": [step]}
    flow.start("k", flow.write(block, {"id": "look", "command": ["true"]}), code=1)
    for run in ("k", "-", "--run-key k"):
        assert complete(flow, "settle", *run.split(), "lo") == ["load@q", "load"]
    assert complete(flow, "settle", "k", "load", "--as", "s") == ["succeeded", "skipped"]


def ask(flow: Flow, shell: str, line: str, word: str = "") -> list[str]:
    asked = {VARIABLE: f"{shell}_complete", LINE: line, WORD: word}
    return flow.run(env={**flow.environ, **asked}).stdout.splitlines()


def test_words_that_need_quotes(flow: Flow) -> None:
    """Only bash inserts what it is given; so what it is given is quoted, from where it replaces."""
    key = "it's:$(touch pwned)"
    flow.start(key, flow.write({"id": "a", "command": ["true"]}))
    line = "orchesjob-flow status --run-key"
    assert ask(flow, "bash", f"{line} it", "it") == [r"plain,it\'s:\$\(touch\ pwned\)"]
    assert ask(flow, "bash", f'{line} "it', "it") == [r"plain,it's:\$(touch pwned)"]
    assert ask(flow, "bash", rf"{line}=it\'s:", "") == [r"plain,\$\(touch\ pwned\)"]
    for shell in ("zsh", "fish"):
        assert ask(flow, shell, f"{line} it") == [f"plain,{key}\tf, SUCCEEDED"]
        assert ask(flow, shell, f"{line}=it") == [f"plain,--run-key={key}\tf, SUCCEEDED"]


def test_what_would_be_two_lines(flow: Flow) -> None:
    """A key that no command accepts is not offered, whoever has recorded it."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    flow.change("UPDATE runs SET run_key = 'k' || char(10) || 'plain,x'")
    assert ask(flow, "bash", "orchesjob-flow status --run-key k", "k") == [""]


def test_tab_and_enter_in_bash(flow: Flow) -> None:
    """In an interactive bash, TAB and Enter name the run, and run nothing else."""
    flow.start("a $(touch pwned)", flow.write({"id": "a", "command": ["true"]}))
    flow.folder.joinpath("script").write_text(flow.run("completion", "bash").stdout)
    path = f"{Path(flow.program).parent}:{os.environ['PATH']}"
    terminal = Terminal()
    line = terminal.line
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],  # noqa: S607 - whichever there is
        cwd=flow.folder,
        env={**flow.environ, "PATH": path, "TERM": "dumb"},
        stdin=line,
        stdout=line,
        stderr=line,
    ) as bash:
        try:
            terminal.hand_over()
            terminal.type(". ./script; echo rea''dy\n")
            terminal.await_text("ready")
            terminal.type("orchesjob-flow status --run-key a\t")
            terminal.await_text(r"pwned\) ")
            terminal.type("\n")
            terminal.await_text("Run: a $(touch pwned)")
        finally:
            bash.kill()
            terminal.close()
    assert not (flow.folder / "pwned").exists()


def test_where_nothing_can_be_read(flow: Flow) -> None:
    """Without a valid database nothing is offered and nothing is printed."""
    assert complete(flow, "status", "--run-key", "") == []
    flow.home.mkdir()
    flow.database.write_text("no database at all, whatever it is called")
    assert complete(flow, "status", "--run-key", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(flow: Flow, shell: str) -> None:
    """Each script names the program and asks it; the shell itself accepts it."""
    script = flow.run("completion", shell).stdout
    assert "orchesjob-flow" in script
    assert VARIABLE in script
    program = shutil.which(shell)
    if program is not None:  # not every machine has all three
        subprocess.run([program, "-n", "-c", script], check=True)


def test_steps_of_a_file(flow: Flow) -> None:
    """The steps of the file that the line names, and what means all copies of one (10.3, 11.3)."""
    block = {"foreach": {"X": ["x"]}, "steps": [{"id": "b", "command": ["true"]}]}
    file = flow.write({"id": "a", "command": ["true"]}, block)
    for option in ("--fail", "--skip", "--cancel-at"):
        assert complete(flow, "simulate", file, option, "") == ["b", "a", "b@x"]
        assert complete(flow, "simulate", "missing.yaml", option, "") == []
    for words in (["start", "k", file], ["run", file], ["simulate", file]):
        assert complete(flow, *words, "--until", "") == ["b", "a", "b@x"]


def test_parameters(flow: Flow) -> None:
    """The parameters of the flow file or run that the line names, then the values of one (10.2)."""
    params = {"DAY": {"description": "the day\n\nIn UTC."}, "SHOP": {"enum": ["berlin", "paris"]}}
    file = flow.write({"id": "a", "command": ["true"]}, params=params)
    for command in ("start", "validate", "run"):
        assert complete(flow, command, file, "--param", "") == ["DAY=", "SHOP="]
        assert ask(flow, "fish", f"orchesjob-flow {command} {file} --param D") == [
            "plain,DAY=\tthe day"
        ]
    line = f"orchesjob-flow start {file} --param"
    assert ask(flow, "bash", f"{line} SHOP=p", "p") == ["plain,paris"]
    assert ask(flow, "zsh", f"{line}=SHOP=") == [
        "plain,--param=SHOP=berlin\t",
        "plain,--param=SHOP=paris\t",
    ]
    flow.ask("start", "--run-key=k", "--param=DAY=1", "--param=SHOP=paris", file)
    assert complete(flow, "start", "k2", file, "--param", "S") == ["SHOP="]
    assert complete(flow, "retry", "--run-key=k", "--param", "S") == ["SHOP="]
    assert complete(flow, "retry", "k", "--param", "S") == ["SHOP="]
    assert complete(flow, "start", "missing.yaml", "--param", "S") == []
    assert complete(flow, "start", "--param", "S") == []
