"""What a foreground `start`, `retry` or `resume` shows on stderr while it runs (rule 9.14)."""

import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Flow, Gate

HOME = "\x1b[H"
MOMENT = re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE)


class Eyes:
    """A terminal as the stderr of a command, and what it has shown."""

    def __init__(self, flow: "Flow", *words: str) -> None:
        self._screen, terminal = os.openpty()
        self.command = flow.spawn(*words, stderr=terminal)
        os.close(terminal)
        self.shown = ""

    def await_sight(self, text: str) -> None:
        """Look until the latest picture has this text."""
        while text not in self.shown.rpartition(HOME)[2]:
            assert select.select([self._screen], [], [], 30)[0], self.shown
            assert self._look(), self.shown

    def result(self) -> str:
        """Look until the end; return what is on stdout."""
        while self._look():
            pass
        os.close(self._screen)
        stdout, _ = self.command.communicate(timeout=30)
        return stdout

    def _look(self) -> bool:
        try:
            part = os.read(self._screen, 65536)
        except OSError:  # Linux says EIO when the last writer has gone
            return False
        self.shown += part.decode().replace("\r\n", "\n")
        return bool(part)


def told(stderr: str) -> list[str]:
    """Return the lines of `--progress plain`, without their moments and what follows the end."""
    lines = stderr.partition(", and has printed nothing")[0].splitlines()
    if ", and has printed nothing" in stderr:
        lines.pop()
    assert all(MOMENT.match(line) for line in lines), stderr
    return [MOMENT.sub("", line) for line in lines]


def test_table_on_a_terminal(flow: "Flow", gate: "Gate") -> None:
    """On a terminal stderr has the table, drawn in place; stdout has the result only."""
    file = flow.write({"id": "a", "command": gate.command()})
    eyes = Eyes(flow, "start", "--run-key=k", file)
    eyes.await_sight("> RUNNING")
    gate.let_through()
    run = json.loads(eyes.result())
    assert (eyes.command.returncode, run["status"]) == (0, "SUCCEEDED")
    last = eyes.shown.rpartition(HOME)[2]
    assert last.startswith("Flow: f  Run: k")
    assert "OK SUCCEEDED" in last
    assert "> RUNNING" not in last


def test_a_run_that_another_process_advances(flow: "Flow", gate: "Gate") -> None:
    """A `start` that waits for another's run shows it too, and says below why it waits."""
    file = flow.write({"id": "a", "command": gate.command()})
    other = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    eyes = Eyes(flow, "start", "--run-key=k", file)
    eyes.await_sight(f"process {other.pid} advances run 'k'; waiting for its outcome")
    gate.let_through()
    assert json.loads(eyes.result())["status"] == "SUCCEEDED"
    assert eyes.shown.endswith("waiting for its outcome\n")  # once more, where it stays
    assert other.wait(60) == 0


def test_ctrl_c(flow: "Flow", gate: "Gate") -> None:
    """Ctrl-C leaves the table, says below it how to go on, and leaves the run resumable."""
    file = flow.write({"id": "a", "command": gate.command()})
    eyes = Eyes(flow, "start", "--run-key=k", file)
    gate.await_arrival()
    eyes.await_sight("> RUNNING")
    eyes.command.send_signal(signal.SIGINT)
    assert eyes.result() == ""
    assert eyes.command.returncode == 130
    assert json.loads(eyes.shown.splitlines()[-1])["resume"] == (
        f"orchesjob-flow start --run-key=k {file}"
    )
    gate.let_through()
    assert flow.ask("resume", "--run-key=k")["status"] == "SUCCEEDED"


def test_interrupted_retry(flow: "Flow", gate: "Gate") -> None:
    """An interrupted `retry` has reopened the run; `resume` goes on with it (rule 6.9)."""
    file = flow.write({"id": "a", "command": gate.command("false")})
    first = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    gate.let_through()
    assert first.wait(60) == 1
    retry = flow.spawn("retry", "--step", "a", "--run-key", "k")
    gate.await_arrival()
    retry.send_signal(signal.SIGINT)
    _, stderr = retry.communicate(timeout=30)
    assert retry.returncode == 130
    assert json.loads(stderr)["resume"] == "orchesjob-flow resume --run-key k"
    gate.let_through()
    assert flow.ask("resume", "--run-key", "k", code=1)["steps"][0]["attempt_no"] == 2


def test_plain(flow: "Flow") -> None:
    """`plain` has a line for each transition, however fast they follow each other."""
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
    assert (again.returncode, again.stderr) == (1, "")
    retried = flow.run("retry", "--run-key=k", "--progress=plain")
    assert told(retried.stderr) == [
        "b RUNNING attempt 3",
        "b attempt 3 FAILED exit code 3",
        "b RUNNING attempt 4",
        "b FAILED exit code 3",
        "c SKIPPED its condition was false: b FAILED",
        "k FAILED 1 step failed: b",
    ]


def test_plain_while_it_happens(flow: "Flow", gate: "Gate") -> None:
    """A line is there as soon as something has happened; what was before is not told again."""
    steps = ({"id": "a", "command": ["true"]}, {"id": "b", "command": gate.command(), "when": "a"})
    first = flow.spawn("start", "--run-key=k", "--progress=plain", flow.write(*steps))
    assert first.stderr is not None
    lines = [first.stderr.readline() for _ in range(3)]
    assert told("".join(lines)) == ["a RUNNING attempt 1", "a SUCCEEDED", "b RUNNING attempt 1"]
    first.kill()
    first.wait()
    gate.let_through()
    resumed = flow.run("resume", "--run-key=k", "--progress=plain")
    assert told(resumed.stderr) == ["b SUCCEEDED", "k SUCCEEDED"]


@pytest.mark.parametrize(
    ("options", "term"),
    [(["--progress=plain"], "xterm"), ([], "dumb"), (["--progress=auto"], "dumb")],
)
def test_lines_on_a_terminal(flow: "Flow", options: list[str], term: str) -> None:
    """A terminal without a cursor, or whose owner wants it so, gets lines."""
    flow.environ["TERM"] = term
    eyes = Eyes(
        flow, "start", "--run-key=k", *options, flow.write({"id": "a", "command": ["true"]})
    )
    assert json.loads(eyes.result())["status"] == "SUCCEEDED"
    assert told(eyes.shown) == ["a RUNNING attempt 1", "a SUCCEEDED", "k SUCCEEDED"]


def test_none_on_a_terminal(flow: "Flow") -> None:
    """`none` is silent."""
    file = flow.write({"id": "a", "command": ["true"]})
    eyes = Eyes(flow, "start", "--run-key=k", "--progress=none", file)
    assert json.loads(eyes.result())["status"] == "SUCCEEDED"
    assert eyes.shown == ""


def test_an_ended_run_is_not_drawn(flow: "Flow") -> None:
    """`start` of a run that has ended only reports it, on a terminal too (rule 4.3)."""
    file = flow.write({"id": "a", "command": ["true"]})
    flow.start("k", file)
    eyes = Eyes(flow, "start", "--run-key=k", file)
    assert json.loads(eyes.result())["status"] == "SUCCEEDED"
    assert eyes.shown == ""


def test_without_a_terminal(flow: "Flow") -> None:
    """Without a terminal nothing is shown, and nothing is loaded that draws."""
    file = flow.write({"id": "a", "command": ["true"]})
    words = [sys.executable, "-X", "importtime", flow.program, "start", "--run-key=k", file]
    started = subprocess.run(
        words, env=flow.environ, capture_output=True, text=True, check=True, cwd=flow.folder
    )
    assert json.loads(started.stdout)["status"] == "SUCCEEDED"
    assert all(line.startswith("import time:") for line in started.stderr.splitlines())
    assert "tabulate" not in started.stderr
    assert "orchesjob_flow.progress" in started.stderr


@pytest.mark.parametrize("words", [["start", "-d", "x.yaml"], ["retry", "-d"], ["resume", "-d"]])
def test_not_in_the_background(flow: "Flow", words: list[str]) -> None:
    """A background process has no stderr to show progress on; that is said, not ignored."""
    command, *rest = words
    refused = flow.refusal(command, "--run-key=k", "--progress=plain", *rest)
    assert refused["error"] == "a background process shows no progress; `watch` does"


def test_a_terminal_that_vanishes(flow: "Flow", gate: "Gate") -> None:
    """A view that nobody can see any more is no reason to end a run."""
    file = flow.write({"id": "a", "command": gate.command()})
    screen, terminal = os.openpty()
    runner = flow.spawn("start", "--run-key=k", file, stderr=terminal, start_new_session=True)
    os.close(terminal)
    gate.await_arrival()
    os.close(screen)
    gate.let_through()
    stdout, _ = runner.communicate(timeout=60)
    assert json.loads(stdout)["status"] == "SUCCEEDED"


SHELL = "echo first; for i in $(seq 12); do echo line $i; echo wrong $i >&2; done; exit 3"


@pytest.mark.parametrize("options", [[], ["--progress=plain"]])
def test_last_lines_of_what_failed(each_flow: "Flow", options: list[str]) -> None:
    """When a run has FAILED, what its failed steps printed last follows on stderr."""
    file = each_flow.write(
        {"id": "load", "command": ["sh", "-c", SHELL], "retries": 1},
        {"id": "quiet", "command": ["false"]},
        {"id": "fine", "command": ["echo", "fine"]},
    )
    started = each_flow.run("start", "--run-key=k", *options, file)
    assert (started.returncode, json.loads(started.stdout)["status"]) == (1, "FAILED")
    lines = [line for line in started.stderr.splitlines() if not MOMENT.match(line)]
    assert lines == [
        "load FAILED exit code 3, after it has printed:",
        *(f"load | line {number}" for number in range(3, 13)),
        *(f"load | wrong {number}" for number in range(3, 13)),
        "quiet FAILED exit code 1, and has printed nothing",
    ]
    again = each_flow.run("start", "--run-key=k", *options, file)
    assert (again.returncode, again.stderr) == (1, "")


def test_last_lines_are_harmless_on_a_terminal(flow: "Flow") -> None:
    """On a terminal, what failed steps printed moves no cursor; colours stay, and end."""
    shell = r"printf '\033[2J\033[31mred\n'; exit 1"
    eyes = Eyes(
        flow, "start", "--run-key=k", flow.write({"id": "a", "command": ["sh", "-c", shell]})
    )
    eyes.result()
    assert eyes.shown.endswith("a | \\x1b[2J\x1b[31mred\x1b[0m\n")


def test_no_last_lines(flow: "Flow") -> None:
    """`none` has none of it, and a run that SUCCEEDED has nothing to tell."""
    failing = flow.write({"id": "a", "command": ["sh", "-c", "echo no; exit 1"]})
    silent = flow.run("start", "--run-key=k", "--progress=none", failing)
    assert (silent.returncode, silent.stderr) == (1, "")
    handled = flow.write({"id": "a", "command": ["echo", "yes"]})
    succeeded = flow.run("start", "--run-key=l", handled)
    assert (succeeded.returncode, succeeded.stderr) == (0, "")


def test_many_failures_are_counted(flow: "Flow") -> None:
    """A hundred failed steps do not flood the log."""
    steps = [{"id": f"s{number}", "command": ["false"]} for number in range(12)]
    started = flow.run("start", "--run-key=k", flow.write(*steps))
    lines = started.stderr.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 2 more; `logs` shows what they have printed"


def test_output_that_is_gone(flow: "Flow") -> None:
    """A file that is gone is said, and is no error (rule 9.6)."""
    shell = f"rm -r {shlex.quote(str(flow.orchesjob.home / 'logs'))}; exit 1"
    file = flow.write({"id": "a", "command": ["sh", "-c", shell]})
    started = flow.run("start", "--run-key=k", file)
    assert started.returncode == 1
    assert "stdout of attempt 1 of step 'a' is gone" in started.stderr


def test_output_that_cannot_be_read(flow: "Flow") -> None:
    """That nobody can read what a step printed changes neither the result nor the exit code."""
    logs = shlex.quote(str(flow.orchesjob.home / "logs"))
    shell = f"for file in {logs}/*; do rm $file; mkdir $file; done; exit 1"
    file = flow.write({"id": "a", "command": ["sh", "-c", shell]})
    started = flow.run("start", "--run-key=k", file)
    assert (started.returncode, json.loads(started.stdout)["status"]) == (1, "FAILED")
    assert "what the failed steps have printed cannot be shown: " in started.stderr
    assert "Is a directory" in started.stderr
