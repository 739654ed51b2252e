"""The names of the periods of `start --every`, in the time zone of the caller (rule 4.9)."""

import time
from datetime import datetime

import pytest

from orchesjob_flow.launch.recording import names_of_periods


@pytest.mark.parametrize(
    ("period", "zone", "at", "names"),
    [
        ("hour", "UTC", "2026-05-07T03:59:59+00:00", ("2026-05-07T03", "2026-05-07T02")),
        ("hour", "UTC", "2026-01-01T00:00:00+00:00", ("2026-01-01T00", "2025-12-31T23")),
        ("day", "UTC", "2026-03-01T00:00:00+00:00", ("2026-03-01", "2026-02-28")),
        ("week", "UTC", "2026-05-07T03:00:00+00:00", ("2026-W19", "2026-W18")),
        ("week", "UTC", "2027-01-03T03:00:00+00:00", ("2026-W53", "2026-W52")),
        ("month", "UTC", "2026-03-31T03:00:00+00:00", ("2026-03", "2026-02")),
        # The same moment in other zones.
        ("day", "Asia/Tokyo", "2026-05-07T16:00:00+00:00", ("2026-05-08", "2026-05-07")),
        ("month", "America/New_York", "2026-06-01T03:00:00+00:00", ("2026-05", "2026-04")),
        # Clocks skip 02:00 to 03:00 on 2026-03-29, and repeat that hour on 2026-10-25.
        ("hour", "Europe/Berlin", "2026-03-29T01:30:00+00:00", ("2026-03-29T03", "2026-03-29T01")),
        ("hour", "Europe/Berlin", "2026-10-25T00:30:00+00:00", ("2026-10-25T02", "2026-10-25T01")),
        ("hour", "Europe/Berlin", "2026-10-25T01:30:00+00:00", ("2026-10-25T02", "2026-10-25T02")),
        ("day", "Europe/Berlin", "2026-10-25T22:59:00+00:00", ("2026-10-25", "2026-10-24")),
        ("day", "Europe/Berlin", "2026-03-29T22:01:00+00:00", ("2026-03-30", "2026-03-29")),
    ],
)
def test_names(
    monkeypatch: pytest.MonkeyPatch, period: str, zone: str, at: str, names: tuple[str, str]
) -> None:
    """Periods are those of the calendar and the clock on the wall, and of ISO weeks."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert names_of_periods(period, datetime.fromisoformat(at).timestamp()) == names
    finally:
        monkeypatch.undo()
        time.tzset()
