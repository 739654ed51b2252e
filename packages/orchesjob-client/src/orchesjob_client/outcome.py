"""How a job has ended, as a number and in words.

What follows from it is the caller's business.
"""

import signal

from orchesjob_client.report import JobReport, JobStatus

LONGEST_WORD = 60
"""Characters of a program's name that a sentence quotes."""


def exit_code_of(report: JobReport) -> int | None:
    """Return the code with which a command exited by itself; None for any other end (rule 9.12)."""
    if report.known_status is JobStatus.SUCCEEDED:
        return 0
    failed = report.known_status is JobStatus.FAILED
    return report.exit_code if failed and (report.exit_code or 0) > 0 else None


def describe_failure(report: JobReport) -> str:
    """Describe briefly how a job failed that ended by itself."""
    if report.not_spawned:
        return (
            "the command could not be started: not found, not executable, or no process left"
            f"{named_program(report)}"
        )
    code = report.exit_code if (known := exit_code_of(report)) is None else known
    if code is None:
        return "failed without an exit code"
    if code < 0:
        return f"killed by signal {-code} ({signal_name(-code)})"
    return f"exit code {code}"


def named_program(report: JobReport) -> str:
    """Name the program of a job's command, for the end of a sentence."""
    if not report.command:
        return ""
    word = report.command[0]
    cut = word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 3]}..."
    return f": {cut if cut.isprintable() else ascii(cut)}"


def describe_loss(report: JobReport) -> str:
    """Describe what is known about a job that orchesjob has lost."""
    if report.target_pid is None:
        return (
            "orchesjob lost the job before its command was seen to run (does a module in the "
            "working directory shadow one of Python's?)"
        )
    return "orchesjob lost the job (its worker vanished)"


def signal_name(number: int) -> str:
    """Return a signal's name, such as SIGTERM, or "unnamed"."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unnamed"
