"""How long to wait before a call, or a database that is locked, is tried again (rule 5.7).

Not the delay between two attempts of a step: that is `StepSpec.delay_after` in flow_spec.
"""

FIRST_BACKOFF_SEC = 0.1
LONGEST_BACKOFF_SEC = 5.0


def longer(backoff_sec: float) -> float:
    """Return the next wait after one that did not help: twice as long, up to a limit.

    >>> longer(FIRST_BACKOFF_SEC), longer(4.0)
    (0.2, 5.0)
    """
    return min(2 * backoff_sec, LONGEST_BACKOFF_SEC)
