"""A command that runs beside the test which has started it."""

import inspect
import subprocess
from typing import IO, Any

from support.deadlines import CALL_SEC
from support.template.client import TemplateProcess, shared_template

_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


class Command(subprocess.Popen[str]):
    """A process whose end is awaited only as long as a call may take.

    Where that is the same, it is forked from a template process: `support.template` says when.
    """

    # A test looks only at those that it has asked to be pipes.
    stdout: IO[str]
    stderr: IO[str]

    def template(self) -> TemplateProcess | None:
        """Return the template from which it may be forked."""
        return shared_template()

    def _execute_child(self, *given: Any) -> None:
        """Start the process, with what `Popen` has prepared for that; it offers no other door."""
        popen: Any = super()
        asked = inspect.signature(popen._execute_child).bind(*given).arguments
        template = self.template()
        pid = None if template is None else template.fork(asked)
        if pid is None:
            popen._execute_child(*given)
            return
        self.pid = pid
        self._child_created = True
        popen._close_pipe_fds(*(asked[name] for name in _PIPES))

    def wait(self, timeout: float | None = CALL_SEC) -> int:
        """Wait for the end; return the exit code."""
        return super().wait(timeout)

    def communicate(
        self,
        input: str | None = None,  # noqa: A002 - its name where this is inherited from
        timeout: float | None = CALL_SEC,
    ) -> tuple[str, str]:
        """Wait for the end; return what was written to stdout and stderr."""
        return super().communicate(input, timeout)

    def completed(self) -> subprocess.CompletedProcess[str]:
        """Wait for the end; return exit code and output together."""
        stdout, stderr = self.communicate()
        return subprocess.CompletedProcess(self.args, self.returncode, stdout, stderr)
