"""The page: whole, inert whatever is in a run, and small however long that is (rule 12.1)."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from markupsafe import escape

from flow_spec import Block, Copy, FlowSpec, StepSpec
from flow_store import RunStatus, StepStatus
from orchesjob_flow.reports.facts import SpanKind, Tail
from orchesjob_flow.reports.graph import Size, drawing_of, lay_out
from orchesjob_flow.reports.page import as_html, flow_text, merged, timeline_of

from .recorded_facts import (
    HOSTILE,
    RecordedStep,
    facts_from,
    layers_of_steps,
    night,
    overview_of,
    step,
)


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize("page_of", [lambda text: as_html(night(text)), overview_of])
def test_nothing_of_a_run_becomes_markup(page_of: Callable[[str], str]) -> None:
    """Ids, keys, commands, errors and output are text: no element, no attribute, no direction."""
    page, tame = page_of(HOSTILE), page_of("tame")
    found = Elements(page)
    assert found.tags == Elements(tame).tags
    assert {name for name, _ in found.attributes} == {n for n, _ in Elements(tame).attributes}
    assert escape(HOSTILE.split("\x00", maxsplit=1)[0]) in page
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page
    )


@pytest.mark.parametrize("page_of", [lambda text: as_html(night(text)), overview_of])
def test_the_page_is_alone(page_of: Callable[[str], str]) -> None:
    """It refers to nothing outside and forbids it, and has no script (rules 12.1 and 12.4)."""
    found = Elements(page_of("tame"))
    policy = next(value for _, value in found.attributes if value and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name == "src"]
    links = {value or "" for name, value in found.attributes if name == "href"}
    ids = {f"#{value}" for name, value in found.attributes if name == "id"}
    assert {link for link in links if not link.startswith("reports/")} <= ids


def test_what_the_page_says() -> None:
    """What failed comes first with its last words, then why each step ran or not."""
    page = as_html(night("tame"))
    said = [
        "What it is for: tame</bdi>",
        "It failed after 4 s, at 2 steps: bad (exit code 9, attempt 2), ended",
        "What went wrong</h2>",
        "last words",
        "Where the time went</h2>",
        "Dependencies</h2>",
        "All steps</h2>",
        "bad FAILED, so <code>bad</code> is false",
        "Definition</h2>",
    ]
    places = [page.index(words) for words in said]
    assert places == sorted(places)
    assert "secret" not in page


def test_a_large_page_folds_copies() -> None:
    """Copies that have all succeeded share a row until a box is ticked; radio buttons filter."""
    block = Block(
        ("n",), (step("many"),), tuple(Copy(str(n), (str(n),)) for n in range(80)), before=1
    )
    flow = FlowSpec("flow", (step("bad"),), blocks=(block,)).with_copies()
    recorded = [
        RecordedStep(spec, [(0, 1, 9 if spec.id == "bad" else 0)]) for spec in flow.all_steps
    ]
    page = as_html(facts_from(*recorded, definition=flow.to_json()))
    assert page.count(' copy">') == 80
    assert "80 copies</span>" in page
    assert 'id="show-bad"> FAILED (1)</label>' in page
    assert '<g id="first-failure" class="bad' in page


def test_scripts_are_lines_and_values_are_secret() -> None:
    """A script is shown as it is written, output below its attempt, variables without values."""
    text = "echo one\nif <b>\n"
    spec = StepSpec("a", ("bash", "-euo", "pipefail", "-c", text, "a"))
    facts = facts_from(RecordedStep(spec, [(0, 1, 0)]))
    tail = Tail("stdout", "<i>said</i>", 0, "/x")
    page = as_html(facts._replace(outputs={("a", 1): [tail]}))
    assert ">echo one\nif &lt;b&gt;\n</pre>" in page
    assert page.index("The end of stdout") < page.index("&lt;i&gt;said&lt;/i&gt;</pre>")
    assert flow_text('{"env": [["T", "secret"]], "steps": [{"env": {"U": "secret"}}]}') == (
        '{\n  "env": [\n    "T"\n  ],\n  "steps": [\n    {\n      "env": [\n        "U"\n      ]\n'
        "    }\n  ]\n}"
    )
    assert ">orchesjob-flow logs " in page


def test_what_a_failed_step_has_not_printed() -> None:
    silent, unread = (
        as_html(facts_from(RecordedStep(step("bad"), [(0, 1, 9)], tails=tails)))
        for tails in ((), None)
    )
    assert "It has printed nothing." in silent
    assert "is left out here" not in silent
    assert "It has printed nothing." not in unread
    assert "What it has printed is left out here; <code>logs</code> shows it." in unread


@pytest.mark.parametrize("status", [RunStatus.PENDING, RunStatus.RUNNING])
def test_a_run_that_has_not_ended(status: RunStatus) -> None:
    waiting = facts_from(RecordedStep(step("a")), status=RunStatus.PENDING, finished_at=None)
    running = facts_from(
        RecordedStep(step("a"), [(0, None, None)]), status=status, finished_at=None
    )
    assert "not yet" in as_html(waiting)
    assert "going" in as_html(running)


def test_two_thousand_steps() -> None:
    """2,000 steps are less than 2 MB; the drawing and the timeline say what they leave out."""
    facts = layers_of_steps(2000, 100)
    page = as_html(facts)
    assert len(page.encode()) < 2_000_000
    assert page.count("<tr id=") == 2000
    assert "2,000 steps are too many to be drawn" in page
    assert "1850 more are not drawn" in page


def test_boxes_of_the_drawing() -> None:
    """No two boxes overlap, all are inside, and each line leads from a box to one that waits."""
    drawing = drawing_of(layers_of_steps(50, 5))
    assert len(drawing.boxes) == 50
    assert drawing.lines
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - box.width
        assert 0 <= box.y <= drawing.height - box.height
    by_row = sorted(drawing.boxes, key=lambda box: (box.y, box.x))
    for one, other in pairwise(by_row):
        assert one.y != other.y or one.x + one.width <= other.x


def test_many_lines_meet_in_one_point() -> None:
    """Where all of a layer wait for all of another, lines are as many as steps, not as pairs."""
    first = [RecordedStep(step(f"a{place}"), [(0, 1, 0)]) for place in range(20)]
    ids = tuple(tale.spec.id for tale in first)
    second = [RecordedStep(step(f"b{n}", depends_on=ids), [(1, 2, 0)]) for n in range(20)]
    drawing = drawing_of(facts_from(*first, *second))
    assert len(drawing.lines) == 40
    assert sum(line.is_critical for line in drawing.lines) == 2


def test_copies_are_one_box_where_there_are_many() -> None:
    """All copies of a step are one box, with the most urgent status of one (rule 10.3)."""
    copies = tuple(Copy(str(place), (str(place),)) for place in range(100))
    block = Block(("N",), (StepSpec("a", ("x",)),), copies, before=1)
    flow = FlowSpec("flow", (step("first"), step("last", when="a")), blocks=(block,)).with_copies()
    recorded_steps = [
        RecordedStep(spec, [(0, 1, int(spec.id == "a@7"))], status=None) for spec in flow.all_steps
    ]
    drawing = drawing_of(facts_from(*recorded_steps, definition=flow.to_json()))
    named = {box.node.name: box.node for box in drawing.boxes}
    assert list(named) == ["first", "a ×100", "last"]  # noqa: RUF001 - as it is drawn
    assert named["a ×100"].status is StepStatus.FAILED  # noqa: RUF001
    assert named["a ×100"].words == "1 FAILED, 99 SUCCEEDED"  # noqa: RUF001


def test_layers_are_put_into_order() -> None:
    """Two lines that need not cross do not, and layers of one width stand side by side."""
    sizes = dict.fromkeys(range(4), Size(10, 10))
    layout = lay_out([[0, 1], [2, 3]], [(0, 3), (1, 2)], sizes, Size(5, 5))
    across = [layout.spots[node].across for node in range(4)]
    assert (across[0] < across[1]) == (across[3] < across[2])
    assert across[0] == pytest.approx(across[3])
    assert layout.spots[2].along - layout.spots[0].along == 15


@pytest.mark.parametrize(
    ("times", "stretches"),
    [
        ([(0, 10), (2, 3), (20, 21)], [(0, 10), (20, 21)]),  # one inside another
        ([(0, 10), (2, 3), (9, 12)], [(0, 12)]),
        ([(0, 10), (10, 11)], [(0, 11)]),
        ([(5, 6), (0, 1)], [(0, 1), (5, 6)]),  # not in order
        ([(0, 10), (0, 10), (4, 4)], [(0, 10)]),
    ],
)
def test_busy_stretches(
    times: list[tuple[float, float]], stretches: list[tuple[float, float]]
) -> None:
    facts = facts_from(
        *(RecordedStep(step(f"s{at}"), [(*span, 0)]) for at, span in enumerate(times))
    )
    spans = [span for one in facts.steps for span in one.spans if span.kind is SpanKind.RAN]
    assert merged((span.begin, span.end) for span in spans) == stretches


def test_idle_time_is_cut_short() -> None:
    """The hours between a run and its `retry` take little of the axis, and are marked."""
    facts = facts_from(
        RecordedStep(step("a"), [(0, 10, 1), (5000, 5010, 0)], retry_no=1, failures=0)
    )
    timeline = timeline_of(facts)
    (row,) = timeline.rows
    first, second = row.bars[0], row.bars[-1]
    assert first.left == 0
    assert second.left + second.width == pytest.approx(100, abs=5)
    assert first.width == pytest.approx(second.width)
    assert [(tick.label, tick.is_cut) for tick in timeline.ticks] == [
        ("0", False),
        ("1 h 23 min", True),
    ]


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.006, "0, 1 ms, 2 ms, 3 ms, 4 ms, 5 ms"),  # the end itself has no label
        (7, "0, 2 s, 4 s, 6 s"),
        (51, "0, 10 s, 20 s, 30 s, 40 s"),
        (4000, "0, 15 min, 30 min, 45 min, 1 h"),
        (12.5 * 86400, "0, 3 d, 6 d, 9 d, 12 d"),
    ],
)
def test_labels_of_the_axis(seconds: float, labels: str) -> None:
    """A stretch is labelled from 0 on, in round steps, with six intervals at most."""
    timeline = timeline_of(facts_from(RecordedStep(step("a"), [(0, seconds, 0)])))
    assert ", ".join(tick.label for tick in timeline.ticks) == labels
    assert timeline.ticks[0].left == 0
