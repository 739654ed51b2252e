"""The timeline of a run: a row for each step, on one axis, as parts of a hundred.

A time in which nothing of the run was under way, as between its end and a `retry`, is cut short.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchesjob_flow.reports.facts import Facts, StepFacts
from orchesjob_flow.reports.spans import Kind, Span
from orchesjob_flow.reports.words import length

MOST_ROWS = 150
IDLE_SHARE = 0.1
"""An idle time is cut short if it is a greater share of the time in which something went on."""
CUT_SHARE = 0.04
"""As such a share of it a cut time is drawn."""
MOST_TICKS = 6
NICE_SEC = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200),
)
DAY_SEC = 86400


class Bar(NamedTuple):
    """A span as it is drawn: where it begins and how wide it is, in percent of the axis."""

    span: Span
    left: float
    width: float


class Row(NamedTuple):
    """A step on the timeline; of one that is critical, the bars since it was decided last count."""

    one: StepFacts
    bars: Sequence[Bar]
    words: str

    @property
    def critical(self) -> tuple[float, float] | None:
        """Where what is critical begins and how wide it is, in percent; None if it is not."""
        earlier = {attempt.number for attempt in self.one.attempts if attempt.is_earlier}
        bars = [bar for bar in self.bars if bar.span.attempt not in earlier]
        if not bars or not self.one.is_critical:
            return None
        return bars[0].left, bars[-1].left + bars[-1].width - bars[0].left


class Tick(NamedTuple):
    """A moment that the axis names; `is_cut` if the time before it was cut short."""

    left: float
    label: str
    is_cut: bool


class Timeline(NamedTuple):
    """What is drawn, and of how many steps with attempts it is not."""

    ticks: Sequence[Tick]
    rows: Sequence[Row]
    left_out: int


class Axis:
    """Turns moments into places, with idle times cut short."""

    def __init__(self, spans: Sequence[Span], begin: float, end: float) -> None:
        """Find the stretches in which something went on, and their places."""
        busy = list(merged(spans)) or [(begin, end)]
        longest_idle = sum(last - first for first, last in busy) * IDLE_SHARE
        self.stretches = [busy[0]]
        for first, last in busy[1:]:
            if first - self.stretches[-1][1] > longest_idle:
                self.stretches.append((first, last))
            else:
                self.stretches[-1] = (self.stretches[-1][0], last)
        drawn = sum(last - first for first, last in self.stretches)
        cuts = len(self.stretches) - 1
        self._scale = 100 / (drawn * (1 + CUT_SHARE * cuts) or 1.0)
        self._lefts = [0.0]
        for first, last in self.stretches:
            width = (last - first + drawn * CUT_SHARE) * self._scale
            self._lefts.append(self._lefts[-1] + width)

    def place(self, moment: float) -> float:
        """Return where a moment is, in percent."""
        place = 0.0
        for left, (begin, end) in zip(self._lefts, self.stretches, strict=False):
            if moment >= begin:
                place = left + (min(moment, end) - begin) * self._scale
        return place

    def ticks(self) -> Iterator[Tick]:
        """Yield the moments that are named, counted from the first one."""
        origin = self.stretches[0][0]
        if len(self.stretches) > 1:
            for place, (begin, _) in enumerate(self.stretches):
                yield Tick(self.place(begin), since(begin - origin), place > 0)
            return
        length_sec = self.stretches[0][1] - origin
        step = next((one for one in NICE_SEC if length_sec / one <= MOST_TICKS), None)
        step = step or DAY_SEC * (1 + int(length_sec / DAY_SEC / MOST_TICKS))
        number = 0
        while number * step <= length_sec * 0.97:
            yield Tick(self.place(origin + number * step), since(number * step), False)
            number += 1


def since(seconds: float) -> str:
    """Write a moment, counted from the first one.

    >>> since(0), since(0.5), since(30), since(5400)
    ('0', '500 ms', '30 s', '1 h 30 min')
    """
    if seconds == 0:
        return "0"
    return length(seconds).replace(".0 s", " s")


def merged(spans: Sequence[Span]) -> Iterator[tuple[float, float]]:
    """Yield the stretches that some spans cover, in order."""
    begin = end = None
    for span in sorted(spans, key=lambda span: span.begin):
        if begin is None or end is None:
            begin, end = span.begin, span.end
        elif span.begin > end:
            yield begin, end
            begin, end = span.begin, span.end
        else:
            end = max(end, span.end)
    if begin is not None and end is not None:
        yield begin, end


def timeline_of(facts: Facts) -> Timeline:
    """Draw the steps that had attempts, in the order in which they began.

    Where there are too many, those that are drawn are of the critical path, went wrong, or took
    longest.
    """
    began = [one for one in facts.steps if one.attempts]
    chosen = sorted(began, key=importance)[:MOST_ROWS]
    chosen.sort(key=lambda one: one.spans[0].begin)
    axis = Axis([span for one in chosen for span in one.spans], facts.begin, facts.end)
    rows = [Row(one, [bar_of(axis, span) for span in one.spans], words_of(one)) for one in chosen]
    return Timeline(tuple(axis.ticks()), rows, len(began) - len(chosen))


def importance(one: StepFacts) -> tuple[bool, bool, float]:
    """Order the steps by what makes them worth a row."""
    return not one.went_wrong, not one.is_critical, -sum(span.length_sec for span in one.spans)


def bar_of(axis: Axis, span: Span) -> Bar:
    """Place a span."""
    left = axis.place(span.begin)
    return Bar(span, round(left, 3), round(axis.place(span.end) - left, 3))


def words_of(one: StepFacts) -> str:
    """Say in words what a row shows."""
    return ", ".join(
        f"attempt {span.attempt} ran for {length(span.length_sec)}"
        + (f" ({span.status.value})" if span.status else "")
        if span.kind is Kind.RAN
        else f"{span.kind.value} for {length(span.length_sec)}"
        for span in one.spans
    )
