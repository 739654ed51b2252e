"""The identity of a process, so that no other process with the same PID is mistaken for it."""

import attrs


@attrs.frozen
class Process:
    """A process that was found by a mark in its environment, or as kin of one that was.

    Attributes:
        pid: Its PID, which alone does not identify it.
        started_ticks: When it began: clock ticks since boot, or seconds where `ps` was asked.
        command: Its command line as one line, for messages; of kin the name in parentheses.
        value: The value of the mark by which it, or its kin, was found.
    """

    pid: int
    started_ticks: int
    command: str
    value: str
