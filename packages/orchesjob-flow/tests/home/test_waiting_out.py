"""What the machine lacks is waited out, as long as the patience lasts (rule 5.7)."""

import pytest

from orchesjob_flow.errors import GaveUp, ResourceExhausted
from orchesjob_flow.home.runs import RunHandle, wait_out
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.terminal import warn


def handle(patience_sec: float) -> RunHandle:
    return RunHandle("k", Settings.from_options("/x.db", None, 5.0, patience_sec))


def test_it_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """What is there again is used; that it was waited for is said once."""
    answers = [ResourceExhausted("cannot start a thread", "none left")] * 2

    def ask() -> str:
        if answers:
            raise answers.pop()
        return "there"

    assert wait_out(handle(60.0), ask, warn=warn) == "there"
    expected = "orchesjob-flow: cannot start a thread: none left; trying again\n"
    assert capsys.readouterr().err == expected


def test_it_does_not_pass() -> None:
    """When the patience is over, the run is given up with the cause."""

    def ask() -> None:
        raise ResourceExhausted("cannot start a thread", "none left")

    with pytest.raises(GaveUp, match="gave up on run 'k': cannot start a thread: none left; "):
        wait_out(handle(0.0), ask, warn=warn)
