"""A run as one HTML page that loads nothing else and runs no script.

Its timeline has a row for each step on one axis, in percent. Times in which nothing ran, as between
the end of a run and its `retry`, are cut short.
"""

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from flow_store import Settlement, StepStatus
from orchesjob_flow.reports.drawing import drawing_of
from orchesjob_flow.reports.facts import (
    Facts,
    SpanKind,
    StepFacts,
    TimeSpan,
    ending,
    headline,
)
from orchesjob_flow.views.reasons import URGENCY
from orchesjob_flow.views.terminal import duration_in_units, visible, visible_with_tabs

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
MOST_WITH_DETAILS = 400
"""In a run of more steps, only those have details that went wrong or were tried again."""
LONGEST_COMMAND = 1000
CLASSES = {
    "SUCCEEDED": "good",
    "FAILED": "bad",
    "SKIPPED": "skip",
    "CANCELLED": "stop",
    "RUNNING": "run",
    "STARTING": "run",
    "DELAYED": "wait",
    "PENDING": "open",
    "NEVER_RAN": "stop",
}


class Settled(NamedTuple):
    """A step, what a person has decided of it, and whether that still holds."""

    one: StepFacts
    settlement: Settlement
    holds: bool


class Count(NamedTuple):
    """How many steps have a status, and which share of all that is, in percent."""

    status: StepStatus
    number: int
    share: float


def as_html(facts: Facts) -> str:
    """Write a run as a page."""
    numbers = {one.id: place for place, one in enumerate(facts.steps)}
    text: str = (
        environment()
        .get_template("report.html")
        .render(
            facts=facts,
            run=facts.run,
            headline=headline(facts),
            counts=counts_of(facts),
            settlements=settlements_of(facts),
            wrong=[one for one in facts.steps if one.tails or one.went_wrong],
            path=[facts.steps[numbers[name]] for name in facts.path],
            numbers=numbers,
            timeline=timeline_of(facts),
            drawing=drawing_of(facts),
            has_details=has_details(facts),
            env_names=env_names(facts),
            version=version("orchesjob-flow"),
            parts_of_flow=parts_of_flow(facts),
        )
    )
    return text


def environment() -> Environment:
    """Make what turns the template into a page; a name that it does not know is an error."""
    found = Environment(
        loader=PackageLoader("orchesjob_flow.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=harmless,
    )
    found.filters |= {
        "length": duration_in_units,
        "moment": time_element,
        "lines": lines,
        "ticked": ticked,
        "command": command,
        "kind": kind,
        "ending": ending,
    }
    found.globals |= {"SpanKind": SpanKind}
    return found


def harmless(value: object) -> object:
    """Make a text that is put into the page harmless; markup is our own."""
    return value if isinstance(value, Markup) else visible(str(value))


def lines(text: str) -> Markup:
    """Put lines into the page as they are, each made harmless by itself."""
    return Markup("\n").join(escape(visible_with_tabs(line)) for line in text.split("\n"))


def ticked(text: str) -> Markup:
    """Put a sentence into the page, in which what stands between backticks is code."""
    parts = [escape(harmless(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return Markup("`").join(parts)
    code = Markup("<code>{}</code>").format
    return Markup("").join(code(part) if place % 2 else part for place, part in enumerate(parts))


def kind(status: object) -> str:
    """Return the class of style sheets that a status has."""
    return CLASSES[str(status)]


def time_element(timestamp: float | None) -> Markup:
    """Write a moment in local time, and exactly for programs."""
    if timestamp is None:
        return Markup("&ndash;")
    when = datetime.fromtimestamp(timestamp, UTC).astimezone()
    exact, shown = when.isoformat(timespec="milliseconds"), when.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{}</time>').format(exact, shown)


def command(words: Sequence[str]) -> str:
    """Write a command as one would type it; a very long one is cut."""
    text = shlex.join(words)
    return text if len(text) <= LONGEST_COMMAND else f"{text[:LONGEST_COMMAND]}..."


def counts_of(facts: Facts) -> Sequence[Count]:
    """Count the steps by status, the most urgent first."""
    counts = ((StepStatus(name), facts.count(StepStatus(name))) for name in URGENCY)
    total = len(facts.steps) or 1
    return [Count(status, number, 100 * number / total) for status, number in counts if number]


def settlements_of(facts: Facts) -> Sequence[Settled]:
    """List what people have decided of steps, the first one first (rule 12.3)."""
    by_position = {one.step.position: one for one in facts.steps}
    return [
        Settled(one := by_position[settlement.position], settlement, one.settlement is settlement)
        for settlement in facts.run.settlements
    ]


def has_details(facts: Facts) -> set[str]:
    """Name the steps that the page shows in detail: all, or those that matter."""
    if len(facts.steps) <= MOST_WITH_DETAILS:
        return {one.id for one in facts.steps}
    some = [one for one in facts.steps if one.went_wrong or one.is_flaky or one.is_critical]
    return {one.id for one in some[:MOST_WITH_DETAILS]}


def env_names(facts: Facts) -> Sequence[str]:
    """Name the variables that the flow sets; their values may be secrets, and are not told."""
    return [name for name, _ in facts.flow.env]


def parts_of_flow(facts: Facts) -> Sequence[tuple[str, Any]]:
    """List what is said of the whole flow, and where it ran."""
    run, flow = facts.run, facts.flow
    told = {
        "Directory": run.directory,
        "Folder of the flow file": run.flow_dir,
        "Home of its jobs": run.orchesjob_home,
        "max_parallel": flow.max_parallel,
        "timeout_sec": flow.timeout_sec,
        "working_dir": flow.working_dir,
        "concurrency": flow.group,
        "Started by": None if run.parent is None else " / ".join(map(str, run.parent)),
    }
    return [(name, value) for name, value in told.items() if value is not None]


class Bar(NamedTuple):
    """A span as it is drawn: where it begins and how wide it is, in percent of the axis."""

    span: TimeSpan
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

    def __init__(self, spans: Sequence[TimeSpan], begin: float, end: float) -> None:
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

    def place(self, time_element: float) -> float:
        """Return where a moment is, in percent."""
        place = 0.0
        for left, (begin, end) in zip(self._lefts, self.stretches, strict=False):
            if time_element >= begin:
                place = left + (min(time_element, end) - begin) * self._scale
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
    return duration_in_units(seconds).replace(".0 s", " s")


def merged(spans: Sequence[TimeSpan]) -> Iterator[tuple[float, float]]:
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
    chosen = sorted(began, key=timeline_priority)[:MOST_ROWS]
    chosen.sort(key=lambda one: one.spans[0].begin)
    axis = Axis([span for one in chosen for span in one.spans], facts.begin, facts.end)
    rows = [Row(one, [bar_of(axis, span) for span in one.spans], words_of(one)) for one in chosen]
    return Timeline(tuple(axis.ticks()), rows, len(began) - len(chosen))


def timeline_priority(one: StepFacts) -> tuple[bool, bool, float]:
    """Order the steps by what makes them worth a row."""
    return not one.went_wrong, not one.is_critical, -sum(span.length_sec for span in one.spans)


def bar_of(axis: Axis, span: TimeSpan) -> Bar:
    """Place a span."""
    left = axis.place(span.begin)
    return Bar(span, round(left, 3), round(axis.place(span.end) - left, 3))


def words_of(one: StepFacts) -> str:
    """Say in words what a row shows."""
    return ", ".join(
        f"attempt {span.attempt} ran for {duration_in_units(span.length_sec)}"
        + (f" ({span.status.value})" if span.status else "")
        if span.kind is SpanKind.RAN
        else f"{span.kind.value} for {duration_in_units(span.length_sec)}"
        for span in one.spans
    )
