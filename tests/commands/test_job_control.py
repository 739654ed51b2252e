"""Ctrl-Z, `fg`, `bg` and `&` in a shell, while a run is drawn in place (rule 6.6)."""

import re
import sys
from collections.abc import Iterator

import pytest

from support.command import Command
from support.flow import Flow
from support.gate import Gate
from support.terminal import PICTURE, Terminal

SHELL = """
import fcntl, os, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
"""
UP = re.compile(r"\x1b\[\d+A")


@pytest.fixture
def terminal(flow: Flow) -> Iterator[Terminal]:
    """A terminal with a shell, which begins a run whose step is at the gate."""
    terminal = Terminal()
    terminal.resize(80, 24)
    line = terminal.line
    environ = {**flow.environ, "PROGRAM": flow.program, "PS1": "$ "}
    shell = Command(
        [sys.executable, "-c", SHELL],
        stdin=line,
        stdout=line,
        stderr=line,
        env=environ,
        cwd=flow.folder,
        text=True,
    )
    terminal.hand_over()
    yield terminal
    terminal.close()
    shell.kill()
    shell.wait()


def test_stopped_and_continued(flow: Flow, gate: Gate, terminal: Terminal) -> None:
    """After Ctrl-Z and `fg` the picture goes on below what the shell has shown meanwhile."""
    file = flow.write({"id": "a", "command": gate.command()})
    terminal.type(f"$PROGRAM start k {file}\n")
    terminal.await_picture("RUNNING", pictures=2)
    terminal.type("\x1a")
    terminal.await_text("Stopped")
    terminal.type("echo mean''while\n")
    terminal.await_text("meanwhile")
    drawn = terminal.shown.count(PICTURE)
    terminal.type("fg\n")
    terminal.await_picture("RUNNING", pictures=drawn + 2)
    gate.let_through()
    terminal.await_picture("SUCCEEDED")
    first, *others = terminal.shown.partition("meanwhile")[2].split(PICTURE)
    assert not UP.search(first)
    assert all(UP.search(other) for other in others[:-1])


def test_ctrl_c(flow: Flow, gate: Gate, terminal: Terminal) -> None:
    """What Ctrl-C has echoed is not what the last words begin with (rule 6.9)."""
    file = flow.write({"id": "a", "command": gate.command(before="echo hello")})
    terminal.type(f"$PROGRAM start k -d {file} >started; $PROGRAM logs -f k\n")
    terminal.await_text("hello\n")
    terminal.type("\x03")
    terminal.await_text("^C\r\x1b[K\x1b[1;31merror\x1b[0m: interrupted by SIGINT")
    gate.let_through()
    flow.ask("wait", "k")


def test_in_the_background(flow: Flow, gate: Gate, terminal: Terminal) -> None:
    """In the background nothing is drawn but the last table, below the shell's own lines."""
    file = flow.write({"id": "a", "command": gate.command()})
    terminal.type(f"$PROGRAM start k {file} &\n")
    gate.await_arrival()
    terminal.type("$PROGRAM wait k --timeout 0.6; echo wai''ted\n")
    terminal.await_text("waited")
    assert PICTURE not in terminal.shown
    gate.let_through()
    terminal.await_picture("SUCCEEDED")
    assert terminal.shown.count(PICTURE) == 1
    assert not UP.search(terminal.shown)
