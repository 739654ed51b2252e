"""`status`: it only reads, it is fast, and it draws a table."""

import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from support.files import contents
from support.flow import Flow
from support.gate import Gate

# Without these `status` stays quick; what it must not do it does not import.
HEAVY = {
    *("yaml", "cattrs", "importlib.metadata", "jinja2", "subprocess", "flow_spec"),
    *("orchesjob_client", "flow_conditions.condition", "flow_conditions.parser"),
    *("orchesjob_flow.engine", "orchesjob_flow.runner.loop"),
}


def imported(flow: Flow, *words: str) -> set[str]:
    """Return the modules that a call imports."""
    command = [sys.executable, "-X", "importtime", "-m", "orchesjob_flow", *words]
    answer = subprocess.run(command, env=flow.environ, capture_output=True, text=True, check=True)
    lines = [line.split("|") for line in answer.stderr.splitlines()]
    return {line[2].strip() for line in lines if len(line) == 3}


def test_it_only_reads(flow: Flow) -> None:
    """`status` changes no file and asks orchesjob nothing (rule 6.1)."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    before = contents(flow.folder)
    flow.status("k")
    assert contents(flow.folder) == before


def test_while_a_runner_is_at_work(flow: Flow, gate: Gate) -> None:
    """`status` does not disturb a runner, and a runner does not block `status` (rule 6.1)."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    looks = [flow.spawn("status", "--run-key=k") for _ in range(4)]
    assert [look.wait() for look in looks] == [0, 0, 0, 0]
    gate.let_through()
    assert runner.wait() == 0


def unprivileged() -> list[str]:
    """Return what to put before a command so that file modes bind it, even for root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    assert setpriv
    return [setpriv, "--inh-caps=-all", "--bounding-set=-all"]


@pytest.mark.parametrize("leftovers", [True, False])
def test_read_only_home(flow: Flow, *, leftovers: bool) -> None:
    """`status` works in a read-only home, and `start` says what is wrong there (rule 6.1)."""
    file = flow.write({"id": "a", "command": ["true"]})
    run = flow.start("k", file)
    if not leftovers:
        for path in flow.home.glob("*.sqlite3-*"):
            path.unlink()
    paths = [flow.home, *flow.home.rglob("*")]
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    command = [*unprivileged(), flow.program]
    assert flow.ask("status", "--run-key=k") == run
    look = subprocess.run(
        [*command, "status", "--run-key=k"],
        env=flow.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    begin = subprocess.run(
        [*command, "start", "--run-key=new", file],
        env=flow.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert (look.returncode, look.stderr) == (0, "")
    assert begin.returncode == 2
    assert str(flow.home) in begin.stderr


def test_imports(flow: Flow) -> None:
    """`status` imports neither YAML nor the engine nor what starts processes, JSON or table."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    as_json = imported(flow, "status", "--run-key=k")
    assert "orchesjob_flow.views.results" in as_json
    assert as_json & {*HEAVY, "click", "attr"} == set()
    as_table = imported(flow, "status", "--run-key=k", "--format=table")
    assert as_table & HEAVY == set()


def test_every_spelling_gets_the_same_answer(flow: Flow) -> None:
    """A plain call is parsed without click, and its answers and errors are the same."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    for words in (["--run-key", "k"], ["--run-key=gone"], ["--run-key=a\nb"]):
        plain = flow.run("status", *words)
        other = flow.run("--patience=1", "status", *words)
        assert (plain.stdout, plain.stderr) == (other.stdout, other.stderr)
        assert plain.returncode == other.returncode


def table(flow: Flow, key: str) -> list[str]:
    answer = flow.run("status", f"--run-key={key}", "--format=table")
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout.splitlines()


def test_table(flow: Flow, gate: Gate) -> None:
    """The table is that of rule 6.5: marks, attempts, padded columns, no colour on a pipe."""
    steps: list[dict[str, Any]] = [
        {"id": "download", "command": ["true"]},
        {"id": "validate", "command": gate.command(), "when": "download", "retries": 1},
        {"id": "import", "command": ["true"], "when": "validate"},
        {"id": "alert", "command": ["true"], "when": "!download"},
    ]
    flow.spawn("start", "--run-key=日本", flow.write(*steps, flow_id="日次"))
    gate.await_arrival()
    flow.await_status("日本", lambda run: run["steps"][1]["orchesjob_status"])
    lines = table(flow, "日本")
    assert lines[0] == "Flow: 日次  Run: 日本"
    assert lines[1] == "Status: > RUNNING  Steps: 2/4 done, 1 running, 0 failed"
    assert lines[2].startswith("Started: 2")
    assert re.search(r"  Finished: -  Elapsed: \d+ s$", lines[2])
    assert lines[3] == ""
    columns = ["Step", "Status", "Attempt", "Elapsed", "orchesjob", "Run key", "Error"]
    assert lines[4].replace("Run key", "Run-key").split() == [
        column.replace(" ", "-") for column in columns
    ]
    starts = [lines[4].index(column) for column in columns]
    assert [len(dashes) for dashes in lines[5].split()] == [8, 12, 7, 7, 9, 15, 5]
    cells = [
        [row[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        for row in lines[6:]
    ]
    assert [(row[0], row[1], row[2], row[4], row[5]) for row in cells] == [
        ("download", "OK SUCCEEDED", "1/0", "SUCCEEDED", "日本:download:1"),
        ("validate", "> RUNNING", "1/1", "RUNNING", "日本:validate:1"),
        ("import", ". PENDING", "0/0", "-", "日本:import:1"),
        ("alert", "SKIPPED", "0/0", "-", "日本:alert:1"),
    ]
    assert "\x1b" not in "".join(lines)


def test_colour(flow: Flow) -> None:
    """Colour is used on terminals only, and never with NO_COLOR (rule 6.5)."""
    flow.start("k", flow.write({"id": "a", "command": ["false"]}), code=1)
    code, shown = flow.run_on_terminal("status", "--run-key=k", "--format=table")
    assert (code, "\x1b[31mFAILED\x1b[0m" in shown) == (0, True)
    flow.environ["NO_COLOR"] = "1"
    code, plain = flow.run_on_terminal("status", "--run-key=k", "--format=table")
    assert (code, "\x1b" in plain, "Status: FAILED" in plain) == (0, False, True)


def test_dangerous_text(flow: Flow) -> None:
    """Control characters are shown as escapes, in the table and in the JSON (rule 6.5)."""
    fake = {"id": "a", "command": ["./\x1b[2J\u202e"]}
    flow.start("k", flow.write(fake), code=1)
    assert not set("\x1b\u202e") & set("".join(table(flow, "k")))
    answer = flow.run("status", "--run-key=k")
    assert not set("\x1b\u202e") & set(answer.stdout)
    assert r"\u001b[2J\u202e" in answer.stdout


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
