"""Reading the command line, and the ways in which a call can end without an answer."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all the rest
if TYPE_CHECKING:
    from typing import NoReturn

FAILED, USAGE, NOT_FOUND, NOT_RUNNING = 1, 2, 3, 4

# Per call: the options that take a value, and the flags.
OPTIONS: dict[str, tuple[set[str], set[str]]] = {
    "start": ({"--run-key", "--start-timeout"}, {"--strict"}),
    "status": ({"--run-key", "--job-id"}, {"--running"}),
    "abort": ({"--run-key", "--job-id", "--reason", "--grace-seconds"}, set()),
    "clean": ({"--job-id"}, set()),
    "_worker": ({"--job-id"}, set()),
}


class Words:
    """A parsed command line: the call, its options and, for `start`, the command."""

    def __init__(self, argv: list[str]) -> None:
        if not argv or argv[0] not in OPTIONS:
            usage("", "argument subcommand: invalid choice" if argv else "subcommand is required")
        self.call, *rest = argv
        self.values: dict[str, str] = {}
        self.command: list[str] = []
        valued, flags = OPTIONS[self.call]
        while rest:
            word = rest.pop(0)
            name, is_one_word, value = word.partition("=")
            if self.call == "start" and not word.startswith("-"):
                self.command = [word, *rest]
                break
            if self.call == "start" and word == "--":
                self.command = rest
                break
            if word in flags:
                self.values[word] = ""
                continue
            if name not in valued:
                usage(self.call, f"unrecognized arguments: {word}")
            if not is_one_word:
                if not rest or rest[0].startswith("-"):
                    usage(self.call, f"argument {name}: expected one argument")
                value = rest.pop(0)
            self.values[name] = value
        if sum(name in self.values for name in ("--run-key", "--job-id", "--running")) != 1:
            usage(self.call, "one of the arguments --run-key --job-id --running is required")
        if self.call == "start" and not self.command:
            usage(self.call, "command is required (provide it after --)")

    def has(self, flag: str) -> bool:
        """Tell whether an option was given."""
        return flag in self.values

    def text(self, name: str) -> str | None:
        return self.values.get(name)

    def seconds(self, name: str, default: float) -> float:
        """Return an option's value as a number."""
        return float(self.values.get(name, default))


def usage(call: str, problem: str) -> NoReturn:
    """End as argparse ends."""
    program = f"orchesjob {call}".strip()
    _write_error(f"usage: {program} [-h] ...\n{program}: error: {problem}\n")
    leave(USAGE)


def stop(problem: str, code: int) -> NoReturn:
    complain(problem)
    leave(code)


def complain(problem: str) -> None:
    _write_error(f"orchesjob: {problem}\n")


def crash(line: str) -> NoReturn:
    """End as an uncaught exception ends."""
    _write_error(f"Traceback (most recent call last):\n  File ...\n{line}\n")
    leave(FAILED)


def leave(code: int) -> NoReturn:
    """Exit at once; the interpreter's own tidying up costs milliseconds."""
    sys.stdout.flush()
    os._exit(code)


def _write_error(text: str) -> None:
    os.write(2, text.encode("utf-8", "backslashreplace"))
