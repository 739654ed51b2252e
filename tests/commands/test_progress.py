"""What a foreground `start`, `retry` or `resume` shows on stderr while it runs (rule 9.14)."""

import json
import re
import shlex
import signal
import subprocess
import sys

import pytest

from support.command import Command
from support.flow import Flow
from support.gate import Gate
from support.terminal import Terminal

MOMENT = re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE)


def result(command: Command, terminal: Terminal) -> str:
    """Look until the command has gone; return what is on stdout."""
    terminal.read_to_end()
    return command.communicate()[0]


def told(stderr: str) -> list[str]:
    """Return the lines of `--progress plain` without their times, up to the end of the run."""
    lines = stderr.partition(", and has printed nothing")[0].splitlines()
    if ", and has printed nothing" in stderr:
        lines.pop()
    assert all(MOMENT.match(line) for line in lines), stderr
    return [MOMENT.sub("", line) for line in lines]


def test_a_run_that_another_process_advances(flow: Flow, gate: Gate) -> None:
    """A `start` that waits for another runner shows the run, and says below why it waits."""
    file = flow.write({"id": "a", "command": gate.command()})
    other = flow.begin(file, gate)
    command, terminal = flow.spawn_on_terminal("start", "--run-key=k", file, stream="stderr")
    terminal.await_picture(f"process {other.pid} advances run 'k'; waiting for its outcome")
    gate.let_through()
    assert json.loads(result(command, terminal))["status"] == "SUCCEEDED"
    assert "waiting for its outcome" not in terminal.picture  # the wait is over
    assert other.wait() == 0


def test_ctrl_c(flow: Flow, gate: Gate) -> None:
    """Ctrl-C leaves the table, prints how to resume below it, and leaves the run resumable."""
    file = flow.write({"id": "a", "command": gate.command()})
    command, terminal = flow.spawn_on_terminal("start", "--run-key=k", file, stream="stderr")
    gate.await_arrival()
    terminal.await_picture("RUNNING")
    command.send_signal(signal.SIGINT)
    assert result(command, terminal) == ""
    assert command.returncode == 130
    assert "\x1b[J\n\r\x1b[K\x1b[1;31merror" in terminal.shown  # below a free line
    last = terminal.shown.splitlines()[-4:]
    assert ": interrupted by SIGINT; steps that have started keep running" in last[0]
    assert f" resume: orchesjob-flow start --run-key=k {file}" in last[2]
    assert " cancel: orchesjob-flow cancel k" in last[3]
    gate.let_through()
    assert flow.ask("resume", "--run-key=k")["status"] == "SUCCEEDED"


def test_plain(flow: Flow) -> None:
    """`plain` prints a line for each transition, however quickly they follow each other."""
    file = flow.write(
        {"id": "a", "command": ["true"]},
        {"id": "b", "command": ["sh", "-c", "exit 3"], "when": "a", "retries": 1},
        {"id": "c", "command": ["true"], "when": "b"},
    )
    started = flow.run("start", "--run-key=k", "--progress=plain", file)
    assert json.loads(started.stdout)["status"] == "FAILED"
    assert told(started.stderr) == [
        "a RUNNING attempt 1",
        "a SUCCEEDED",
        "b RUNNING attempt 1",
        "b attempt 1 FAILED exit code 3",
        "b RUNNING attempt 2",
        "b FAILED exit code 3",
        "c SKIPPED its condition was false: b FAILED",
        "k FAILED 1 step failed: b",
    ]
    again = flow.run("start", "--run-key=k", "--progress=plain", file)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    retried = flow.run("retry", "--run-key=k", "--progress=plain")
    assert told(retried.stderr) == [
        "b RUNNING attempt 3",
        "b attempt 3 FAILED exit code 3",
        "b RUNNING attempt 4",
        "b FAILED exit code 3",
        "c SKIPPED its condition was false: b FAILED",
        "k FAILED 1 step failed: b",
    ]


@pytest.mark.parametrize(
    ("options", "term"),
    [(["--progress=plain"], "xterm"), (["--progress=auto"], "dumb")],
)
def test_lines_on_a_terminal(flow: Flow, options: list[str], term: str) -> None:
    """A dumb terminal, or `--progress=plain`, gets lines instead of a table."""
    flow.environ["TERM"] = term
    command, terminal = flow.spawn_on_terminal(
        "start",
        "--run-key=k",
        *options,
        flow.write({"id": "a", "command": ["true"]}),
        stream="stderr",
    )
    assert json.loads(result(command, terminal))["status"] == "SUCCEEDED"
    assert told(terminal.shown) == ["a RUNNING attempt 1", "a SUCCEEDED", "k SUCCEEDED"]


def test_an_ended_run_is_not_drawn(flow: Flow) -> None:
    """`start` on an ended run only reports it, on a terminal too (rule 4.3)."""
    file = flow.write({"id": "a", "command": ["true"]})
    flow.start("k", file)
    command, terminal = flow.spawn_on_terminal("start", "--run-key=k", file, stream="stderr")
    assert json.loads(result(command, terminal))["status"] == "SUCCEEDED"
    assert terminal.shown.startswith("orchesjob-flow: run 'k' ended SUCCEEDED at ")
    assert "Step" not in terminal.shown


def test_without_a_terminal(flow: Flow) -> None:
    """Without a terminal nothing is shown, and no module that draws is imported."""
    file = flow.write({"id": "a", "command": ["true"]})
    words = [sys.executable, "-X", "importtime", flow.program, "start", "--run-key=k", file]
    started = subprocess.run(
        words, env=flow.environ, capture_output=True, text=True, check=True, cwd=flow.folder
    )
    assert json.loads(started.stdout)["status"] == "SUCCEEDED"
    assert all(line.startswith("import time:") for line in started.stderr.splitlines())
    imported = {line.rpartition("|")[2].strip() for line in started.stderr.splitlines()}
    unneeded = {"cattrs", "difflib", "flow_conditions.condition"}
    if "coverage" not in imported:  # which needs them itself
        unneeded.add("dataclasses")
    assert imported & {*unneeded, "orchesjob_flow.reports.reporting"} == set()
    assert "orchesjob_flow.views.progress" in started.stderr


def test_a_terminal_that_is_closed(flow: Flow, gate: Gate) -> None:
    """A run continues when the terminal that shows it is closed."""
    file = flow.write({"id": "a", "command": gate.command()})
    words = ("start", "--run-key=k", file)
    runner, terminal = flow.spawn_on_terminal(*words, stream="stderr", start_new_session=True)
    gate.await_arrival()
    terminal.close()
    gate.let_through()
    stdout, _ = runner.communicate()
    assert json.loads(stdout)["status"] == "SUCCEEDED"


SHELL = "echo first; for i in $(seq 12); do echo line $i; echo wrong $i >&2; done; exit 3"


@pytest.mark.parametrize(
    ("options", "heading"),
    [([], ["run k of flow f FAILED: 2 steps failed: load, quiet"]), (["--progress=plain"], [])],
)
def test_last_lines_of_what_failed(flow: Flow, options: list[str], heading: list[str]) -> None:
    """When a run has FAILED, the last lines of its failed steps are printed on stderr (9.14)."""
    file = flow.write(
        {"id": "load", "command": ["sh", "-c", SHELL], "retries": 1},
        {"id": "quiet", "command": ["false"]},
        {"id": "fine", "command": ["echo", "fine"]},
    )
    started = flow.run("start", "--run-key=k", *options, file)
    assert (started.returncode, json.loads(started.stdout)["status"]) == (1, "FAILED")
    lines = [line for line in started.stderr.splitlines() if not MOMENT.match(line)]
    assert lines == [
        *heading,
        "load FAILED exit code 3, after printing:",
        *(f"load | line {number}" for number in range(3, 13)),
        *(f"load | wrong {number}" for number in range(3, 13)),
        "quiet FAILED exit code 1, and has printed nothing",
    ]
    again = flow.run("start", "--run-key=k", *options, file)
    assert (again.returncode, "load |" in again.stderr) == (1, False)


def test_last_lines_are_harmless_on_a_terminal(flow: Flow) -> None:
    """On a terminal, output of failed steps cannot move the cursor; colours are kept and reset."""
    shell = r"printf '\033[2J\033[31mred\n'; exit 1"
    command, terminal = flow.spawn_on_terminal(
        "start",
        "--run-key=k",
        flow.write({"id": "a", "command": ["sh", "-c", shell]}),
        stream="stderr",
    )
    result(command, terminal)
    assert terminal.shown.endswith("a | \\x1b[2J\x1b[31mred\x1b[0m\n")


def test_no_last_lines(flow: Flow) -> None:
    """`none` prints no last lines, and neither does a run that SUCCEEDED."""
    failing = flow.write({"id": "a", "command": ["sh", "-c", "echo no; exit 1"]})
    silent = flow.run("start", "--run-key=k", "--progress=none", failing)
    assert (silent.returncode, silent.stderr) == (1, "")
    handled = flow.write({"id": "a", "command": ["echo", "yes"]})
    succeeded = flow.run("start", "--run-key=l", handled)
    assert (succeeded.returncode, succeeded.stderr) == (0, "")


def test_many_failures_are_counted(flow: Flow) -> None:
    """Only the first failed steps are shown; the others are counted."""
    steps = [{"id": f"s{number}", "command": ["false"]} for number in range(12)]
    started = flow.run("start", "--run-key=k", flow.write(*steps))
    lines = started.stderr.splitlines()
    assert len(lines) == 12  # the heading, ten steps, and the rest
    assert lines[-1] == "... and 2 more; `logs` shows what they have printed"


def test_output_that_cannot_be_read(flow: Flow) -> None:
    """Unreadable output of a step changes neither the result nor the exit code."""
    logs = shlex.quote(str(flow.orchesjob.home / "logs"))
    shell = f"for file in {logs}/*; do rm $file; mkdir $file; done; exit 1"
    file = flow.write({"id": "a", "command": ["sh", "-c", shell]})
    started = flow.run("start", "--run-key=k", file)
    assert (started.returncode, json.loads(started.stdout)["status"]) == (1, "FAILED")
    assert "stdout of attempt 1 of step 'a' is missing: " in started.stderr


def test_the_last_line_is_long(flow: Flow) -> None:
    """What is printed of a failed step is bounded in bytes, and says what is left out (9.14)."""
    long = ["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; exit 1"]
    started = flow.run("start", "--run-key=k", flow.write({"id": "a", "command": long}))
    assert started.stderr.splitlines()[2:] == [
        f"a | [{5_000_000 - 16 * 1024} bytes are left out]",
        f"a | {'x' * 16 * 1024}",
    ]
