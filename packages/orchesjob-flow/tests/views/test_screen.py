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

from flow_store import FlowStatus, Run, Step, StepStatus
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Snapshot
from orchesjob_flow.views.screen import CLEAR_BELOW, CLEAR_LINE, HOME, Screen
from orchesjob_flow.views.terminal import Terminal
from orchesjob_flow.views.text import width


class Paper(list[str]):
    """A terminal of a certain size, and what has been written to it."""

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
    """A terminal of 80 columns and 24 lines."""
    paper = Paper()
    yield paper
    paper.close()


def picture_lines(text: str) -> list[str]:
    """Return the lines of a picture, without the sequences that place them."""
    for sequence in (HOME, CLEAR_LINE, CLEAR_BELOW, "\x1b[?7l", "\x1b[?7h"):
        text = text.replace(sequence, "")
    return text.split("\n")


def test_drawn_only_when_it_differs(paper: Paper, daily: Run) -> None:
    """The old screen scrolls away once; a picture that is still right is not drawn again."""
    ended = daily._replace(status=FlowStatus.FAILED, finished_at=daily.started_at)
    screen = Screen(paper.terminal, [])
    screen.show(Snapshot(ended, None))
    screen.refresh()
    assert paper[0] == "\n" * 23
    assert len(paper) == 2
    assert paper[1].startswith(HOME)
    assert "\x1b[2J" not in paper[1]  # clearing the screen flickers


def test_time_moves(paper: Paper, daily: Run) -> None:
    """While a step runs, its elapsed time goes on between two looks (rule 6.6)."""
    moment = daily.started_at + 70
    screen = Screen(paper.terminal, [], lambda: moment)
    screen.show(Snapshot(daily, Holder(1)))
    moment += 1
    screen.refresh()
    first, second = paper[1:]
    assert "00:00:10" in first
    assert "00:00:11" in second


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


def test_right_after_a_resize(paper: Paper, daily: Run) -> None:
    """Another size is another picture, which fits (rule 6.6)."""
    screen = Screen(paper.terminal, [])
    screen.show(Snapshot(daily, Holder(1)))
    for columns, lines in ((40, 7), (132, 50), (80, 24)):
        paper.resize(columns, lines)
        screen.refresh()
        shown = picture_lines(paper[-1])
        assert len(shown) <= lines
        assert max(map(width, shown)) <= columns
    assert len(paper) == 5


def test_the_last_column_stays(paper: Paper, daily: Run) -> None:
    """A line that fills the screen is not cleared behind, where its last character is."""
    screen = Screen(paper.terminal, [])
    for columns in range(20, 100):
        paper.resize(columns, 24)
        screen.show(Snapshot(daily, Holder(1)))
        for line in paper[-1].removeprefix(HOME).split("\n"):
            (text,) = picture_lines(line)
            assert line.count(CLEAR_LINE) == (width(text) < columns)


def test_the_end_shows_every_step(paper: Paper, make_run: Callable[..., Run]) -> None:
    """What stays on the screen is whole: 200 steps on a screen of 24 lines scroll (rule 6.6)."""
    steps = [(Step(n, f"s{n}", StepStatus.SUCCEEDED, 1, 0, 0), None) for n in range(200)]
    run = make_run(*steps, status=FlowStatus.SUCCEEDED, finished_at=1.0)
    screen = Screen(paper.terminal, [])
    screen.show(Snapshot(run, None))
    screen.close()
    assert sum("OK SUCCEEDED" in line for line in picture_lines(paper[-1])) == 201


def test_messages_are_below_the_table(paper: Paper, daily: Run) -> None:
    """The latest messages are shown, cut and harmless; they take their lines from the table."""
    messages = [f"message {number}" for number in range(9)] + ["\x1b[2J" * 40]
    screen = Screen(paper.terminal, messages)
    paper.resize(80, 10)
    screen.show(Snapshot(daily, Holder(1)))
    shown = picture_lines(paper[-1])
    assert len(shown) == 10
    assert shown[-3:-1] == ["message 7", "message 8"]
    assert shown[-1].startswith(r"\x1b[2J")
    assert width(shown[-1]) == 80
    screen.close()
    assert paper[-1] == "\n"


@pytest.mark.parametrize(
    ("variables", "can_draw", "colour"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_what_a_terminal_can(
    paper: Paper,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    can_draw: bool,
    colour: bool,
) -> None:
    """A dumb terminal gets neither pictures nor colours; NO_COLOR is obeyed (rule 6.5)."""
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (paper.terminal.can_draw, paper.terminal.colour) == (can_draw, colour)
    no_terminal = Terminal(io.StringIO(), paper.append)
    assert (no_terminal.can_draw, no_terminal.colour) == (False, False)
