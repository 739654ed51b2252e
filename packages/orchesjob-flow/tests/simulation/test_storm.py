"""Storms: randomised runs with every invariant checked, and the map of the engine."""

import importlib
import re
from pathlib import Path
from typing import get_args

import pytest

from flow_store import AttemptStatus, FlowStore, Run, RunStatus, StepStatus
from orchesjob_flow import engine
from orchesjob_flow.engine.messages import Answer, Effect, Event
from orchesjob_flow.engine.update import HANDLERS

from .seeds import regression_seeds, run_batch
from .storm import Storm


@pytest.mark.heavy
def test_storms() -> None:
    """Where something has failed before, every invariant holds, and a run left in peace ends."""
    assert not "\n\n".join(map(str, run_batch(regression_seeds())))


# The map at the top of the engine says what the engine does.

type Transition = tuple[str, str, str]

STORMS = 100
ENDS = ("SUCCEEDED", "FAILED", "CANCELLED")
END_OF = {"run": ENDS, "step": (*ENDS, "SKIPPED"), "attempt": (*ENDS, "SKIPPED")}
MAP = engine.__doc__ or ""


def table(title: str) -> list[list[str]]:
    """Return the rows of a table of the map, as the words that two spaces part."""
    _, _, rest = MAP.partition(f"\n{title}")
    _, _, rows = rest.partition(":\n\n")
    lines = rows.partition("\n\n")[0].splitlines()
    assert lines
    # What is indented further goes on with the sentence above.
    return [re.split(r" {2,}", line.strip()) for line in lines if re.match(r" {4}\S", line)]


def mapped(noun: str) -> set[Transition]:
    """Return the changes of status that the map lists for a run, a step or an attempt."""
    found = set()
    for before, after, *_ in table(f"Statuses of {'an' if noun[0] == 'a' else 'a'} {noun}"):
        from_, to = (END_OF[noun] if each == "any end" else (each,) for each in (before, after))
        found |= {(noun, old, new) for old in from_ for new in to}
    return found


def changes(before: Run, after: Run) -> set[Transition]:
    steps = zip(before.steps, after.steps, strict=False)
    attempts = [(before.attempts.get(place), each) for place, each in after.attempts.items()]
    pairs = [
        ("run", before.status, after.status),
        *(("step", old.status, new.status) for old, new in steps),
        *(
            ("attempt", old.status, new.status)
            for old, new in attempts
            if old is not None and old.number == new.number
        ),
    ]
    return {(noun, old.value, new.value) for noun, old, new in pairs if old is not new}


@pytest.mark.heavy
def test_the_map_lists_the_changes_of_status(store: FlowStore, database: Path) -> None:
    """What storms show is on the map, and the reverse; every invariant holds (5.1 to 5.10).

    The session `simulation` runs many more.
    """
    seen: set[Transition] = set()
    for seed in range(STORMS):
        storm = Storm(store, database, seed)
        with storm.world as world:
            storm.drive()
            for before, after in zip(world.history, world.history[1:], strict=False):
                seen |= changes(before, after)
    listed = mapped("run") | mapped("step") | mapped("attempt")
    assert seen <= listed
    # A run with one commit from its beginning to its end, and rare ends of single attempts.
    assert {each for each in listed if each[1] not in ("PENDING", "STARTING")} <= seen


@pytest.mark.parametrize(
    ("noun", "statuses"), [("run", RunStatus), ("step", StepStatus), ("attempt", AttemptStatus)]
)
def test_the_map_lists_the_statuses(
    noun: str, statuses: type[RunStatus | StepStatus | AttemptStatus]
) -> None:
    assert {word for _, *pair in mapped(noun) for word in pair} == {each.value for each in statuses}


def test_the_map_names_functions() -> None:
    for noun in ("a run", "a step", "an attempt"):
        for _, _, decider, *_ in table(f"Statuses of {noun}"):
            module, _, name = decider.partition(".")
            assert callable(getattr(importlib.import_module(f"{engine.__name__}.{module}"), name))


def test_the_map_lists_the_events_and_effects() -> None:
    events = {*get_args(Answer.__value__), *get_args(Event.__value__)} - {Answer}
    assert [row[0] for row in table("Events")] == [each.__name__ for each in HANDLERS]
    assert set(HANDLERS) == events
    for event, handler in HANDLERS.items():
        assert handler.__name__ == "on" + re.sub("([A-Z])", r"_\1", event.__name__).lower()
    assert [row[0] for row in table("Effects")] == [
        each.__name__ for each in get_args(Effect.__value__)
    ]
    names = {each.__name__ for each in events}
    for _, answers, *_ in table("Effects"):
        assert names >= set(re.findall(r"[A-Z][a-z]+[A-Z]\w+", answers))
