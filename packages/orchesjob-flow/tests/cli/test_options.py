"""How a command line names its run: the same for every command on one run (rule 6.12)."""

import re
from pathlib import Path

import click
import pytest

from orchesjob_flow.cli.options import CommandOnRun, Duration, KeyArgument
from orchesjob_flow.cli.sections import HIDDEN, SHOWN, cli, load_command
from orchesjob_flow.errors import HomeMissing
from orchesjob_flow.home.settings import Settings

OTHERS = {
    "start": ["flow.yaml"],
    "drive": ["--lock-fd=1", "--pipe-fd=1"],
    "settle": ["load", "--as=skipped", "--reason=why"],
}
"""What a command needs besides the key."""
COMMANDS = {name: load_command(name) for name in (*SHOWN, *HIDDEN)}
ON_A_RUN = sorted(name for name, command in COMMANDS.items() if isinstance(command, CommandOnRun))
KEYS = ["k", "a b", "--all", "-x", "status", "--run-key=k"]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ORCHESJOB_FLOW_HOME", str(tmp_path))
    return Settings.from_options(None, None)


def read(settings: Settings, name: str, *words: str) -> click.Context:
    return COMMANDS[name].make_context(name, [*words], obj=settings)


def test_which_commands() -> None:
    """Every command that receives a run takes its key; `graph` begins with a file instead."""
    with_key = {
        name
        for name, command in COMMANDS.items()
        if any(param.name == "run_key_option" for param in command.params)
    }
    assert with_key == {*ON_A_RUN, "graph"}
    for name in ON_A_RUN:
        arguments = [p for p in COMMANDS[name].params if isinstance(p, click.Argument)]
        assert isinstance(arguments[0], KeyArgument), name


@pytest.mark.parametrize("name", ON_A_RUN)
@pytest.mark.parametrize("key", KEYS)
def test_four_spellings(settings: Settings, name: str, key: str) -> None:
    """`KEY`, `--run-key KEY`, `--run-key=KEY` and `-k KEY` mean the same run, whatever the key."""
    others = OTHERS.get(name, [])
    options = [word for word in others if word.startswith("-")]
    arguments = [word for word in others if not word.startswith("-")]
    lines = [
        [*options, "--", key, *arguments],
        ["--run-key", key, *others],
        [*others, f"--run-key={key}"],
        [*others, "-k", key],
        ["-k", key, *options, "--", *arguments],
    ]
    if not key.startswith("-"):
        lines.append([key, *others])
    for words in lines:
        context = read(settings, name, *words)
        assert context.params["handle"].run_key == key
        assert context.params.get("flow_file") == (others[0] if name == "start" else None)


def test_told(settings: Settings) -> None:
    """Whoever ends the program by a signal knows the run as soon as the words are read."""
    told: list[tuple[object, ...]] = []
    words = ["--db", str(settings.home.database), "status", "k"]
    with pytest.raises(HomeMissing):
        cli.main(words, obj=lambda *run: told.append(run))
    assert told == [("k", True)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90s", 90), ("15m", 900), ("1h30m", 5400), ("1.5h", 5400), ("12h", 43_200)),
        *(("30d", 2_592_000), ("2w", 1_209_600), ("90", 90), ("0.5", 0.5), ("0", 0)),
        *((".5", 0.5), ("1e3", 1000), (60.0, 60)),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    """Options read the durations of flow files, and plain seconds (rule 10.5)."""
    assert Duration(zero=True).convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30", "write a number and w, d, h, m or s, as in 30d"),
        ("30 d", '"30 d" is not a duration such as 90s, 15m or 1h30m'),
        ("2w1", '"2w1" is not a duration'),
        ("0s", '"0s" must be more than 0'),
    ],
)
def test_durations_that_need_a_unit(text: str, words: str) -> None:
    """A bare number is refused where it might remove more than was meant (rule 9.10)."""
    with pytest.raises(click.BadParameter, match=re.escape(words)):
        Duration(zero=False, needs_unit=True).convert(text, None, None)
