"""The installed orchesjob-flow: where it is, one call of it, and what its answer says.

Nothing here knows Airflow, or which calls a task makes.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchesjob_flow_airflow.errors import ProgramMissing

type Run = dict[str, Any]
"""A run as `orchesjob-flow status` prints it."""

NAME = "orchesjob-flow"
NOT_STARTED = 127
"""The exit code that stands for a program that could not be started, as in a shell."""
TIMED_OUT = 124
"""The exit code that stands for a call that took too long, as that of `timeout`."""

HOME_VARIABLES = ("PATH", "HOME", "ORCHESJOB_FLOW_HOME", "ORCHESJOB_HOME", "ORCHESJOB_BIN")
"""The variables by which the program finds its database and orchesjob."""

# The keys that an error object has if the user has made a mistake, with its details.
_MISTAKE_KEYS = frozenset({"problems", "differences", "conflicts", "help"})


class Answer(NamedTuple):
    """How a call ended, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def run(self) -> Run | None:
        """The run that was printed; None if the call printed none."""
        found = _parse(self.stdout)
        return found if "status" in found else None

    @property
    def error(self) -> str:
        """Why the call failed, in one sentence."""
        default = self._last_line or f"{NAME} ended with exit code {self.exit_code}"
        return str(self._error_object.get("error", default))

    @property
    def is_mistake(self) -> bool:
        """Whether the call failed for a reason that no repetition removes, as a wrong flow file."""
        return bool(self._error_object.keys() & _MISTAKE_KEYS)

    @property
    def is_recorded(self) -> bool:
        """Whether the call has recorded a run, and then failed to have it advanced."""
        return self._error_object.get("recorded") is True

    @property
    def trying_runner_log(self) -> str | None:
        """The log of a runner that lives, and has had no answer of orchesjob yet; None if none."""
        found = self._error_object
        return str(found.get("stderr_log")) if self.is_recorded and found.get("pid") else None

    @property
    def _last_line(self) -> str:
        return self.stderr.strip().rpartition("\n")[2]

    @property
    def _error_object(self) -> dict[str, Any]:
        return _parse(self._last_line)


class Program(NamedTuple):
    """An orchesjob-flow, with the options and variables for every call of it.

    A variable that is None is removed from the environment.
    """

    path: str
    options: tuple[str, ...]
    variables: Mapping[str, str | None]

    def call(
        self, *words: str, cwd: str | os.PathLike[str] | None = None, limit_sec: float | None = None
    ) -> Answer:
        """Run a command to its end.

        It gets a session of its own. Airflow sends signals to the process group of a task, above
        all the one to end it; they must not interrupt a start or a cancel halfway.
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
            return Answer(TIMED_OUT, "", f"{self.path} has not answered within {limit_sec:g} s")
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def _environment(self) -> dict[str, str]:
        # Its answers are read as JSON, whatever a person on this host prefers.
        merged = {**os.environ, **self.variables, "ORCHESJOB_FLOW_FORMAT": None}
        return {name: text for name, text in merged.items() if text is not None}


def find_program(explicit: str | None) -> str:
    """Return the absolute path of orchesjob-flow.

    It is `explicit` if given, else the one on `PATH`, else the one beside this Python.

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
        raise ProgramMissing(explicit or NAME, origin)
    return os.path.abspath(found)  # noqa: PTH100 - text, and `..` after a link stays as it is


def home_variables() -> dict[str, str | None]:
    """Return the variables with which another process of this host sees the same runs."""
    return {name: os.environ.get(name) for name in HOME_VARIABLES}


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
