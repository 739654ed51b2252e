"""What a signal makes a command say, and that it says it once (rule 6.9)."""

import signal

import pytest

from orchesjob_flow.interruption import Interruption, describe


def test_nothing_is_said_after_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    """A signal that comes while a result, an error or another signal is told adds no word."""
    interruption = Interruption(["start", "--run-key=k", "flow.yaml"])
    interruption.be_silent()
    assert interruption.report(signal.SIGTERM) == 143
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "resume", "cancel"),
    [
        ("start --run-key=k f.yaml", "start --run-key=k f.yaml", "cancel --run-key=k"),
        (
            "--db x start f.yaml --run-key k -d",
            "--db x start f.yaml --run-key k -d",
            "--db x cancel --run-key k",
        ),
        (
            "--db x retry --step=a --run-key k",
            "--db x resume --run-key k",
            "--db x cancel --run-key k",
        ),
        ("watch --run-key k", "watch --run-key k", "cancel --run-key k"),
        ("resume --all", "resume --all", None),
        ("start --run-key=k -", "resume --run-key=k", "cancel --run-key=k"),
        ("start /dev/fd/63 --run-key k", "resume --run-key k", "cancel --run-key k"),
        ("retry", "retry", None),
        ("retry --run-key", "resume --run-key", "cancel --run-key"),
        ("cancel --run-key=k", "cancel --run-key=k", None),
        ("list", None, None),
    ],
)
def test_how_to_go_on(line: str, resume: str | None, cancel: str | None) -> None:
    """What is said names the commands that go on from there, as far as the words tell them."""
    described = describe(signal.SIGINT, line.split())
    assert described["error"].startswith("interrupted by SIGINT")
    commands = {"resume": resume, "cancel": cancel}
    expected = {name: f"orchesjob-flow {words}" for name, words in commands.items() if words}
    assert {name: text for name, text in described.items() if name != "error"} == expected
