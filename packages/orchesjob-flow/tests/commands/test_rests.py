"""Who removes many runs leaves the database to others in between (rule 9.10)."""

from itertools import accumulate, chain, repeat

import pytest

from orchesjob_flow.commands.rests import TURN_SEC, Rests, rest_after

PAUSES_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50)
"""SQLite's pauses between two looks at a lock (`sqliteDefaultBusyCallback`); then 100 ms each."""

LOOKS_MS = list(accumulate(chain([0], PAUSES_MS, repeat(100, 30))))


class Clock:
    """A clock that goes on when it is told to, and while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rests(clock: Clock) -> Rests:
    return Rests(clock, clock.sleep)


@pytest.mark.parametrize("held_ms", [1, 50, 80, 128, 129, 180, 228, 229, 500, 2000])
def test_who_waits_finds_the_lock_free_once(held_ms: int) -> None:
    """Whenever in that time somebody has come, SQLite looks at the lock during the rest."""
    rest_ms = rest_after(held_ms / 1e3) * 1e3
    for came_ms in range(held_ms):
        waited_ms = held_ms - came_ms
        next_look_ms = next(look for look in LOOKS_MS if look >= waited_ms)
        assert next_look_ms < waited_ms + rest_ms


def test_after_each_turn(clock: Clock, rests: Rests) -> None:
    """A long transaction is followed by a rest, and so are many short ones together."""
    for _ in range(3):
        with rests.turn():
            clock.now += TURN_SEC / 2 + 0.001
    assert len(clock.slept) == 1
    with rests.turn():
        clock.now += 0.2
    assert clock.slept[1:] == [pytest.approx(rest_after(0.2 + TURN_SEC / 2 + 0.001))]


def test_tidying_up_counts(clock: Clock, rests: Rests) -> None:
    """What is done before a rest belongs to the time for which others have waited."""

    def tidy_up() -> None:
        clock.now += 0.1

    with rests.turn(tidy_up):
        pass
    assert not clock.now
    with rests.turn(tidy_up):
        clock.now += 0.1
    assert clock.slept == [pytest.approx(rest_after(0.2))]
