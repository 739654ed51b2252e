"""Why a step is where it is, in a few words (rule 9.4)."""

from collections.abc import Callable

import pytest

from flow_spec import Block, Copy, FlowSpec, StepSpec
from flow_store import Run, Step, StepStatus
from orchesjob_flow.clock import BOOT, now
from orchesjob_flow.reasons import (
    Dependencies,
    Dependency,
    clock_time,
    dependencies_text,
    reason,
    reasons,
    shape_of,
)

P, R, S, F = (StepStatus[name] for name in ("PENDING", "RUNNING", "SUCCEEDED", "FAILED"))


@pytest.mark.parametrize(
    ("step", "waits", "expected"),
    [
        (Step(0, "a", P, 0, 0, 0), {}, "attempt 1 may start"),
        (Step(0, "a", P, 2, 2, 5), {"b": S}, "attempt 3 may start"),
        (Step(0, "a", P, 0, 0, 0), {"b": S, "c": R, "d": P}, "waits for c RUNNING, d PENDING"),
        (Step(0, "a", R, 2, 1, 3), {"b": S}, "attempt 2 is running"),
        (
            Step(0, "a", StepStatus.DELAYED, 1, 1, 3, error="exit code 9"),
            {},
            "attempt 2 waits: exit code 9",
        ),
        (Step(0, "a", S, 3, 2, 3), {"b": S}, "attempt 3 succeeded"),
        (Step(0, "a", F, 1, 1, 0, error="exit code 1"), {"b": S}, "exit code 1"),
        (
            Step(0, "a", StepStatus.SKIPPED, 0, 0, 0),
            {"b": S, "c": F},
            "its condition was false: b SUCCEEDED, c FAILED",
        ),
        (
            Step(0, "a", StepStatus.SKIPPED, 2, 1, 3, started_at=1.0),
            {"b": S},
            "attempt 2 ended with an exit code that skips the step",
        ),
        (
            Step(0, "a", StepStatus.CANCELLED, 0, 0, 0, error="flow cancelled"),
            {"b": R},
            "flow cancelled",
        ),
    ],
)
def test_reason(step: Step, waits: dict[str, StepStatus], expected: str) -> None:
    """Each status has its reason; what has ended is not waited for."""
    assert reason(step, Dependencies.of(others(waits))) == expected


def others(statuses: dict[str, StepStatus], retry_no: int = 0) -> list[Dependency]:
    """Make steps with these statuses, which a `retry` has had decided anew."""
    return [
        Step(place, name, status, 1, 0, 0, retry_no=retry_no)
        for place, (name, status) in enumerate(statuses.items(), start=1)
    ]


def test_delay(ten_o_clock: float) -> None:
    """A step that waits for a moment says for which, in local time."""
    delayed = StepStatus.DELAYED
    step = Step(0, "a", delayed, 1, 1, 3, next_attempt_at=ten_o_clock, error="exit code 9")
    assert reason(step, Dependencies()) == "attempt 2 waits, due 2026-05-07 10:00:00: exit code 9"


@pytest.mark.parametrize(
    ("set_by", "boot", "shown_by"), [(0, BOOT, 0), (0.5, BOOT, 0), (3600, BOOT, 3600), (60, "x", 0)]
)
def test_delay_after_the_clock_was_set(set_by: float, boot: str, shown_by: int) -> None:
    """What is due is shown on today's clock, because the wait is not moved by it (rule 5.10)."""
    recorded = Step(0, "a", StepStatus.DELAYED, 1, 1, 3, next_attempt_boot=boot)
    then = now()
    at = round(then.wall) + 7200.5  # in the middle of a second: reading the clocks takes a moment
    step = recorded._replace(
        next_attempt_at=at, next_attempt_mono=then.mono + at - then.wall + set_by
    )
    assert f"due {clock_time(at + shown_by)}: " in reason(step, Dependencies())


def test_many() -> None:
    """Of many steps the first are named and the rest are counted."""
    steps = others({f"s{number}": P for number in range(8)})
    assert dependencies_text(steps) == (
        "s0 PENDING, s1 PENDING, s2 PENDING, s3 PENDING, s4 PENDING and 3 more"
    )


@pytest.mark.parametrize(
    "when",
    [
        "b",
        "!b.failed && (c-1 || _d.finished)",
        "b && b.failed",
        "!!!(1_0||no.skipped)",
        "any(failed)",
        "c-1&&(none ( finished )) || !all(succeeded)||_d",
        None,
    ],
)
def test_the_same_waits_as_the_flow_has(when: str | None) -> None:
    """What is read off the stored definition is what the flow says (rules 3.6 and 3.7)."""
    others = [StepSpec(id=name, command=("x",)) for name in ("b", "c-1", "_d", "1_0", "no")]
    step = StepSpec(id="a", command=("x",), when=when, depends_on=("no", "b"))
    flow = FlowSpec("f", (*others, step))
    assert shape_of(flow.to_json()).waits["a"] == step.waits_for


class Compared(str):
    """A text that counts how often all of it is compared."""

    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        self.comparisons += 1
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other


def test_a_definition_is_compared_once() -> None:
    """Not for each step: it may have megabytes, and each reading of a run has its own object."""
    text = FlowSpec("f", (StepSpec(id="a", command=("x",)),)).to_json()
    first = shape_of(text)
    again = Compared(text)
    assert all(shape_of(again) is first for _ in range(100))
    assert again.comparisons <= 1


@pytest.fixture
def repeated(make_run: Callable[..., Run]) -> Callable[[str], Run]:
    """Make a run of `COPIES` whose steps have these statuses, each by its first letter."""
    words = {status.value[0]: status for status in (P, R, S, F)}

    def make(statuses: str) -> Run:
        rows = (
            Step(place, spec.id, words[letter], 1, 0, 0, started_at=None if letter == "P" else 1.0)
            for place, (spec, letter) in enumerate(zip(COPIES.all_steps, statuses, strict=True))
        )
        return make_run(*((row, None) for row in rows), definition=COPIES.to_json())

    return make


COPIES = FlowSpec(
    "f",
    (StepSpec("first", ("x",)), StepSpec("last", ("x",), when="b.failed || a@2")),
    finally_=(StepSpec("tidy", ("x",)),),
    blocks=(
        Block(
            ("X",),
            (StepSpec("a", ("x",), depends_on=("first",)), StepSpec("b", ("x",), when="a")),
            tuple(Copy(label, (label,)) for label in ("1", "2", "3")),
            before=1,
            max_parallel=1,
        ),
    ),
).with_copies()


def test_copies(repeated: Callable[[str], Run]) -> None:
    """What waits for all copies counts them, and a copy may wait for its turn (rule 10.3)."""
    why = dict(
        zip(
            [spec.id for spec in COPIES.all_steps],
            reasons(repeated("SSRPPPPPP")),
            strict=True,
        )
    )
    assert why["last"] == "waits for b (1 RUNNING, 2 PENDING), a@2 PENDING"
    assert why["a@2"] == "waits for a place: max_parallel of its foreach is 1"
    assert why["b@2"] == "waits for a@2 PENDING"
    assert why["tidy"] == (
        "waits for the end of all steps: a (1 SUCCEEDED, 2 PENDING), b (1 RUNNING, 2 PENDING), "
        "last PENDING"
    )
    free = reasons(repeated("SSSPPPPPP"))
    assert free[3] == "attempt 2 may start"


def test_copies_wait_as_the_flow_says() -> None:
    """What is read off the stored definition is what the flow says, in its order (3.6, 10.3)."""
    waits = shape_of(COPIES.to_json()).waits
    assert waits == {step.id: step.waits_for for step in COPIES.all_steps}
    assert list(waits) == [step.id for step in COPIES.all_steps]
