"""The table for eyes (rule 6.5)."""

from collections.abc import Callable

import pytest

from flow_store import Attempt, AttemptStatus, FlowStatus, Run, Step, StepStatus
from orchesjob_flow.table import duration, run_table

RULE_6_5 = """\
Flow: daily-import  Run: daily-20260507
Status: > RUNNING  Steps: 1/3 done, 1 running, 0 failed
Started: 2026-05-07 10:00:00  Finished: -  Elapsed: 00:01:10

Step      Status        Attempt  Elapsed   orchesjob  Run key                    Error
--------  ------------  -------  --------  ---------  -------------------------  -----
download  OK SUCCEEDED  1/0      00:01:00  SUCCEEDED  daily-20260507:download:1
validate  > RUNNING     1/1      00:00:10  RUNNING    daily-20260507:validate:1
import    . PENDING     0/0      -         -          daily-20260507:import:1"""


def test_the_table_of_the_rule(daily: Run, ten_o_clock: float) -> None:
    """The table looks as rule 6.5 shows it, to the letter."""
    assert run_table(daily, 4711, ten_o_clock + 70, colour=False) == RULE_6_5


def test_the_end_of_a_run(daily: Run, ten_o_clock: float) -> None:
    """A run that has ended shows when, how long it took, and its error; time stands still."""
    ended = daily._replace(
        status=FlowStatus.FAILED, finished_at=ten_o_clock + 3661, error="1 step failed: x"
    )
    lines = run_table(ended, None, ten_o_clock + 9999, colour=False).splitlines()
    assert lines[1] == "Status: NG FAILED  Steps: 1/3 done, 1 running, 0 failed"
    assert lines[2].endswith("Finished: 2026-05-07 11:01:01  Elapsed: 01:01:01")
    assert lines[3] == "Error: 1 step failed: x"


def test_a_run_that_nobody_advances(daily: Run, ten_o_clock: float) -> None:
    """A run without a runner says so, and how to go on (rule 5.7)."""
    table = run_table(daily, None, ten_o_clock, colour=False)
    assert "Runner: none - `orchesjob-flow start` with the same run key" in table


@pytest.mark.parametrize(
    ("status", "mark"),
    [
        ("PENDING", "."),
        ("DELAYED", "~"),
        ("RUNNING", ">"),
        ("SUCCEEDED", "OK"),
        ("FAILED", "NG"),
        ("SKIPPED", "--"),
        ("CANCELLED", "!!"),
    ],
)
def test_marks(make_run: Callable[..., Run], status: str, mark: str) -> None:
    """Each status has its mark; a colour, if any, ends where the status ends."""
    run = make_run((Step(0, "a", StepStatus(status), 0, 0, 0), None))
    plain = run_table(run, 1, 0.0, colour=False)
    assert plain.splitlines()[-1].startswith(f"a     {mark} {status}  ")
    assert "\x1b" not in plain
    coloured = run_table(run, 1, 0.0, colour=True)
    assert coloured.count("\x1b[") == 2 * coloured.count("\x1b[0m")
    assert f"{mark} {status}" in coloured


def test_colours_move_no_column(daily: Run, ten_o_clock: float) -> None:
    """Without its colours a coloured table is the plain one."""
    table = run_table(daily, 1, ten_o_clock + 70, colour=True)
    for code in ("\x1b[36m", "\x1b[32m", "\x1b[0m"):
        table = table.replace(code, "")
    assert table == RULE_6_5


def test_wide_characters_count_two(make_run: Callable[..., Run]) -> None:
    """Columns are padded by display width: a Chinese character is as wide as two letters."""
    first = Step(0, "a", StepStatus.FAILED, 1, 1, 0, started_at=1.0, error="x")
    second = Step(1, "b", StepStatus.PENDING, 0, 0, 0)
    run = make_run((first, None), (second, None), run_key="日本")
    lines = run_table(run, 1, 5.0, colour=False).splitlines()
    heads, rule, row = lines[4:7]
    assert row.index("x") + len("日本") == heads.index("Error") == rule.rindex(" ") + 1


def test_nothing_moves_the_cursor(make_run: Callable[..., Run]) -> None:
    """Escapes and line breaks in names, errors and job objects are made visible."""
    evil = "\x1b[2J\r\n\u202e"
    job = Attempt(0, 1, AttemptStatus.RUNNING, 1.0, None, "boot", job='{"status":"\\u001b[2J"}')
    step = Step(0, "a", StepStatus.RUNNING, 1, 0, 0, started_at=1.0, error=evil)
    run = make_run((step, job), flow_id=evil, run_key=evil, error=evil)
    table = run_table(run, 1, 5.0, colour=False)
    assert len(table.splitlines()) == 7 + 1
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert table.count(r"\x1b[2J\r\n\u202e") == 5


@pytest.mark.parametrize(
    ("start", "end", "wall", "text"),
    [
        (0.0, None, 59.9, "00:00:59"),
        (0.0, 60.0, 999.0, "00:01:00"),
        (0.0, 360_000.0, 0.0, "100:00:00"),
        (100.0, None, 50.0, "00:00:00"),
    ],
)
def test_durations(start: float, end: float | None, wall: float, text: str) -> None:
    """A duration is in hours, minutes and seconds; a clock that went back makes none negative."""
    assert duration(start, end, wall) == text
