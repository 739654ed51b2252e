"""One run of orchesjob-flow on this host: what a task asks of it, and does with it.

The operator has one in a worker, the trigger one in a triggerer. Nothing here waits, decides
or raises: a call that fails is an answer as well.
"""

import os
from typing import Any

from orchesjob_flow_airflow.flow_as_task.program import Answer, Program, Run


class HostRun:
    """The run `run_key` in the database that `program` uses."""

    def __init__(self, program: Program, run_key: str, log: Any) -> None:
        """Name the run, and the task's log."""
        self.run_key = run_key
        self._program = program
        self._log = log

    def call(
        self,
        command: str,
        *words: str,
        cwd: str | os.PathLike[str] | None = None,
        limit_sec: float | None = None,
    ) -> Answer:
        """Give orchesjob-flow a command about this run."""
        key = f"--run-key={self.run_key}"
        return self._program.call(command, key, *words, cwd=cwd, limit_sec=limit_sec)

    def status(self, limit_sec: float | None = None) -> Answer:
        """Ask how the run stands."""
        return self.call("status", limit_sec=limit_sec)

    def cancel(self) -> None:
        """Cancel the run, and log whether that succeeded."""
        answer = self.call("cancel")
        if answer.exit_code == 0:
            self._log.info("run %r was cancelled", self.run_key)
        else:
            self._log.error("run %r could not be cancelled: %s", self.run_key, answer.error)

    def complete_cancel(self, run: Run) -> None:
        """Bring a run to its end whose cancel was requested.

        A second `cancel` would end its `finally` too (rule 10.1), which is only waited for.
        """
        if run.get("finally_after") is None:
            self.cancel()
        else:
            self.call("resume")

    def log_tail(self, step_id: str, lines: int) -> None:
        """Log the last lines that a step printed."""
        answer = self.call("logs", f"--tail={lines}", "--", step_id)
        printed = answer.stdout.rstrip() if answer.exit_code == 0 else ""
        if printed:
            self._log.error("the last lines of %s:\n%s", step_id, printed)
