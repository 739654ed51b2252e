"""Asking a pidfd, a descriptor of one process, whether that process has ended.

The number of a process may be reused after its end; a pidfd never means another process.
"""

import select


def has_ended(pidfd: int, wait_sec: float = 0.0) -> bool:
    """Tell whether the process has ended, waiting up to `wait_sec` for its end."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(wait_sec * 1000))
