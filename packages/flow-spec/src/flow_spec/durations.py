"""Durations: spans of time in text such as `90s` or `1h30m` (rule 10.5).

Only their spelling is known here; which of them a field takes is in `kinds`.
"""

import re

_SECONDS_IN = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""The units, in the order in which a duration has them."""

SPELLED = "".join(f"([0-9]+{unit})?" for unit in _SECONDS_IN)
"""The pattern of a duration, for the schema; it also takes empty text, which is none."""

_DURATION = re.compile("".join(f"(?:([0-9]+){unit})?" for unit in _SECONDS_IN))


def seconds_of(text: str) -> float | None:
    """Return the seconds of a duration, or None where the text is none.

    >>> seconds_of("1h30m"), seconds_of("90 s")
    (5400.0, None)
    """
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        return None
    # As floats: the interpreter refuses to convert thousands of digits to an integer.
    counts = (float(digits or 0) for digits in match.groups())
    return sum(count * unit for count, unit in zip(counts, _SECONDS_IN.values(), strict=True))
