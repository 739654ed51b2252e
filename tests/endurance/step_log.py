"""A log into which the steps of a test write what they do, and what must never stand in it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from support.files import write_program


class Line(NamedTuple):
    """What an attempt has written: `begin`, `end`, or `child` for one that it has left behind."""

    word: str
    run_key: str
    step: str
    attempt: int


class StepLog:
    """A file to which the steps append lines, by a program that they call."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "step_log"
        variables = " ".join(f"$ORCHESJOB_FLOW_{name}" for name in ("RUN_KEY", "STEP", "ATTEMPT"))
        text = f'#!/bin/sh\necho "$1 {variables}" >>{self._path}\n'
        self.say = write_program(folder / "say", text)
        self._path.touch()

    def step(
        self, name: str, *, sec: float = 0.1, first: str = ":", then: str = ":", **fields: Any
    ) -> dict[str, Any]:
        words = ("set -e", first, f"{self.say} begin", f"sleep {sec}", then, f"{self.say} end")
        return {"id": name, "command": ["sh", "-c", "; ".join(words)], **fields}

    def lines(self) -> list[Line]:
        words = map(str.split, self._path.read_text(encoding="ascii").splitlines())
        return [Line(word, key, step, int(attempt)) for word, key, step, attempt in words]


def check_turns(lines: Iterable[Line], waits: Mapping[str, Mapping[str, str]]) -> None:
    """Check that no attempt ran twice, none beside its predecessor or what it waits for.

    Args:
        lines: What has been written, in that order.
        waits: For each run, by the ids of its steps, the ids of those that each waits for.
    """
    latest: dict[tuple[str, str], int] = defaultdict(int)
    overtaken: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in lines:
        step = (line.run_key, line.step)
        if line.word == "begin":
            assert line.attempt > latest[step], (line, "begins after attempt", latest[step])
            latest[step] = line.attempt
            overtaken.pop(step, None)
            for waited in waits[line.run_key].get(line.step, ""):
                overtaken[line.run_key, waited].add(line.step)
        else:
            assert line.attempt == latest[step], (line, "beside attempt", latest[step])
            assert not overtaken[step], (line, "beside what waits for it:", overtaken[step])


def check_one_at_a_time(lines: Iterable[Line]) -> None:
    """Check that no attempt ran beside anything of another run: all are of one group.

    An attempt that was killed never writes of its end.
    """
    begun: set[Line] = set()
    overtaken: dict[Line, str] = {}
    for line in lines:
        overtaken |= {one: line.run_key for one in begun if one.run_key != line.run_key}
        attempt = line._replace(word="begin")
        assert attempt not in overtaken, (line, "beside run", overtaken[attempt])
        if line.word == "begin":
            begun.add(line)
        else:
            begun.discard(attempt)


def check_nesting(lines: Iterable[Line], parents: Mapping[str, tuple[str, int]]) -> None:
    """Check that no inner run ran on beside a later attempt at the step that had started it.

    Args:
        lines: What has been written, in that order.
        parents: By the keys of inner runs, the key of the outer run and the attempt.
    """
    latest: dict[str, int] = defaultdict(int)
    for line in lines:
        latest[line.run_key] = max(latest[line.run_key], line.attempt)
        if line.run_key in parents:
            outer, attempt = parents[line.run_key]
            assert latest[outer] <= attempt, (line, "beside attempt", latest[outer], "at", outer)
