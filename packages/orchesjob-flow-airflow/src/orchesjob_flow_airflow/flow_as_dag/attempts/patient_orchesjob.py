"""orchesjob as an attempt uses it: what gives no usable answer is asked again (rule 5.7).

Nothing here knows Airflow, nor what an answer means for the attempt.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from orchesjob_client import (
    JobNotFound,
    JobNotRunning,
    JobReport,
    OrchesjobClient,
    OrchesjobError,
    OrchesjobMissing,
    Process,
    end_survivors,
    find_survivors,
    marked_environment,
    orchesjob_home,
)

PATIENCE_SEC = 60.0
"""For how long a call that gives no usable answer is repeated."""

GRACE_SEC = 2.0
"""Between TERM and KILL, for the job and then for its survivors. Twice this must be less than the
five seconds after which Airflow kills the process of a task that it has told to end."""

_FIRST_PAUSE_SEC, _LONGEST_PAUSE_SEC = 0.5, 10.0


class PatientOrchesjob:
    """The orchesjob of this host, in one home."""

    def __init__(self, client: OrchesjobClient, environ: Mapping[str, str], log: Any) -> None:
        """Use the home that `environ` names, and tell the task's log of trouble."""
        self._client = client
        self._environ = environ
        self._home = orchesjob_home(environ)
        self._log = log

    def start(
        self,
        key: str,
        command: Sequence[str],
        *,
        directory: str,
        environ: Mapping[str, str],
        start_timeout_sec: float | None,
    ) -> JobReport:
        """Start a job, or find the one of this key.

        Raises:
            OrchesjobError: It gave no usable answer, for as long as it was asked.
        """
        return self._repeat(
            lambda: self._client.start(
                key,
                command,
                strict=True,
                cwd=directory,
                env=marked_environment(environ, key),
                start_timeout_sec=start_timeout_sec,
            )
        )

    def find(self, key: str) -> JobReport | None:
        """Return the report of a key's job; None if there is none.

        Raises:
            OrchesjobError: It gave no usable answer, for as long as it was asked.
        """
        return self._repeat(lambda: self._client.status(key, env=self._environ))

    def survivors(self, keys: Sequence[str]) -> Sequence[Process]:
        """Return the living processes of the attempts with these keys.

        Raises:
            OrchesjobError: They could not be looked for.
        """
        return self._repeat(lambda: find_survivors(self._home, keys))

    def abort(self, key: str) -> None:
        """End a job if it runs: TERM, the grace time, KILL. What goes wrong is logged."""
        with self._logged_errors(), suppress(JobNotFound, JobNotRunning):
            self._client.abort(
                job_key=key, grace_sec=GRACE_SEC, reason="the task ended", env=self._environ
            )

    def end_survivors(self, keys: Sequence[str]) -> None:
        """End the living processes of the attempts with these keys. What goes wrong is logged."""
        with self._logged_errors():
            if survivors := end_survivors(self._home, keys, GRACE_SEC):
                self._log.error("could not be ended: %s", listed(survivors))

    def _repeat[Answer](self, call: Callable[[], Answer]) -> Answer:
        """Repeat a call that gives no usable answer: no answer decides nothing."""
        deadline, pause = time.monotonic() + PATIENCE_SEC, _FIRST_PAUSE_SEC
        while True:
            try:
                return call()
            except OrchesjobError as error:
                missing = isinstance(error, OrchesjobMissing)
                if missing or not error.retryable or time.monotonic() > deadline:
                    raise
                self._log.warning("%s; trying again", error)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SEC)

    @contextmanager
    def _logged_errors(self) -> Iterator[None]:
        """Log an error of an ending instead of raising it: the rest has to be ended as well."""
        try:
            yield
        except (OrchesjobError, OSError) as error:
            self._log.error("%s", error)


def listed(processes: Sequence[Process]) -> str:
    """Name processes in a sentence."""
    return ", ".join(f"pid {process.pid} ({process.command})" for process in processes)
