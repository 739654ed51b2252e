"""What a step's command and a run's key go through on their way to the process, unchanged."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

WORDS = [
    *("no", "on", "yes", "true", "null", "~", "1_0", "0x1F", "0o17", "1e3", "007", ".5", "+1"),
    *("2026-05-07", "12:30:00", "190:20:30", ".inf", ".NaN", "-x", "--", "--all", "=", "a: b"),
    *("!a", "&x", "*x", "$HOME", "$(id)", "a b", "", "'", '"', "\\n", "a\nb", "\t", "日本", "🎉"),
]
PLAIN = "no, on, yes, true, null, ~, 1_0, 0x1F, 0o17, 1e3, 007, .5, +1, 2026-05-07, 12:30:00"
KEYS = [
    *("-x", "--all", "a/b", "a_b", "..", "日本", "%2F"),
    "scheduled__2026-05-07T00:00:00+00:00",
    "語" * 255,
]


def printer(path: Path) -> list[str]:
    """Return a command that writes the words after it to a file, as JSON."""
    program = "import json, sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))"
    return [sys.executable, "-c", program, str(path)]


def test_plain_scalars(each_flow: "Flow", tmp_path: Path) -> None:
    """Unquoted YAML scalars arrive letter by letter, whatever type YAML sees in them (rule 2.5)."""
    words = [*map(json.dumps, printer(tmp_path / "words")), PLAIN]
    (tmp_path / "flow.yaml").write_text(
        f"flow_id: no\nsteps:\n  - id: on\n    command: [{', '.join(words)}]\n", encoding="utf-8"
    )
    run = each_flow.start("1_0", "flow.yaml")
    assert json.loads((tmp_path / "words").read_text(encoding="utf-8")) == PLAIN.split(", ")
    assert (run["flow_id"], run["steps"][0]["id"]) == ("no", "on")


def test_any_words(each_flow: "Flow", tmp_path: Path) -> None:
    """No shell and no option parser comes between a flow file and its commands (rule 2.2)."""
    command = [*printer(tmp_path / "words"), *WORDS]
    run = each_flow.start("k", each_flow.write({"id": "a", "command": command}))
    assert json.loads((tmp_path / "words").read_text(encoding="utf-8")) == WORDS
    assert run["steps"][0]["orchesjob_status"]["command"] == command


def test_command_of_double_dash(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """A command whose first word is `--` is still the command."""
    run = flow.start("k", flow.write({"id": "a", "command": ["--", "true"]}), code=1)
    assert run["steps"][0]["orchesjob_status"]["command"] == ["--", "true"]
    assert fake_orchesjob.executions() == []


def test_run_keys(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """A run key is any printable text; each has its own files, in our folders (rule 4.1)."""
    file = flow.write({"id": "a", "command": ["true"]})
    runs = [flow.ask("start", "-d", f"--run-key={key}", file) for key in KEYS]
    for run in runs:
        flow.orchesjob.await_exit(run["pid"])
        finished = flow.status(run["run_key"])
        assert (finished["run_key"], finished["status"]) == (run["run_key"], "SUCCEEDED")
    logs = {Path(run["stdout_log"]) for run in runs} | {Path(run["stderr_log"]) for run in runs}
    assert set((flow.home / "logs").iterdir()) == logs
    assert len(logs) == 2 * len(KEYS)
    assert len(list((flow.home / "locks").iterdir())) == 2 * len(KEYS)
    begun = [call["key"] for call in fake_orchesjob.calls() if call["call"] == "start"]
    assert sorted(begun) == sorted(f"{key}:a:1" for key in KEYS)


def test_real_run_keys(each_flow: "Flow") -> None:
    """Keys that look like options or paths work with orchesjob too (rule 4.1)."""
    file = each_flow.write({"id": "a", "command": ["true"]})
    for key in ("--all", "../日本", "scheduled__2026-05-07T00:00:00+00:00"):
        assert each_flow.start(key, file)["steps"][0]["orchesjob_status"]["run_key"] == f"{key}:a:1"


@pytest.mark.integration
@pytest.mark.parametrize("orchesjob", ["real"], indirect=True)
def test_longest_command(each_flow: "Flow", tmp_path: Path) -> None:
    """A command as long as the system allows runs, and arrives whole (rule 2.2)."""
    room = os.sysconf("SC_ARG_MAX") - 64 * 1024  # for the environment, and the words of orchesjob
    words = ["x" * 100_000] * (room // 100_000)
    count = 'printf %s "$*" | wc -c >"$0"'
    file = each_flow.write({"id": "a", "command": ["sh", "-c", count, f"{tmp_path}/count", *words]})
    assert each_flow.start("k", file)["status"] == "SUCCEEDED"
    assert int((tmp_path / "count").read_text(encoding="utf-8")) == 100_001 * len(words) - 1


@pytest.mark.parametrize("key", ["--help", "語" * 255])
def test_any_run_key_for_any_command(flow: "Flow", gate: "Gate", key: str) -> None:
    """A run key is a run key to each command, in one word or in two (rule 4.1)."""
    file = flow.write({"id": "a", "command": gate.command()})
    assert flow.ask("start", "-d", "--run-key", key, file)["run_key"] == key
    gate.await_arrival()
    assert flow.ask("status", "--run-key", key)["run_key"] == key
    assert flow.ask("cancel", "--run-key", key)["status"] == "CANCELLED"
    watch = flow.run("watch", "--run-key", key)
    assert (watch.returncode, f"Run: {key}\n" in watch.stdout) == (1, True), watch


def test_output_without_utf8(flow: "Flow") -> None:
    """Where stdout has no UTF-8, what it cannot say is escaped, in JSON as JSON (rule 6.10)."""
    key = "é日🎉"
    flow.start(key, flow.write({"id": "a", "command": ["true"]}))
    flow.environ.update({"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    answer = flow.run("status", f"--run-key={key}")
    assert answer.stdout.isascii()
    assert json.loads(answer.stdout)["run_key"] == key
    table = flow.run("status", f"--run-key={key}", "--format=table")
    assert (table.returncode, table.stderr) == (0, "")
    assert r"Run: \xe9\u65e5\U0001f389" in table.stdout


def test_quoting_is_never_needed(flow: "Flow", tmp_path: Path) -> None:
    """A path with blanks and quotes is a path."""
    folder = tmp_path / 'it\'s a "home" $HOME'
    folder.mkdir()
    file = flow.write(
        {"id": "a", "command": ["sh", "-c", f"echo >{shlex.quote(str(folder / 'x'))}"]}
    )
    assert flow.run(f"--db={folder / 'db'}", "start", "--run-key=k", file).returncode == 0
    assert {path.name for path in folder.iterdir()} >= {"x", "db", "logs", "locks"}
