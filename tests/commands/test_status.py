"""`status`: it only reads, it is fast, and it draws a table."""

import json
import subprocess
import sys

import pytest

from support.files import contents
from support.flow import Flow

# Without these `status` stays quick; what it must not do it does not import.
HEAVY = {
    *("yaml", "cattrs", "importlib.metadata", "jinja2", "subprocess", "flow_spec"),
    *("orchesjob_client", "flow_conditions.condition", "flow_conditions.parser"),
    *("orchesjob_flow.engine", "orchesjob_flow.runner.loop"),
}


def imported(flow: Flow, *words: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "orchesjob_flow", *words]
    answer = subprocess.run(command, env=flow.environ, capture_output=True, text=True, check=True)
    lines = [line.split("|") for line in answer.stderr.splitlines()]
    return {line[2].strip() for line in lines if len(line) == 3}


@pytest.fixture(scope="module")
def ended(shared_flow: Flow) -> Flow:
    """A run `k`, which no test changes."""
    shared_flow.start("k", shared_flow.write({"id": "a", "command": ["true"]}))
    return shared_flow


def test_it_only_reads(ended: Flow) -> None:
    """`status` changes no file and asks orchesjob nothing (rule 6.1)."""
    before = contents(ended.folder)
    ended.status("k")
    assert contents(ended.folder) == before


def test_imports(ended: Flow) -> None:
    """`status` imports neither YAML nor the engine nor what starts processes, JSON or table."""
    as_json = imported(ended, "status", "--run-key=k")
    assert "orchesjob_flow.views.results" in as_json
    assert as_json & {*HEAVY, "click", "attr"} == set()
    as_table = imported(ended, "status", "--run-key=k", "--format=table")
    assert as_table & HEAVY == set()


def test_every_spelling_gets_the_same_answer(ended: Flow) -> None:
    """A plain call is parsed without click, and its answers and errors are the same."""
    for words in (["--run-key", "k"], ["--run-key=gone"], ["--run-key=a\nb"]):
        plain, other = (ended.run(*led, "status", *words) for led in ((), ("--patience=1",)))
        assert (plain.stdout, plain.stderr) == (other.stdout, other.stderr)
        assert plain.returncode == other.returncode


def test_output_without_utf8(flow: Flow) -> None:
    """If stdout is not UTF-8, characters it lacks are escaped, in JSON as JSON does (rule 6.10)."""
    key = "é日🎉"
    flow.start(key, flow.write({"id": "a", "command": ["true"]}))
    flow.environ.update({"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    answer = flow.run("status", f"--run-key={key}")
    assert answer.stdout.isascii()
    assert json.loads(answer.stdout)["run_key"] == key
    table = flow.run("status", f"--run-key={key}", "--format=table")
    assert (table.returncode, table.stderr) == (0, "")
    assert r"Run: \xe9\u65e5\U0001f389" in table.stdout
