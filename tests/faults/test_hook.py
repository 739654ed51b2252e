"""`hooks/run-finished` is called at least once for each run that ends, whatever it does (12.5)."""

import json
import shlex
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.files import write_program
from support.flow import Flow
from support.gate import Gate
from support.steps import TRUE

TELL = """
env > "$0.environ"
cat > "$0.run"
echo "$ORCHESJOB_FLOW_RUN_KEY $ORCHESJOB_FLOW_ID $ORCHESJOB_FLOW_STATUS $ORCHESJOB_FLOW_ERROR" \
    >> "$0.told"
"""
FALSE = {"id": "a", "command": ["false"]}
DUE = 60
PATCHED = f"""\
#!{sys.executable}
import os, sys
from orchesjob_flow.runner import hook
from orchesjob_flow.__main__ import main
{{}}
sys.exit(main())
"""


def set_hook(flow: Flow, script: str = TELL) -> Path:
    folder = flow.home / "hooks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flow.home.chmod(0o700)
    return Path(write_program(folder / "run-finished", f"#!/bin/sh\n{script}\n"))


def patch(flow: Flow, line: str) -> None:
    flow.program = write_program(flow.folder / "patched", PATCHED.format(line))


def told(flow: Flow) -> list[str]:
    path = flow.home / "hooks" / "run-finished.told"
    return path.read_text().splitlines() if path.exists() else []


def checks(flow: Flow) -> list[tuple[str, str]]:
    found = json.loads(flow.run("doctor").stdout)["checks"]
    return [(one["verdict"], one["message"]) for one in found if one["check"] == "hook"]


@pytest.mark.parametrize(
    ("step", "words", "line"),
    [
        (TRUE, ["start"], "k f SUCCEEDED "),
        (FALSE, ["start"], "k f FAILED 1 step failed: a"),
        (FALSE, ["start", "-d"], "k f FAILED 1 step failed: a"),
    ],
)
def test_an_end_is_told(flow: Flow, step: dict[str, Any], words: list[str], line: str) -> None:
    """The hook has the run's JSON and four variables, and no mark (rule 12.5)."""
    hook = set_hook(flow)
    flow.environ |= {"ORCHESJOB_FLOW_MARK": "0" * 32}
    flow.run(*words, "--run-key=k", flow.write(step))
    flow.await_true(lambda: told(flow) == [line])
    run = json.loads(Path(f"{hook}.run").read_text())
    assert (run["run_key"], run["steps"][0]["id"]) == ("k", step["id"])
    assert "ORCHESJOB_FLOW_MARK=" not in Path(f"{hook}.environ").read_text()
    flow.run("retry", "--step=a", "--run-key=k")
    flow.await_true(lambda: told(flow) == [line, line])


def test_other_ends_are_told(flow: Flow, gate: Gate) -> None:
    """`cancel` without a runner, and a runner that gives up, once, tell it (rule 12.5)."""
    set_hook(flow)
    flow.abandon(flow.write({"id": "a", "command": gate.command()}), gate)
    flow.ask("cancel", "--run-key=k")
    assert told(flow) == ["k f CANCELLED "]
    flow.wrap_orchesjob("echo boom >&2; exit 70")
    for _ in range(2):
        assert flow.run("--patience=0", "start", "--run-key=g", flow.write(TRUE)).returncode == 2
    (line,) = told(flow)[1:]
    assert line.startswith("g f GAVE_UP ")
    assert "boom" in line
    flow.wrap_orchesjob(":")
    flow.ask("resume", "--run-key=g")
    assert told(flow)[2:] == ["g f SUCCEEDED "]


def test_what_is_not_told(flow: Flow) -> None:
    """Neither an inner run nor one that the hook starts has a hook of its own (rule 12.5)."""
    file = flow.write(TRUE)
    outer = {"id": "o", "command": [flow.program, "start", "--run-key=inner", file]}
    set_hook(flow, f"{TELL}{flow.program} start --run-key=by-hook {file}")
    flow.start("outer", flow.write(outer, name="outer.json"))
    assert told(flow) == ["outer f SUCCEEDED "]
    assert {run["run_key"] for run in flow.ask("list")["runs"]} == {"outer", "inner", "by-hook"}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo lost; exit 3", "exit code 3: lost"),
        ("kill -9 $$", "killed by signal 9"),
        ("head -c 100000000 /dev/zero; exit 1", "exit code 1"),
        ("sleep 300 & exec sleep 300", "did not end within 1 s"),
        ("sleep 30 & exit 0", None),
        ("exec <&-; exit 0", None),
    ],
)
def test_a_bad_hook(flow: Flow, script: str, words: str | None) -> None:
    """A hook can neither fail a run, nor keep it waiting, nor fill the disk (rule 12.5)."""
    set_hook(flow, script)
    patch(flow, "hook.HOOK_SEC = 1.0")
    began = time.monotonic()
    flow.start("k", flow.write(TRUE))
    assert time.monotonic() - began < 15
    log = flow.home / "logs" / "orchesjob-flow-k.stderr.log"
    assert log.stat().st_size < 70_000
    verdicts = checks(flow)
    assert verdicts[0][0] == "ok"
    assert [words in text for _, text in verdicts[1:] if words] == ([] if words is None else [True])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("chmod 600 run-finished", "is not executable"),
        ("chmod 722 run-finished", "can be written by others"),
        ("chmod 777 .", "can be written by others"),
        ("rm run-finished; mkdir run-finished", "is not a file"),
        ("ln -sf gone run-finished", "is not a file"),
        ("echo '#!/no/such/shell' > run-finished", "cannot be started"),
    ],
)
def test_a_refused_hook(flow: Flow, spoil: str, words: str) -> None:
    """A hook that others can change, or that cannot run, is not called, and named (12.5)."""
    subprocess.run(["/bin/sh", "-c", spoil], cwd=set_hook(flow).parent, check=True)
    flow.start("k", flow.write(TRUE))
    assert told(flow) == []
    assert words in checks(flow)[-1][1]
    tried = flow.ask("doctor", "--hook", code=1)["checks"]
    assert words in tried[0]["message"]


def test_a_killed_process(flow: Flow, gate: Gate) -> None:
    """After a kill at any moment since the end, `resume --all` calls the hook (rule 12.5)."""
    set_hook(flow, f"{TELL}{shlex.join(gate.command())}")
    runner = flow.begin(flow.write(TRUE), gate)
    assert flow.ask("wait", "--run-key=k")["status"] == "SUCCEEDED"  # does not wait for it
    flow.ask("resume", "--all")  # nor is it called twice
    runner.kill()
    runner.wait()
    patch(flow, "hook.call_due = lambda *_: os._exit(9)")
    assert flow.run("start", "--run-key=l", flow.write(TRUE)).returncode == 9
    flow.program = Flow.program
    gate.let_through(3)
    flow.ask("resume", "--all")
    flow.ask("resume", "--all")
    assert told(flow) == ["k f SUCCEEDED ", "k f SUCCEEDED ", "l f SUCCEEDED "]
    flow.ask("prune", "k")
    assert not list(flow.home.glob("l*/*k.*"))


def test_a_slow_hook(flow: Flow, gate: Gate) -> None:
    """Somebody who waits at a terminal sees for what (rule 12.5)."""
    set_hook(flow, shlex.join(gate.command()))
    command, terminal = flow.spawn_on_terminal(
        "start", "--run-key=k", flow.write(TRUE), stream="stderr"
    )
    terminal.await_text("waiting for hooks/run-finished, at most 60 s")
    gate.let_through()
    terminal.read_to_end()
    assert command.wait() == 0


def test_many_at_once(flow: Flow) -> None:
    """However many are due and however many processes call, each is told once (rule 12.5)."""
    set_hook(flow)
    flow.start("k0", flow.write(TRUE))
    with closing(sqlite3.connect(flow.database)) as raw, raw:
        raw.execute("UPDATE runs SET hook_due_at = 1")
        columns = [name for _, name, *_ in raw.execute("PRAGMA table_info(runs)")]
        kept = ", ".join(columns[2:])
        for number in range(1, DUE):
            raw.execute(
                f"INSERT INTO runs (run_key, {kept}) SELECT 'k{number}', {kept} FROM runs"  # noqa: S608
                " WHERE run_key = 'k0'"
            )
        raw.execute(
            "INSERT INTO definitions SELECT id, (SELECT definition FROM definitions) FROM runs"
            " WHERE run_key <> 'k0'"
        )
    callers = [flow.spawn("resume", "--all") for _ in range(4)]
    assert [caller.completed().returncode for caller in callers] == [0] * 4
    lines = sorted(line.split()[0] for line in told(flow)[1:])
    assert lines == sorted(f"k{number}" for number in range(DUE))
    (tried,) = flow.ask("doctor", "--hook")["checks"]
    assert tried["verdict"] == "ok"
    assert told(flow)[-1].startswith("made-up made-up FAILED 1 step failed: example")
