"""A run, or many in a list, whole on a terminal of any width (rule 6.11)."""

from collections.abc import Callable

import pytest

from flow_store import FlowStatus, Run, RunSummary, Step, StepStatus
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Listed, Snapshot
from orchesjob_flow.views.table import run_rows, runs_in, whole_table
from orchesjob_flow.views.terminal import width, wrapped

WHY = "waits for attempt 1 to be gone: pid 4711 (a command that goes on and on and on)"
COLUMNS = [30, 40, 59, 80, 81, 120, 200]


def letters(text: str) -> str:
    """Return a text without its blanks, however it is broken into lines."""
    return "".join(text.split())


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("step_id", ["load", "日本から来たデータを読み込む", "x" * 128])
def test_nothing_that_matters_is_cut(
    make_run: Callable[..., Run], step_id: str, columns: int
) -> None:
    """However narrow it is: which step, its status and why; and no line is wider."""
    steps = (
        Step(0, step_id, StepStatus.FAILED, 2, 0, 1, started_at=1.0, finished_at=2.5, error=WHY),
        Step(1, "next", StepStatus.PENDING, 0, 0, 0),
    )
    run = make_run(*((step, None) for step in steps), error=f"{WHY} {WHY}", flow_id="f" * 90)
    lines = whole_table(Snapshot(run, Holder(1)), 5.0, columns, colour=False)
    assert max(map(width, lines)) <= columns
    shown = letters("".join(lines))
    for part in (WHY, f"{WHY}{WHY}", "f" * 90, "NG FAILED", ". PENDING", "attempt 1 may start"):
        assert letters(part) in shown
    assert shown.count("x") == f"{step_id}next".count("x")
    assert shown.count("読") == step_id.count("読")


def test_where_the_reason_stands(make_run: Callable[..., Run]) -> None:
    """It is in its row where there is room, in several lines of that, or else below it."""
    step = Step(0, "load", StepStatus.FAILED, 2, 0, 1, started_at=1.0, finished_at=2.5, error=WHY)
    snapshot = Snapshot(make_run((step, None)), None)
    assert whole_table(snapshot, 5.0, 200, colour=False)[-1] == (
        f"load  NG FAILED  2        1.5 s    {WHY}"
    )
    assert whole_table(snapshot, 5.0, 60, colour=False)[-4:] == [
        "load  NG FAILED  2        1.5 s    waits for attempt 1 to be",
        "                                   gone: pid 4711 (a command",
        "                                   that goes on and on and",
        "                                   on)",
    ]
    assert whole_table(snapshot, 5.0, 36, colour=False)[-4:] == [
        "load  NG FAILED",
        "  waits for attempt 1 to be gone:",
        "  pid 4711 (a command that goes on",
        "  and on and on)",
    ]


@pytest.mark.parametrize("columns", COLUMNS)
def test_a_list(columns: int) -> None:
    """Of a list, the status, the key and who advances the run stay; no line is wider."""
    nothing_else = (None, None, None, None, None)
    keys = ["k", "nightly-2026-05-07-of-a-long-name-of-forty", "日" * 30]
    status = FlowStatus.RUNNING
    runs = [
        RunSummary(key, "f" * 20, status, None, 1.0, 2.0, 1, None, None, *nothing_else, {})
        for key in keys
    ]
    listed = [Listed(run, None) for run in runs]
    lines = runs_in(columns, run_rows(listed, 5.0, colour=False, exact=True))
    assert max(map(width, lines)) <= columns
    shown = letters("".join(lines))
    assert shown.count("RUNNING") == shown.count("none") == len(keys)
    assert "k" in shown
    assert "Runner" in lines[0]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a b", ["a b"]),
        ("aaaa bbbb cccc", ["aaaa", "  bbbb", "  cccc"]),
        ("aaaaaaaaaaaa b", ["aaaaaaaa", "  aaaa b"]),
        ("日本語日本語", ["日本語日", "  本語"]),
        ("  tree: x y", ["  tree:", "  x y"]),
    ],
)
def test_wrapping(text: str, lines: list[str]) -> None:
    """Lines are broken between words, or within one that is too long; none is wider."""
    assert wrapped(text, 8, indent="  ") == lines
