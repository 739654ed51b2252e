"""The live view: what is written to a terminal, and when (rule 6.6)."""

import io
import os
import pty
import struct
import termios
from collections.abc import Callable, Iterator
from fcntl import ioctl
from typing import TextIO

import pytest

from flow_store import Run, RunStatus, Step, StepStatus
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Snapshot
from orchesjob_flow.views.progress import CLEAR_BELOW, CLEAR_LINE, NO_WRAP, WRAP, Screen
from orchesjob_flow.views.terminal import Terminal, width

from .emulator import Emulator


class Paper(list[str]):
    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.stream: TextIO = open(slave, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        self.terminal = Terminal(self.stream, self.append)
        self.resize(80, 24)

    def resize(self, columns: int, lines: int) -> None:
        ioctl(self.stream.fileno(), termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def paper() -> Iterator[Paper]:
    paper = Paper()
    yield paper
    paper.close()


def picture_lines(text: str) -> list[str]:
    """Return the lines of a picture, without the sequences that place them."""
    for sequence in (CLEAR_LINE, CLEAR_BELOW, WRAP):
        text = text.replace(sequence, "")
    return text.partition(NO_WRAP)[2].splitlines()


def test_drawn_only_when_it_differs(paper: Paper, daily: Run) -> None:
    """A picture that is still right is not drawn again."""
    ended = daily._replace(status=RunStatus.FAILED, finished_at=daily.started_at)
    screen = Screen(paper.terminal, [])
    screen.show(Snapshot(ended, None))
    screen.refresh()
    assert len(paper) == 1
    assert "\x1b[2J" not in paper[0]  # clearing the screen flickers


def test_time_moves(paper: Paper, daily: Run) -> None:
    """While a step runs, its elapsed time goes on between two looks (rule 6.6)."""
    moment = daily.started_at + 70
    screen = Screen(paper.terminal, [], lambda: moment)
    screen.show(Snapshot(daily, Holder(1)))
    moment += 1
    screen.refresh()
    first, second = paper
    assert "10 s" in first
    assert "11 s" in second


def test_a_picture_is_not_composed_in_vain(paper: Paper, daily: Run) -> None:
    """Between two seconds nothing is composed for a run that has not changed (rule 6.6)."""
    moment, looks = float(int(daily.started_at)) + 70, 0

    class Watched(Run):
        """A run that counts how often somebody looks at its steps."""

        def __getattribute__(self, name: str) -> object:
            nonlocal looks
            looks += name == "steps"
            return super().__getattribute__(name)

    run = Watched(*daily)
    screen = Screen(paper.terminal, [], lambda: moment)
    screen.show(Snapshot(run, Holder(1)))
    before = looks
    for _ in range(3):
        moment += 0.25
        screen.show(Snapshot(run, Holder(1)))
        screen.refresh()
    assert looks == before
    screen.show(Snapshot(run, None))
    assert looks > before


def test_the_last_column_stays(paper: Paper, daily: Run) -> None:
    """A line that fills the screen is not cleared behind, where its last character is."""
    screen = Screen(paper.terminal, [])
    for columns in range(20, 100):
        paper.resize(columns, 24)
        screen.show(Snapshot(daily, Holder(1)))
        for line in paper[-1].partition(NO_WRAP)[2].splitlines()[:-1]:
            text = line.removesuffix(CLEAR_LINE)
            assert line.count(CLEAR_LINE) == (width(text) < columns)


def test_the_end_shows_every_step(paper: Paper, make_run: Callable[..., Run]) -> None:
    """What stays on the screen is whole: 200 steps on a screen of 24 lines scroll (rule 6.6)."""
    steps = [(Step(n, f"s{n}", StepStatus.SUCCEEDED, 1, 0, 0), None) for n in range(200)]
    run = make_run(*steps, status=RunStatus.SUCCEEDED, finished_at=1.0)
    screen = Screen(paper.terminal, [])
    screen.show(Snapshot(run, None))
    assert sum("SUCCEEDED" in line for line in picture_lines(paper[-1])) == 201


def test_messages_are_below_the_table(paper: Paper, daily: Run) -> None:
    """The latest messages are shown, cut and harmless; they take their lines from the table."""
    messages = [f"message {number}" for number in range(9)] + ["\x1b[2J" * 40]
    screen = Screen(paper.terminal, messages)
    paper.resize(80, 10)
    screen.show(Snapshot(daily, Holder(1)))
    shown = picture_lines(paper[-1])
    assert len(shown) == 9
    assert shown[-2].startswith("import ")
    assert shown[-1].startswith(r"\x1b[2J")
    assert width(shown[-1]) == 80
    paper.resize(80, 12)
    screen.refresh()
    shown = picture_lines(paper[-1])
    assert len(shown) == 11
    assert shown[-3:-1] == ["message 7", "message 8"]


@pytest.fixture
def seen() -> Emulator:
    emulator = Emulator(80, 24)
    emulator.feed(f"{COMMAND}\n")
    return emulator


def look(paper: Paper, seen: Emulator) -> list[str]:
    """Show what has been written since the last look; return all lines."""
    seen.feed("".join(paper))
    paper.clear()
    return seen.shown


COMMAND = "$ start"


def test_drawn_below_what_is_there(paper: Paper, seen: Emulator, daily: Run) -> None:
    """Nothing that stood on the terminal is lost, and there is one picture: the last (rule 6.6)."""
    moment = daily.started_at + 70
    screen = Screen(paper.terminal, [], lambda: moment)
    for _ in range(30):
        screen.show(Snapshot(daily, Holder(1)))
        lines = look(paper, seen)
        assert lines[:2] == [COMMAND, "Flow: daily-import  Run: daily-20260507"]
        assert len(lines) == 10
        moment += 1
    ended = daily._replace(status=RunStatus.FAILED, finished_at=moment, revision=9)
    screen.show(Snapshot(ended, None))
    lines = look(paper, seen)
    assert (lines[0], len(lines)) == (COMMAND, 10)
    assert lines[2].startswith("Status: FAILED")
    assert seen.cursor == (10, 0)


def test_drawn_at_the_bottom(paper: Paper, seen: Emulator, daily: Run) -> None:
    """Where there is little room below, what stood above scrolls away, once (rule 6.6)."""
    seen.feed("".join(f"line {number}\n" for number in range(30)))
    messages: list[str] = []
    moment = daily.started_at
    screen = Screen(paper.terminal, messages, lambda: moment)
    for number in range(5):
        screen.show(Snapshot(daily, Holder(1)))
        messages.append(f"message {number}")
        moment += 1
        look(paper, seen)
    lines = seen.shown
    assert lines[:31] == [COMMAND, *(f"line {number}" for number in range(30))]
    assert lines[31] == "Flow: daily-import  Run: daily-20260507"
    assert lines[40:] == ["message 1", "message 2", "message 3"]


@pytest.mark.parametrize("reflows", [True, False])
@pytest.mark.parametrize("size", [(200, 50), (40, 10), (40, 24), (80, 10), (30, 6)])
def test_a_resize(
    paper: Paper, seen: Emulator, daily: Run, size: tuple[int, int], reflows: bool
) -> None:
    """After a resize the picture is on the screen once, and nothing above is lost (rule 6.6)."""
    seen.feed("".join(f"line {number}\n" for number in range(8)))
    screen = Screen(paper.terminal, [], lambda: daily.started_at)
    for columns, lines in ((80, 24), size, (80, 24), size):
        paper.resize(columns, lines)
        seen.resize(columns, lines, reflows=reflows)
        screen.show(Snapshot(daily, Holder(1)))
        shown = look(paper, seen)
        assert shown[1:9] == [f"line {number}" for number in range(8)]
        on_screen = ["".join(row).rstrip() for row in seen.rows]
        assert on_screen.count("Flow: daily-import  Run: daily-20260507"[:columns]) <= 1
        assert sum("Status: " in line for line in on_screen) == 1
        assert sum("RUNNING" in line for line in on_screen) == 2
        assert all(len(line) <= columns for line in on_screen)
    ended = daily._replace(status=RunStatus.FAILED, finished_at=9.0, revision=9)
    screen.show(Snapshot(ended, None))
    assert sum("FAILED" in line for line in look(paper, seen)) == 1


def test_after_a_stop(paper: Paper, seen: Emulator, daily: Run) -> None:
    """What others have written meanwhile stays, and the picture goes on below (rule 6.6)."""
    moment = daily.started_at
    screen = Screen(paper.terminal, [], lambda: moment)
    screen.show(Snapshot(daily, Holder(1)))
    look(paper, seen)
    screen.begin_below()
    seen.feed("[1]+  Stopped\n$ fg\n")
    for _ in range(2):
        moment += 1
        screen.show(Snapshot(daily, Holder(1)))
        look(paper, seen)
    lines = seen.shown
    assert lines.index("$ fg") + 1 == len(lines) - 9
    assert lines[-9].startswith("Flow: ")


def test_an_unknown_terminal(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets neither pictures nor colours, as what is no terminal (rule 6.5)."""
    monkeypatch.setenv("TERM", "xterm")
    no_terminal = Terminal(io.StringIO(), paper.append)
    assert (paper.terminal.can_draw, no_terminal.can_draw, no_terminal.colour) == (
        True,
        False,
        False,
    )
    monkeypatch.delenv("TERM")
    assert (paper.terminal.can_draw, paper.terminal.colour) == (False, False)
