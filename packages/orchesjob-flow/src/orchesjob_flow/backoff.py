"""How long to wait before something that failed is tried again: everywhere the same (rule 5.7)."""

FIRST_BACKOFF_SEC = 0.1
LONGEST_BACKOFF_SEC = 5.0


def longer(backoff_sec: float) -> float:
    """Return the wait that follows a wait that was in vain: twice as long, up to a limit.

    >>> longer(FIRST_BACKOFF_SEC), longer(4.0)
    (0.2, 5.0)
    """
    return min(2 * backoff_sec, LONGEST_BACKOFF_SEC)
