"""`--follow`: what the steps print is shown as they print it, and the table at the end (6.15)."""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.command import Command
from support.deadlines import EVENT_SEC
from support.flow import Flow
from support.gate import Gate
from support.terminal import PICTURE, Terminal

ENDED = "a | end\na SUCCEEDED\nk SUCCEEDED\n"
MOMENT = re.compile(r"\d\d:\d\d:\d\d ")


def shell(step_id: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "command": ["sh", "-c", script], **fields}


def result(command: Command, terminal: Terminal) -> Any:
    """Look until the command has gone; return the parsed result."""
    terminal.read_to_end()
    return json.loads(command.communicate()[0])


TWO = (
    shell("fetch", "echo out; echo err >&2; printf 'no end'"),
    shell("load-all", "echo loaded", when="fetch"),
)


@pytest.mark.integration
def test_on_a_pipe(real_flow: Flow) -> None:
    """Each line goes to stderr after its step's name; stdout gets the result only (rule 6.10)."""
    started = real_flow.run("start", "k", "--follow", real_flow.write(*TWO))
    assert json.loads(started.stdout)["status"] == "SUCCEEDED"
    lines = started.stderr.splitlines()
    assert lines[0] == "fetch    RUNNING attempt 1"
    assert sorted(lines[1:4]) == ["fetch    | err", "fetch    | no end", "fetch    | out"]
    assert lines[4:] == [
        "fetch    SUCCEEDED",
        "load-all RUNNING attempt 1",
        "load-all | loaded",
        "load-all SUCCEEDED",
        "k SUCCEEDED",
    ]


@pytest.mark.parametrize("columns", [40])
def test_on_a_terminal(flow: Flow, columns: int) -> None:
    """Each name has a colour of its own; the table comes below all output, and nothing is drawn."""
    code, shown = flow.run_on_terminal("run", "-f", flow.write(*TWO), size=(columns, 10))
    assert (code, PICTURE in shown) == (0, False)
    output, _, table = shown.partition("Flow: f")
    assert "\x1b[36mfetch    | \x1b[0mout\n" in output
    assert "\x1b[36mfetch    | \x1b[0mno end\n" in output
    assert "\x1b[33mload-all | \x1b[0mloaded\n" in output
    assert "\x1b[33mload-all \x1b[0mRUNNING attempt 1\n" in output
    assert "SUCCEEDED" in table
    assert " | " not in table


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours(flow: Flow, name: str, value: str) -> None:
    """Where colours are not wanted or not known, names have none (rule 6.5)."""
    flow.environ[name] = value
    _, shown = flow.run_on_terminal("run", "-f", flow.write(shell("a", "echo out")))
    assert "a | out\n" in shown
    assert "\x1b" not in shown


def test_hostile_bytes(flow: Flow) -> None:
    """A terminal gets no byte that moves its cursor; a pipe gets them unchanged."""
    file = flow.write({"id": "a", "command": ["printf", "\\033[31mred\\033[2J\\r\\n\\377\\n"]})
    _, shown = flow.run_on_terminal("run", "-f", file, NO_COLOR="1")
    assert "a | \x1b[31mred\\x1b[2J\x1b[0m\na | \\xff\n" in shown
    bytes_only = subprocess.run(
        [flow.program, "run", "-f", file], env=flow.environ, capture_output=True, check=True
    )
    assert b"\na | \x1b[31mred\x1b[2J\r\na | \xff\n" in bytes_only.stderr


def test_while_it_happens(flow: Flow, gate: Gate) -> None:
    """A line is shown as soon as it is printed, and a retry begins a new file."""
    step = {"id": "a", "command": gate.command("exit 1", before="echo trying"), "retries": 1}
    started = flow.spawn("start", "k", "-f", flow.write(step))
    lines = [started.stderr.readline() for _ in range(2)]
    gate.await_arrival()
    gate.let_through()
    lines += [started.stderr.readline() for _ in range(3)]
    assert lines == [
        "a RUNNING attempt 1\n",
        "a | trying\n",
        "a attempt 1 FAILED exit code 1\n",
        "a RUNNING attempt 2\n",
        "a | trying\n",
    ]
    gate.let_through()
    stdout, stderr = started.communicate()
    assert json.loads(stdout)["status"] == "FAILED"
    assert stderr.splitlines() == [
        "a FAILED exit code 1",
        "k FAILED 1 step failed: a",
        "a FAILED exit code 1, after printing:",
        "a | trying",
    ]


def test_ten_steps_at_once(flow: Flow) -> None:
    """No line holds the output of two steps, however they print; nothing is lost."""
    script = "for i in $(seq 300); do printf '%s' part; printf '%s\\n' \"-$0-$i\"; done"
    steps = [{"id": f"s{n}", "command": ["sh", "-c", script, f"s{n}"]} for n in range(10)]
    started = flow.run("start", "k", "-f", "--progress=none", flow.write(*steps))
    expected = [f"s{n} | part-s{n}-{i}" for n in range(10) for i in range(1, 301)]
    assert sorted(started.stderr.splitlines()) == sorted(expected)


def test_with_times(flow: Flow) -> None:
    """With `--timestamps` the time leads each line; with `--progress none` there are no others."""
    file = flow.write(shell("a", "echo one; exit 3"))
    words = ("start", "k", "-f", "--progress=none", "--timestamps", file)
    assert re.fullmatch(f"{MOMENT.pattern}a \\| one\n", flow.run(*words).stderr)
    file = flow.write(shell("a", "echo one"))
    lines = flow.run("start", "l", "--timestamps", "-f", file).stderr.splitlines()
    assert [MOMENT.sub("T ", line, count=1) for line in lines] == [
        "T a RUNNING attempt 1",
        "T a | one",
        "T a SUCCEEDED",
        "T l SUCCEEDED",
    ]
    lines = flow.run("start", "m", "--progress=plain", "-f", file).stderr.splitlines()
    assert [bool(MOMENT.match(line)) for line in lines] == [True, False, True, True]


def test_retry_shows_only_what_is_new(flow: Flow, tmp_path: Path) -> None:
    """`retry` leaves out what was printed before the call."""
    done = tmp_path / "done"
    file = flow.write(shell("a", f"echo once; mkdir {done} 2>&- && exit 1; echo again"))
    flow.start("k", file, code=1)
    retried = flow.run("retry", "k", "-f", "--progress=none")
    assert retried.stderr == "a | once\na | again\n"
    assert flow.run("start", "k", "-f", file).stderr.count("|") == 0


def test_resume_and_watch(flow: Flow, gate: Gate) -> None:
    """What runs already is shown from its last lines on."""
    before = "for i in $(seq 12); do echo $i; done"
    flow.abandon(flow.write({"id": "a", "command": gate.command("echo end", before=before)}), gate)
    watching = flow.spawn("watch", "k", "--follow")
    resumed = flow.spawn("resume", "k", "--follow")
    for command in (watching, resumed):
        shown = [command.stderr.readline() for _ in range(10)]
        assert shown == [f"a | {number}\n" for number in range(3, 13)]
    gate.let_through()
    stdout, stderr = resumed.communicate()
    assert (json.loads(stdout)["status"], stderr) == ("SUCCEEDED", ENDED)
    stdout, stderr = watching.communicate()
    assert (watching.returncode, stderr) == (0, ENDED)
    assert stdout.count("Flow: f  Run: k") == 1
    assert "Status: OK SUCCEEDED" in stdout


def full_pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe can be set on Linux only")
def test_a_reader_that_does_not_read(flow: Flow, gate: Gate) -> None:
    """A pager that waits holds up no step: the run ends, and then its output is read."""
    reader, writer = full_pipe()
    loud = shell("a", "seq 100000")
    file = flow.write(loud, {"id": "b", "command": gate.command(), "when": "a"})
    command = flow.spawn("start", "k", "-f", "--progress=none", file, stderr=writer)
    os.close(writer)
    gate.await_arrival()
    gate.let_through()
    flow.await_status("k", lambda run: run["status"] == "SUCCEEDED")
    assert command.poll() is None
    with os.fdopen(reader, encoding="utf-8") as pipe:
        lines = pipe.read().partition("a | ")[2].splitlines()
    assert lines[-1] == "a | 100000"
    assert len(lines) == 100_000
    assert command.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe can be set on Linux only")
def test_ctrl_c_while_nobody_reads(flow: Flow, gate: Gate) -> None:
    """One signal ends the command also while it waits for a pager (rule 6.9)."""
    reader, writer = full_pipe()
    file = flow.write({"id": "a", "command": gate.command(before="seq 100000")})
    command = flow.spawn("start", "k", "-f", file, stderr=writer)
    os.close(writer)
    gate.await_arrival()
    flow.await_job("k")
    began = time.monotonic()
    command.send_signal(signal.SIGINT)
    assert command.wait() == 130
    assert time.monotonic() - began < EVENT_SEC
    os.close(reader)
    gate.let_through()
    assert flow.ask("resume", "k")["status"] == "SUCCEEDED"


def test_much_output(flow: Flow) -> None:
    """Any amount of output passes through in little memory."""
    script = "head -c 20000000 /dev/zero | tr '\\0' x; seq 400000"
    words = [flow.program, "start", "k", "-f", flow.write(shell("a", script))]
    size = largest_kb = 0
    with subprocess.Popen(
        words, env=flow.environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as command:
        pipe = command.stderr
        assert pipe is not None
        while block := pipe.read(1 << 20):
            size += len(block)
            found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{command.pid}/status").read_text())
            largest_kb = max(largest_kb, int(found[1]) if found else 0)
    pieces = 20_000_000 // 65536
    assert size > 20_000_000 + 400_000 * len("a | 123456")
    assert size < 22_700_000 + pieces * 10 + 400_000 * 4
    assert command.returncode == 0
    assert 0 < largest_kb < 80_000


def test_a_reader_that_goes(flow: Flow, gate: Gate) -> None:
    """A run goes on when nobody reads stderr any more."""
    reader, writer = os.pipe()
    file = flow.write({"id": "a", "command": gate.command("seq 1000")})
    command = flow.spawn("start", "k", "-f", file, stderr=writer)
    os.close(writer)
    os.close(reader)
    gate.await_arrival()
    gate.let_through()
    assert json.loads(command.communicate()[0])["status"] == "SUCCEEDED"


def test_messages_keep_their_place(flow: Flow, gate: Gate) -> None:
    """What the runner has to say comes with the output, and is said once."""
    file = flow.write({"id": "a", "command": gate.command("echo end")})
    other = flow.begin(file, gate)
    second = flow.spawn("start", "k", "-f", file)
    waiting = f"orchesjob-flow: process {other.pid} advances run 'k'; waiting for its outcome\n"
    assert second.stderr.readline() == waiting
    gate.let_through()
    assert second.communicate()[1] == ENDED


def test_watch_and_advance(flow: Flow, gate: Gate) -> None:
    """`watch --advance --follow` brings the run to its end."""
    flow.abandon(flow.write({"id": "a", "command": gate.command("echo end")}), gate)
    gate.let_through()
    watched = flow.run("watch", "k", "--follow", "--advance")
    assert (watched.returncode, watched.stderr) == (0, ENDED)
    assert "Status: OK SUCCEEDED" in watched.stdout


def test_a_link_to_itself(flow: Flow) -> None:
    """A file that cannot be opened hides no other step."""
    logs = flow.orchesjob.home / "logs"
    script = f"for file in {logs}/*; do rm $file; ln -s $file $file; done"
    file = flow.write(shell("a", script), {**shell("b", "echo seen"), "when": "a"})
    started = flow.run("start", "k", "-f", file)
    assert json.loads(started.stdout)["status"] == "SUCCEEDED"
    assert "stdout of attempt 1 of step 'a' cannot be read: " in started.stderr
    assert "b | seen" in started.stderr
