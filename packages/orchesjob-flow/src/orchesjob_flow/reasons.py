"""Why each step of a run is where it is, in a few words (rule 9.4).

First what the steps of the recorded flow wait for, and which are copies or in `finally`: a second
reader of the stored form, because importing flow-spec's takes several times as long as all of
`status`. Then the steps in order: a name that means all copies of a step counts as one thing,
however many there are. Then the words: for attempts and their `only_if` (rule 10.8), a
run that waits for its group (rule 10.7), a settled step (rule 12.3), a runner that gave up (rule
5.7), and a run in `finally` (rule 10.1). Last, when attempts ran. No file is read here.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, Self, TypeGuard

from flow_store import (
    Attempt,
    NotStarted,
    Outcome,
    Run,
    RunSummary,
    Settlement,
    Step,
    StepStatus,
    attempt_key,
    was_found,
)
from orchesjob_flow.clock import now
from orchesjob_flow.home import Listed, Snapshot, last_recorded

MEASURABLE_SEC = 1.0
"""How far the clock must have been set before another time is shown."""
URGENCY = ("RUNNING", "FAILED", "DELAYED", "CANCELLED", "PENDING", "SUCCEEDED", "SKIPPED")
"""The order in which steps are shown where not all of them fit."""
FOUND = "found in orchesjob, not run again"
LEFT_OUT = "left out by --until"
ASKS_RUN = re.compile(r"\brun\s*\(", re.ASCII)
MOST_NAMED = 5
OUTCOME_WORDS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
    Outcome.TIMED_OUT: "timed out",
}


class BoundedBlock(NamedTuple):
    """The ids of the steps of each copy, and how many copies may run at once (rule 10.3)."""

    max_parallel: int
    copies: Sequence[Sequence[str]]


class Shape(NamedTuple):
    """What the steps of a flow wait for (rule 3.6), which are in `finally`, and which are copies.

    Attributes:
        waits: The dependencies of each step, by id, in the order of the file, `finally` last.
        finally_ids: The steps of `finally`.
        copies: The ids of all copies of a step, by the step's name (rule 10.3).
        values: The values of its `foreach` for each copy, by id and by the names of the block.
        bounded: The blocks with `max_parallel`.
        asking: The steps of `finally` that ask how the run ends (rule 3.9).
        judged: The steps of `finally` that they ask about.
        may_fail: The steps of `finally` with `allow_failure`.
        until: The steps for which the run is made; empty: for all (rule 6.14).
        left_out: The steps that it therefore leaves out.
        allowed: The names of the steps with `allow_failure`.
        max_parallel: How many steps of the flow may run at once, if that is limited.
    """

    waits: dict[str, tuple[str, ...]]
    finally_ids: frozenset[str]
    copies: dict[str, list[str]]
    values: dict[str, dict[str, str]]
    bounded: list[BoundedBlock]
    asking: frozenset[str]
    judged: frozenset[str]
    may_fail: frozenset[str]
    until: Sequence[str]
    left_out: frozenset[str]
    allowed: frozenset[str]
    max_parallel: int | None


_latest: list[tuple[str, Shape]] = []
"""The definition that was asked for last, if there was one, and its shape."""


def shape_of(definition: str) -> Shape:
    """Return the shape of a flow from its stored definition, which is read once.

    It is asked for with each step. A run that is read again has another object of the same text,
    and comparing two of them takes as long as they are, so it is done once for each object.

    Raises:
        StoredFlowError: It is damaged.
    """
    known, shape = _latest[0] if _latest else (None, None)
    if shape is None or known is not definition:
        if shape is None or known != definition:
            shape = read_shape(definition)
        _latest[:] = [(definition, shape)]
    return shape


def read_shape(definition: str) -> Shape:
    """Read the shape of a flow from its stored definition.

    Raises:
        StoredFlowError: It is damaged.
    """
    try:
        flow = json.loads(definition)
        outside, finally_ = flow["steps"], flow.get("finally", ())
        blocks = [block["steps"] for block in flow.get("blocks", ())]
        shape = Shape(
            waits={},
            finally_ids=frozenset(step["id"] for step in finally_),
            copies={},
            values={},
            bounded=[],
            asking=frozenset(
                step["id"] for step in finally_ if ASKS_RUN.search(step.get("when") or "")
            ),
            judged=frozenset(name for step in finally_ for name in step.get("waits_also", ())),
            may_fail=frozenset(step["id"] for step in finally_ if step.get("allow_failure")),
            until=flow.get("until", ()),
            left_out=frozenset(flow.get("left_out", ())),
            allowed=frozenset(
                step["id"]
                for step in chain(outside, finally_, *blocks)
                if step.get("allow_failure")
            ),
            max_parallel=flow.get("max_parallel"),
        )
        begin = 0
        for block in flow.get("blocks", ()):
            _add_plain_steps(shape, outside[begin : block["before"]])
            add_block(shape, block)
            begin = block["before"]
        _add_plain_steps(shape, (*outside[begin:], *finally_))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # `FlowSpec` raises the error that says what is wrong. It is slow to import.
        from flow_spec import FlowSpec

        FlowSpec.from_json(definition)
        raise
    return shape


def _add_plain_steps(shape: Shape, steps: Iterable[Mapping[str, Any]]) -> None:
    shape.waits.update((step["id"], waits_of(step)) for step in steps)


def add_block(shape: Shape, block: Mapping[str, Any]) -> None:
    """Add the copies of a block's steps; inside, a name means the step of the same copy (10.3)."""
    waits = {step["id"]: waits_of(step) for step in block["steps"]}
    shape.copies.update((name, []) for name in waits)
    ids = []
    for copy in block["copies"]:
        own = {name: f"{name}@{copy['label']}" for name in waits}
        values = dict(zip(block["names"], copy["values"], strict=True))
        for name, others in waits.items():
            shape.copies[name].append(own[name])
            shape.waits[own[name]] = tuple(own.get(other, other) for other in others)
            shape.values[own[name]] = values
        ids.append(list(own.values()))
    if block.get("max_parallel") is not None:
        shape.bounded.append(BoundedBlock(block["max_parallel"], ids))


def waits_of(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a stored step's dependencies, each once (rule 3.6)."""
    return tuple(step.get("x-waits-for") or step.get("depends_on", ()))


def in_order(run: Run) -> list[Step]:
    """List the steps in the order of the file, those of `finally` last.

    Where `retry --file` has added steps, they are recorded in another order (rule 9.7).
    """
    places = {step_id: place for place, step_id in enumerate(shape_of(run.definition).waits)}
    return sorted(run.steps, key=lambda step: places.get(step.step_id, len(places)))


def is_in_finally(run: Run, step: Step) -> bool:
    """Tell whether a step is one of `finally` (rule 10.1)."""
    return step.step_id in shape_of(run.definition).finally_ids


def steps_of_finally(run: Run) -> list[Step]:
    """List the steps of `finally`."""
    return [step for step in in_order(run) if is_in_finally(run, step)]


def is_left_out(run: Run, step: Step) -> bool:
    """Tell whether a step was skipped because `--until` leaves it out (rule 6.14)."""
    is_named = step.step_id in shape_of(run.definition).left_out
    return is_named and step.status is StepStatus.SKIPPED and not step.has_begun


def is_allowed(run: Run, step: Step) -> bool:
    """Tell whether a step FAILED and `allow_failure` permits that (rule 9.12)."""
    is_named = base_name(step.step_id) in shape_of(run.definition).allowed
    return is_named and step.status is StepStatus.FAILED


def allowed_words(allowed: int) -> str:
    """Say beside the number of failed steps how many of them are allowed."""
    return f" ({allowed} allowed)" if allowed else ""


def went_wrong(step: Step) -> bool:
    """Tell whether a step FAILED, or was cancelled while it ran."""
    cut_short = step.status is StepStatus.CANCELLED and step.has_begun
    return cut_short or step.status is StepStatus.FAILED


class Copies(NamedTuple):
    """All copies of a step: its id, the number in each status, and the latest `retry` of one."""

    step_id: str
    counts: Mapping[StepStatus, int]
    retry_no: int


type Dependency = Step | Copies


class Dependencies(NamedTuple):
    """What a step waits for, which of it has not ended, and the latest `retry` of any of it.

    Steps of one layer wait for the same, so this is computed once for all of them. `run_end` is how
    the run ends, for a step that asks that.
    """

    steps: Sequence[Dependency] = ()
    unfinished: Sequence[Dependency] = ()
    retry_no: int = 0
    run_end: str | None = None

    @classmethod
    def of(cls, steps: Sequence[Dependency]) -> Self:
        """Find which dependencies have not ended, and the latest `retry`."""
        unfinished = [
            one for one in steps if not all(status.is_terminal for status in statuses_of(one))
        ]
        return cls(steps, unfinished, max((one.retry_no for one in steps), default=0))


NO_DEPENDENCIES = Dependencies()


def dependencies_in(run: Run) -> dict[str, Dependency]:
    """Return everything that conditions and `depends_on` can name in a run, by its name."""
    found: dict[str, Dependency] = {step.step_id: step for step in run.steps}
    for name, ids in shape_of(run.definition).copies.items():
        steps = [step for step in map(found.get, ids) if isinstance(step, Step)]
        retry_no = max((step.retry_no for step in steps), default=0)
        found[name] = Copies(name, Counter(step.status for step in steps), retry_no)
    return found


def all_before_finally(run: Run) -> Dependencies:
    """List what the steps of `finally` wait for: all others, copies of a step as one (10.1).

    Once they have ended, or without a `finally`, that is nothing.
    """
    shape = shape_of(run.definition)
    if not shape.finally_ids or run.finally_after is not None:
        return NO_DEPENDENCIES
    found = dependencies_in(run)
    names = dict.fromkeys(base_name(step.step_id) for step in in_order(run))
    return Dependencies.of(
        [found[name] for name in names if name in found and name not in shape.finally_ids]
    )


def end_of_run(run: Run) -> str | None:
    """Return how a run ends for the steps that have asked that and were decided (rule 3.9)."""
    if run.finally_after is not Outcome.SUCCEEDED:
        return run.finally_after
    shape = shape_of(run.definition)
    judged = [step for step in run.steps if step.step_id in shape.judged]
    if any(step.status.value == "FAILED" for step in judged if step.step_id not in shape.may_fail):
        return Outcome.FAILED
    is_cut = any(step.status is StepStatus.CANCELLED for step in judged)
    return Outcome.CANCELLED if is_cut else Outcome.SUCCEEDED


def base_name(step_id: str) -> str:
    """Return the name that means all copies of a step, given the id of one (rule 10.3)."""
    return step_id.partition("@")[0]


def statuses_of(dependency: Dependency) -> Collection[StepStatus]:
    """Return the status of a step, or all different statuses of copies."""
    return dependency.counts if isinstance(dependency, Copies) else (dependency.status,)


def retried_since(waits: Dependencies, step: Step) -> Sequence[Dependency]:
    """Return the dependencies that a `retry` decided again after this step was decided (9.7)."""
    if waits.retry_no <= step.retry_no:
        return ()
    return [one for one in waits.steps if one.retry_no > step.retry_no]


def latest_attempt(run: Run, step: Step) -> Attempt | None:
    """Return a step's latest attempt, unless a `retry` has decided the step again since."""
    return run.attempts.get(step.position) if step.has_begun else None


def note_of(run: Run, step: Step) -> str | None:
    """Return what a step's latest attempt runs without, or ran (rule 10.4)."""
    attempt = latest_attempt(run, step)
    return None if attempt is None else attempt.note


def shown_key(run_key: str, step: Step) -> str:
    """Return the key of a step's current attempt, or else of its next one (rule 4.2)."""
    waits = step.status in (StepStatus.PENDING, StepStatus.DELAYED)
    is_next = waits or not step.has_begun
    return attempt_key(run_key, step.step_id, step.attempt_no + is_next)


def count_by_urgency(statuses: Iterable[StepStatus]) -> Counter[StepStatus]:
    """Count the statuses, the most urgent first."""
    return Counter(sorted(statuses, key=urgency))


def urgency(status: StepStatus) -> int:
    """Return the place of a status in the order in which steps are shown."""
    return URGENCY.index(status.value)


def reasons(run: Run, stale: Collection[int] = ()) -> list[str]:
    """Say why each step is where it is, in the order of the records.

    `stale` are the positions of the RUNNING steps of which nothing runs any more (rule 6.4). A
    record that was edited by hand is described as it is, not refused.
    """
    shape = shape_of(run.definition)
    rows = dependencies_in(run)
    before, held = all_before_finally(run), held_steps(run)
    found, words = found_steps(run), words_instead(run, stale)
    end = end_of_run(run) if shape.asking else None

    @cache
    def waits_for(names: tuple[str, ...], end: str | None) -> Dependencies:
        return Dependencies.of([rows[name] for name in names if name in rows])._replace(run_end=end)

    return [
        words[step.position]
        if step.position in words
        else reason(
            step,
            waits_for(
                shape.waits.get(step.step_id, ()), end if step.step_id in shape.asking else None
            ),
            before if step.step_id in shape.finally_ids else NO_DEPENDENCIES,
            held.get(step.step_id),
            is_gate=is_at_gate(run, step),
        )
        + (f"; {FOUND}" if step.position in found else "")
        + (f"; {note}" if (note := note_of(run, step)) else "")
        for step in run.steps
    ]


def words_instead(run: Run, stale: Collection[int]) -> dict[int, str]:
    """Say of steps, by position, what explains them instead of what they wait for.

    They were left out (rule 6.14), nothing of them is seen to run (rule 6.4), or a person has
    settled them (rule 12.3).
    """
    perhaps = run.steps if shape_of(run.definition).left_out else ()
    words = {step.position: LEFT_OUT for step in perhaps if is_left_out(run, step)}
    words |= {position: _stale_words(run, position) for position in stale}
    return words | {position: settled_words(one) for position, one in run.settled.items()}


def found_steps(run: Run) -> set[int]:
    """Return the steps, by position, whose outcome orchesjob knew before they began (rule 4.7)."""
    ended = {step.position for step in run.steps if step.status.is_terminal and step.has_begun}
    return {at for at, attempt in run.attempts.items() if at in ended and was_found(run, attempt)}


def times_of(
    run: Run, attempt: Attempt, job: Mapping[str, Any]
) -> tuple[float, float | None, bool]:
    """Return when an attempt began and ended, and whether both times are from our clock."""
    began, ended = job.get("started_at"), job.get("finished_at")
    if was_found(run, attempt) and _is_time(began) and _is_time(ended):
        return began, max(began, ended), False
    if attempt.finished_at is None:
        return attempt.started_at, None, True
    # Where no runner saw the end, the end of orchesjob's second was recorded.
    is_seen = not (_is_time(ended) and attempt.finished_at == ended + 1)
    return attempt.started_at, max(attempt.started_at, attempt.finished_at), is_seen


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def held_steps(run: Run) -> dict[str, str]:
    """Say for what steps wait besides other steps, by their ids.

    All wait with a run that waits for its group (rule 10.7), and some for one of the `max_parallel`
    places of their `foreach` (rule 10.3), or of the flow.
    """
    if (why := waiting_words(run)) is not None:
        return dict.fromkeys((step.step_id for step in run.steps), f"the run {why}")
    running = {step.step_id for step in run.steps if step.has_begun and not step.status.is_terminal}
    words: dict[str, str] = {}
    most = shape_of(run.definition).max_parallel
    if most is not None and sum(step.status is StepStatus.RUNNING for step in run.steps) >= most:
        why = f"waits for a place: max_parallel of the flow is {most}"
        words = dict.fromkeys((step.step_id for step in run.steps), why)
    for max_parallel, copies in shape_of(run.definition).bounded:
        waiting = [ids for ids in copies if running.isdisjoint(ids)]
        if len(copies) - len(waiting) >= max_parallel:
            why = f"waits for a place: max_parallel of its foreach is {max_parallel}"
            words.update((name, why) for ids in waiting for name in ids)
    return words


def reason(
    step: Step,
    waits: Dependencies,
    before: Dependencies = NO_DEPENDENCIES,
    held: str | None = None,
    *,
    is_gate: bool = False,
) -> str:
    """Say why a step is where it is, given what it waits for.

    Where a `retry` left the step out, the statuses of its dependencies have changed since (9.7). An
    undecided step of `finally` waits for all steps `before` it (rule 10.1). `held` says what else
    it waits for: the turn of its run (rule 10.7) or of its copy (rule 10.3). `is_gate` tells that
    its latest attempt ran its `only_if` (rule 10.8).
    """
    if before.steps and step.status is StepStatus.PENDING:
        colon = ": " if before.unfinished else ""
        return f"waits for the end of all steps{colon}{dependencies_text(before.unfinished)}"
    if held is not None and step.status is StepStatus.PENDING and not waits.unfinished:
        return held
    if retried := retried_since(waits, step):
        why = reason_by_itself(step, NO_DEPENDENCIES, is_gate=is_gate)
        return f"{why}, before the retry of {listed([one.step_id for one in retried])}"
    return reason_by_itself(step, waits, is_gate=is_gate)


def reason_by_itself(step: Step, waits: Dependencies, *, is_gate: bool) -> str:
    """Say why a step is where it is, as of its last decision."""
    match step.status:
        case StepStatus.PENDING:
            waits_for = f"waits for {dependencies_text(waits.unfinished)}"
            return waits_for if waits.unfinished else f"attempt {step.attempt_no + 1} may start"
        case StepStatus.DELAYED:
            at = due_at(step)
            due = "" if at is None else f", due {clock_time(at)}"
            return f"attempt {step.attempt_no + 1} waits{due}: {step.error}"
        case StepStatus.RUNNING:
            return step.error or f"{attempt_words(step.attempt_no, is_gate=is_gate)} is running"
        case StepStatus.SKIPPED:
            return reason_to_skip(step, waits, is_gate=is_gate)
        case StepStatus.SUCCEEDED:
            return f"attempt {step.attempt_no} succeeded"
        case _:
            return str(step.error)


def due_at(step: Step) -> float | None:
    """Return when the next attempt begins on the clock of today, which may have been set (5.10)."""
    at, mono, moment = step.next_attempt_at, step.next_attempt_mono, now()
    if at is None or mono is None or step.next_attempt_boot != moment.boot:
        return at
    expected = moment.wall + mono - moment.mono
    return at if abs(expected - at) < MEASURABLE_SEC else expected


def reason_to_skip(step: Step, waits: Dependencies, *, is_gate: bool) -> str:
    """Say whether its condition skipped a step, its gate, or its command (rules 9.12, 10.8)."""
    if is_gate:
        return f"its only_if said no: attempt {step.attempt_no} ended with exit code 1"
    if step.has_begun:
        return f"attempt {step.attempt_no} ended with an exit code that skips the step"
    if waits.run_end is not None:
        return f"its condition was false: the run ends {waits.run_end}"
    if not waits.steps:
        return "its condition was false"
    return f"its condition was false: {dependencies_text(waits.steps)}"


def clock_time(timestamp: float | None) -> str:
    """Write a Unix timestamp in local time; `-` stands for None."""
    if timestamp is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp))


def dependencies_text(waits: Sequence[Dependency]) -> str:
    """List the first of some steps with their statuses, and count the rest."""
    return with_rest([dependency_text(one) for one in waits[:MOST_NAMED]], len(waits))


def dependency_text(dependency: Dependency) -> str:
    """Write its name and status; of copies, how many are in each."""
    if not isinstance(dependency, Copies):
        return f"{dependency.step_id} {dependency.status.value}"
    return f"{dependency.step_id} ({counts_text(dependency.counts)})"


def counts_text(counts: Mapping[StepStatus, int]) -> str:
    """Write how many steps are in each status."""
    return ", ".join(f"{count} {status.value}" for status, count in counts.items()) or "no copies"


def listed(words: Sequence[str], most: int = MOST_NAMED) -> str:
    """List the first of some words, and count the rest."""
    return with_rest(words[:most], len(words))


def not_started_text(what: str, turned_away: NotStarted) -> str:
    """Return a sentence: how many starts were turned away, when last, and by which run (10.7)."""
    count, at = turned_away.times, clock_time(turned_away.last_at)
    times = f"once, at {at}," if count == 1 else f"{count:,} times, the last at {at},"
    by = f"{turned_away.held_by} of group {turned_away.group_name}"
    return f"Not started: {what} turned away {times} by {by}"


def with_rest(words: Sequence[str], total: int) -> str:
    """List some words of so many in all."""
    rest = total - len(words)
    return ", ".join(words) + (f" and {rest} more" if rest else "")


def attempt_words(number: int, *, is_gate: bool) -> str:
    """Name an attempt."""
    return f"attempt {number} (only_if)" if is_gate else f"attempt {number}"


def is_at_gate(run: Run, step: Step) -> bool:
    """Tell whether a step's latest attempt ran its `only_if`, since it was last decided."""
    attempt = run.attempts.get(step.position)
    return step.has_begun and attempt is not None and attempt.is_gate


def silence_words(run: Run) -> str:
    """Say since when nothing of a run without a runner is known (rule 6.4)."""
    since = last_recorded(run) if run.gave_up is None else run.gave_up.at
    return f"nothing recorded since {clock_time(since)}"


def _stale_words(run: Run, position: int) -> str:
    step, attempt = run.steps[position], run.attempts[position]
    name = attempt_words(step.attempt_no, is_gate=is_at_gate(run, step))
    if attempt.job is None:
        return f"{name} was being started; the next runner learns what became of it"
    return f"{name} is not running any more; the next runner learns how it ended"


def waiting_words(run: Run | RunSummary) -> str | None:
    """Say for which group a run waits, and which runs come first; None if it does not wait."""
    if run.group is None or run.queue is None:
        return None
    return f"waits for group {run.group.name}, {before_words(run)}"


def before_words(run: Run | RunSummary) -> str:
    """Say which runs come before a run that waits for its group."""
    if run.queue is None or not any(run.queue):
        return "which is free"
    holder, waiting = run.queue
    if holder is not None:
        return f"held by {holder}"
    return f"behind {listed(waiting, 1)}"


def settled_words(settlement: Settlement) -> str:
    """Say who settled a step, when, as what and why, and how it ended by itself."""
    error = "" if settlement.error is None else f": {settlement.error}"
    return (
        f"settled as {settlement.status.value} by {settlement.by}, {clock_time(settlement.at)}: "
        f"{settlement.reason} (it was {settlement.was.value}{error})"
    )


def giving_up_words(found: Snapshot | Listed) -> str | None:
    """Say when a runner gave up on a run and why, and who tries again; None if no runner did."""
    given_up, runner = found.run.gave_up, found.runner
    if given_up is None:
        return None
    again = "" if runner is None else f"; {runner} tries again"
    return f"{clock_time(given_up.at)}, {given_up.error}{again}"


def describe_given_up(found: Snapshot | Listed) -> str | None:
    """Say that a runner gave up on this run, and what continues it; None if no runner did."""
    if (words := giving_up_words(found)) is None:
        return None
    fixed = "; once the cause is fixed, `orchesjob-flow resume` continues it"
    return f"a runner gave up on run {found.run.run_key!r}: {words}{'' if found.runner else fixed}"


def is_running_finally(run: Run) -> bool:
    """Whether the steps of `finally` are running, and `cancel --now` was not called."""
    if run.finally_after is None or (run.cancel is not None and run.cancel.now_at is not None):
        return False
    return any(not step.status.is_terminal for step in steps_of_finally(run))


def finally_words(run: Run, stale: Collection[int] = ()) -> str:
    """Say how the steps of a run ended, and what its `finally` does."""
    outcome = "" if run.finally_after is None else OUTCOME_WORDS[run.finally_after]
    steps = steps_of_finally(run)
    done = sum(step.status.is_terminal for step in steps)
    return f"{outcome}; finally: {running_words(steps, stale) or f'{done}/{len(steps)} done'}"


def running_words(steps: Iterable[Step], stale: Collection[int] = ()) -> str:
    """Say which steps are running; nothing if none is. `stale` are those that seem to run only."""
    running = [
        step.step_id
        for step in steps
        if step.status is StepStatus.RUNNING and step.position not in stale
    ]
    return f"{listed(running)} {'is' if len(running) == 1 else 'are'} running" if running else ""
