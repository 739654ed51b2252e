"""Which files hold what the steps of a run have printed: orchesjob names them in its answers.

Only which: `views` reads the files.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from flow_store import Attempt, Run, reported_job


class Choice(NamedTuple):
    """Whose output is asked for: one step's or all steps', the latest attempt's or a certain one's.

    A step's name means all its copies, where it has some (rule 10.3). The latest attempt is that of
    the step's command; one at its gate is shown by its number alone (rule 10.8). `tail` is how many
    of the last lines of each file are shown, or None for all.
    """

    step: str | None
    attempt: int | None
    streams: Sequence[str]
    tail: int | None

    def includes(self, step_id: str) -> bool:
        """Whether the output of a step is asked for."""
        return self.step in (None, step_id, step_id.partition("@")[0])


class Source(NamedTuple):
    """One stream of one attempt."""

    step_id: str
    number: int
    stream: str


def files_of(run: Run, attempts: Sequence[Attempt], choice: Choice) -> dict[Source, Path]:
    """Return the files that are asked for, in the order of the steps."""
    wanted: dict[int, Attempt] = {}
    for attempt in attempts:  # by step and number: the latest of a step comes last
        by_default = choice.attempt is None and not attempt.is_gate
        if attempt.job is not None and (by_default or choice.attempt == attempt.number):
            wanted[attempt.position] = attempt
    files: dict[Source, Path] = {}
    for step in run.steps:
        if choice.includes(step.step_id) and step.position in wanted:
            attempt = wanted[step.position]
            job = reported_job(run, attempt) or {}
            for stream in choice.streams:
                if isinstance(path := job.get(f"{stream}_file"), str):
                    files[Source(step.step_id, attempt.number, stream)] = Path(path)
    return files


def still_growing(run: Run, attempts: Iterable[Attempt], files: Iterable[Source]) -> set[Source]:
    """Return those of the files whose attempts have not ended."""
    under_way = {
        (run.steps[attempt.position].step_id, attempt.number)
        for attempt in attempts
        if attempt.finished_at is None
    }
    return {source for source in files if (source.step_id, source.number) in under_way}
