"""The statuses of runs, steps and attempts, and which of them are ends."""

from enum import StrEnum


class FlowStatus(StrEnum):
    """The status of a run (rule 5.1)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self not in (FlowStatus.PENDING, FlowStatus.RUNNING)


class StepStatus(StrEnum):
    """The status of a step (rule 5.2)."""

    PENDING = "PENDING"
    DELAYED = "DELAYED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the step has ended."""
        return self not in (StepStatus.PENDING, StepStatus.DELAYED, StepStatus.RUNNING)


class AttemptStatus(StrEnum):
    """The status of one attempt at a step.

    NEVER_RAN: the command was never started; the attempt used up a number but no retry (rule 4.2).
    SKIPPED: the command exited with a code that skips the step (rule 9.12), or the gate with 1.
    SUCCEEDED, at the gate: the step may run (rule 10.8).
    """

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"
    NEVER_RAN = "NEVER_RAN"

    @property
    def is_open(self) -> bool:
        """Whether the attempt may still be under way."""
        return self in (AttemptStatus.STARTING, AttemptStatus.RUNNING)


class Outcome(StrEnum):
    """How the steps of a run have ended, as those of `finally` are told (rule 10.1)."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
