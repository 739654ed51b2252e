"""The formats for other programs: legal, bounded, and inert whatever is in a run (rule 12.1)."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from flow_store import RunStatus
from orchesjob_flow.reports.ci import annotation, as_annotations, as_junit
from orchesjob_flow.reports.facts import Facts, headline
from orchesjob_flow.reports.page import as_html
from orchesjob_flow.reports.reporting import as_markdown
from orchesjob_flow.reports.trace import as_trace

from .recorded_facts import HOSTILE, RecordedStep, facts_from, night, settled, step

# What the schema that Jenkins publishes (its JUnit 10) allows in each element, in any order.
SCHEMA: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set()),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    ),
    "properties": ({"property"}, set()),
    "property": (set(), {"name", "value"}),
    "testcase": (
        {
            *("skipped", "error", "failure", "rerunFailure", "flakyFailure"),
            *("system-out", "system-err"),
        },
        {"name", "classname", "time"},
    ),
    **{
        name: (set(), {"type", "message"})
        for name in ("skipped", "error", "failure", "rerunFailure", "flakyFailure")
    },
    "system-out": (set(), set()),
    "system-err": (set(), set()),
}


def test_junit_fits_the_schema() -> None:
    """Every element and attribute is one that Jenkins' schema has there, whatever the texts."""
    root = ElementTree.fromstring(as_junit(night(HOSTILE)))  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for element in root.iter():
        children, attributes = SCHEMA[element.tag]
        assert {child.tag for child in element} <= children
        assert set(element.attrib) <= attributes
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "1",
        "errors": "1",
        "skipped": "3",
    }


def test_annotations() -> None:
    """What failed is an error, what is allowed to fail a warning, and no text begins another."""
    lines = as_annotations(night(f"{HOSTILE}\n::error::x")).splitlines()
    levels = [line.split(" title=")[0] for line in lines]
    assert set(levels) == {"::error", "::warning"}
    assert levels == sorted(levels)
    shown = annotation("error", "50 %\n::error::x", title="a:b,c\r\n", line=None)
    assert shown == "::error title=a%3Ab%2Cc\\r\\n::50 %25%0A::error::x\n"


def test_junit_tells_outcomes_apart() -> None:
    """A skip, a failure that is allowed, a retry and a step that was ended are different things."""
    (suite,) = JUnitXml.fromstring(as_junit(night(HOSTILE)).encode())
    cases = {case.name: case for case in suite}
    kinds = {
        name: [(type(result), result.type) for result in case.result]
        for name, case in cases.items()
    }
    assert kinds["good"] == kinds["flaky"] == []
    assert kinds["bad"] == [(Failure, "exit code 9")]
    assert kinds["may"] == [(Skipped, "allowed failure")]
    assert kinds["not"] == [(Skipped, "SKIPPED")]
    assert kinds["ended"] == [(Error, "CANCELLED")]
    assert kinds["never"] == [(Skipped, "CANCELLED")]
    again = {name: [one.tag for one in case._elem] for name, case in cases.items()}
    assert again["flaky"] == ["flakyFailure"]
    assert again["bad"] == ["failure", "rerunFailure"]
    assert "last words\n```" in cases["bad"].result[0].text
    assert (cases["good"].time, cases["flaky"].time) == (1.25, 2.0)


def test_markdown_of_hostile_texts() -> None:
    """No text becomes a heading, a cell, a link or a tag, nor ends the block that it stands in."""
    lines = as_markdown(night(HOSTILE)).splitlines()
    assert lines[0].startswith("## ❌ ")
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {6}
    fence = lines.index("````text")
    assert lines[fence + 1 : fence + 3] == ["last words", "```"]
    inside = lines[fence + 1 : lines.index("````")]
    outside = [line for line in lines if line not in inside and "````" not in line]
    assert not [line for line in outside if "<" in line or "](" in line or "`" in line]
    assert not [line for line in outside[1:] if line.startswith("#")]
    assert "\x1b" not in "".join(outside)


@pytest.mark.parametrize("number", [1, 300, 10_000])
def test_markdown_is_bounded(number: int) -> None:
    """64 KB hold 10,000 steps: what went wrong is there, the rest is counted (rule 12.1)."""
    long = "s" * 100
    recorded_steps = [
        RecordedStep(step(f"{long}{place}"), [(0, 1, 0)]) for place in range(number - 1)
    ]
    facts = facts_from(
        *recorded_steps, RecordedStep(step("bad"), [(0, 1, 1)]), status=RunStatus.FAILED
    )
    text = as_markdown(facts)
    assert len(text.encode()) <= 64 * 1024
    assert "| bad | ❌ FAILED | exit code 1 |" in text
    rows = text.count("\n| ") - 2
    left_out = f"{number - rows:,} steps that matter less are left out"
    note = f"\n{rows:,} of {number:,} steps: {left_out}.\n"
    assert (note in text) == (rows < number)
    assert (rows < number) == (number > 1000)


def tracks(facts: Facts) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for event in json.loads(as_trace(facts))["traceEvents"]:
        if event["ph"] == "X":
            found.setdefault(event["tid"], []).append(event)
    return found


def test_trace_has_a_track_for_each_lane() -> None:
    """As many lanes as steps side by side; in none do two events overlap, and all are named."""
    layer: Sequence[RecordedStep] = [
        RecordedStep(
            step(f"s{place}", retries=1), [(place, place + 1, 1), (place + 2, place + 3, 0)]
        )
        for place in range(10)
    ]
    facts = facts_from(*layer)
    lanes = tracks(facts)
    assert len(lanes) == 3
    for events in lanes.values():
        ends = 0
        for event in sorted(events, key=lambda event: event["ts"]):
            assert event["ts"] >= ends
            ends = event["ts"] + event["dur"]
    total = [event for events in lanes.values() for event in events]
    assert len(total) == 30
    assert {event["name"] for event in total if event["cat"] == "delayed"} == {
        f"s{place} (delayed)" for place in range(10)
    }
    names = [one for one in json.loads(as_trace(facts))["traceEvents"] if one["ph"] == "M"]
    assert [one["args"]["name"] for one in names] == ["flow: run", "lane 1", "lane 2", "lane 3"]


def test_trace_of_hostile_texts() -> None:
    assert as_trace(night(HOSTILE)).isascii()


FORMATS = (as_html, as_junit, as_markdown, as_trace)


def test_every_format_says_what_the_flow_is_for() -> None:
    """Its description, on one line; nothing is said where there is none (rule 10.9)."""
    one = RecordedStep(step("a"), [(0, 1, 0)])
    told, silent = (facts_from(one, description=text) for text in ("Gets the\n  orders.", None))
    assert '<p class="lead"><bdi>Gets the orders.</bdi></p>' in as_html(told)
    assert "\n\nGets the orders.\n\n" in as_markdown(told)
    assert '<property name="description" value="Gets the orders." />' in as_junit(told)
    assert json.loads(as_trace(told))["otherData"]["description"] == "Gets the\n  orders."
    for write in FORMATS:
        assert "Gets the" not in write(silent)
    assert as_markdown(told).replace("Gets the orders.\n\n", "") == as_markdown(silent)


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def move(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("write", FORMATS)
def test_in_any_time_zone(write: Callable[[Facts], str], in_zone: Callable[[str], None]) -> None:
    """A time is the same moment wherever it is written; only the page shows it as people say it."""
    facts = retried_in_the_morning()
    written = []
    for zone in ("UTC", "Pacific/Auckland", "America/Caracas"):
        in_zone(zone)
        text = write(facts)
        exact = r'<time datetime="([^"]+)">[^<]*</time>'
        moments = [datetime.fromisoformat(one).timestamp() for one in re.findall(exact, text)]
        written.append((moments, re.sub(exact, "", text)))
    assert written[1:] == written[:1] * 2


def test_after_a_retry() -> None:
    """A step that succeeded in a `retry` has succeeded; what was before is told apart (9.7)."""
    facts = retried_in_the_morning()
    (suite,) = ElementTree.fromstring(as_junit(facts))  # noqa: S314 - our own
    (case,) = suite.iter("testcase")
    assert (list(case), case.get("time")) == ([], "10.000")
    assert suite.get("timestamp") == "2026-05-07T00:30:00"
    assert "| a | ✅ SUCCEEDED |" in as_markdown(facts)
    assert "exit code 7" not in as_markdown(facts)
    (lane,) = tracks(facts).values()
    assert [event["dur"] for event in lane] == [3_000_000, 10_000_000]
    assert "1: exit code 7 (before a retry)<br>2: exit code 0<" in as_html(facts)


def retried_in_the_morning() -> Facts:
    """Return the facts of a run whose step failed at night and succeeded in a `retry`."""
    began = datetime(2026, 5, 7, 0, 30, tzinfo=UTC).timestamp()
    morning = began + 8 * 3600
    times = [(began, began + 3, 7), (morning, morning + 10, 0)]
    recorded = RecordedStep(step("a"), times, retry_no=1, failures=0)
    return facts_from(recorded, started_at=began)


def test_a_step_that_a_person_has_settled() -> None:
    """It counts as that says, did not succeed by itself, and is named in each format (12.3)."""
    facts = settled(HOSTILE)
    assert [one.is_flaky for one in facts.steps] == [False, False]
    assert headline(facts).endswith("; 1 was skipped, 2 were settled by hand.")
    (suite,) = ElementTree.fromstring(as_junit(facts))  # noqa: S314 - our own
    cases = [[element.tag for element in case] for case in suite.iter("testcase")]
    assert cases == [["system-out"], ["skipped", "system-out"]]
    assert [one.get("type") for one in suite.iter("skipped")] == ["settled"]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    for element in suite.iter():
        assert {child.tag for child in element} <= SCHEMA[element.tag][0]
    assert as_markdown(facts).count(" (settled) |") == 2
    moments = [one for one in json.loads(as_trace(facts))["traceEvents"] if one["ph"] == "i"]
    assert [one["ts"] for one in moments] == [5_000_000, 5_000_000]
