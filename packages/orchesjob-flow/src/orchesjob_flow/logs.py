"""`logs`: what the steps of a run have printed, or print while one looks (rule 9.6).

orchesjob keeps the output in files and names them in its answers, which are recorded. Whose files
are shown is decided here, and how a line is led; reading the files is `step_output`'s.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flow_spec import FlowSpec
from flow_store import Attempt, Run
from orchesjob_flow.driving import warn
from orchesjob_flow.errors import NoOutput
from orchesjob_flow.output import write_bytes
from orchesjob_flow.reading import load, open_for_reading
from orchesjob_flow.reasons import reasons
from orchesjob_flow.settings import Settings
from orchesjob_flow.step_output import OutputFile
from orchesjob_flow.text import COLOUR, visible

LOOK_SEC = 0.5
LONGEST_LINE = 1 << 16
NO_COLOUR = "\x1b[0m"


class Choice(NamedTuple):
    """Whose output is asked for: of one step or of all, of the latest attempt or of a certain one.

    `tail` is how many of the last lines of each file are shown, or None for all.
    """

    step: str | None
    attempt: int | None
    streams: Sequence[str]
    tail: int | None


class Source(NamedTuple):
    """One stream of one attempt."""

    step_id: str
    number: int
    stream: str


def show_logs(
    run_key: str, choice: Choice, settings: Settings, *, follow: bool, terminal: bool
) -> None:
    """Write the output to stdout; with `follow` until the run is terminal.

    On a `terminal`, whatever would move its cursor is shown as an escape; colours are let through.

    Raises:
        RunNotFound, UnknownStepError: There is no such run, or no such step in it.
        NoOutput: There is none of the step that was asked for.
    """
    printer: Printer | None = None
    while True:
        run, attempts = read(run_key, settings)
        if printer is None:
            printer = Printer(prefixes(run, choice), choice.tail, terminal=terminal)
        last = not follow or run.status.is_terminal
        printer.show(chosen(run, attempts, choice), last=last)
        if last:
            break
        time.sleep(LOOK_SEC)
    if choice.step is not None and not printer.has_shown:
        raise NoOutput(choice.step, choice.attempt, why_not(run, choice))


def read(run_key: str, settings: Settings) -> tuple[Run, tuple[Attempt, ...]]:
    """Read a run with all its attempts; write nothing."""
    with open_for_reading(run_key, settings) as store:
        return load(store, run_key, settings), store.attempts(run_key)


def prefixes(run: Run, choice: Choice) -> Mapping[str, str]:
    """Return what leads the lines of each step: nothing where there is only one."""
    if choice.step is not None:
        return {FlowSpec.from_json(run.definition).step(choice.step).id: ""}
    width = max(len(step.step_id) for step in run.steps)
    return {step.step_id: f"{step.step_id:{width}} | " for step in run.steps}


def chosen(run: Run, attempts: Sequence[Attempt], choice: Choice) -> dict[Source, Path]:
    """Return the files that are asked for, in the order of the steps."""
    wanted: dict[int, Attempt] = {}
    for attempt in attempts:  # by step and number: the latest of a step comes last
        if attempt.job is not None and choice.attempt in (None, attempt.number):
            wanted[attempt.position] = attempt
    files: dict[Source, Path] = {}
    for step in run.steps:
        if choice.step in (None, step.step_id) and step.position in wanted:
            attempt = wanted[step.position]
            job = json.loads(str(attempt.job))
            for stream in choice.streams:
                if isinstance(path := job.get(f"{stream}_file"), str):
                    files[Source(step.step_id, attempt.number, stream)] = Path(path)
    return files


def why_not(run: Run, choice: Choice) -> str:
    """Say why the one step that was asked for has no output."""
    ((step, reason),) = (
        (step, why)
        for step, why in zip(run.steps, reasons(run), strict=True)
        if step.step_id == choice.step
    )
    if choice.attempt is not None and choice.attempt > step.attempt_no > 0:
        return f"the last one is attempt {step.attempt_no}"
    return "its files are gone" if step.attempt_no > 0 else reason


class Printer:
    """Writes what the files hold, and what is added to them.

    Bytes are passed on as they are, unless each line is led by its step or goes to a terminal.
    """

    def __init__(
        self,
        prefixes: Mapping[str, str],
        tail: int | None,
        *,
        terminal: bool,
        write: Callable[[bytes], None] = write_bytes,
    ) -> None:
        """Begin with no file."""
        self.has_shown = False
        self._prefixes = prefixes
        self._tail = tail
        self._clean: Callable[[bytes], bytes] = for_terminal if terminal else bytes
        self._by_line = terminal or any(prefixes.values())
        self._write_bytes = write
        self._files: dict[Source, OutputFile] = {}
        self._begun: dict[Source, bytes] = {}
        self._gone: set[Source] = set()

    def show(self, sources: Mapping[Source, Path], *, last: bool) -> None:
        """Write what is new in the files that are known, and in these.

        A line that has no end yet is kept back for the next time, if this is not the `last`.
        """
        for source, path in sources.items():
            if source not in self._files:
                self._files[source] = file = OutputFile(path)
                if self._tail is not None:
                    file.skip_to_last(self._tail)
        self._tail = None  # an attempt that begins while one looks is shown whole
        for source, file in self._files.items():
            self._show_file(source, file)
            if last and source in self._begun:
                self._write(source, b"\n")

    def _show_file(self, source: Source, file: OutputFile) -> None:
        try:
            for block in file.read():
                self._write(source, block)
            self.has_shown = True
        except FileNotFoundError:
            if source not in self._gone:
                self._gone.add(source)
                what = f"{source.stream} of attempt {source.number} of step {source.step_id!r}"
                warn(f"{what} is gone: there is no {file.path}")

    def _write(self, source: Source, block: bytes) -> None:
        if not self._by_line:
            self._write_bytes(block)
            return
        *lines, rest = (self._begun.pop(source, b"") + block).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        if rest:
            self._begun[source] = rest
        prefix = self._prefixes[source.step_id].encode()
        self._write_bytes(b"".join(prefix + self._clean(line) + b"\n" for line in lines))


def for_terminal(line: bytes) -> bytes:
    """Make a line harmless for a terminal; its colours stay, and end with it."""
    text = line.rstrip(b"\r").decode("utf-8", "backslashreplace")
    parts = COLOUR.split(text)
    shown = "".join(
        part if number % 2 else "\t".join(map(visible, part.split("\t")))
        for number, part in enumerate(parts)
    )
    return (shown + NO_COLOUR if len(parts) > 1 else shown).encode()
