"""What a person can do next with a run, as command lines to copy (rule 6.11).

They end what is shown on a terminal; a program knows what it does next.
"""

import shlex
from collections.abc import Iterator, Sequence

from orchesjob_flow.home.paths import DATABASE_OPTION
from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.terminal import stdout
from orchesjob_flow.views.text import visible, width
from orchesjob_flow.views.wrapping import wrapped


def command_line(settings: Settings, command: str, run_key: str, *words: str) -> str:
    """Write the call of a command on a run, in the database that this call was given."""
    home = settings.home
    database = ["--db", str(home.database)] if home.named_by == DATABASE_OPTION else []
    key = [f"--run-key={run_key}" if run_key.startswith("-") else run_key]
    return shlex.join(["orchesjob-flow", *database, command, *key, *words])


def next_steps(handle: RunHandle, snapshot: Snapshot) -> Sequence[str]:
    """Return a line for each thing that suggests itself, the most obvious one first."""
    found = list(suggestions(snapshot))
    lines = [(command_line(handle.settings, *words), what) for words, what in found]
    return [part for line, what in lines for part in explained(visible(line), what)]


def explained(line: str, what: str) -> Sequence[str]:
    """Say what a command line does: beside it, or above it, where it stays whole to be copied."""
    beside, columns = f"{line}  # {what}", stdout().size().columns
    if width(beside) <= columns:
        return [beside]
    return [*wrapped(f"# {what}", columns, indent="# "), line]


def suggestions(snapshot: Snapshot) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the words of each command line, and what it does."""
    run, runner = snapshot
    key = run.run_key
    if run.status.is_terminal:
        if run.status != "SUCCEEDED":
            yield ("logs", key), "all that its steps have printed"
            yield ("retry", key), "run again what went wrong, and what depends on it"
    elif run.cancel is not None and runner is None:
        yield ("cancel", key), "carry out the cancel"
    elif runner is None:
        yield ("resume", key), "continue it"
    else:
        yield ("watch", key), "watch it; Ctrl-C leaves it running"
        yield ("logs", key, "-f"), "follow what its steps print"
        yield ("cancel", key), "cancel it"
