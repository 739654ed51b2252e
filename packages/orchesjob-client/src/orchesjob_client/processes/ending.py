"""Ending exactly the processes that were found, and none that got the PID of one later.

Which processes to end is decided elsewhere.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable

from orchesjob_client.processes.finding import is_alive
from orchesjob_client.processes.identity import Process
from orchesjob_client.processes.pidfd import has_ended
from orchesjob_client.processes.proc_table import Entry

_AFTER_KILL_SEC = 2.0
_TICK_SEC = 0.05


def end_processes(
    processes: Iterable[Process],
    grace_sec: float,
    *,
    use_pidfd: bool = hasattr(os, "pidfd_open"),
) -> list[Process]:
    """Send TERM, wait up to `grace_sec`, send KILL, and return the processes that still live.

    Before each signal the PID is checked: it must still belong to the process that was found.
    Without `use_pidfd`, the PID could be reused in the moment between the check and the signal.
    """
    with contextlib.ExitStack() as stack:
        held = [_Held(process, use_pidfd=use_pidfd) for process in processes]
        for one in held:
            stack.callback(one.close)
        for one in held:
            one.send(signal.SIGTERM)
        remaining = _wait_for_end(held, grace_sec)
        for one in remaining:
            one.send(signal.SIGKILL)
        return [one.process for one in _wait_for_end(remaining, _AFTER_KILL_SEC)]


def kill_at_sight(sighted: Entry, known: Collection[Entry]) -> None:
    """Kill a marked process that was seen a moment ago, with its group if that is all marked.

    The kernel kills a group at once, its members that are being forked included. Its number cannot
    belong to another group yet: PIDs are given in turn.
    """
    members = [entry for entry in known if entry.group == sighted.group]
    is_ours = all(entry.mark is not None for entry in members)
    if is_ours and sighted.group > 1 and sighted.group != os.getpgrp():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(sighted.group, signal.SIGKILL)
    process = Process(sighted.pid, sighted.started_ticks, sighted.command, sighted.mark or "")
    with contextlib.closing(_Held(process, use_pidfd=hasattr(os, "pidfd_open"))) as held:
        held.send(signal.SIGKILL)


class _Held:
    """A process held by a pidfd, so that a reuse of its PID cannot go unnoticed."""

    def __init__(self, process: Process, *, use_pidfd: bool) -> None:
        self.process = process
        self._pidfd: int | None = None
        if use_pidfd:
            # The process has ended, or no descriptor is left: then the PID has to do.
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(process.pid)

    def is_alive(self) -> bool:
        if self._pidfd is not None and has_ended(self._pidfd):
            return False
        return is_alive(self.process)

    def send(self, signal_number: signal.Signals) -> None:
        if not self.is_alive():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._pidfd is None:
                os.kill(self.process.pid, signal_number)
            else:
                signal.pidfd_send_signal(self._pidfd, signal_number)

    def wait(self, deadline: float) -> None:
        """Return when the process may have ended, at the latest at the deadline."""
        left = max(0.0, deadline - time.monotonic())
        if self._pidfd is None:
            time.sleep(min(left, _TICK_SEC))
        else:
            has_ended(self._pidfd, left)

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)


def _wait_for_end(held: list[_Held], wait_sec: float) -> list[_Held]:
    """Wait until all have ended, up to `wait_sec`, and return those that have not."""
    deadline = time.monotonic() + wait_sec
    alive = [one for one in held if one.is_alive()]
    while alive and time.monotonic() < deadline:
        alive[0].wait(deadline)
        alive = [one for one in alive if one.is_alive()]
    return alive
