"""The audit of `doctor`: each recorded attempt against what orchesjob knows of its job (rule 9.11).

Records and answers are compared, and neither is changed.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import NamedTuple

from flow_spec import FlowSpec, FlowSpecError, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    DamagedRecord,
    FlowStore,
    Run,
    Settlement,
    StoreBroken,
    attempt_key,
)
from orchesjob_client import JobReport, OrchesjobClient, OrchesjobError, exit_code_of
from orchesjob_flow.engine.reopening import is_decisive, recorded_report
from orchesjob_flow.home.orchesjob_home import HomeLoss, loss_of_home
from orchesjob_flow.home.paths import Home
from orchesjob_flow.reasons import settled_words
from orchesjob_flow.reports.facts import cached_flow
from orchesjob_flow.views.terminal import status_line

type ClientOf = Callable[[str], OrchesjobClient]
"""What makes a client of an orchesjob home."""

MOST_LISTED = 5
"""How many runs a message names."""

MOST_SETTLED = 20
"""How many of the steps that people have settled are named, unless it is about one run."""

MOST_ASKED = 100
"""About how many attempts orchesjob is asked at most by default: each is a call of some 60 ms."""


class Grade(StrEnum):
    """What came of a check."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


class Check(NamedTuple):
    """One thing that was looked at, and a sentence about it, which says how to fix a problem."""

    name: str
    grade: Grade
    message: str


class RecordedAttempt(NamedTuple):
    """An attempt, with the key by which orchesjob knows it.

    `code` is the exit code that orchesjob reported when its command exited.
    `spec` is the step as the run has it today. `decisive` means that the status of the step follows
    from this attempt, which was judged by that `spec`; an earlier attempt may have been judged by
    the exit codes of a definition that `retry --file` has replaced. `home` is the orchesjob home of
    the run, and `loss` tells why its jobs are not there. `has_ended` is said of the run.
    `is_confirmed` means that the attempt has ended, and as orchesjob reported then.
    """

    run_key: str
    attempt_key: str
    attempt: Attempt
    code: int | None
    spec: StepSpec
    decisive: bool
    home: str
    loss: HomeLoss | None
    has_ended: bool
    is_confirmed: bool = False


class SettledStep(NamedTuple):
    """What a person has decided of a step, against orchesjob's record of it (rule 12.3)."""

    run_key: str
    step_id: str
    settlement: Settlement


def read_records(
    store: FlowStore, home: Home, run_key: str
) -> Iterator[RecordedAttempt | SettledStep | Check]:
    """Yield a run's settled steps, the attempts that orchesjob must know, and each bad record.

    Nothing is yielded if the run has been removed meanwhile.
    """
    try:
        run, attempts = store.load(run_key), store.attempts(run_key)
        flow = None if run is None else cached_flow(run.definition)
    except (StoreBroken, FlowSpecError) as error:
        yield Check("database", Grade.PROBLEM, f"run {run_key!r}: {error}")
        return
    if run is None or flow is None:
        return
    loss = loss_of_home(run, home)
    for position, settlement in run.settled.items():
        yield SettledStep(run_key, run.steps[position].step_id, settlement)
    for attempt in attempts:
        if attempt.job_id is not None:
            try:
                yield read_attempt(run, flow, attempt, loss)
            except (DamagedRecord, FlowSpecError) as error:
                yield Check("database", Grade.PROBLEM, str(error))


def read_attempt(
    run: Run, flow: FlowSpec, attempt: Attempt, loss: HomeLoss | None
) -> RecordedAttempt:
    """Read what is recorded about an attempt.

    Raises:
        DamagedRecord: What orchesjob reported about it cannot be read.
        UnknownStepError: The definition has no such step.
    """
    step = run.steps[attempt.position]
    spec = flow.step(step.step_id)
    report = recorded_report(run, attempt)
    recorded = RecordedAttempt(
        run_key=run.run_key,
        attempt_key=attempt_key(run.run_key, spec.id, attempt.number),
        attempt=attempt._replace(job=None),  # which is long, and there may be many
        code=None if report is None else exit_code_of(report),
        spec=spec,
        decisive=is_decisive(run, attempt, step),
        home=run.orchesjob_home,
        loss=loss,
        has_ended=run.status.is_terminal,
    )
    return recorded._replace(is_confirmed=report is not None and fits_report(recorded, report))


def fits_report(recorded: RecordedAttempt, report: JobReport) -> bool:
    """Tell whether an attempt has ended, and whether that fits what is recorded of its job."""
    attempt = recorded.attempt
    if attempt.status.is_open or report.job_id != attempt.job_id:
        return False
    return agrees(recorded, report) if report.is_terminal else not was_good(attempt)


def check_settled(settled: Sequence[SettledStep], *, every: bool) -> Iterator[Check]:
    """Name the steps that people have settled, the latest first; without `every`, not all."""
    latest = sorted(settled, key=lambda one: one.settlement.at, reverse=True)
    shown = latest if every else latest[:MOST_SETTLED]
    for one in shown:
        words = settled_words(one.settlement)
        yield Check("settled", Grade.NOTE, f"step {one.step_id!r} of run {one.run_key!r}: {words}")
    if more := len(latest) - len(shown):
        yield Check("settled", Grade.NOTE, f"{more:,} more were settled before these")


def check_homes(recorded: Sequence[RecordedAttempt]) -> Iterator[Check]:
    """Look for orchesjob homes that are gone, and with them the jobs of runs (rule 4.8)."""
    gone: dict[tuple[str, HomeLoss], dict[str, bool]] = {}
    for one in recorded:
        if one.loss is not None:
            gone.setdefault((one.home, one.loss), {})[one.run_key] = one.has_ended
    for (home, loss), run_keys in gone.items():
        shown = ", ".join(map(repr, list(run_keys)[:MOST_LISTED]))
        more = len(run_keys) - MOST_LISTED
        prune = "; `prune` removes runs that have ended" if any(run_keys.values()) else ""
        yield Check(
            "homes",
            Grade.PROBLEM,
            f"orchesjob's home {home} {loss.problem} the jobs of {shown}"
            f"{f' and {more:,} more runs' if more > 0 else ''}: {loss.remedy}{prune}",
        )


def audit(
    recorded: Sequence[RecordedAttempt], client_of: ClientOf, *, starts: int, every: bool
) -> Iterator[Check]:
    """Compare each attempt with what orchesjob says about it, `starts` of them at a time.

    Each is looked for in the home of its run (rule 4.8). Without `every`, only `to_ask` are.
    """
    asked = recorded if every else to_ask(recorded)
    found = []
    with status_line(patience_sec=0) as line, ThreadPoolExecutor(starts) as pool:
        answers = pool.map(lambda one: ask(client_of, one), asked)
        for number, (one, answer) in enumerate(zip(asked, answers, strict=True), 1):
            line.say(f"orchesjob has answered about {number:,} of {len(asked):,} attempts")
            if (check := compare(one, answer)) is not None:
                found.append(check)
    yield from found
    confirmed = len(asked) - len(found)
    forgotten = sum(check.grade is Grade.NOTE for check in found)
    summary = f"{confirmed:,} of {len(asked):,} attempts match orchesjob's records"
    if forgotten:
        summary += f"; {forgotten:,} it no longer knows"
    if older := len(recorded) - len(asked):
        summary += (
            f"; {older:,} older ones are as it said when they ended (`doctor --all` asks again)"
        )
    yield Check("records", Grade.OK if forgotten == len(found) else Grade.PROBLEM, summary)


def to_ask(
    recorded: Sequence[RecordedAttempt], most: int = MOST_ASKED
) -> Sequence[RecordedAttempt]:
    """Choose the newest attempts, and all of whose end nothing is recorded that fits.

    An outcome that orchesjob has reported does not change any more, so the older ones are compared
    with the report that is recorded with them.
    """
    newest = sorted(recorded, key=lambda one: one.attempt.started_at, reverse=True)[:most]
    chosen = {one.attempt_key for one in newest}
    return [one for one in recorded if one.attempt_key in chosen or not one.is_confirmed]


def ask(client_of: ClientOf, one: RecordedAttempt) -> JobReport | OrchesjobError | None:
    """Ask orchesjob for the job of an attempt; return an error instead of raising it."""
    try:
        return client_of(one.home).status(one.attempt_key)
    except OrchesjobError as error:
        return error


def compare(recorded: RecordedAttempt, answer: JobReport | OrchesjobError | None) -> Check | None:
    """Say how an attempt differs from what orchesjob says about it; None if it does not."""
    attempt, key = recorded.attempt, recorded.attempt_key
    here = f"{key} is {attempt.status.value} here"
    match answer:
        case OrchesjobError():
            return Check("records", Grade.PROBLEM, f"{key}: {answer}")
        case None:
            gone = f"{here}; orchesjob no longer knows it (`orchesjob clean` removes old jobs)"
            return Check("records", Grade.NOTE, gone)
        case _ if answer.job_id != attempt.job_id:
            other = f"{here}; orchesjob has another job under that key, started by somebody else"
            return Check("records", Grade.PROBLEM, other)
        case _ if agrees(recorded, answer):
            return None
        case _:
            code = exit_code_of(answer)
            ended = "" if code is None else f" with exit code {code}"
            there = f"{here}, and {answer.status}{ended} at orchesjob"
            return Check("records", Grade.PROBLEM, there)


def agrees(recorded: RecordedAttempt, report: JobReport) -> bool:
    """Tell whether the record of an attempt fits what orchesjob says about its job."""
    status, code = recorded.attempt.status, exit_code_of(report)
    if code is not None and not status.is_open:
        if not recorded.decisive:
            return code == recorded.code
        expected = status if was_good(recorded.attempt) else AttemptStatus.FAILED
        return recorded.spec.outcome_of(code, is_gate=recorded.attempt.is_gate) == expected
    match status:
        case AttemptStatus.STARTING | AttemptStatus.RUNNING:
            return True  # its runner, or the next one, will ask orchesjob
        case AttemptStatus.SUCCEEDED | AttemptStatus.SKIPPED:
            return False  # only a command that ended by itself is recorded so
        case _:
            return report.status not in ("RUNNING", "STARTING")


def was_good(attempt: Attempt) -> bool:
    """Tell whether an attempt ended as only a command can end that has ended by itself."""
    return attempt.status in (AttemptStatus.SUCCEEDED, AttemptStatus.SKIPPED)
