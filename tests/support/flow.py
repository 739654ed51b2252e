"""The command `orchesjob-flow` as a test calls it: with a folder, a home and an orchesjob."""

import contextlib
import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from support.command import Command
from support.deadlines import EVENT_SEC
from support.files import write_program
from support.gate import Gate
from support.orchesjob import Orchesjob
from support.template.client import PROGRAM
from support.terminal import Terminal


class Flow:
    """The installed command `orchesjob-flow`, on some orchesjob and with a flow home of its own.

    Attributes:
        orchesjob: Where the steps run.
        folder: The directory in which the command is called.
        home: `ORCHESJOB_FLOW_HOME`; the command makes it when it first needs it.
        environ: The environment of the command.
    """

    program = PROGRAM

    def __init__(self, orchesjob: Orchesjob, folder: Path) -> None:
        self.orchesjob = orchesjob
        self.folder = folder
        self.home = folder / "flow-home"
        self.database = self.home / "orchesjob-flow.sqlite3"
        self.environ = {
            **orchesjob.environ,
            "ORCHESJOB_FLOW_HOME": str(self.home),
            "TERM": "xterm-256color",  # wherever a test gives it a terminal
        }
        self._commands: list[Command] = []
        self._terminals: list[Terminal] = []

    def write(self, *steps: Mapping[str, Any], name: str = "flow.json", **fields: Any) -> str:
        """Write a flow file of these steps and return its path."""
        path = self.folder / name
        text = json.dumps({"flow_id": "f", **fields, "steps": steps}, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def wrap_orchesjob(self, *lines: str) -> Path:
        """Have these lines of shell run before each call of orchesjob; replace those of before."""
        path = self.folder / "orchesjob-of-today"
        write_program(path, "\n".join(["#!/bin/sh", *lines, 'exec "$ORCHESJOB" "$@"', ""]))
        self.environ |= {"ORCHESJOB": self.orchesjob.path, "ORCHESJOB_BIN": str(path)}
        return path

    def spawn(self, *words: str, **options: Any) -> Command:
        """Call the command and do not wait for it."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        where = {"cwd": self.folder, "env": self.environ, "text": True}
        command = Command([self.program, *words], **{**pipes, **where, **options})
        self._commands.append(command)
        return command

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the command and wait for it; the answer is as it comes."""
        return self.spawn(*words, **options).completed()

    def spawn_on_terminal(
        self,
        *words: str,
        stream: Literal["stdout", "stderr"],
        size: tuple[int, int] = (80, 24),
        **options: Any,
    ) -> tuple[Command, Terminal]:
        """Call the command with a terminal as one of its streams, and do not wait for it."""
        terminal = Terminal()
        terminal.resize(*size)
        self._terminals.append(terminal)
        command = self.spawn(*words, **{stream: terminal.line, **options})
        terminal.hand_over()
        return command, terminal

    def run_on_terminal(
        self, *words: str, size: tuple[int, int] = (80, 24), **variables: str
    ) -> tuple[int, str]:
        """Call the command with a terminal as its output, and these variables in its environment.

        Return its exit code and what was shown.
        """
        environ = {**self.environ, **variables}
        command, terminal = self.spawn_on_terminal(
            *words, stream="stdout", stderr=subprocess.STDOUT, size=size, env=environ
        )
        shown = terminal.read_to_end()
        return command.wait(), shown

    def ask(self, *words: str, code: int = 0) -> Any:
        """Call the command, which must end with this exit code, and return the parsed answer."""
        finished = self.run(*words)
        assert finished.returncode == code, finished
        return json.loads(finished.stdout)

    def start(self, key: str, flow_file: str, *, code: int = 0) -> Any:
        """Start a run in the foreground and return the parsed answer."""
        return self.ask("start", f"--run-key={key}", flow_file, code=code)

    def status(self, key: str) -> Any:
        """Ask how a run stands."""
        return self.ask("status", f"--run-key={key}")

    def refusal(self, *words: str, **options: Any) -> Any:
        """Call the command, which must refuse, and return its one error object."""
        finished = self.run(*words, **options)
        assert (finished.returncode, finished.stdout) == (2, ""), finished
        assert finished.stderr.count("\n") == 1
        assert finished.stderr.endswith("}\n"), finished.stderr
        assert "Traceback" not in finished.stderr
        error = json.loads(finished.stderr)
        assert error["error"]
        return error

    def begin(self, flow_file: str, gate: Gate, key: str = "k", **options: Any) -> Command:
        """Start a run in the foreground, and wait until its first step is at the gate."""
        runner = self.spawn("start", f"--run-key={key}", flow_file, **options)
        gate.await_arrival()
        self.await_job(key)
        return runner

    def detach(self, flow_file: str, gate: Gate, key: str = "k") -> Any:
        """Start a run in the background, and wait until a step is at the gate."""
        answer = self.ask("start", "-d", f"--run-key={key}", flow_file)
        gate.await_arrival()
        return answer

    def abandon(self, flow_file: str, gate: Gate, key: str = "k") -> Any:
        """Begin a run so and kill its runner; return the job."""
        runner = self.begin(flow_file, gate, key)
        runner.kill()
        runner.wait()
        return self.await_job(key)

    def restart_machine(self) -> None:
        """Let what has run so far have run before a restart of the machine.

        A machine has one boot id until it really boots; so it is the recorded one that is changed.
        """
        self.change("UPDATE attempts SET boot_id = 'an earlier one'")

    def await_status(self, key: str, reached: Callable[[Any], bool]) -> Any:
        """Poll a run until it is as wanted."""
        deadline = time.monotonic() + EVENT_SEC
        while not reached(status := self.status(key)):
            assert time.monotonic() < deadline, status
        return status

    def await_true(self, condition: Callable[[], object], within_sec: float = EVENT_SEC) -> None:
        """Poll until something is true that no event announces."""
        deadline = time.monotonic() + within_sec
        while not condition():
            assert time.monotonic() < deadline
            os.sched_yield()

    def await_job(self, key: str) -> Any:
        """Wait until orchesjob's answer about a run's first step is recorded; return its job."""
        run = self.await_status(key, lambda run: run["steps"][0]["orchesjob_status"])
        return run["steps"][0]["orchesjob_status"]

    def open_database(self) -> contextlib.closing[sqlite3.Connection]:
        """Open the flow database beside the command; leaving the block closes it."""
        return contextlib.closing(
            sqlite3.connect(self.database, timeout=EVENT_SEC, autocommit=True)
        )

    def change(self, statement: str, *values: object) -> None:
        """Change the flow database by hand; some row must match."""
        with self.open_database() as database:
            assert database.execute(statement, values).rowcount > 0

    def close(self) -> None:
        """End the calls that were not waited for."""
        for command in self._commands:
            command.kill()
            command.communicate()
        for terminal in self._terminals:
            terminal.close()
