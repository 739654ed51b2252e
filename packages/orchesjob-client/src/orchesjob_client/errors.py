"""The errors of this package: data in attributes, the sentence in `str()`.

Which answer raises which error is decided in `client` and `call`.
"""

import errno

_MAX_CAUSE = 500


def one_line(text: str) -> str:
    """Return the last line of `text` that is not blank, safe to show on a terminal.

    It has at most 500 characters; whatever moves the cursor or changes the writing direction is
    escaped.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    shown = last[:_MAX_CAUSE]
    if not shown.isprintable():
        shown = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
            for char in shown
        )
    return shown if len(shown) <= _MAX_CAUSE else shown[: _MAX_CAUSE - 1] + "…"


class OrchesjobError(Exception):
    """A call to orchesjob gave no usable answer.

    Attributes:
        call: The name of the call, such as `orchesjob start`.
        cause_text: One printable line of at most 500 characters: the last line that orchesjob wrote
            to stderr, if there is one.
        retryable: Whether asking again can help.
    """

    retryable = False
    summary = "failed"
    advice = ""

    def __init__(self, call: str, cause_text: str) -> None:
        """Describe the call and the cause; only the last line of the cause is kept."""
        # Not `super()`: OSError, the second base of some, would take them for errno and strerror.
        Exception.__init__(self, call, cause_text)
        self.call = call
        self.cause_text = one_line(cause_text)

    def __str__(self) -> str:
        """Return one sentence: the call, what happened, the cause, and how to fix it."""
        sentence = f"{self.call} {self.summary}: {self.cause_text}"
        return f"{sentence} ({self.advice})" if self.advice else sentence


class OrchesjobMissing(OrchesjobError, FileNotFoundError):
    """The orchesjob executable is missing or cannot be executed.

    Asking again can help: an upgrade is replacing the file, or a network drive comes back.
    """

    retryable = True
    summary = "could not be run"
    advice = "install orchesjob, put it on PATH, or name it with ORCHESJOB_BIN"

    def __init__(self, call: str, cause_text: str, path: str = "orchesjob") -> None:
        """Describe the call, the cause and the path that was tried."""
        super().__init__(call, cause_text)
        self.args = (call, cause_text, path)
        self.errno = errno.ENOENT
        self.filename = path


class CallRefused(OrchesjobError, ValueError):
    """The call itself is wrong: nothing ran, and the same call can never succeed."""

    summary = "was refused"


class CallFailed(OrchesjobError, RuntimeError):
    """Orchesjob failed or could not be started; what it has done before is unknown.

    Attributes:
        exit_code: Its exit code, negative for a signal; None if it could not be started.
    """

    retryable = True

    def __init__(self, call: str, cause_text: str, exit_code: int | None = None) -> None:
        """Describe the call, the cause and the exit code."""
        super().__init__(call, cause_text)
        self.args = (call, cause_text, exit_code)
        self.exit_code = exit_code


class CallTimedOut(OrchesjobError, TimeoutError):
    """Orchesjob did not answer in time and was killed; what it has done before is unknown."""

    retryable = True
    summary = "did not answer in time"


class HomeReplaced(OrchesjobError, FileNotFoundError):
    """The client's home is gone, or another folder has taken its path.

    No call is made then, and no answer believed: orchesjob would create an empty home, and know no
    job. Asking again can help: a disk is mounted again.
    """

    retryable = True
    summary = "cannot be used"
    advice = "put back the folder that was there"


class HomeExposed(OrchesjobError, PermissionError):
    """Somebody else could change the client's home, or orchesjob's database in it.

    No call is made then: whoever can write there decides what runs and what orchesjob answers.
    Asking again can help, once the home has been repaired.
    """

    retryable = True
    summary = "was not called"


class BadAnswer(OrchesjobError, ValueError):
    """Orchesjob's answer is not a report of the job asked for."""

    retryable = True
    summary = "gave an unusable answer"


class JobNotFound(OrchesjobError, LookupError):
    """Orchesjob knows no job under this key or id."""

    summary = "knows no such job"


class JobNotRunning(OrchesjobError, RuntimeError):
    """The job's status is final, so it cannot be aborted; the command of a LOST job may still run.

    `OrchesjobClient.end_survivors` ends what is left of a job.
    """

    summary = "found that the job has ended"


class WaitTimedOut(OrchesjobError, TimeoutError):
    """None of the jobs that were waited for has ended in time; nothing was done to them."""

    retryable = True
    summary = "timed out"


class WaitStopped(OrchesjobError, InterruptedError):
    """The program itself has stopped waiting for jobs; nothing was done to them."""

    summary = "was stopped"


class ProcessesKeepAppearing(OrchesjobError, TimeoutError):
    """Nobody can say whether anything of a job lives: processes come and go too fast to be read."""

    retryable = True
    summary = "came to no end"

    def __init__(self, call: str, cause_text: str = "processes keep appearing") -> None:
        """Describe what was looked for."""
        super().__init__(call, cause_text)
