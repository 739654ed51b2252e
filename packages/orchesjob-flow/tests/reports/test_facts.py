"""What happened, as all formats tell it: times, the critical path, the sentence (rule 12.1)."""

from typing import Any

import pytest

from flow_store import Attempt, AttemptStatus, RunStatus, StepStatus
from orchesjob_flow.explanation import explain_steps
from orchesjob_flow.reports.facts import Facts, SpanKind, headline

from .recorded_facts import RecordedStep, facts_from, step

WAITED, DELAYED, RAN = SpanKind.WAITED, SpanKind.DELAYED, SpanKind.RAN


def spans(facts: Facts, step_id: str) -> list[tuple[SpanKind, float, float]]:
    one = next(one for one in facts.steps if one.id == step_id)
    return [(span.kind, span.begin, span.end) for span in one.spans]


def test_where_the_time_of_a_step_went() -> None:
    """Waiting for a place, the delay between two attempts and running are told apart."""
    facts = facts_from(
        RecordedStep(step("a"), [(1, 5, 0)]),
        RecordedStep(step("b", depends_on=("a",), retries=2), [(7, 8, 3), (10, 14, 0)]),
    )
    assert spans(facts, "a") == [(WAITED, 0, 1), (RAN, 1, 5)]
    assert spans(facts, "b") == [(WAITED, 5, 7), (RAN, 7, 8), (DELAYED, 8, 10), (RAN, 10, 14)]
    assert (facts.steps[1].is_flaky, facts.steps[0].is_flaky) == (True, False)


def test_under_way() -> None:
    facts = facts_from(
        RecordedStep(step("a"), [(0, None, None)]),
        RecordedStep(step("b"), [(0, 900, 1)], StepStatus.DELAYED),
        RecordedStep(step("c", depends_on=("a",))),
        status=RunStatus.RUNNING,
        finished_at=None,
    )
    assert spans(facts, "a") == [(RAN, 0, 1000)]
    assert spans(facts, "b") == [(RAN, 0, 900), (DELAYED, 900, 1000)]
    assert spans(facts, "c") == []
    assert headline(facts) == "It has run for 16 min 40 s: a is running, 0 of 3 steps done."
    abandoned = facts._replace(is_abandoned=True)
    silent = headline(abandoned).partition(", nothing recorded since ")
    assert silent[0] == "It has no runner"
    assert silent[2].endswith("continues it: a is running, 0 of 3 steps done.")
    assert headline(abandoned._replace(stale={0})).endswith("continues it: 0 of 3 steps done.")


def test_before_a_retry_and_after_it() -> None:
    """Attempts before a `retry` are shown; the time between is nobody's (rule 9.7)."""
    facts = facts_from(
        RecordedStep(step("a"), [(0, 2, 0)]),
        RecordedStep(
            step("b", depends_on=("a",), retries=1),
            [(2, 3, 1), (3, 4, 1), (500, 503, 1), (504, 505, 0)],
            retry_no=1,
            failures=1,
        ),
        RecordedStep(step("c", depends_on=("b",)), [(505, 509, 0)], retry_no=1),
    )
    b = facts.steps[1]
    assert [one.is_earlier for one in b.attempts] == [True, True, False, False]
    assert b.took(RAN) == 4
    assert (DELAYED, 4, 500) not in spans(facts, "b")
    assert (WAITED, 2, 500) not in spans(facts, "b")
    assert facts.path == ("b", "c")


def test_times_of_orchesjob() -> None:
    """A job that was found has orchesjob's times, and so has an end that no runner saw."""
    job = '{"existing": true, "started_at": 100, "finished_at": 160, "exit_code": 0}'
    unseen = '{"started_at": 300, "finished_at": 310, "exit_code": 0}'
    done = AttemptStatus.SUCCEEDED
    facts = facts_from(
        RecordedStep(step("found"), [(200, 200, 0)]),
        RecordedStep(step("unseen"), [(300.5, 311, 0)]),
        attempts=[
            Attempt(0, 1, done, 200.0, None, "boot", job=job, finished_at=200.0),
            Attempt(1, 1, done, 300.5, None, "boot", job=unseen, finished_at=311.0),
        ],
        started_at=199.0,
    )
    found, unseen_one = (one.attempts[0] for one in facts.steps)
    assert (found.started_at, found.finished_at, found.is_exact) == (100, 160, False)
    assert (unseen_one.finished_at, unseen_one.is_exact) == (311, False)
    assert not facts.are_times_exact


def diamond() -> Facts:
    return facts_from(
        RecordedStep(step("a"), [(0, 10, 0)]),
        RecordedStep(step("short", depends_on=("a",)), [(10, 13, 0)]),
        RecordedStep(step("long", depends_on=("a",)), [(10, 30, 0)]),
        RecordedStep(step("end", depends_on=("short", "long")), [(31, 36, 0)]),
        finally_=[RecordedStep(step("tidy"), [(36, 37, 0)])],
    )


def test_critical_path() -> None:
    """Each step of the path began because the one before it had ended, and the last ended last."""
    facts = diamond()
    assert facts.path == ("a", "long", "end", "tidy")
    assert [one.id for one in facts.steps if one.is_critical] == ["a", "long", "end", "tidy"]


def test_what_a_shorter_step_would_have_saved() -> None:
    """Had `long` taken no time, the run would have waited for `short`; so it saves 17 s, not 20."""
    saved = {one.step_id: (one.busy_sec, one.saved_sec) for one in diamond().savings}
    assert saved == {"a": (10, 10), "long": (20, 17), "end": (5, 5), "tidy": (1, 1)}


@pytest.mark.parametrize(
    ("recorded_steps", "other", "said"),
    [
        ([RecordedStep(step("a"), [(0, 2.5, 0)])], {}, "Its step succeeded in 2.5 s."),
        (
            [
                RecordedStep(step("a", retries=1), [(0, 1, 1), (1, 2, 0)]),
                RecordedStep(step("b", allow_failure=True), [(0, 1, 1)]),
                RecordedStep(step("c", when="b"), status=StepStatus.SKIPPED, ended_at=1.0),
            ],
            {},
            (
                "1 of 3 steps succeeded in 2 s; "
                "1 was skipped, 1 failed (allowed), 1 succeeded only at a retry."
            ),
        ),
        (
            [
                RecordedStep(step("a", retries=1), [(0, 1, 1), (60, 75.4, 4)]),
                RecordedStep(step("b", when="a"), status=StepStatus.SKIPPED, ended_at=75.0),
            ],
            {"status": RunStatus.FAILED},
            "It failed after 1 min 15 s, at step a (exit code 4, attempt 2); 1 step was skipped.",
        ),
        (
            [RecordedStep(step(name), [(0, 1, 1)]) for name in "ab"],
            {"status": RunStatus.FAILED},
            "It failed after 1 s, at 2 steps: a (exit code 1), b.",
        ),
        (
            [RecordedStep(step("a"), [(0, 1, None)], StepStatus.CANCELLED)],
            {"status": RunStatus.CANCELLED},
            "It was cancelled after 1 s, while a was running.",
        ),
        (
            [RecordedStep(step("a"), [(0, 1, None)], StepStatus.CANCELLED)],
            {"status": RunStatus.FAILED, "error": "flow timed out after 1 s"},
            "It failed after 1 s: flow timed out after 1 s.",
        ),
        (
            [RecordedStep(step("a"))],
            {"status": RunStatus.PENDING},
            "It has not begun: it waits for its runner.",
        ),
    ],
)
def test_headline(recorded_steps: list[RecordedStep], other: dict[str, Any], said: str) -> None:
    """One sentence says what happened; of a failure, which step and how."""
    assert headline(facts_from(*recorded_steps, **other)) == said


def test_what_many_wait_for_is_explained_once() -> None:
    """Steps that wait for the same have one condition, evaluated once, however many they are."""
    first = [RecordedStep(step(f"a{place}"), [(0, 1, 0)]) for place in range(3)]
    waits = tuple(tale.spec.id for tale in first)
    then = [RecordedStep(step(f"b{place}", depends_on=waits), [(1, 2, 0)]) for place in range(3)]
    other = RecordedStep(step("c", when="a0 && a1 && a2"), [(1, 2, 0)])
    explained = explain_steps(facts_from(*first, *then, other).run, None)
    conditions = [one.condition for one in explained if one.condition is not None]
    assert len({id(one) for one in conditions}) == 2
    assert [len(one.waits_for.steps) for one in explained] == [0, 0, 0, 3, 3, 3, 3]
