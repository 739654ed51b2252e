"""What orchesjob reports about one job: reading it, and describing in words how the job ended.

No process is started here. The caller decides what follows from a report.
"""

import json
import signal
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from orchesjob_client.encoding import is_same_command
from orchesjob_client.errors import BadAnswer

_MAX_PAYLOAD = 6_000_000  # the longest argument list of Linux is 2 MB, and doubles in ASCII
_MAX_PID = 2**31 - 1  # what pidfd_open(2) and kill(2) accept
_LATEST_TIME = 2**53  # the greatest number of seconds that a float holds exactly
_LONGEST_WORD = 60  # characters of a program's name that a sentence quotes


class JobStatus(StrEnum):
    """The statuses of orchesjob 1.1.0. STARTING and RUNNING change, the others are final."""

    STARTING = "STARTING"
    """Recorded. It stays so if the call that starts it is killed; then only `abort` ends it."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    """The command exited with 0."""

    FAILED = "FAILED"
    """The command exited with another code, was killed, or could not be started."""

    LOST = "LOST"
    """orchesjob has lost sight of the job, because its worker vanished. The command may still run,
    may have succeeded, or may never have begun; no later status will tell."""

    CANCELLED = "CANCELLED"
    """Never written by 1.1.0."""

    ABORTED = "ABORTED"
    """Somebody aborted it. This is recorded before the processes are signalled."""


_ACTIVE = {JobStatus.STARTING, JobStatus.RUNNING}


class JobReport(NamedTuple):
    """One job as orchesjob described it.

    Attributes:
        job_id: Identifies one execution; another one under the same key has another id.
        job_key: The key under which the job was started, which orchesjob calls `run_key`.
        status: As orchesjob wrote it; a later version may have other words.
        command: The command that orchesjob stored with the job; empty if there is none.
        exit_code: 0 to 255, or -N for a command killed by signal N; None if unknown.
        worker_pid: orchesjob's own process beside the command.
        target_pid: The command's process and process group.
        existing: Whether `start` found the job instead of starting it.
        payload: The whole job object as compact ASCII JSON, at most 6,000,000 characters.
        stdout_file: The file that holds the command's output, as bytes, while it runs too. It is
            missing until the command has begun.
        stderr_file: The file that holds the command's error output.
        started_at: When orchesjob recorded the job, as a Unix timestamp in whole seconds.
        finished_at: When the job ended, as a Unix timestamp in whole seconds. It may be None even
            for a job that has ended.
        abort_reason: The reason that was given for aborting the job; None if unknown.
    """

    job_id: str
    job_key: str
    status: str
    command: tuple[str, ...]
    exit_code: int | None
    worker_pid: int | None
    target_pid: int | None
    existing: bool
    payload: str
    stdout_file: str | None
    stderr_file: str | None
    started_at: float | None
    finished_at: float | None
    abort_reason: str | None

    @classmethod
    def from_payload(
        cls, payload: Mapping[str, Any] | str, *, call: str = "orchesjob"
    ) -> "JobReport":
        """Read a job object, parsed or as JSON text; keys that are not needed may be missing.

        Raises:
            BadAnswer: It is not a JSON object, lacks a key that identifies the job, or holds a
                value of a wrong type. The error names `call`.
        """
        document = parse_json(payload, call=call) if isinstance(payload, str) else payload
        if not isinstance(document, Mapping):
            raise BadAnswer(call, "expected a JSON object")
        fields = _Fields(document, call)
        return cls(
            job_id=fields.text("job_id"),
            job_key=fields.text("run_key", may_be_empty=True),
            status=fields.text("status"),
            command=fields.words("command"),
            exit_code=fields.number("exit_code", -_MAX_PID),
            worker_pid=fields.number("worker_pid", 1),
            target_pid=fields.number("target_pid", 1),
            existing=document.get("existing") is True,
            payload=_compact(document, call),
            stdout_file=fields.text_or_none("stdout_file"),
            stderr_file=fields.text_or_none("stderr_file"),
            started_at=fields.time_if_usable("started_at"),
            finished_at=fields.time_if_usable("finished_at"),
            abort_reason=fields.text_if_usable("abort_reason"),
        )

    def is_of(self, command: Sequence[str]) -> bool:
        """Tell whether the job is of this command, as far as orchesjob knows (rule 5.9)."""
        return not self.command or is_same_command(self.command, command)

    @property
    def known_status(self) -> JobStatus | None:
        """The status, or None if this version does not know the word."""
        return JobStatus(self.status) if self.status in JobStatus else None

    @property
    def is_active(self) -> bool:
        """Whether the job may still be running; so may one with an unknown status."""
        return self.known_status is None or self.known_status in _ACTIVE

    @property
    def is_terminal(self) -> bool:
        """Whether the status never changes again: the job has ended, or orchesjob has lost it.

        The processes of a LOST or ABORTED job may still run: `OrchesjobClient.survivors` sees them.
        """
        return not self.is_active

    @property
    def never_ran(self) -> bool:
        """Whether the job was aborted before it had a worker: it never ran and never will."""
        return self.known_status is JobStatus.ABORTED and self.worker_pid is None

    @property
    def not_spawned(self) -> bool:
        """Whether the command could not be started; orchesjob does not say why."""
        failed = self.known_status is JobStatus.FAILED
        return failed and self.exit_code == -1 and self.target_pid is None


def exit_code_of(report: JobReport, *, was_ended: bool = False) -> int | None:
    """Return the exit code of a command as a shell would see it; None if it has none (rule 9.12).

    It is 128 + N if signal N killed the command, unless it `was_ended` by this program.
    """
    if report.known_status is JobStatus.SUCCEEDED:
        return 0
    code = report.exit_code or 0
    if report.known_status is not JobStatus.FAILED or code == 0 or report.not_spawned:
        return None
    if code > 0:
        return code
    return None if was_ended else 128 - code


def describe_failure(report: JobReport) -> str:
    """Describe briefly how a job failed on its own."""
    if report.not_spawned:
        return (
            "the command could not be started: not found, not executable, or no process left"
            f"{_named_program(report)}"
        )
    code = 0 if report.known_status is JobStatus.SUCCEEDED else report.exit_code
    if code is None:
        return "failed without an exit code"
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.Signals else "unnamed"
        return f"killed by signal {-code} ({name})"
    return f"exit code {code}"


def _named_program(report: JobReport) -> str:
    if not report.command:
        return ""
    word = report.command[0]
    cut = word if len(word) <= _LONGEST_WORD else f"{word[: _LONGEST_WORD - 3]}..."
    return f": {cut if cut.isprintable() else ascii(cut)}"


def describe_loss(report: JobReport) -> str:
    """Describe what is known about a job that orchesjob has lost."""
    if report.target_pid is None:
        return (
            "orchesjob lost the job before its command was seen to run (does a module in the "
            "working directory shadow one of Python's?)"
        )
    return "orchesjob lost the job (its worker vanished)"


def parse_json(text: str, *, call: str) -> Any:
    """Parse one JSON document.

    Raises:
        BadAnswer: It is not JSON, or is nested too deep. The error names `call`.
    """
    if not text.strip():
        raise BadAnswer(call, "expected JSON, got nothing")
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(call, f"expected JSON: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _compact(document: Mapping[str, Any], call: str) -> str:
    try:
        text = _ENCODER.encode(dict(document))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadAnswer(call, f"the job object is not JSON: {error}") from error
    if len(text) > _MAX_PAYLOAD:
        raise BadAnswer(call, f"the job object is longer than {_MAX_PAYLOAD:,} characters")
    return text


class _Fields(NamedTuple):
    document: Mapping[str, Any]
    call: str

    def _bad(self, name: str, expected: str) -> BadAnswer:
        got = type(self.document[name]).__name__ if name in self.document else "nothing"
        return BadAnswer(self.call, f"{name}: expected {expected}, got {got}")

    def text(self, name: str, *, may_be_empty: bool = False) -> str:
        value = self.document.get(name)
        if not isinstance(value, str) or not (value or may_be_empty):
            raise self._bad(name, "a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        value = self.document.get(name)
        if value is not None and not isinstance(value, str):
            raise self._bad(name, "a text or null")
        return value

    def text_if_usable(self, name: str) -> str | None:
        """Return a text that is only shown, so that no answer fails for it."""
        value = self.document.get(name)
        return value if isinstance(value, str) else None

    def time_if_usable(self, name: str) -> float | None:
        """Return a time that orchesjob may have lost, so that no answer fails for it."""
        value = self.document.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        return float(value) if abs(value) <= _LATEST_TIME else None

    def words(self, name: str) -> tuple[str, ...]:
        value = self.document.get(name, ())
        if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
            raise self._bad(name, "a list of texts")
        return tuple(value)

    def number(self, name: str, least: int) -> int | None:
        value = self.document.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MAX_PID:
            raise self._bad(name, f"an integer from {least} to {_MAX_PID} or null")
        return value
