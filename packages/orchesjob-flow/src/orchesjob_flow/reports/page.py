"""A run as one HTML page that loads nothing else and runs no script.

The overview of many runs is such a page too, from the same environment of templates. The timeline
of a run has a row for each step on one axis, in percent. Idle times, for example between the
end of a run and its `retry`, are cut short.
"""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from flow_store import Run, RunSummary, StepStatus
from orchesjob_flow.errors import line_about
from orchesjob_flow.reports.facts import Facts, SpanKind, StepFacts, TimeSpan, ending_text, headline
from orchesjob_flow.reports.graph import counts_of, drawing_of, grouped_steps
from orchesjob_flow.views.results import suggestions
from orchesjob_flow.views.terminal import duration_text, visible, visible_with_tabs

MOST_ROWS = 150
IDLE_SHARE = 0.1
"""An idle time is cut short if it is longer than this share of the busy time."""
CUT_SHARE = 0.04
"""A cut time is drawn as long as this share of the busy time."""
MOST_TICKS = 6
NICE_SEC = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200),
)
DAY_SEC = 86400
MOST_WITH_DETAILS = 400
"""In a larger run, only steps that went wrong, were retried or are critical have details."""
LONGEST_COMMAND = 1000
LONGEST_FLOW = 100_000
SLOWEST = 10
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


def as_html(facts: Facts) -> str:
    """Write a run as a page."""
    numbers = {one.id: place for place, one in enumerate(facts.steps)}
    return page_from(
        "report.html",
        facts=facts,
        run=facts.run,
        origin=origin_of(facts.run),
        headline=headline(facts),
        counts=counts_of(facts.steps),
        by_position={one.step.position: one for one in facts.steps},
        wrong=sorted(
            (one for one in facts.steps if one.tails or one.went_wrong),
            key=lambda one: not one.went_wrong,
        ),
        path=[facts.steps[numbers[name]] for name in facts.path],
        numbers=numbers,
        timeline=timeline_of(facts),
        drawing=drawing_of(facts),
        has_details=has_details(facts),
        parts_of_flow=parts_of_flow(facts),
        folded=_folded_copies(facts),
        slow={one.id for one in sorted(facts.steps, key=lambda one: -one.busy_sec)[:SLOWEST]},
        next_lines=next_lines(facts),
        definition=flow_text(facts.run.definition),
    )


def _folded_copies(facts: Facts) -> dict[str, Sequence[StepFacts]]:
    groups = [group for group in grouped_steps(facts).values() if len(group) > 1]
    good = StepStatus.SUCCEEDED
    return {group[0].id: group for group in groups if all(one.status is good for one in group)}


def next_lines(facts: Facts) -> Sequence[tuple[str, str]]:
    """Return the command lines that a reader may need next, and what they do."""
    run, found = facts.run, []
    if run.status.is_terminal or facts.is_abandoned:
        found = [(line_about(run.run_key, *words), what) for words, what in suggestions(run, None)]
    return found or [(line_about(run.run_key, "logs"), "everything that its steps printed")]


def flow_text(definition: str) -> str:
    """Write a stored flow; of variables only the names, because their values may be secrets."""

    def without_values(part: dict[str, Any]) -> dict[str, Any]:
        env = part.get("env")
        return {**part, "env": list(dict(env))} if isinstance(env, list | dict) else part

    flow = json.loads(definition, object_hook=without_values)
    text = json.dumps(flow, ensure_ascii=False, indent=2)
    return text if len(text) <= LONGEST_FLOW else f"{text[:LONGEST_FLOW]}..."


def origin_of(run: Run | RunSummary) -> str:
    """Identify a run as it is now: a page with the same text in its head shows the same."""
    return f"{run.started_at} {run.revision}"


def page_from(template: str, **values: Any) -> str:
    """Fill a template that extends `base.html`."""
    text: str = environment().get_template(template).render(version=our_version(), **values)
    return text


our_version = cache(partial(version, "orchesjob-flow"))
"""Returns the version of this program."""


@cache
def environment() -> Environment:
    """Return the environment of the template; an unknown name in it is an error."""
    found = Environment(
        loader=PackageLoader("orchesjob_flow.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=harmless,
    )
    found.filters |= {
        "length": duration_text,
        "moment": time_element,
        "lines": lines,
        "ticked": ticked,
        "command": command,
        "kind": CLASSES.__getitem__,
        "ending": ending_text,
    }
    found.globals |= {"SpanKind": SpanKind, "line_about": line_about}
    return found


def harmless(value: object) -> object:
    """Escape the control characters of a value; markup is our own."""
    return value if isinstance(value, Markup) else visible(str(value))


def lines(text: str) -> Markup:
    """Keep lines and tabs, and escape all other control characters."""
    return Markup("\n").join(escape(visible_with_tabs(line)) for line in text.split("\n"))


def ticked(text: str) -> Markup:
    """Turn text between backticks into code elements."""
    parts = [escape(harmless(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return Markup("`").join(parts)
    code = Markup("<code>{}</code>").format
    return Markup("").join(code(part) if place % 2 else part for place, part in enumerate(parts))


def time_element(timestamp: float | None) -> Markup:
    """Return an HTML `time` element: local time for people, exact time for programs."""
    if timestamp is None:
        return Markup("&ndash;")
    when = datetime.fromtimestamp(timestamp, UTC).astimezone()
    exact, shown = when.isoformat(timespec="milliseconds"), when.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{}</time>').format(exact, shown)


def command(words: Sequence[str]) -> str:
    """Write a command as a shell command line; cut a very long one."""
    text = shlex.join(words)
    return text if len(text) <= LONGEST_COMMAND else f"{text[:LONGEST_COMMAND]}..."


def has_details(facts: Facts) -> set[str]:
    """Return the ids of the steps that the page shows in detail: all, or the important ones."""
    if len(facts.steps) <= MOST_WITH_DETAILS:
        return {one.id for one in facts.steps}
    some = [one for one in facts.steps if one.went_wrong or one.is_flaky or one.is_critical]
    return {one.id for one in some[:MOST_WITH_DETAILS]}


def parts_of_flow(facts: Facts) -> Sequence[tuple[str, Any]]:
    """List the settings of the whole flow, and where it ran."""
    run, flow = facts.run, facts.flow
    parts = {
        "Directory": run.directory,
        "Folder of the flow file": run.flow_dir,
        "Home of its jobs": run.orchesjob_home,
        "max_parallel": flow.max_parallel,
        "timeout_sec": flow.timeout_sec,
        "working_dir": flow.working_dir,
        "concurrency": flow.group,
        "Started by": None if run.parent is None else " / ".join(map(str, run.parent)),
    }
    return [(name, value) for name, value in parts.items() if value is not None]


class Bar(NamedTuple):
    """A span on the timeline: its left end and its width, in percent of the axis."""

    span: TimeSpan
    left: float
    width: float


class Row(NamedTuple):
    """A step on the timeline; `words` describe it for screen readers."""

    one: StepFacts
    bars: Sequence[Bar]
    words: str

    @property
    def critical(self) -> tuple[float, float] | None:
        """The left end and the width of the critical part, in percent; None if there is none.

        Only the bars since the step was last decided are critical.
        """
        earlier = self.one.earlier
        bars = [bar for bar in self.bars if bar.span.attempt_no not in earlier]
        if not bars or not self.one.is_critical:
            return None
        return bars[0].left, bars[-1].left + bars[-1].width - bars[0].left


class Tick(NamedTuple):
    """A labelled moment on the axis; `is_cut` if the time before it was cut short."""

    left: float
    label: str
    is_cut: bool


class Timeline(NamedTuple):
    """What is drawn, and how many steps with attempts are left out."""

    ticks: Sequence[Tick]
    rows: Sequence[Row]
    left_out: int


class Axis:
    """Maps times to places on the timeline, with idle times cut short."""

    def __init__(self, spans: Sequence[TimeSpan], begin: float, end: float) -> None:
        """Find the busy stretches and their places."""
        busy = merged((span.begin, span.end) for span in spans) or [(begin, end)]
        longest_idle = sum(last - first for first, last in busy) * IDLE_SHARE
        self.stretches = merged(busy, longest_idle)
        drawn = sum(last - first for first, last in self.stretches)
        cuts = len(self.stretches) - 1
        self._scale = 100 / (drawn * (1 + CUT_SHARE * cuts) or 1.0)
        self._lefts = [0.0]
        for first, last in self.stretches:
            width = (last - first + drawn * CUT_SHARE) * self._scale
            self._lefts.append(self._lefts[-1] + width)

    def place(self, time_element: float) -> float:
        """Return the place of a time, in percent."""
        place = 0.0
        for left, (begin, end) in zip(self._lefts, self.stretches, strict=False):
            if time_element >= begin:
                place = left + (min(time_element, end) - begin) * self._scale
        return place

    def ticks(self) -> Iterator[Tick]:
        """Yield the labelled moments, counted from the first one."""
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
    """Write the time since the first moment.

    >>> since(0), since(0.5), since(30), since(5400)
    ('0', '500 ms', '30 s', '1 h 30 min')
    """
    return duration_text(seconds) if seconds else "0"


def merged(spans: Iterable[tuple[float, float]], gap: float = 0.0) -> list[tuple[float, float]]:
    """Return the stretches that the spans cover, in order; none is within the gap of another."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if found and begin - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def timeline_of(facts: Facts) -> Timeline:
    """Draw the steps that had attempts, in the order in which they began.

    Of too many, only those are drawn that went wrong, are critical, or took longest.
    """
    began = [one for one in facts.steps if one.attempts]
    chosen = sorted(began, key=_timeline_priority)[:MOST_ROWS]
    chosen.sort(key=lambda one: one.spans[0].begin)
    axis = Axis([span for one in chosen for span in one.spans], facts.begin, facts.end)
    rows = [
        Row(one, [_bar_of(axis, span) for span in one.spans], _span_words(one)) for one in chosen
    ]
    return Timeline(tuple(axis.ticks()), rows, len(began) - len(chosen))


def _timeline_priority(one: StepFacts) -> tuple[bool, bool, float]:
    return not one.went_wrong, not one.is_critical, -sum(span.length_sec for span in one.spans)


def _bar_of(axis: Axis, span: TimeSpan) -> Bar:
    left = axis.place(span.begin)
    return Bar(span, round(left, 3), round(axis.place(span.end) - left, 3))


def _span_words(one: StepFacts) -> str:
    return ", ".join(
        f"attempt {span.attempt_no} ran for {duration_text(span.length_sec)}"
        + (f" ({span.status.value})" if span.status else "")
        if span.kind is SpanKind.RAN
        else f"{span.kind.value} for {duration_text(span.length_sec)}"
        for span in one.spans
    )
