"""How long a step waits between a failed attempt and the next. Rule 9.12."""

from flow_spec.kinds import TEN_YEARS_SEC


def retry_delay_sec(
    failures: int, *, first_sec: float, factor: float, longest_sec: float | None
) -> float:
    """Return the seconds between so many failures and the next attempt.

    The delay is `first_sec` after the first failure, and `factor` times as long after each further
    one; it does not grow beyond `longest_sec`.
    """
    longest_sec = TEN_YEARS_SEC if longest_sec is None else longest_sec
    try:
        return min(first_sec * factor ** (failures - 1), longest_sec)
    except OverflowError:
        return longest_sec if first_sec else 0.0
