"""`--help`, `--version` and `example`: what the command says about itself (rules 6.8 and 6.9)."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from orchesjob_flow.cli.sections import SHOWN
from support.deadlines import CALL_SEC
from support.flow import Flow
from support.steps import TRUE


def test_as_a_module(flow: Flow) -> None:
    """`python -m orchesjob_flow` is the same command."""
    command = [sys.executable, "-m", "orchesjob_flow", "start", "--run-key=k", flow.write(TRUE)]
    answer = subprocess.run(
        command, env=flow.environ, capture_output=True, check=True, timeout=CALL_SEC
    )
    assert json.loads(answer.stdout) == flow.status("k")


def test_version(flow: Flow) -> None:
    """`--version` prints the one version of the five packages."""
    answer = flow.run("--version")
    assert answer.stdout == f"orchesjob-flow {version('orchesjob-flow')}\n"
    assert (answer.returncode, answer.stderr) == (0, "")


def test_example_is_a_flow(flow: Flow) -> None:
    """What `example` prints is a flow that the program runs (rule 6.8)."""
    example = flow.run("example")
    assert (example.returncode, example.stderr) == (0, "")
    assert "# " in example.stdout
    (flow.folder / "example.yaml").write_text(example.stdout, encoding="utf-8")
    run = flow.start("k", "example.yaml")
    assert run["status"] == "SUCCEEDED"
    assert len(run["steps"]) > 1


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help(flow: Flow, words: tuple[str, ...]) -> None:
    """`-h` and `--help` print the help; so does a call without arguments, which exits 2 (6.9)."""
    answer = flow.run(*words)
    if words:
        assert (answer.returncode, answer.stderr) == (0, "")
    else:
        assert answer.returncode == 2
        assert json.loads(answer.stderr)["error"] == "no command was given"
    assert answer.stdout.startswith("Usage: orchesjob-flow ")
    assert " tick " not in answer.stdout
    assert not flow.home.exists()


@pytest.mark.parametrize("command", SHOWN)
def test_help_of_a_command(flow: Flow, command: str) -> None:
    """Every command has a help with an example."""
    answer = flow.run(command, "--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"orchesjob-flow {command}" in answer.stdout.partition("Example:")[2]
