"""How long calls, waits and pauses last if the caller says nothing else.

orchesjob's own defaults are here too, because the time limit of a call has to allow for them.
"""

from typing import NamedTuple

DEFAULT_START_TIMEOUT_SEC = 10.0
"""How long `orchesjob start` waits for the command to run if it is given no other time."""

DEFAULT_GRACE_SEC = 5.0
"""How long `orchesjob abort` waits between TERM and KILL if it is given no other time."""

WAITING_PATIENCE_SEC = 60.0
"""For how long a call that gives no usable answer is repeated while a job is waited for."""

FIRST_BACKOFF_SEC = 0.1
"""The first pause before a call is repeated; each next one is twice as long."""
LONGEST_BACKOFF_SEC = 5.0


class CallLimits(NamedTuple):
    """How long a call may take before it counts as hung, in seconds.

    orchesjob waits up to 10 s for its database, and `start` does so twice. Killing it earlier
    leaves jobs in STARTING that nothing will ever start.

    Attributes:
        start_sec: For `start`, on top of the time allowed for the command to begin.
        status_sec: For `status`, `clean` and `--version`.
        abort_sec: For `abort`, on top of the grace between TERM and KILL.
    """

    start_sec: float = 30.0
    status_sec: float = 25.0
    abort_sec: float = 25.0


DEFAULT_LIMITS = CallLimits()
"""The limits of a client that is given no others."""
