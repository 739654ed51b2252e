"""The installed orchesjob-flow: where it is, and calls of it with their answers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

NAME = "orchesjob-flow"
NOT_STARTED = 127
"""The exit code that stands for a program which could not be started, as in a shell."""
OUT_OF_TIME = 124

SURROUNDINGS = ("PATH", "HOME", "ORCHESJOB_FLOW_HOME", "ORCHESJOB_HOME", "ORCHESJOB_BIN")
"""The variables by which the program finds its database and orchesjob."""


class ProgramMissing(LookupError):
    """There is no orchesjob-flow on this host."""


class Answer(NamedTuple):
    """How a call ended and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def run(self) -> dict[str, Any] | None:
        """The run that was printed, None if the call had none to print."""
        found = _parse(self.stdout)
        return found if "status" in found else None

    @property
    def complaint(self) -> dict[str, Any]:
        """The JSON object with `error` that tells why a call has failed."""
        lines = self.stderr.strip().splitlines()
        found = _parse(lines[-1]) if lines else {}
        if "error" in found:
            return found
        return {"error": lines[-1] if lines else f"{NAME} ended with exit code {self.exit_code}"}


class Program(NamedTuple):
    """An orchesjob-flow with the options and variables for every call of it.

    A variable that is None is taken out of the environment.
    """

    path: str
    options: tuple[str, ...]
    variables: Mapping[str, str | None]

    def call(
        self, *words: str, cwd: str | os.PathLike[str] | None = None, limit_sec: float | None = None
    ) -> Answer:
        """Run a command to its end.

        It has a session of its own: what is sent to the group of an Airflow task, a signal to end
        it above all, must not end a start or a cancel halfway.
        """
        try:
            ended = subprocess.run(
                [self.path, *self.options, *words],
                env=self._environment(),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                timeout=limit_sec,
                check=False,
            )
        except OSError as error:
            return Answer(NOT_STARTED, "", f"{self.path} could not be run: {error}")
        except subprocess.TimeoutExpired:
            return Answer(OUT_OF_TIME, "", f"{self.path} has not answered within {limit_sec:g} s")
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def _environment(self) -> dict[str, str]:
        merged = {**os.environ, **self.variables}
        return {name: text for name, text in merged.items() if text is not None}


def find_program(explicit: str | None) -> str:
    """Return the absolute path of orchesjob-flow.

    It is `explicit` if given, else on `PATH`, else beside this Python.

    Raises:
        ProgramMissing: There is none, or the one that is named cannot be executed.
    """
    beside = Path(sys.executable).parent
    if explicit:
        found, origin = shutil.which(explicit), "as asked for"
    else:
        found = shutil.which(NAME) or shutil.which(str(beside / NAME))
        origin = f"neither on PATH nor in {beside}"
    if found is None:
        raise ProgramMissing(
            f"{explicit or NAME} ({origin}) is not an executable file on this host; install "
            f"{NAME} where the task runs, put it on PATH, or name it with `program`"
        )
    return os.path.abspath(found)  # noqa: PTH100 - text, and `..` after a link stays as it is


def surroundings() -> dict[str, str | None]:
    """Return the variables that make another process of this host see the same runs."""
    return {name: os.environ.get(name) for name in SURROUNDINGS}


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
