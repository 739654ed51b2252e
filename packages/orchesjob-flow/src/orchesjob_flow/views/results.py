"""A run as the result of a command, in the output format of its reader (rule 6.11).

On a terminal it ends with the commands that a person may type next. `start -d` and similar commands
say which process runs in the background, and where its log is.
"""

import shlex
from collections.abc import Iterator, Sequence

from orchesjob_flow.home.paths import DATABASE_OPTION
from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views import streams
from orchesjob_flow.views.streams import Form, fitted, stdout, wrapped, write_result
from orchesjob_flow.views.text import visible, width


def show_run(handle: RunHandle, snapshot: Snapshot, form: Form) -> None:
    """Print a run as it is now; neither form imports what the other one needs."""
    if form is Form.JSON:
        from orchesjob_flow.views.run_json import print_run

        print_run(*snapshot)
    else:
        from orchesjob_flow.views.table_fitting import print_table

        print_table(snapshot)
        show_next_steps(handle, snapshot)


def show_next_steps(handle: RunHandle, snapshot: Snapshot) -> None:
    """Print what a person can do next; a table in a file ends with its last line."""
    if not streams.stdout().stream.isatty():
        return
    lines = next_steps(handle, snapshot)
    write_result("".join(f"{line}\n" for line in ["", *lines]) if lines else "")


def background_text(snapshot: Snapshot, logs: Sequence[str]) -> str:
    """Say who advances a run, and where that process logs; or that the run has ended already."""
    run, runner = snapshot
    words = f"Run {visible(run.run_key)} of flow {visible(run.flow_id)}"
    if runner is None:
        ended = "has ended" if run.status.is_terminal else "has no runner"
        return f"{words} {ended}: {run.status.value}\n"
    pid = "another process" if runner.pid is None else f"process {runner.pid}"
    begun = f"{words} is {run.status.value}; {pid} advances it in the background."
    paths = [f"  its log: {visible(log)}" for log in logs]  # which stay whole, to be copied
    return "".join(f"{line}\n" for line in (*fitted([begun], indent="  "), *paths))


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
