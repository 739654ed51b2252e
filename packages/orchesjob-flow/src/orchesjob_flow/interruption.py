"""What INT, TERM and HUP do: the program ends, and says how to go on, or nothing (rule 6.9).

A signal comes at any instant: within an import, a destructor, a lock. So its handler raises
nothing, and returns nowhere; it writes one line and ends the process, as `kill -9` may at any time.
Only while a runner drives a run is there another way: see `runner.assembly`.
"""

import os
import re
import signal
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from orchesjob_flow.exit_codes import SIGNALLED
from orchesjob_flow.views.streams import write_last_words
from orchesjob_flow.views.text import dump_json

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

STEPS_RUN = "steps that have started keep running under orchesjob"
LEFT_BEHIND = {
    "start": STEPS_RUN,
    "retry": STEPS_RUN,
    "resume": STEPS_RUN,
    "watch": f"{STEPS_RUN}, and so does any other process that advances the run",
    "cancel": "a recorded request stays, and the process that advances the run carries it out",
}
"""What an interrupted command leaves behind."""


PIPE = re.compile(r"-$|/dev/(fd/|stdin$)")
"""What a flow file is called that the caller has opened."""


class Interruption:
    """How a signal ends the command that was called with some words."""

    def __init__(self, words: Sequence[str]) -> None:
        """Keep the words, which say how to go on."""
        self._words = words
        self._silent = False

    def listen(self) -> None:
        """Handle the signals, but those that the caller has ignored, as `nohup` does."""
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self.end)

    def be_silent(self) -> None:
        """Say nothing from now on: the command has said, or is about to say, how it has ended."""
        self._silent = True

    def end(self, signum: int, _frame: FrameType | None) -> NoReturn:
        """Handle a signal: end the process at once."""
        try:
            self.report(signum)
        finally:
            os._exit(SIGNALLED + signum)

    def report(self, signum: int) -> int:
        """Say what was interrupted, unless that is being said already; return the exit code."""
        if not self._silent:
            self._silent = True
            write_last_words(dump_json(describe(signum, self._words), indent=None))
        return SIGNALLED + signum


def describe(signum: int, words: Sequence[str]) -> dict[str, str]:
    """Describe what a signal has interrupted, with the command lines that go on from there."""
    described = {"error": f"interrupted by {signal.Signals(signum).name}"}
    place = next((place for place, word in enumerate(words) if word in LEFT_BEHIND), None)
    if place is not None:
        described["error"] += f"; {LEFT_BEHIND[words[place]]}"
        described |= commands_to_continue(words, place)
    return described


def commands_to_continue(words: Sequence[str], place: int) -> dict[str, str]:
    """Return the command line that resumes, and the one that cancels the run.

    What resumes is the same command, unless it is a `retry`, which has reopened the run, or has
    read its flow file from a pipe, which is there only once.

    >>> commands_to_continue(["--db", "x", "retry", "--step=load", "--run-key", "k", "-d"], 2)
    {'resume': 'orchesjob-flow --db x resume --run-key k', \
'cancel': 'orchesjob-flow --db x cancel --run-key k'}
    >>> commands_to_continue(["resume", "--all"], 0)
    {'resume': 'orchesjob-flow resume --all'}
    """
    options, command = words[:place], words[place]
    key = run_key_option(words)
    commands = {"resume": words}
    is_repeatable = command != "retry" and not any(map(PIPE.match, words))
    if key and not is_repeatable:
        commands["resume"] = [*options, "resume", *key]
    if command != "cancel" and key:
        commands["cancel"] = [*options, "cancel", *key]
    import shlex

    return {name: shlex.join(["orchesjob-flow", *line]) for name, line in commands.items()}


def run_key_option(words: Sequence[str]) -> Sequence[str]:
    """Return the option `--run-key` with its value, which is one word or two."""
    for number, word in enumerate(words):
        if word.startswith("--run-key"):
            return words[number : number + 1 + ("=" not in word)]
    return ()
