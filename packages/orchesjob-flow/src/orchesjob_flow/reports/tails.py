"""The last lines that failed steps have printed, as plain text: no colours, and nothing that acts.

A report holds the end of a file, however large that is; `logs` shows all of it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flow_store import Attempt, Run
from orchesjob_flow.home.step_files import Choice, Source, files_of
from orchesjob_flow.views.step_output import OutputFile
from orchesjob_flow.views.text import visible

LAST_LINES = 20
"""Of each of the two streams."""
LAST_BYTES = 8 * 1024
"""Of these lines: one line can be as long as a whole file."""
MOST_STEPS = 20
ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Tail(NamedTuple):
    """The end of what one stream of an attempt has printed.

    `left_out` is how many bytes of the last lines are not in the text; `path` is the file, and
    `is_missing` tells that it is not there any more.
    """

    stream: str
    text: str
    left_out: int
    path: str
    is_missing: bool = False


def tails_of(
    run: Run, attempts: Sequence[Attempt], step_ids: Iterable[str]
) -> Mapping[str, tuple[Tail, ...]]:
    """Read the ends of what the latest attempts of the first of some steps have printed.

    Empty ones are none. What went to stderr comes first: it mostly says what was wrong.
    """
    numbers = {step.step_id: step.attempt_no for step in run.steps}

    def read(step_id: str) -> Iterator[Tail]:
        choice = Choice(step_id, numbers[step_id], ("stderr", "stdout"), LAST_LINES)
        for source, path in files_of(run, attempts, choice).items():
            if source.step_id == step_id and (tail := read_tail(source, path)) is not None:
                yield tail

    return {step_id: tuple(read(step_id)) for step_id in list(step_ids)[:MOST_STEPS]}


def read_tail(source: Source, path: Path) -> Tail | None:
    """Read the end of a file; None if there is nothing in it."""
    file = OutputFile(path)
    left_out = file.skip_to_last(LAST_LINES, LAST_BYTES)
    shown = visible(str(path))
    try:
        data = b"".join(file.read())[:LAST_BYTES]
    except OSError:
        return Tail(source.stream, "", 0, shown, is_missing=True)
    text = "\n".join(map(clean, lines_of(data)))
    return Tail(source.stream, text, left_out, shown) if text else None


def lines_of(data: bytes) -> list[str]:
    """Split a file at its line feeds; what is no UTF-8 is escaped."""
    return data.decode("utf-8", "backslashreplace").rstrip("\n").split("\n")


def clean(line: str) -> str:
    r"""Return what a terminal would show of a line in the end, without colours.

    >>> clean("10 %\r\x1b[32m100 %\x1b[0m\r"), clean("a\tb\x00")
    ('100 %', 'a\tb\\x00')
    """
    plain = ESCAPE_SEQUENCE.sub("", line).rstrip("\r").rpartition("\r")[2]
    return "\t".join(map(visible, plain.split("\t")))
