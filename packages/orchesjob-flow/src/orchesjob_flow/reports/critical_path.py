"""The critical path: the chain of steps that made a run as long as it was."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple


class Timed(NamedTuple):
    """A step as far as the path is concerned.

    Attributes:
        ready_at: When the last step that it waits for had ended; of a step that waits for none,
            when the run, or its `retry`, began.
        finished_at: When it ended, or now.
        busy_sec: How long it ran and waited between its attempts: what it could have been quicker.
        waits: What it waits for, by id. Those that kept their outcome in a `retry` are left out.
    """

    ready_at: float
    finished_at: float
    busy_sec: float
    waits: Sequence[str]


class Saving(NamedTuple):
    """How much sooner the run would have ended, had this step taken no time."""

    step_id: str
    busy_sec: float
    saved_sec: float


LOOKED_AT = 5
"""Of how many steps it is said what they would have saved: the longest of the path."""


def critical_path(steps: Mapping[str, Timed], begun: Collection[str]) -> tuple[str, ...]:
    """Return the chain that ends with what ended last, its first step first.

    Each step of it began because the one before it had ended: of all that it waited for, that was
    the last to end. `begun` are the steps that have had an attempt; the chain ends with one.
    """
    last = max(begun, key=lambda step_id: steps[step_id].finished_at, default=None)
    path: list[str] = []
    while last is not None:
        path.append(last)
        waits = steps[last].waits
        last = max(waits, key=lambda step_id: steps[step_id].finished_at, default=None)
    return tuple(reversed(path))


def savings(
    steps: Mapping[str, Timed], path: Sequence[str], order: Sequence[str]
) -> Iterator[Saving]:
    """Yield what the longest steps of the path would have saved, had they taken no time.

    All other steps then wait for the same, run as long, and wait for a place as long as they did.
    So another chain becomes the longest one, and the saving is often less than the step's time.
    That a place would have been free sooner, or that a condition would have been decided another
    way, is not considered. `order` names all steps, each after what it waits for.
    """
    longest = sorted(path, key=lambda step_id: -steps[step_id].busy_sec)[:LOOKED_AT]
    end = max((steps[step_id].finished_at for step_id in order), default=0.0)
    for step_id in longest:
        if steps[step_id].busy_sec > 0:
            saved = max(0.0, end - end_without(steps, order, step_id))
            yield Saving(step_id, steps[step_id].busy_sec, saved)


def end_without(steps: Mapping[str, Timed], order: Sequence[str], quick: str) -> float:
    """Return when the run would have ended if one step had taken no time."""
    ends: dict[str, float] = {}
    latest = latest_of(ends)
    for step_id in order:
        step = steps[step_id]
        took = step.finished_at - step.ready_at - (step.busy_sec if step_id == quick else 0.0)
        begin = latest(tuple(step.waits)) if step.waits else step.ready_at
        ends[step_id] = begin + took
    return max(ends.values(), default=0.0)


def latest_of(ends: Mapping[str, float]) -> Callable[[tuple[str, ...]], float]:
    """Return what finds the latest of some ends, once for all steps that wait for the same."""

    @cache
    def latest(waits: tuple[str, ...]) -> float:
        return max(ends[name] for name in waits)

    return latest
