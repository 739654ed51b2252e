"""An orchesjob for a test, fake or real, with a home of its own."""

import contextlib
import json
import os
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchesjob_client import (
    OrchesjobClient,
    Process,
    ProcessesKeepAppearing,
    end_processes,
    marked_processes,
)
from support.deadlines import CALL_SEC, EVENT_SEC
from support.processes import await_exit

type Rule = dict[str, Any]
"""A rule of the script by which the fake goes wrong; `fake_orchesjob.faults` says what it holds."""

MARK = "ORCHESJOB_TEST_MARK"
_GRACE_SEC = 0.5


class Orchesjob:
    """An orchesjob executable with a home of its own that no other test sees.

    Attributes:
        path: The executable.
        home: `ORCHESJOB_HOME`; orchesjob makes the folder when it is first called.
        environ: The environment for whatever a test starts, with `ORCHESJOB_HOME` and
            `ORCHESJOB_BIN`, and with a mark by which all that is left over is found and ended.
    """

    def __init__(self, path: str, folder: Path) -> None:
        self.path = path
        self.home = folder / "orchesjob-home"
        self.mark = uuid.uuid4().hex
        self._script = folder / "orchesjob-script.json"
        inherited = {key: text for key, text in os.environ.items() if "ORCHESJOB" not in key}
        self.environ = {
            **inherited,
            "ORCHESJOB_HOME": str(self.home),
            "ORCHESJOB_BIN": path,
            "FAKE_ORCHESJOB_SCRIPT": str(self._script),
            MARK: self.mark,
        }

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the executable and wait for it; the answer is as it comes."""
        return subprocess.run(
            [self.path, *words],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SEC,
            **options,
        )

    def ask(self, *words: str, **options: Any) -> Any:
        """Call the executable, which must succeed, and return the parsed answer."""
        finished = self.run(*words, **options)
        assert (finished.returncode, finished.stderr) == (0, "")
        return json.loads(finished.stdout)

    def start(self, key: str, *command: str, strict: bool = False) -> Any:
        """Start a command and return the parsed answer."""
        return self.ask("start", f"--run-key={key}", *["--strict"] * strict, "--", *command)

    def status(self, key: str) -> Any:
        """Ask for a key that is known and return the parsed answer."""
        return self.ask("status", f"--run-key={key}")

    def await_end(self, key: str) -> Any:
        """Wait for the worker's exit and return what `status` says then."""
        await_exit(self.status(key)["worker_pid"])
        return self.status(key)

    def change(self, statement: str, *values: object) -> None:
        """Change orchesjob's database as orchesjob itself never would; some row must match."""
        (path,) = self.home.glob("*orchesjob.db")
        connection = sqlite3.connect(path, timeout=EVENT_SEC, autocommit=True)
        with contextlib.closing(connection) as database:
            assert database.execute(statement, values).rowcount > 0

    def plant(self, key: str, **columns: object) -> None:
        """Write into the row of a key's job what orchesjob itself would never write."""
        names = ", ".join(f"{name} = ?" for name in columns)
        statement = f"UPDATE jobs SET {names} WHERE run_key = ?"  # noqa: S608 - own names
        self.change(statement, *columns.values(), key)

    def client(self) -> OrchesjobClient:
        """Return a client of this home, whose calls see the script and the mark."""
        return OrchesjobClient(self.path, home=self.home, environ=self.environ)

    def processes(self) -> list[Process]:
        """Return the processes that the test has started, at whatever remove, and that live."""
        deadline = time.monotonic() + CALL_SEC
        while True:
            try:
                return marked_processes(MARK, {self.mark})
            except ProcessesKeepAppearing:  # those of others too, on a machine with other work
                assert time.monotonic() < deadline

    def end_all(self) -> None:
        """End whatever the test has left running."""
        while found := self.processes():
            assert not end_processes(found, _GRACE_SEC)


class FakeOrchesjob(Orchesjob):
    """The fake one, which does as it is told and keeps a journal (`support/fake_orchesjob`)."""

    def script(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Say from now on which calls go wrong; counting begins anew."""
        temporary = self._script.with_suffix(".new")
        temporary.write_text(json.dumps(list(rules)), encoding="utf-8")
        (self.home / "fault-counts").unlink(missing_ok=True)
        temporary.replace(self._script)

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls so far: `call`, `key`, `argv`, `cwd`, `pid`, `time`."""
        return self._lines("calls.jsonl")

    def executions(self) -> list[dict[str, Any]]:
        """Return the beginnings and ends of commands that were really executed.

        Each has `event` (`begin` or `end`), `key`, `argv`, `cwd`, `pid` and `monotonic`, an end
        has `exit_code` too.
        """
        return self._lines("executions.jsonl")

    def begun(self) -> list[str]:
        """Return the keys of the commands that have really begun, in that order."""
        return [event["key"] for event in self.executions() if event["event"] == "begin"]

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.home / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]
