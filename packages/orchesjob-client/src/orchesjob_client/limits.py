"""How long orchesjob and its jobs may take, in seconds: orchesjob's defaults and limits of calls.

Nothing here measures time or waits.
"""

import attrs

DEFAULT_START_TIMEOUT_SEC = 10.0
"""How long `orchesjob start` waits for the command to run if it is given no other time."""

DEFAULT_GRACE_SEC = 5.0
"""How long `orchesjob abort` waits between TERM and KILL if it is given no other time."""


@attrs.frozen
class CallLimits:
    """How long a call may take before it counts as hung, in seconds.

    orchesjob waits up to 10 s for its database, and `start` does so twice. Killing it earlier
    leaves jobs in STARTING that nothing will ever start.

    Attributes:
        start_sec: For `start`, in addition to the time that it waits for the command.
        status_sec: For `status`, `clean` and `--version`.
        abort_sec: For `abort`, in addition to the grace between TERM and KILL.
        clean_each_sec: For each job that one `clean` removes; some 3 ms on an idle machine.
    """

    start_sec: float = 30.0
    status_sec: float = 25.0
    abort_sec: float = 25.0
    clean_each_sec: float = 0.1


DEFAULT_LIMITS = CallLimits()
"""The limits of a client that is given no others."""
