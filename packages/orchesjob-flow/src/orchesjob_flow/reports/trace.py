"""A run as a trace that Perfetto, speedscope and the browsers' own viewers open.

There is a track for each lane, and as many lanes as steps ran in parallel. A step stays in its lane
from its first attempt to its end.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from orchesjob_flow.reports.facts import (
    Facts,
    SpanKind,
    StepFacts,
    TimeSpan,
    endings_text,
    headline,
)

PROCESS = 1
MICROSECONDS = 1_000_000


def as_trace(facts: Facts) -> str:
    """Write a run in the format of Chrome's traces."""
    trace = {
        "traceEvents": list(events(facts)),
        "displayTimeUnit": "ms",
        "otherData": {
            "run_key": facts.run.run_key,
            "flow_id": facts.run.flow_id,
            "description": facts.flow.description,
            "status": facts.run.status.value,
            "summary": headline(facts),
            "began_at": facts.begin,
        },
    }
    return json.dumps(trace, separators=(",", ":")) + "\n"


def events(facts: Facts) -> Iterator[dict[str, Any]]:
    """Yield the names of the lanes, the spans in each, and the settlements."""
    lanes = list(lanes_of(facts.steps))
    yield _metadata_event("process_name", 0, f"{facts.run.flow_id}: {facts.run.run_key}")
    for lane in range(1, max((lane for _, _, lane in lanes), default=0) + 1):
        yield _metadata_event("thread_name", lane, f"lane {lane}")
    for one, spans, lane in lanes:
        for span in spans:
            yield event(facts, one, span, lane)
    for one in facts.steps:
        if one.settlement is not None:
            yield settled(facts, one, one.settlement.at)


def _metadata_event(what: str, lane: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": PROCESS, "tid": lane, "args": {"name": name}}


def event(facts: Facts, one: StepFacts, span: TimeSpan, lane: int) -> dict[str, Any]:
    """Describe an attempt, or a time between two of them."""
    is_attempt = span.kind is SpanKind.RAN
    what: dict[str, Any] = {"next_attempt": span.attempt_no}
    if is_attempt:
        attempt = next(other for other in one.attempts if other.number == span.attempt_no)
        ended = endings_text([attempt])
        what = {"attempt": attempt.number, "status": attempt.status.value, "ended": ended}
    begin = microseconds(span.begin - facts.begin)
    return {
        "ph": "X",
        "name": one.id if is_attempt else f"{one.id} ({span.kind.value})",
        "cat": "attempt" if is_attempt else span.kind.value,
        "pid": PROCESS,
        "tid": lane,
        "ts": begin,
        "dur": max(0, microseconds(span.end - facts.begin) - begin),
        "args": {**what, "critical": one.is_critical},
    }


def settled(facts: Facts, one: StepFacts, at: float) -> dict[str, Any]:
    """Describe the moment when a person settled a step (rule 12.3)."""
    return {
        "ph": "i",
        "name": f"{one.id} (settled)",
        "cat": "settled",
        "pid": PROCESS,
        "tid": 0,
        "s": "p",
        "ts": microseconds(at - facts.begin),
        "args": {"status": one.status.value, "why": one.why.sentence},
    }


def microseconds(seconds: float) -> int:
    """Return a time in microseconds, the unit of traces."""
    return round(seconds * MICROSECONDS)


def lanes_of(steps: Sequence[StepFacts]) -> Iterator[tuple[StepFacts, Sequence[TimeSpan], int]]:
    """Put each step into the first lane that is free from its first attempt to its last.

    What a step did before a `retry` and after it can be in different lanes.
    """
    stays = sorted(
        (
            (spans[0].begin, place, one, spans)
            for place, one in enumerate(steps)
            for spans in stays_of(one)
        ),
        key=lambda stay: stay[:2],
    )
    ends: list[float] = []
    for begin, _, one, spans in stays:
        lane = next((lane for lane, end in enumerate(ends) if end <= begin), len(ends))
        ends[lane : lane + 1] = [spans[-1].end]
        yield one, spans, lane + 1


def stays_of(one: StepFacts) -> Iterator[Sequence[TimeSpan]]:
    """Yield the spans of a step from its first attempt on; those before a `retry` one by one."""
    earlier = one.earlier
    known = {attempt.number for attempt in one.attempts}
    spans = [span for span in one.spans if span.attempt_no in known]
    yield from ([span] for span in spans if span.attempt_no in earlier)
    current = [span for span in spans if span.attempt_no not in earlier]
    while current and current[0].kind is not SpanKind.RAN:
        current = current[1:]
    if current:
        yield current
