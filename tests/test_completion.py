"""`completion`: shells complete commands, options, run keys and steps (rule 9.15)."""

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Flow

VARIABLE = "_ORCHESJOB_FLOW_COMPLETE"


def complete(flow: "Flow", *words: str) -> list[str]:
    """Ask as bash does, with the last word being written; return what it is offered."""
    line = ["orchesjob-flow", *words]
    asked = {VARIABLE: "bash_complete", "COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(words))}
    answer = flow.run(env={**flow.environ, **asked})
    assert (answer.returncode, answer.stderr) == (0, "")
    return [line.partition(",")[2] for line in answer.stdout.splitlines() if line]


@pytest.fixture
def two(flow: "Flow") -> "Flow":
    """Two runs, of which `nightly-2` is the newer."""
    file = flow.write(
        {"id": "load", "command": ["true"]}, {"id": "look", "command": ["true"], "when": "!load"}
    )
    flow.start("nightly-1", file)
    flow.start("nightly-2", file)
    return flow


def test_commands_and_options(flow: "Flow") -> None:
    """What the help shows is offered, hidden commands are not."""
    assert complete(flow, "st") == ["start", "status"]
    assert complete(flow, "ti") == []
    assert complete(flow, "status", "--form") == ["--format"]
    assert complete(flow, "completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("command", ["status", "logs", "retry", "resume", "graph", "cancel"])
def test_run_keys(two: "Flow", command: str) -> None:
    """The keys of the recorded runs, newest first."""
    assert complete(two, command, "--run-key", "night") == ["nightly-2", "nightly-1"]
    assert complete(two, command, "--run-key", "x") == []


@pytest.mark.parametrize("words", [["logs"], ["explain"], ["retry", "--step"]])
def test_steps(two: "Flow", words: list[str]) -> None:
    """The steps of the run that the line names."""
    command, *option = words
    assert complete(two, command, "--run-key", "nightly-1", *option, "lo") == ["load", "look"]
    assert complete(two, command, "--run-key", "unknown", *option, "lo") == []


def test_where_nothing_can_be_read(flow: "Flow") -> None:
    """Without a database, or with one that is none, nothing is offered and nothing is said."""
    assert complete(flow, "status", "--run-key", "") == []
    flow.home.mkdir()
    flow.database.write_text("no database at all, whatever it is called")
    assert complete(flow, "status", "--run-key", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(flow: "Flow", shell: str) -> None:
    """Each script names the program and asks it; the shell itself accepts it."""
    script = flow.run("completion", shell).stdout
    assert "orchesjob-flow" in script
    assert VARIABLE in script
    program = shutil.which(shell)
    if program is not None:  # not every machine has all three
        subprocess.run([program, "-n", "-c", script], check=True)


def test_unknown_shell(flow: "Flow") -> None:
    """A shell that is not known is refused with those that are."""
    assert "'bash', 'zsh', 'fish'" in flow.refusal("completion", "tcsh")["error"]
