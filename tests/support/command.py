"""A command that runs beside the test which has started it."""

import subprocess

from support.deadlines import CALL_SEC


class Command(subprocess.Popen[str]):
    """A process whose end is awaited only as long as a call may take."""

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
