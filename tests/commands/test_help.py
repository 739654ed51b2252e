"""`--help`, `--version`, `example` and `help`: what the program says of itself (6.8, 6.9, 6.16)."""

import json
import re
from importlib.metadata import version

import pytest

from flow_spec.flow import FLOW
from flow_spec.foreach import ITEM_STEP
from orchesjob_flow.cli.sections import SHOWN, topic_text, topics
from support.flow import Flow


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
    """Every command has a help with an example; `help COMMAND` is the same (rule 6.16)."""
    answer = flow.run(command, "--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"orchesjob-flow {command}" in answer.stdout.partition("Example:")[2]
    if command in ("start", "help"):
        assert flow.run("help", command).stdout == answer.stdout


def test_topics_are_installed(flow: Flow) -> None:
    """A topic is plain text that leads to nothing which an installed program lacks (rule 6.16)."""
    for topic in topics():
        text = topic_text(topic)
        assert text.startswith("#")
        assert re.findall(r"\]\(|\bdocs/|\w\.md\b|```|^\|", text, re.MULTILINE) == []
    answer = flow.run("help", "conditions")
    assert (answer.returncode, answer.stderr, answer.stdout) == (0, "", topic_text("conditions"))


def test_all_topics_are_named(flow: Flow) -> None:
    """`help` alone is the help of the program, and names the topics: all fields too (6.16)."""
    shown = flow.run("help").stdout
    assert shown.startswith(flow.run("--help").stdout)
    assert all(re.search(rf"\b{topic}\b", shown) for topic in topics())
    assert {*FLOW.fields, *ITEM_STEP.fields} <= {*topics()}
