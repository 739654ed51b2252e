"""What INT, TERM and HUP do: the program ends, and says how to continue (rule 6.9).

A signal arrives at any instant: within an import, a destructor, a lock. So its handler neither
raises nor returns; it writes one line and ends the process, as `kill -9` may at any time. While a
runner drives a run, the first signal only asks the runner to stop (`stopped_by_signals`).
"""

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from orchesjob_flow.errors import SIGNALLED
from orchesjob_flow.views.terminal import (
    ERASE_LINE,
    OutputFormat,
    dump_json,
    format_of_errors,
    stderr,
    write_last_words,
)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

STEPS_RUN = "steps that have started keep running under orchesjob"
LEFT_BEHIND = {
    "start": STEPS_RUN,
    "run": STEPS_RUN,
    "retry": STEPS_RUN,
    "resume": STEPS_RUN,
    "watch": "the run goes on",
    "cancel": "a recorded request stays, and the process that advances the run carries it out",
}
"""What an interrupted command leaves behind."""

NOT_YET = "nothing was started"
"""What is left of a `start` or `run` that has recorded no run."""

NAMED_AT_RECORD = ("start", "run")
"""The commands whose run is named just before it is recorded."""
NOT_REPEATABLE = ("run", "retry")
"""The commands that do something else when they are repeated."""

PIPE = re.compile(r"-$|/dev/(fd/|stdin$)")
"""The names of a flow file that the caller has opened."""
NEWEST_OPTION = re.compile(r"(-k|--run-key=)?-$")
"""The names of the newest run, which may soon be another one."""
GLOBAL_OPTIONS = ("--db", "--orchesjob-bin", "--poll-interval", "--patience")
"""The options before the command, each with a value."""


class Interruption:
    """How a signal ends the command that was called with some words."""

    def __init__(self, words: Sequence[str]) -> None:
        """Keep the words, from which the command to continue is made."""
        self._words = words
        self._run_key: str | None = None
        self._has_runner = True
        self._silent = False

    def listen(self) -> None:
        """Handle the signals, except those that the caller ignores, as `nohup` does."""
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self.end)

    def name_run(self, run_key: str, has_runner: bool) -> None:
        """Keep the key of the run that the command is about, as soon as it is known.

        `has_runner` tells of a run that the command only shows whether it goes on.
        """
        self._run_key, self._has_runner = run_key, has_runner

    def be_silent(self) -> None:
        """Print nothing from now on: the command reports its end itself."""
        self._silent = True

    def end(self, signum: int, _frame: FrameType | None) -> NoReturn:
        """Handle a signal: end the process at once."""
        try:
            self.report(signum)
        finally:
            os._exit(SIGNALLED + signum)

    def report(self, signum: int) -> int:
        """Report what was interrupted, unless that was done already; return the exit code."""
        if not self._silent:
            self._silent = True
            described = describe_interruption(
                signum, self._words, self._run_key, has_runner=self._has_runner
            )
            write_last_words(_interruption_text(described, self._words))
        return SIGNALLED + signum


@contextmanager
def stopped_by_signals(stop_runner: Callable[[int], None]) -> Iterator[None]:
    """Let the first signal to end this process stop the runner cleanly; a second one ends it.

    `stop_runner` gets the number of the first one, and must not wait. The second one is passed to
    the previous handler. A signal that is ignored, as under `nohup`, stays ignored.
    """
    before = {
        number: handler
        for number in STOP_SIGNALS
        if callable(handler := signal.getsignal(number))
        and not isinstance(handler, signal.Handlers)
    }
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            before[signal.Signals(signum)](signum, frame)
        stopping = True
        stop_runner(signum)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interruption_text(described: dict[str, str], words: Sequence[str] = ()) -> str:
    if format_of_errors(words) is OutputFormat.JSON:
        return dump_json(described, indent=None)
    from orchesjob_flow.views.error_layout import error_text, style_of

    text = error_text(described, style_of(stderr()))
    # The terminal has echoed ^C where the cursor is.
    return f"{ERASE_LINE}{text}" if stderr().can_draw else text


def describe_interruption(
    signum: int, words: Sequence[str], run_key: str | None, *, has_runner: bool = True
) -> dict[str, str]:
    """Describe what a signal has interrupted, with the command lines that continue."""
    described = {"error": f"interrupted by {signal.Signals(signum).name}"}
    index = _index_of_command(words)
    if index is not None and words[index] in LEFT_BEHIND:
        command = words[index]
        left = LEFT_BEHIND[command] if has_runner else f"the run has no runner; {STEPS_RUN}"
        if command in NAMED_AT_RECORD and run_key is None:
            left = NOT_YET
        described["error"] += f"; {left}"
        described |= commands_to_continue(words, index, run_key, has_runner=has_runner)
    return described


def _index_of_command(words: Sequence[str]) -> int | None:
    indices = iter(range(len(words)))
    for index in indices:
        if words[index] in GLOBAL_OPTIONS:
            next(indices, None)
        elif not words[index].startswith("-"):
            return index
    return None


def from_command(words: Sequence[str]) -> Sequence[str]:
    """Return the word that names the command and all that follow; none if there is none."""
    index = _index_of_command(words)
    return () if index is None else words[index:]


def commands_to_continue(
    words: Sequence[str], index: int, run_key: str | None, *, has_runner: bool = True
) -> dict[str, str]:
    """Return the command line that resumes or shows the run, and the one that cancels it.

    The same command resumes, with three exceptions: a command that starts something new each time,
    a flow file from a pipe, which can be read only once, and the newest run, which may change.

    >>> commands_to_continue(["--db", "x", "retry", "--step=load", "k", "-d"], 2, "k")
    {'resume': 'orchesjob-flow --db x resume k', 'cancel': 'orchesjob-flow --db x cancel k'}
    >>> commands_to_continue(["resume", "--all"], 0, None)
    {'resume': 'orchesjob-flow resume --all'}
    >>> commands_to_continue(["watch", "k"], 0, "k")
    {'watch': 'orchesjob-flow watch k', 'cancel': 'orchesjob-flow cancel k'}
    """
    options, command = words[:index], words[index]
    does = "watch" if command == "watch" and has_runner else "resume"
    commands = {does: words}
    if run_key is not None:
        # A key that looks like an option must be the value of one.
        key = f"--run-key={run_key}" if run_key.startswith("-") else run_key
        is_pipe = command == "start" and any(map(PIPE.match, words))
        if command in NOT_REPEATABLE or is_pipe or not has_runner:
            commands["resume"] = [*options, "resume", key]
        elif any(map(NEWEST_OPTION.match, words[index:])):
            commands[does] = [*options, command, key]
        if command != "cancel":
            commands["cancel"] = [*options, "cancel", key]
    import shlex

    return {name: shlex.join(["orchesjob-flow", *line]) for name, line in commands.items()}
