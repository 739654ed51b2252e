"""What can go wrong with a call to orchesjob.

Only the errors live here. Which answer raises which one is decided in `client` and `call`.
"""

import errno

_MAX_CAUSE = 500


def one_line(text: str) -> str:
    """Return the last line of `text` that says something, safe to show on a terminal.

    At most 500 characters; whatever would move a cursor or turn the writing direction is escaped.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in last[:_MAX_CAUSE]
    )
    return shown if len(shown) <= _MAX_CAUSE else shown[: _MAX_CAUSE - 1] + "…"


class OrchesjobError(Exception):
    """A call to orchesjob gave no usable answer.

    Attributes:
        call: The call in short, such as `orchesjob start`.
        cause_text: One printable line of at most 500 characters, where there is one the last line
            that orchesjob wrote to stderr.
        retryable: Whether asking again can help.
    """

    retryable = False
    verdict = "failed"
    advice = ""

    def __init__(self, call: str, cause_text: str) -> None:
        """Describe the call and the cause; only the last line of the cause is kept."""
        # Not `super()`: OSError, the second base of some, would take these for errno and strerror.
        Exception.__init__(self, call, cause_text)
        self.call = call
        self.cause_text = one_line(cause_text)

    def __str__(self) -> str:
        """Return one sentence: what was asked, what came of it, how to mend it."""
        sentence = f"{self.call} {self.verdict}: {self.cause_text}"
        return f"{sentence} ({self.advice})" if self.advice else sentence


class OrchesjobMissing(OrchesjobError, FileNotFoundError):
    """The orchesjob executable is not there, or cannot be executed.

    Asking again can help: an upgrade replaces the file, a network drive comes back.
    """

    retryable = True
    verdict = "could not be run"
    advice = "install orchesjob, put it on PATH, or name it with ORCHESJOB_BIN"

    def __init__(self, call: str, cause_text: str, path: str = "orchesjob") -> None:
        """Describe the call, the cause and the path that was tried."""
        super().__init__(call, cause_text)
        self.args = (call, cause_text, path)
        self.errno = errno.ENOENT
        self.filename = path


class CallRefused(OrchesjobError, ValueError):
    """The call itself is wrong; nothing ran, and the same call can never succeed."""

    verdict = "was refused"


class CallFailed(OrchesjobError):
    """Orchesjob failed or could not be started; what it had done before is unknown.

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
    """Orchesjob did not answer in time and was killed; what it had done before is unknown."""

    retryable = True
    verdict = "did not answer in time"


class BadAnswer(OrchesjobError, ValueError):
    """Orchesjob answered something that is no job report of the job asked for."""

    retryable = True
    verdict = "gave an answer that cannot be used"


class JobNotFound(OrchesjobError, LookupError):
    """Orchesjob knows no job under this key or id."""

    verdict = "knows no such job"


class JobNotRunning(OrchesjobError):
    """The job has ended already, so it cannot be aborted."""

    verdict = "found the job ended"
