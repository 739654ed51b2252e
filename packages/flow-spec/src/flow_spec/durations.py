"""The grammar of durations, which flow files and command lines share (rule 10.5).

`90s`, `15m`, `1h30m`, `2w` and `1.5h` have units; plain seconds have none. The units are `w`, `d`,
`h`, `m` and `s`, in this order and each at most once, without blanks. A number may have decimals.
"""

import math
import re

from flow_spec.errors import quoted

DURATION_EXAMPLES = "90s, 15m or 1h30m"
"""What a message shows of the grammar."""

_SECONDS_IN = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""The units, in the order in which a duration has them."""

DURATION_PATTERN = "".join(rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit in _SECONDS_IN)
"""Matches a duration with units, and empty text, which is none; also valid in JSON Schema."""

_DURATION_WITH_UNITS = re.compile(DURATION_PATTERN)
_PLAIN_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def parse_duration(text: str, *, needs_unit: bool = False) -> float:
    """Return the seconds of a duration; plain seconds count too, unless it `needs_unit`.

    The result is finite and not negative: the grammar has no sign. Zero is a duration. Digits are
    those of ASCII, and blanks are not skipped.

    >>> parse_duration("1h30m"), parse_duration("1.5h"), parse_duration("90")
    (5400.0, 5400.0, 90.0)

    Raises:
        ValueError: The text is not a duration, or is longer than a float can hold.
    """
    seconds = seconds_of(text)
    if seconds is None and not needs_unit and _PLAIN_SECONDS.fullmatch(text):
        seconds = float(text)
    if seconds is None:
        plain = "" if needs_unit else ", or a number of seconds"
        raise ValueError(f"{quoted(text)} is not a duration such as {DURATION_EXAMPLES}{plain}")
    if math.isinf(seconds):
        raise ValueError(f"{quoted(text)} is too long a duration")
    return seconds


def seconds_of(text: str) -> float | None:
    """Return the seconds of a duration with units, which may be infinite; None if it is none."""
    match = _DURATION_WITH_UNITS.fullmatch(text)
    if match is None or not text:
        return None
    # As floats: the interpreter refuses to convert thousands of digits to an integer.
    counts = (float(digits or 0) for digits in match.groups())
    return sum(count * unit for count, unit in zip(counts, _SECONDS_IN.values(), strict=True))
