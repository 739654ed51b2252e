"""Runs as tables for people, and as JSON (rules 4.2, 6.4 to 6.6 and 6.11)."""

import json
import os
import re
from collections.abc import Callable, Sequence

import pytest

from flow_store import Attempt, AttemptStatus, Parent, Run, RunStatus, RunSummary, Step, StepStatus
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Listed, Snapshot
from orchesjob_flow.views.results import run_json
from orchesjob_flow.views.table import (
    LONG_CELL,
    draw_table,
    elapsed,
    fit_live_table,
    header,
    run_rows,
    run_table,
    runs_in,
    runs_table,
    whole_table,
)
from orchesjob_flow.views.terminal import width, wrapped

# Runs as tables for people, on pipes and on terminals of any size (rules 6.5, 6.6 and 6.11).

ESCAPE = re.compile(r"\x1b\[\d+m")
RULE_6_5 = """\
Flow: daily-import  Run: daily-20260507
Status: > RUNNING  Steps: 1/3 done, 1 running, 0 failed
Started: 2026-05-07 10:00:00  Finished: -  Elapsed: 1 min 10 s

Step      Status        Attempt  Elapsed  orchesjob  Run key                    Error
--------  ------------  -------  -------  ---------  -------------------------  -----
download  OK SUCCEEDED  1/0      1 min    SUCCEEDED  daily-20260507:download:1
validate  > RUNNING     1/1      10 s     RUNNING    daily-20260507:validate:1
import    . PENDING     0/0      -        -          daily-20260507:import:1"""


def test_the_table_of_the_rule(daily: Run, ten_o_clock: float) -> None:
    """The table looks as rule 6.5 shows it, to the letter."""
    assert run_table(Snapshot(daily, Holder(4711)), ten_o_clock + 70, colour=None) == RULE_6_5


def test_the_end_of_a_run(daily: Run, ten_o_clock: float) -> None:
    """A run that has ended shows when, how long it took, and its error; time stands still.

    A short time that is over has its tenths, as those of the steps have (rule 6.11).
    """

    def head(took_sec: float) -> list[str]:
        failed = daily._replace(status=RunStatus.FAILED, error="1 step failed: x")
        ended = failed._replace(finished_at=ten_o_clock + took_sec)
        return list(header(Snapshot(ended, None), ten_o_clock + 9999, colour=None))[1:4]

    assert head(3661) == [
        "Status: NG FAILED  Steps: 1/3 done, 1 running, 0 failed",
        "Started: 2026-05-07 10:00:00  Finished: 2026-05-07 11:01:01  Elapsed: 1 h 1 min",
        "Error: 1 step failed: x",
    ]
    assert head(1.26)[1].endswith("  Elapsed: 1.3 s")


NOT_NEEDED = "not needed: nothing failed"


@pytest.mark.parametrize(
    ("when", "has_reason"),
    [
        ("a.failed", False),
        ("any(failed)", False),
        ("(a.failed || b.failed) && any(cancelled)", False),
        ("a.failed || b.cancelled && any(a.failed)", False),
        ("!a", True),
        ("a.failed || b.skipped", True),
        (None, True),
    ],
)
def test_what_was_not_needed(
    make_run: Callable[..., Run], when: str | None, has_reason: bool
) -> None:
    """Steps that only a failure starts share one line on a terminal, if nothing failed (6.5)."""
    statuses = {"a": StepStatus.SUCCEEDED, "x": StepStatus.SKIPPED, "y": StepStatus.SKIPPED}
    steps = [Step(n, name, one, 0, 0, 0) for n, (name, one) in enumerate(statuses.items())]
    definition = {"steps": [{"id": "a"}, {"id": "x", "when": when}, {"id": "y", "when": when}]}
    run = make_run(*((step, None) for step in steps), definition=json.dumps(definition))

    def shown(run: Run, *, colour: bool | None = False) -> Sequence[str]:
        return whole_table(Snapshot(run, Holder(1)), 0.0, 80, colour=colour)

    assert ("x, y SKIPPED, not needed: nothing failed" in shown(run)) is not has_reason
    assert NOT_NEEDED not in "".join(shown(run, colour=None))
    alone = run._replace(steps=(steps[0], steps[1], steps[2]._replace(status=StepStatus.RUNNING)))
    in_its_row = any(line.endswith(f"-        {NOT_NEEDED}") for line in shown(alone))
    assert in_its_row is not has_reason
    failed = run._replace(steps=(steps[0]._replace(status=StepStatus.FAILED), *steps[1:]))
    assert NOT_NEEDED not in "".join(shown(failed))


def test_a_run_that_nobody_advances(daily: Run, ten_o_clock: float) -> None:
    """A run without a runner says since when nothing is known, and how to go on (rule 6.4)."""
    lines = run_table(Snapshot(daily, None), ten_o_clock + 99, colour=None).splitlines()
    assert lines[2] == "Started: 2026-05-07 10:00:00  Finished: -  Elapsed: -"
    assert lines[3] == (
        "Runner: none, nothing recorded since 2026-05-07 10:01:00 - "
        "`orchesjob-flow resume daily-20260507` continues it"
    )
    odd = Snapshot(daily._replace(run_key="-it's"), None)
    assert """`orchesjob-flow resume '--run-key=-it'"'"'s'`""" in run_table(odd, 0.0, colour=None)


@pytest.mark.parametrize(
    ("job", "cell", "why"),
    [
        ({"worker_pid": os.getpid(), "job_id": "\0"}, "10 s", ""),
        (
            {"worker_pid": os.getpid(), "job_id": "of another process"},
            "-",
            "attempt 1 is not running any more; the next runner learns how it ended",
        ),
        (None, "-", "attempt 1 was being started; the next runner learns what became of it"),
        ({"status": "RUNNING"}, "10 s", ""),
    ],
)
def test_an_attempt_that_nobody_advances(
    daily: Run, ten_o_clock: float, job: object, cell: str, why: str
) -> None:
    """Its time is counted only while its worker lives, as far as that is known (rule 6.4)."""
    attempt = daily.attempts[1]._replace(job=None if job is None else json.dumps(job))
    run = daily._replace(attempts={**daily.attempts, 1: attempt})
    shown = whole_table(Snapshot(run, None), ten_o_clock + 70, 200, colour=None)
    (row,) = (line for line in shown if line.startswith("validate"))
    cells = [text.strip() for text in row.split("  ") if text]
    assert (cells[3], row[row.index(cell) + len(cell) :].strip()) == (cell, why)
    advanced = whole_table(Snapshot(run, Holder(1)), ten_o_clock + 70, 200, colour=None)
    assert any("10 s" in line for line in advanced)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("PENDING", ". PENDING"),
        ("DELAYED", "DELAYED"),
        ("RUNNING", "> RUNNING"),
        ("SUCCEEDED", "OK SUCCEEDED"),
        ("FAILED", "NG FAILED"),
        ("SKIPPED", "SKIPPED"),
        ("CANCELLED", "CANCELLED"),
    ],
)
def test_marks(make_run: Callable[..., Run], status: str, shown: str) -> None:
    """For scripts four statuses have a mark; on a terminal the word and its colour are enough.

    Colours move no column.
    """
    run = make_run((Step(0, "a", StepStatus(status), 0, 0, 0), None))
    plain = run_table(Snapshot(run, Holder(1)), 0.0, colour=None)
    assert plain.splitlines()[-1].startswith(f"a     {shown}  ")
    assert "\x1b" not in plain
    coloured = run_table(Snapshot(run, Holder(1)), 0.0, colour=True)
    assert coloured.count("\x1b[") == 2 * coloured.count("\x1b[0m")
    assert status in coloured
    assert shown == status or shown not in coloured
    assert ESCAPE.sub("", coloured) == run_table(Snapshot(run, Holder(1)), 0.0, colour=False)


def test_a_run_inside_another(daily: Run, ten_o_clock: float) -> None:
    """A run that a step of another run has started says so (rule 5.8a)."""
    inside = daily._replace(parent=Parent("nightly", "import", 2))
    lines = run_table(Snapshot(inside, Holder(1)), ten_o_clock, colour=None).splitlines()
    assert lines[3] == "Inside: nightly, step import, attempt 2"


def listed(
    run_key: str, outer: str | None = None, status: str = "SUCCEEDED", flow_id: str = "f"
) -> Listed:
    parent = None if outer is None else Parent(outer, "a", 1)
    run = RunSummary(
        *(run_key, flow_id, RunStatus(status), None, 1.0, 2.0, 1, None, parent),
        *(None, None, None, None, None, {}),
    )
    return Listed(run, None)


def test_runs_inside_each_other() -> None:
    """In a list each run stands under the one that started it, if that is there (rule 5.8a)."""
    runs = [
        *(listed("late"), listed("inmost", "in"), listed("in", "k"), listed("also in", "k")),
        *(listed("k"), listed("left", "not in the list"), listed("early")),
    ]
    table = runs_table(runs, 5.0, colour=None).splitlines()[2:]
    keys = [line.removeprefix("OK SUCCEEDED  ").partition(" f ")[0].rstrip() for line in table]
    assert keys == ["late", "k", "- in", "- - inmost", "- also in", "left", "early"]


def test_wide_characters_count_two(make_run: Callable[..., Run]) -> None:
    """Columns are padded by display width: a Chinese character is as wide as two letters."""
    first = Step(0, "a", StepStatus.FAILED, 1, 1, 0, started_at=1.0, error="x")
    second = Step(1, "b", StepStatus.PENDING, 0, 0, 0)
    run = make_run((first, None), (second, None), run_key="日本")
    lines = run_table(Snapshot(run, Holder(1)), 5.0, colour=None).splitlines()
    heads, rule, row = lines[4:7]
    assert row.index("x") + len("日本") == heads.index("Error") == rule.rindex(" ") + 1


def test_nothing_moves_the_cursor(make_run: Callable[..., Run]) -> None:
    """Escapes and line breaks in names, errors and job objects are made visible."""
    evil = "\x1b[2J\r\n\u202e"
    job = Attempt(0, 1, AttemptStatus.RUNNING, 1.0, None, "boot", job='{"status":"\\u001b[2J"}')
    step = Step(0, "a", StepStatus.RUNNING, 1, 0, 0, started_at=1.0, error=evil)
    run = make_run((step, job), flow_id=evil, run_key=evil, error=evil)
    table = run_table(Snapshot(run, Holder(1)), 5.0, colour=None)
    assert len(table.splitlines()) == 7 + 1
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert table.count(r"\x1b[2J\r\n\u202e") == 5


def test_a_clock_that_went_back() -> None:
    """No duration is negative; what goes on is told in whole units."""
    assert (elapsed(100.0, None, 50.0), elapsed(0.0, None, 59.9)) == ("0 s", "59 s")


@pytest.fixture
def crowd(make_run: Callable[..., Run]) -> Run:
    """200 steps: 150 wait, 40 succeeded, 6 failed, 3 are delayed, and the last one runs."""
    statuses = ["SUCCEEDED"] * 40 + ["PENDING"] * 150 + ["DELAYED"] * 3 + ["FAILED"] * 6
    steps = [
        Step(place, f"s{place}", StepStatus(status), 0, 0, 0, started_at=1.0, finished_at=2.0)
        for place, status in enumerate([*statuses, "RUNNING"])
    ]
    return make_run(*((step, None) for step in steps))


def test_what_matters_is_on_a_low_screen(crowd: Run) -> None:
    """Running, then failed, then delayed steps come first; the rest is counted (rule 6.6)."""
    lines = fit_live_table(Snapshot(crowd, Holder(1)), 5.0, (80, 24), colour=None)
    assert len(lines) == 24
    assert lines[1] == "Status: > RUNNING  Steps: 46/200 done, 1 running, 6 failed"
    order = [re.findall("[A-Z]{3,}", line)[0] for line in lines[6:-1]]
    assert order == ["RUNNING", *["FAILED"] * 6, *["DELAYED"] * 3, *["PENDING"] * 7]
    assert lines[6].startswith("s199 ")
    assert lines[-1] == "... and 183 more: 143 PENDING, 40 SUCCEEDED"


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("lines", range(1, 12))
def test_no_screen_is_too_low(crowd: Run, columns: int, lines: int) -> None:
    """Nothing scrolls; the head of the table is there, the step that runs, and a count (6.6)."""
    shown = fit_live_table(Snapshot(crowd, None), 5.0, (columns, lines), colour=None)
    assert len(shown) <= lines
    assert shown[0] == "Flow: daily-import  Run: daily-20260507"
    if lines >= 3:
        assert any(line.startswith("s199  > RUNNING") for line in shown)
        assert shown[-1].startswith("... and 19")


WHY = "waits for attempt 1 to be gone: pid 4711 (a command that goes on and on and on)"


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("columns", [20, 30, 40, 59, 60, 79, 80, 81, 100, 120, 200])
@pytest.mark.parametrize("step_id", ["load", "日本から来たデータを読み込む", "x" * 128])
def test_no_line_is_wider_than_the_screen(
    make_run: Callable[..., Run], step_id: str, columns: int, colour: bool
) -> None:
    """Long cells are cut, never wrapped, whatever the width of their characters (rule 6.6)."""
    step = Step(0, step_id, StepStatus.DELAYED, 1, 0, 2, started_at=1.0, error=f"🚧 {WHY}")
    run = make_run((step, None), flow_id="日本" * 60, error=WHY)
    lines = fit_live_table(Snapshot(run, Holder(1)), 5.0, (columns, 24), colour=colour)
    assert max(map(width, lines)) <= columns
    assert all(line.count("\x1b[33m") == line.count("\x1b[0m") - ("36m" in line) for line in lines)


@pytest.mark.parametrize(
    ("columns", "step_id", "error", "row"),
    [
        (90, "load", "no", "load  DELAYED  1        4 s      no"),
        (70, "load", WHY, f"load  DELAYED  1        4 s      {WHY[:34]}..."),
        (46, "load", WHY, f"load  DELAYED  {WHY[:28]}..."),
        (36, "x" * 128, None, f"{'x' * 17}...  DELAYED"),
        (80, "x" * 128, WHY, f"{'x' * 22}...  DELAYED  1        4 s      {WHY[:23]}..."),
        (80, "x" * 128, "no", f"{'x' * 43}...  DELAYED  1        4 s      no"),
    ],
)
def test_a_narrow_screen(
    make_run: Callable[..., Run], columns: int, step_id: str, error: str | None, row: str
) -> None:
    """Attempt and time go first; the id and the error are cut, each to half of the room (6.6).

    A short one leaves its room to the other, and the status is there however long an id is.
    """
    step = Step(0, step_id, StepStatus.DELAYED, 1, 0, 2, started_at=1.0, error=error)
    run = make_run((step, None))
    shown = fit_live_table(Snapshot(run, Holder(1)), 5.0, (columns, 24), colour=None)
    assert shown[-1] == row
    assert ("Attempt  Elapsed" in shown[-3]) == ("4 s" in row)


@pytest.fixture
def repeated(make_run: Callable[..., Run]) -> Run:
    """A run in which `load` is repeated for three values, of which one is no id."""
    block = {
        "names": ["SHOP"],
        "steps": [{"id": "load", "command": ["x"]}],
        "copies": [
            {"label": label, "values": [value]}
            for label, value in (("berlin", "berlin"), ("2", "São Paulo"), ("lima", "lima"))
        ],
        "before": 1,
    }
    steps = [{"id": name, "command": ["x"]} for name in ("prepare", "report")]
    statuses = {"prepare": "SUCCEEDED", "load@berlin": "SUCCEEDED", "load@2": "FAILED"}
    statuses |= {"load@lima": "RUNNING", "report": "PENDING"}
    rows = [
        Step(place, step_id, StepStatus(status), 1, 0, 0, started_at=2.0, finished_at=4.0)
        for place, (step_id, status) in enumerate(statuses.items())
    ]
    definition = json.dumps({"flow_id": "f", "steps": steps, "blocks": [block]})
    return make_run(*((row, None) for row in rows), definition=definition)


def test_copies_are_folded(repeated: Run) -> None:
    """Where there is no room for all steps, the copies of one share a line (rule 10.3)."""
    whole = fit_live_table(Snapshot(repeated, Holder(1)), 5.0, (120, 11), colour=None)
    every = ["prepare", "load@berlin", "load@2", "load@lima", "report"]
    assert [line.split()[0] for line in whole[6:]] == every
    lines = fit_live_table(Snapshot(repeated, Holder(1)), 5.0, (120, 10), colour=None)
    assert [line.split()[0] for line in lines[6:]] == ["prepare", "load", "report"]
    assert lines[7].split() == [
        *("load", "(3", "copies)", ">", "RUNNING", "-", "2", "s"),
        *("1", "RUNNING,", "1", "FAILED,", "1", "SUCCEEDED"),
    ]
    low = fit_live_table(Snapshot(repeated, Holder(1)), 5.0, (120, 3), colour=None)
    assert low[-1] == "... and 2 more: 1 PENDING, 1 SUCCEEDED"


HEADS = ("Step", "Runs", "Waits also for")


def test_a_long_cell() -> None:
    """It pushes aside what follows in its own line, and no other line grows."""
    long = "when " + "x" * LONG_CELL
    shown = draw_table([HEADS, ("a", long, "b"), ("c", "when d", "e")])
    assert shown[2:] == [f"a     {long}  b", "c     when d  e"]
    many = draw_table([HEADS, *[("a", long * 1000, "")] * 2])
    assert len("\n".join(many)) < 2100 * LONG_CELL + 100


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
    lines = whole_table(Snapshot(run, Holder(1)), 5.0, columns, colour=None)
    assert max(map(width, lines)) <= columns
    shown = letters("".join(lines))
    for part in (WHY, f"{WHY}{WHY}", "f" * 90, "NG FAILED", ". PENDING", "attempt 1 may start"):
        assert letters(part) in shown
    assert shown.count("x") == f"{step_id}next".count("x")
    assert shown.count("読") == step_id.count("読")


def test_where_the_reason_stands(make_run: Callable[..., Run]) -> None:
    """It is in its row, in several lines where there is little room."""
    step = Step(0, "load", StepStatus.FAILED, 2, 0, 1, started_at=1.0, finished_at=2.5, error=WHY)
    snapshot = Snapshot(make_run((step, None)), None)
    assert whole_table(snapshot, 5.0, 200, colour=None)[-1] == (
        f"load  NG FAILED  2        1.5 s    {WHY}"
    )
    assert whole_table(snapshot, 5.0, 62, colour=None)[-3:] == [
        "load  NG FAILED  2        1.5 s    waits for attempt 1 to be",
        "                                   gone: pid 4711 (a command",
        "                                   that goes on and on and on)",
    ]
    assert whole_table(snapshot, 5.0, 36, colour=None)[-5:] == [
        "load  NG FAILED  waits for attempt 1",
        "                 to be gone: pid",
        "                 4711 (a command",
        "                 that goes on and on",
        "                 and on)",
    ]


@pytest.mark.parametrize("columns", COLUMNS)
def test_a_list(columns: int) -> None:
    """Of a list, the status, the key and who advances the run stay; no line is wider."""
    keys = ["k", "nightly-2026-05-07-of-a-long-name-of-forty", "日" * 30]
    runs = [listed(key, status="RUNNING", flow_id="f" * 20) for key in keys]
    lines = runs_in(columns, run_rows(runs, 5.0, colour=False))
    assert max(map(width, lines)) <= columns
    shown = letters("".join(lines))
    assert shown.count("RUNNING") == shown.count("none") == len(keys)
    assert "k" in shown
    assert "Runner" in lines[0]


def test_what_is_empty_is_left_out() -> None:
    """At 80 columns a list shows flow and age, and no column without a value (rule 9.5)."""
    keys = ("nightly-20260507T020000-k3x9", "nightly-20260506T020000-a2b4")
    rows = run_rows([listed(key, flow_id="nightly") for key in keys], 7201.0, colour=False)
    assert runs_in(80, rows) == [
        "Status     Run key                       Flow     Age  Steps  Elapsed",
        "---------  ----------------------------  -------  ---  -----  -------",
        "SUCCEEDED  nightly-20260507T020000-k3x9  nightly  2 h  0/0    1 s",
        "SUCCEEDED  nightly-20260506T020000-a2b4  nightly  2 h  0/0    1 s",
    ]


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


# A run as JSON (rules 4.2 and 6.4).


@pytest.mark.parametrize(
    ("holder", "runner"),
    [(None, None), (Holder(None), {"pid": None, "alive": True})],
    ids=["none", "unsigned"],
)
def test_the_runner(daily: Run, holder: Holder | None, runner: object) -> None:
    """Without a runner the key is null; one that has not told its id yet is alive as well."""
    assert run_json(Snapshot(daily, holder))["runner"] == runner


@pytest.mark.parametrize(
    ("status", "attempt_no", "started_at", "number"),
    [
        (StepStatus.PENDING, 0, None, 1),
        (StepStatus.RUNNING, 1, 5.0, 1),
        (StepStatus.DELAYED, 1, 5.0, 2),
        (StepStatus.PENDING, 2, 5.0, 3),
        (StepStatus.PENDING, 2, None, 3),
        (StepStatus.SUCCEEDED, 2, 5.0, 2),
        (StepStatus.FAILED, 3, 5.0, 3),
        (StepStatus.SKIPPED, 0, None, 1),
        (StepStatus.SKIPPED, 2, 5.0, 2),
        (StepStatus.SKIPPED, 2, None, 3),
        (StepStatus.CANCELLED, 0, None, 1),
        (StepStatus.CANCELLED, 2, 5.0, 2),
        (StepStatus.CANCELLED, 2, None, 3),
    ],
)
def test_the_key_that_is_shown(
    make_run: Callable[..., Run],
    status: StepStatus,
    attempt_no: int,
    started_at: float | None,
    number: int,
) -> None:
    """A step that waits shows the key of the attempt it waits for, else its latest (rule 4.2).

    One that a `retry` has had decided anew shows no key of an earlier attempt (rule 9.7).
    """
    step = Step(0, "a", status, attempt_no, 0, 5, started_at=started_at)
    run = make_run((step, None), run_key="k")
    assert run_json(Snapshot(run, None))["steps"][0]["run_key"] == f"k:a:{number}"


def test_a_step_that_was_decided_anew(daily: Run) -> None:
    """What orchesjob has said of an attempt before the `retry` is not shown as today's (9.7)."""
    first, *rest = daily.steps
    anew = Step(0, "download", StepStatus.SKIPPED, first.attempt_no, 0, 0, retry_no=1)
    shown = run_json(Snapshot(daily._replace(steps=(anew, *rest)), None))["steps"][0]
    assert (shown["orchesjob_status"], shown["started_at"]) == (None, None)
    assert shown["attempt_no"] == 1
