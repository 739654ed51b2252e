"""Statuses and sets of changes (rules 5.1 and 5.2)."""

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    RunHeader,
    RunStatus,
    Step,
    StepStatus,
)


def test_terminal_run_statuses() -> None:
    """A flow ends SUCCEEDED, FAILED or CANCELLED (rule 5.1)."""
    assert {s for s in RunStatus if s.is_terminal} == {"SUCCEEDED", "FAILED", "CANCELLED"}


def test_terminal_step_statuses() -> None:
    """A step ends SUCCEEDED, FAILED, SKIPPED or CANCELLED; DELAYED is no end (rule 5.2)."""
    ended = {"SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED"}
    assert {s for s in StepStatus if s.is_terminal} == ended


def test_open_attempt_statuses() -> None:
    """An attempt may be under way while STARTING or RUNNING; a dead start is over (rule 4.2)."""
    assert {s for s in AttemptStatus if s.is_open} == {"STARTING", "RUNNING"}


def test_no_changes_are_false() -> None:
    """A set of changes in which nothing changes is false."""
    assert not Changes()


def test_any_change_is_true(step: Step, attempt: Attempt) -> None:
    """A header, a step or an attempt alone is something to write."""
    assert Changes(header=RunHeader(RunStatus.RUNNING))
    assert Changes(steps={0: step})
    assert Changes(attempts={(0, 1): attempt})


def test_records_are_frozen(step: Step) -> None:
    """A record is a fact: it is replaced, never changed."""
    with pytest.raises(AttributeError):
        step.status = StepStatus.FAILED  # type: ignore[misc]
