"""Runs that a store has: recorded, ended, opened again, as a runner and a person would do it."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flow_spec import FlowSpec, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    Reopening,
    RunHeader,
    RunStatus,
    StepStatus,
)

type Told = tuple[float, float, AttemptStatus]
"""When an attempt began, when it ended, and how."""

GOOD, BAD = AttemptStatus.SUCCEEDED, AttemptStatus.FAILED


class Ending(NamedTuple):
    """How a step ended, and its attempts since it was decided last; one that `gate`s is first."""

    status: StepStatus
    attempts: Sequence[Told] = ()
    gate: Told | None = None

    @property
    def times(self) -> tuple[float | None, float | None]:
        """When it began and when it ended."""
        told = self.told
        return (told[0][0], told[-1][1]) if told else (None, None)

    @property
    def told(self) -> list[Told]:
        """All that was started, in order."""
        return [*([] if self.gate is None else [self.gate]), *self.attempts]


def ran(began: float, ended: float) -> Ending:
    """Make a step that SUCCEEDED at its first attempt."""
    return Ending(StepStatus.SUCCEEDED, [(began, ended, GOOD)])


def failed(began: float, ended: float) -> Ending:
    """Make a step that FAILED at its only attempt."""
    return Ending(StepStatus.FAILED, [(began, ended, BAD)])


SKIPPED = Ending(StepStatus.SKIPPED)


def step(name: str, **fields: object) -> StepSpec:
    """Make a step of a flow."""
    return StepSpec(name, ("x",), **fields)  # type: ignore[arg-type]


def record(store: FlowStore, key: str, flow: FlowSpec, started_at: float = 0.0) -> None:
    """Record a run that has not begun."""
    assert store.create(
        run_key=key,
        flow_id=flow.flow_id,
        definition=flow.to_json(),
        directory="/",
        flow_dir="/",
        orchesjob_home="/srv/jobs",
        started_at=started_at,
        steps=[(one.id, one.retries) for one in flow.all_steps],
    )


def end(
    store: FlowStore,
    key: str,
    finished_at: float,
    endings: Mapping[str, Ending],
    status: RunStatus = RunStatus.SUCCEEDED,
) -> None:
    """Let the steps of a run end, and then the run."""
    run = store.load(key)
    assert run is not None
    changes = Changes(RunHeader(status, None, finished_at))
    for row in run.steps:
        if row.step_id not in endings:
            continue
        ending = endings[row.step_id]
        for told in ending.told:
            number = row.attempt_no + 1
            changes.attempts[row.position, number] = Attempt(
                row.position,
                number,
                told[2],
                told[0],
                None,
                "boot",
                job=json.dumps({"status": told[2]}),
                finished_at=told[1],
                is_gate=told is ending.gate,
            )
            row = row._replace(attempt_no=number)  # noqa: PLW2901 - it grows
        failures = sum(told[2] is BAD for told in ending.told)
        began, ended = ending.times
        changes.steps[row.position] = row._replace(
            status=ending.status, failures=failures, started_at=began, finished_at=ended
        )
    store.apply(key, changes, revision=run.revision)


def open_again(store: FlowStore, key: str, *steps: str) -> None:
    """Open a run again, so that these steps are decided anew."""
    run = store.load(key)
    assert run is not None
    resets = {row.position: row.max_retries for row in run.steps if row.step_id in steps}
    store.reopen(key, Reopening(run.definition, resets), revision=run.revision)
