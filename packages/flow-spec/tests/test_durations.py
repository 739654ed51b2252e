"""The grammar of durations, as flow files and command lines read it (rule 10.5)."""

import pytest

from flow_spec import parse_duration

WITH_UNITS = [
    ("1h30m", 5400.0),
    ("1.5h", 5400.0),
    ("0.25s", 0.25),
    ("1w2d3h4m5.5s", 788_645.5),
    ("0s", 0.0),
    ("007m", 420.0),
    ("9" * 300 + "s", float("9" * 300)),
]

REFUSED = [
    *("", " ", " 90s", "90s ", "90 s", "1h 30m", "90s\n"),
    *("-1s", "+1s", "-1", "+1", "\u22121", "1,5h", "1_000", "1_000s"),
    *("m", "s90", "1m1m", "30m1h", "1d1w", "1h30", "1.h", ".5h", ".5", "5.", "1e3s", "1.5.5s"),
    *("500ms", "1y", "1M", "1H", "PT1H", "1:30", "10 minutes", "90sec"),
    *("inf", "nan", "Infinity", "0x10", "٣", "٣s", "٩0m", "1\u202fs", "\uff11s"),
]


@pytest.mark.parametrize(("text", "seconds"), WITH_UNITS)
def test_a_duration_has_units(text: str, seconds: float) -> None:
    """Units stand in one order; each number may have decimals."""
    assert parse_duration(text) == seconds
    assert parse_duration(text, needs_unit=True) == seconds


def test_plain_seconds() -> None:
    """A number is read as JSON spells it, unless a unit is needed."""
    for text, seconds in ("0", 0.0), ("0.5", 0.5), ("1e3", 1000.0), ("1e-400", 0.0):
        assert parse_duration(text) == seconds
        with pytest.raises(ValueError, match=r"is not a duration such as 90s, 15m or 1h30m$"):
            parse_duration(text, needs_unit=True)


@pytest.mark.parametrize("text", REFUSED)
def test_nothing_else_is_a_duration(text: str) -> None:
    wanted = "is not a duration such as 90s, 15m or 1h30m, or a number of seconds$"
    with pytest.raises(ValueError, match=wanted):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1e400", "9" * 400, "9" * 400 + "s", "9" * 308 + "w"])
def test_a_duration_is_finite(text: str) -> None:
    with pytest.raises(ValueError, match=r"is too long a duration$"):
        parse_duration(text)
