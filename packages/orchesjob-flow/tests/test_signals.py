"""What a signal makes a command say, and that it says it once (rule 6.9)."""

import signal

import pytest

from orchesjob_flow.cli.sections import cli
from orchesjob_flow.signals import GLOBAL_OPTIONS, Interruption, describe_interruption


def test_nothing_is_said_after_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    """A signal that comes while a result, an error or another signal is told adds no word."""
    interruption = Interruption(["start", "--run-key=k", "flow.yaml"])
    interruption.be_silent()
    assert interruption.report(signal.SIGTERM) == 143
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "run_key", "resume", "cancel"),
    [
        ("start k f.yaml", "k", "start k f.yaml", "cancel k"),
        ("start --run-key=k f.yaml", "k", "start --run-key=k f.yaml", "cancel k"),
        ("start -k -x f.yaml", "-x", "start -k -x f.yaml", "cancel --run-key=-x"),
        ("--db x start f.yaml -k k -d", "k", "--db x start f.yaml -k k -d", "--db x cancel k"),
        ("--db x retry --step=a k", "k", "--db x resume k", "--db x cancel k"),
        ("--db retry --patience 5 cancel k", "k", "--db retry --patience 5 cancel k", None),
        ("run f.yaml", None, "run f.yaml", None),
        ("run f.yaml", "f-1", "resume f-1", "cancel f-1"),
        ("watch k", "k", "watch k", "cancel k"),
        ("watch -", "k", "watch k", "cancel k"),
        ("watch -k -", "k", "watch k", "cancel k"),
        ("cancel --run-key=- --now", "k", "cancel k", None),
        ("resume --all", None, "resume --all", None),
        ("start k -", "k", "resume k", "cancel k"),
        ("start /dev/fd/63 -k k", "k", "resume k", "cancel k"),
        ("retry", None, "retry", None),
        ("retry k", None, "retry k", None),
        ("cancel k", "k", "cancel k", None),
        ("wait start", "start", None, None),
        ("list", None, None, None),
        ("--db", None, None, None),
    ],
)
def test_how_to_go_on(
    line: str, run_key: str | None, resume: str | None, cancel: str | None
) -> None:
    """What is said names the commands that go on from there, once the run is known (rule 6.12)."""
    described = describe_interruption(signal.SIGINT, line.split(), run_key)
    assert described["error"].startswith("interrupted by SIGINT")
    does = "watch" if line.startswith("watch") else "resume"
    commands = {does: resume, "cancel": cancel}
    expected = {name: f"orchesjob-flow {words}" for name, words in commands.items() if words}
    assert {name: text for name, text in described.items() if name != "error"} == expected


@pytest.mark.parametrize("line", ["start k f.yaml", "run f.yaml", "start k -"])
def test_before_a_run_is_recorded(line: str) -> None:
    """No run is named before it is recorded: nothing was started, and none can be cancelled."""
    described = describe_interruption(signal.SIGINT, line.split(), None)
    resume = f"orchesjob-flow {line}"
    assert described == {"error": "interrupted by SIGINT; nothing was started", "resume": resume}


def test_the_options_before_the_command() -> None:
    """Which word is the command is found without click, and click would find the same."""
    assert {option for param in cli.params for option in param.opts} - {"--version"} == {
        *GLOBAL_OPTIONS
    }
