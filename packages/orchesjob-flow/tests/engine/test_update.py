"""`update` by itself: decisions, their order, what a report means, and answers nobody waits for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flow_spec import Concurrency, EnvFile, FlowSpec, StepSpec
from flow_store import CancelRequest, FlowStore, Joining, Queue
from orchesjob_client import DEFAULT_GRACE_SEC, CallFailed, JobReport, Process, Watch
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import update
from orchesjob_flow.engine.attempts import Verdict, describe_abort, failure_of, judge
from orchesjob_flow.engine.messages import (
    AbortAnswered,
    AbortJob,
    AttemptId,
    CallBegan,
    CallUnanswered,
    CancelSeen,
    Effect,
    EndSurvivors,
    Event,
    GiveUp,
    JobExited,
    LookForSurvivors,
    QueueSeen,
    RunnerStarted,
    SetTimer,
    StartAnswered,
    StartCalledOff,
    StartJob,
    StartPrevented,
    StatusAnswered,
    SurvivorsSeen,
    Timer,
    TimerDue,
    Warn,
    WatchAnswered,
    WatchProcess,
)
from orchesjob_flow.engine.plan import plan_of
from orchesjob_flow.engine.state import Decision, Limits, RunState

NOW = Now(wall=1000.0, mono=10.0, boot="b")
FIRST = AttemptId(0, 1)


def report(status: str, key: str = "k:a:1", **facts: object) -> JobReport:
    job = {"job_id": "j", "run_key": key, "status": status, "worker_pid": 7, "target_pid": 8}
    return JobReport.from_payload({**job, **facts})


def told(run: RunState, *events: Event, now: Now = NOW) -> Decision:
    """Tell a run of some events at one moment; return the last decision."""
    return [update(run, event, now) for event in events][-1]


def later(sec: float, **changes: Any) -> Now:
    return NOW._replace(wall=NOW.wall + sec, mono=NOW.mono + sec, **changes)


@pytest.fixture
def recorded(tmp_path: Path, record: Callable[..., None]) -> Callable[..., RunState]:
    """Record a run of a flow, and return it before its runner has begun; a second time its like."""

    def load(flow: FlowSpec, **joining: Joining) -> RunState:
        with FlowStore.open(tmp_path / "flow.sqlite3") as store:
            if not store.has("k"):
                steps = [(step.id, step.retries) for step in flow.all_steps]
                record(store, "k", definition=flow.to_json(), steps=steps, **joining)
            found = store.load("k")
        assert found is not None
        return RunState.load(flow, found, Limits())

    return load


A_AND_B = FlowSpec("f", (StepSpec("a", ("a",), retries=1), StepSpec("b", ("b",), when="a")))


@pytest.fixture
def run(recorded: Callable[..., RunState]) -> RunState:
    """A run of `a`, and of `b` that waits for it, before its runner has begun."""
    return recorded(A_AND_B)


@pytest.fixture
def begun(run: RunState) -> RunState:
    """That run with its runner, which starts `a`."""
    update(run, RunnerStarted(), NOW)
    return run


@pytest.fixture
def running(begun: RunState) -> RunState:
    """That run while `a` runs, and is watched."""
    told(begun, StartAnswered(FIRST, report("RUNNING")), WATCHED)
    return begun


WATCHED, GONE = (WatchAnswered(FIRST, watch) for watch in (Watch.WATCHING, Watch.GONE))
SUCCEEDED = StartAnswered(FIRST, report("SUCCEEDED"))
CANCEL = CancelSeen(CancelRequest(NOW.wall, None))
LOCKED = CallUnanswered(FIRST, CallFailed("orchesjob status", "locked"))
STALE: list[Event] = [
    StatusAnswered(FIRST, report("FAILED")),
    StatusAnswered(FIRST, None),
    AbortAnswered(FIRST, report("ABORTED")),
    AbortAnswered(FIRST, None),
    WatchAnswered(FIRST, Watch.GONE),
    SurvivorsSeen(FIRST, []),
    TimerDue(Timer.SURVIVORS, FIRST),
    TimerDue(Timer.OPEN_SURVIVORS, FIRST),
    TimerDue(Timer.RETRY, FIRST),
    TimerDue(Timer.OVERDUE, FIRST),
    TimerDue(Timer.ASK_STATUS, FIRST),
]


@pytest.mark.parametrize("event", STALE)
def test_answers_that_nobody_waits_for(begun: RunState, event: Event) -> None:
    """While a start is under way no other answer, and no timer that has no point, does anything."""
    assert is_nothing(update(begun, event, NOW))


def is_nothing(decision: Decision) -> bool:
    return not decision.changes and not decision.effects


LATE: list[Event] = [
    *STALE,
    StartAnswered(FIRST, report("FAILED")),
    StartPrevented(FIRST, "env_file is missing"),
    StartCalledOff(FIRST),
    CallBegan(FIRST),
    LOCKED,
    JobExited(FIRST),
    TimerDue(Timer.TIMEOUT, FIRST),
]


@pytest.mark.parametrize("event", LATE)
def test_answers_that_come_too_late(begun: RunState, event: Event) -> None:
    """Nothing that is said of an attempt after its end changes anything (rule 5.1)."""
    update(begun, SUCCEEDED, NOW)
    assert is_nothing(update(begun, event, NOW))


AFTER_ALL: list[Event] = [
    *LATE,
    RunnerStarted(),
    CANCEL,
    TimerDue(Timer.POLL),
    CallUnanswered(None, CallFailed("orchesjob status", "locked")),
]


@pytest.mark.parametrize("event", AFTER_ALL)
def test_nothing_happens_after_the_end(begun: RunState, event: Event) -> None:
    """An event that comes after the run's end changes nothing (rule 5.1)."""
    told(begun, SUCCEEDED, StartAnswered(AttemptId(1, 1), report("SUCCEEDED", "k:b:1")))
    assert begun.status == "SUCCEEDED"
    assert is_nothing(update(begun, event, NOW))


def test_when_the_time_of_a_call_begins(run: RunState) -> None:
    """A call is overdue by when it began, not by when it was asked for, and once (rule 5.11)."""
    decision = update(run, RunnerStarted(), NOW)
    assert not any(isinstance(effect, SetTimer) for effect in decision.effects)
    began = update(run, CallBegan(FIRST), NOW._replace(mono=1000.0))
    (timer,) = began.effects
    assert isinstance(timer, SetTimer)
    assert timer.at == 1000.0 + 15.0 + 10.0 + 5.0 + 60.0
    assert not update(run, CallBegan(FIRST), NOW._replace(mono=2000.0)).effects
    assert not update(run, TimerDue(Timer.OVERDUE, FIRST), NOW._replace(mono=1089.0)).effects
    assert update(run, TimerDue(Timer.OVERDUE, FIRST), NOW._replace(mono=1090.0)).effects


def test_a_runner_that_stood_still(begun: RunState) -> None:
    """Who was stopped for longer than a call may take gives it its whole time anew (rule 5.7)."""
    update(begun, CallBegan(FIRST), NOW)
    overdue = TimerDue(Timer.OVERDUE, FIRST)
    (timer,) = update(begun, overdue, NOW._replace(mono=5000.0)).effects
    assert isinstance(timer, SetTimer)
    assert timer.at == 5000.0 + 15.0 + 10.0 + 5.0 + 60.0
    (given_up,) = update(begun, overdue, NOW._replace(mono=5090.0)).effects
    assert isinstance(given_up, GiveUp)


def test_a_start_that_has_begun_is_not_called_off(begun: RunState) -> None:
    """What has its place is waited for, and ended when it is known (rule 5.6)."""
    assert not told(begun, CallBegan(FIRST), CANCEL).effects


def test_a_start_that_is_taken_back(run: RunState) -> None:
    """A cancel that is seen before a start is committed leaves no trace of it (rule 5.6)."""
    decision = update(run, RunnerStarted(), NOW)
    assert any(isinstance(effect, StartJob) for effect in decision.effects)
    update(run, CANCEL, NOW, decision)
    assert not decision.changes.attempts
    assert not [effect for effect in decision.effects if not isinstance(effect, SetTimer)]
    assert [step.attempt_no for step in decision.changes.steps.values()] == [0, 0]
    assert {step.status for step in decision.changes.steps.values()} == {"CANCELLED"}
    assert run.status == "CANCELLED"


def test_what_a_success_left_behind(begun: RunState) -> None:
    """A cancel ends no process of a step that has succeeded, and none after CANCELLED (5.6)."""
    second, key = AttemptId(1, 1), "k:b:1"
    told(begun, SUCCEEDED, StartAnswered(second, report("RUNNING", key)))
    told(begun, WatchAnswered(second, Watch.WATCHING), CANCEL, SurvivorsSeen(second, []))
    reason = "orchesjob-flow: cancel"
    answer = AbortAnswered(second, report("ABORTED", key, abort_reason=reason))
    assert EndSurvivors(second, (key,), 5.0) in update(begun, answer, NOW).effects
    assert EndSurvivors(None, [key], 5.0) in told(begun, SurvivorsSeen(second, [])).effects
    decision = update(begun, SurvivorsSeen(None, []), NOW)
    assert decision.changes.header is not None
    assert decision.changes.header.status == "CANCELLED"
    assert not decision.effects


FILES = tuple(
    EnvFile(name, frozenset(), is_required=True, is_dispensable=True) for name in ("one", "two")
)


def started_with(decision: Decision) -> list[tuple[EnvFile, ...]]:
    return [tuple(one.env_files) for one in decision.effects if isinstance(one, StartJob)]


@pytest.fixture
def tidying(recorded: Callable[..., RunState]) -> RunState:
    """A run of nothing but `a` in `finally`, with two files of variables for all steps."""
    flow = FlowSpec("f", (), env_file=("one", "two"), finally_=(StepSpec("a", ("a",)),))
    run = recorded(flow)
    assert started_with(update(run, RunnerStarted(), NOW)) == [FILES]
    return run


def test_a_start_without_files(tidying: RunState) -> None:
    """What an attempt does without is recorded in the commit before it is started so (10.4)."""
    one, two = FILES
    decision = update(tidying, StartPrevented(FIRST, "without one", (one,)), NOW)
    assert decision.changes.attempts[0, 1].note == "without one"
    assert started_with(decision) == [(two,)]
    decision = update(tidying, StartPrevented(FIRST, "without two", (two,)), NOW)
    assert decision.changes.attempts[0, 1].note == "without one; without two"
    assert started_with(decision) == [()]
    update(tidying, CallUnanswered(FIRST, CallFailed("orchesjob start", "it died")), NOW)
    update(tidying, TimerDue(Timer.ASK_STATUS, FIRST), later(9))
    decision = update(tidying, StatusAnswered(FIRST, None), NOW)
    assert decision.changes.attempts[0, 1].note is None  # the files may be there by now
    assert started_with(decision) == [FILES]


def test_a_start_without_files_in_the_moment_of_a_cancel(tidying: RunState) -> None:
    """The attempt is committed already, so that it is closed and not taken back (rule 5.6)."""
    decision = update(tidying, StartPrevented(FIRST, "without one", FILES[:1]), NOW)
    now = CancelSeen(CancelRequest(1.0, None, 2.0))
    decision = update(tidying, now, NOW, decision)
    assert not started_with(decision)
    assert decision.changes.attempts[0, 1].status.is_open


def test_a_search_that_ends_after_its_step(recorded: Callable[..., RunState]) -> None:
    """A step that a cancel has ended does not begin while `finally` runs (rule 5.6)."""
    a = StepSpec("a", ("a",), retries=1, retry_delay_sec=9.0)
    run = recorded(FlowSpec("f", (a,), finally_=(StepSpec("tidy", ("tidy",)),)))
    told(run, RunnerStarted(), StartAnswered(FIRST, report("FAILED", exit_code=1)))
    decision = update(run, TimerDue(Timer.RETRY, FIRST), later(9))
    assert any(isinstance(effect, LookForSurvivors) for effect in decision.effects)
    decision = told(run, CANCEL, SurvivorsSeen(None, []), now=later(9))
    assert [one.command for one in decision.effects if isinstance(one, StartJob)] == [("tidy",)]
    assert is_nothing(update(run, SurvivorsSeen(FIRST, []), later(9)))


def test_many_survivors(begun: RunState) -> None:
    """Of many survivors the first three are named, the others counted (rule 5.8)."""
    crowd = [Process(pid, 1, f"sleep {pid}", "mark") for pid in range(1, 6)]
    decision = told(begun, StartAnswered(FIRST, report("LOST")), SurvivorsSeen(FIRST, crowd))
    assert decision.changes.steps[0].error == (
        "orchesjob lost the job (its worker vanished), but attempt 1 is still alive: "
        "pid 1 (sleep 1), pid 2 (sleep 2), pid 3 (sleep 3), and 2 more; kill it to continue"
    )


OLD, YOUNG = Process(9, 1, "sh", "mark"), Process(8, 2, "sleep", "mark")
LOOK, AWAIT = LookForSurvivors(FIRST, ("k:a:1",)), WatchProcess(FIRST, OLD)
END = EndSurvivors(FIRST, ("k:a:1",), DEFAULT_GRACE_SEC)
AGAIN = SetTimer(NOW.mono + 1, TimerDue(Timer.OPEN_SURVIVORS, FIRST))
SEEN = SurvivorsSeen(FIRST, [YOUNG, OLD])


def test_a_job_without_its_worker(running: RunState) -> None:
    """Only the second time that a job is running whose worker is gone, it is lost (rule 5.3).

    orchesjob may answer before it has noticed, and then its next answer is the outcome.
    """
    still = StatusAnswered(FIRST, report("RUNNING"))
    decision = told(running, JobExited(FIRST), still)
    assert LookForSurvivors not in map(type, decision.effects)
    assert LOOK in told(running, TimerDue(Timer.ASK_STATUS, FIRST), still, now=later(1)).effects


def test_an_answer_ends_the_trouble(running: RunState) -> None:
    """After an answer the next trouble is told again, and begins with the first delay (5.7)."""
    first = told(running, JobExited(FIRST), LOCKED)
    assert [type(effect) for effect in first.effects] == [Warn, SetTimer]
    update(running, TimerDue(Timer.ASK_STATUS, FIRST), later(1))
    update(running, StatusAnswered(FIRST, report("STARTING")), NOW)
    update(running, TimerDue(Timer.ASK_STATUS, FIRST), later(9))
    assert update(running, LOCKED, NOW).effects == first.effects


def test_a_worker_after_all(begun: RunState) -> None:
    """A job that was to be aborted because its start was dead runs on if it has a worker (4.2)."""
    unborn = report("STARTING", worker_pid=None, target_pid=None)
    decision = told(begun, StartAnswered(FIRST, unborn), SurvivorsSeen(FIRST, []))
    assert list(map(type, decision.effects)) == [AbortJob]
    update(begun, LOCKED, NOW)
    now_alive = StatusAnswered(FIRST, report("RUNNING"))
    decision = told(begun, TimerDue(Timer.ASK_STATUS, FIRST), now_alive, now=later(1))
    assert decision.changes.attempts[FIRST].abort_reason is None
    assert AbortJob not in map(type, update(begun, WATCHED, later(1)).effects)


def test_the_same_survivors_again(begun: RunState) -> None:
    """What waits for processes of its last attempt is recorded once, and again if others are left.

    They are looked at each second, and a commit is a write to the disk.
    """
    update(begun, StartAnswered(FIRST, report("FAILED")), NOW)
    recorded = []
    for seen in ([YOUNG], [YOUNG], [OLD], [OLD]):
        decision = update(begun, SurvivorsSeen(FIRST, seen), NOW)
        recorded.append(bool(decision.changes))
        assert [type(effect) for effect in decision.effects] == [SetTimer]
        update(begun, TimerDue(Timer.SURVIVORS, FIRST), NOW)
    assert recorded == [True, False, True, False]


LOST: list[tuple[str, list[Event], list[Effect]]] = [
    ("nothing is known", [], [LOOK]),
    ("it is alive", [SEEN], [AWAIT]),
    ("its end will announce itself", [SEEN, WATCHED], []),
    ("it has ended", [SEEN, WATCHED, JobExited(FIRST)], [AGAIN]),
    ("it has ended before it was watched", [SEEN, GONE], [AGAIN]),
    ("it has ended before that was known", [SEEN, JobExited(FIRST), WATCHED], [AGAIN]),
    ("it may have ended", [SEEN, GONE, TimerDue(Timer.OPEN_SURVIVORS, FIRST)], [LOOK]),
    ("a cancel comes during the look", [CANCEL, SEEN], [END]),
    ("a cancel comes between look and watch", [SEEN, CANCEL, WATCHED], [LOOK]),
    ("a cancel comes while it is watched", [SEEN, WATCHED, CANCEL], [LOOK]),
    ("it is alive when a cancel comes", [SEEN, WATCHED, CANCEL, SEEN], [END]),
    ("it ends by itself after a cancel", [SEEN, WATCHED, CANCEL, JobExited(FIRST)], []),
]


@pytest.mark.parametrize(("_what", "events", "effects"), LOST, ids=[what for what, *_ in LOST])
def test_lost(begun: RunState, _what: str, events: list[Event], effects: list[Effect]) -> None:
    """What is alive of a lost attempt is awaited, ended only for a reason, and looked for (5.8)."""
    decision = told(begun, StartAnswered(FIRST, report("LOST")), *events)
    asked = [one for one in decision.effects if one in (AGAIN, LOOK, AWAIT, END)]
    assert asked == effects
    assert begun.steps[0].row.status == "RUNNING"
    assert begun.steps[1].row.attempt_no == 0


@pytest.mark.parametrize(
    ("is_nested", "status", "facts", "asked"),
    [
        (True, "FAILED", {"exit_code": -15, "finished_at": 1000}, [END]),
        (True, "FAILED", {"exit_code": -15}, [END]),
        (True, "LOST", {"finished_at": 1003}, [END]),
        (True, "FAILED", {"exit_code": 3, "finished_at": 998}, []),
        (True, "SUCCEEDED", {"exit_code": 0, "finished_at": 1000}, []),
        (False, "FAILED", {"exit_code": -15, "finished_at": 1000}, []),
        (False, "LOST", {"finished_at": 1003}, [LOOK]),
    ],
)
def test_a_cancel_of_an_outer_and_an_inner_run(
    running: RunState, is_nested: bool, status: str, facts: dict[str, Any], asked: list[Effect]
) -> None:
    """Each may end attempts of the other, which have not failed by themselves then (5.8a)."""
    cancel = CancelSeen(CancelRequest(1000.0, None, is_nested=is_nested))
    told(running, cancel, SurvivorsSeen(FIRST, []), AbortAnswered(FIRST, None))
    decision = update(running, StatusAnswered(FIRST, report(status, **facts)), NOW)
    assert [one for one in decision.effects if one in (LOOK, END)] == asked


@pytest.mark.parametrize("is_earlier_boot", [False, True])
def test_processes_before_an_abort(running: RunState, *, is_earlier_boot: bool) -> None:
    """They are recorded before the abort and looked for after it, but not after a reboot (5.8)."""
    decision = update(running, CANCEL, NOW)
    assert LOOK in decision.effects
    assert not any(isinstance(effect, AbortJob) for effect in decision.effects)
    decision = update(running, SEEN, NOW)
    assert decision.changes.attempts[0, 1].kin is not None
    assert any(isinstance(effect, AbortJob) for effect in decision.effects)
    aborted = report("ABORTED", abort_reason="orchesjob-flow: cancel")
    now = later(0, boot="later") if is_earlier_boot else NOW
    decision = update(running, AbortAnswered(FIRST, aborted), now)
    known = tuple(process._replace(command="") for process in (YOUNG, OLD))
    assert END._replace(known=() if is_earlier_boot else known) in decision.effects


def test_the_same_every_time(run: RunState, recorded: Callable[..., RunState]) -> None:
    """Of two runs that are recorded alike the same is decided: nothing else is looked at."""
    other = recorded(A_AND_B)
    for event in (RunnerStarted(), StartAnswered(FIRST, report("LOST")), SurvivorsSeen(FIRST, [])):
        first, second = (
            (one.changes.header, one.changes.steps, one.changes.attempts, one.effects)
            for one in (update(run, event, NOW), update(other, event, NOW))
        )
        assert first == second


@pytest.mark.parametrize(
    ("finished_at", "ended_at"),
    [(1100, 1101.0), (None, 1600.0), (1600, 1600.0), (5000, 1600.0), (7, 1000.0)],
)
def test_an_end_that_nobody_saw(begun: RunState, finished_at: int | None, ended_at: float) -> None:
    """A job that ended while no runner lived ended when orchesjob says, within reason (6.4)."""
    update(begun, StartAnswered(FIRST, report("SUCCEEDED", finished_at=finished_at)), later(600))
    assert begun.steps[0].row.finished_at == ended_at


# Which steps can be decided, and in which order.


def test_the_order_of_the_file() -> None:
    """What is ready at the same time begins in the order in which the file names it, every time."""
    ids = [f"step-{number}" for number in range(30)]
    last = StepSpec(id="last", command=("true",), depends_on=tuple(ids))
    steps = [StepSpec(id=step_id, command=("true",)) for step_id in ids]
    assert list(plan_of(FlowSpec("f", (last, *steps)), None).get_ready()) == ids


# What a report_with means for an attempt: the whole table (rules 5.3 and 5.9).

COMMAND = ("echo", "hello")


def report_with(status: str, **facts: object) -> JobReport:
    job = {"job_id": "j", "run_key": "k:a:1", "command": list(COMMAND), "status": status}
    return JobReport.from_payload({**job, "worker_pid": 7, "target_pid": 8, **facts})


@pytest.mark.parametrize(
    ("status", "facts", "verdict"),
    [
        ("STARTING", {}, Verdict.ACTIVE),
        ("STARTING", {"target_pid": None}, Verdict.ACTIVE),
        ("STARTING", {"worker_pid": None, "target_pid": None}, Verdict.NO_WORKER),
        ("RUNNING", {}, Verdict.ACTIVE),
        ("RUNNING", {"worker_pid": None}, Verdict.ACTIVE),
        ("SUCCEEDED", {}, Verdict.SUCCEEDED),
        ("SUCCEEDED", {"exit_code": 3}, Verdict.SUCCEEDED),
        ("FAILED", {}, Verdict.FAILED),
        ("FAILED", {"exit_code": 0}, Verdict.FAILED),
        ("LOST", {}, Verdict.LOST),
        ("LOST", {"worker_pid": None, "target_pid": None}, Verdict.LOST),
        ("CANCELLED", {}, Verdict.ABORTED),
        ("ABORTED", {}, Verdict.ABORTED),
        ("ABORTED", {"worker_pid": None}, Verdict.NEVER_RAN),
        ("PAUSED", {}, Verdict.ACTIVE),
        ("succeeded", {}, Verdict.ACTIVE),
        ("SUCCEEDED", {"command": ["echo"]}, Verdict.FOREIGN),
        ("RUNNING", {"command": ["echo", "hello", ""]}, Verdict.FOREIGN),
        ("ABORTED", {"command": ["x"], "worker_pid": None}, Verdict.FOREIGN),
        ("SUCCEEDED", {"command": []}, Verdict.SUCCEEDED),
    ],
)
def test_verdicts(status: str, facts: dict[str, object], verdict: Verdict) -> None:
    """Each report_with has one verdict; an unknown status counts as running (rule 5.3)."""
    assert judge(report_with(status, **facts), StepSpec("a", COMMAND)) is verdict


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        ("SUCCEEDED", 0, Verdict.FAILED),
        ("SUCCEEDED", None, Verdict.FAILED),
        ("FAILED", 3, Verdict.SUCCEEDED),
        ("FAILED", 255, Verdict.SUCCEEDED),
        ("FAILED", 4, Verdict.SKIPPED),
        ("FAILED", 1, Verdict.FAILED),
        ("FAILED", 0, Verdict.FAILED),
        ("FAILED", None, Verdict.FAILED),
        ("FAILED", -1, Verdict.FAILED),
        ("FAILED", -9, Verdict.SUCCEEDED),
        ("FAILED", -15, Verdict.SKIPPED),
        ("ABORTED", 3, Verdict.ABORTED),
        ("CANCELLED", 4, Verdict.ABORTED),
        ("LOST", 3, Verdict.LOST),
        ("RUNNING", 3, Verdict.ACTIVE),
        ("PAUSED", 3, Verdict.ACTIVE),
    ],
)
def test_exit_codes(status: str, code: int | None, verdict: Verdict) -> None:
    """A code counts only where orchesjob says that the command ended by itself (rule 9.12)."""
    spec = StepSpec("a", COMMAND, success_exit_codes=(3, 255, 137), skip_exit_codes=(4, 143))
    assert judge(report_with(status, exit_code=code), spec) is verdict
    killed = code is not None and code < 0
    ended = judge(report_with(status, exit_code=code), spec, ended=True)
    assert ended is (Verdict.FAILED if killed else verdict)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "aborted from outside this run"),
        ({"abort_reason": None}, "aborted from outside this run"),
        ({"abort_reason": "by hand"}, "aborted from outside this run: by hand"),
        ({"abort_reason": "x" * 999}, "aborted from outside this run: " + "x" * 200),
        ({"abort_reason": 7}, "aborted from outside this run"),
    ],
)
def test_aborts(facts: dict[str, object], sentence: str) -> None:
    """A job that was aborted from outside is told with the reason that orchesjob keeps."""
    assert describe_abort(report_with("ABORTED", **facts)) == sentence


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        *(
            (word, "only a shell knows that, and script: is run by one")
            for word in ("cd", "source", "export", "ls|wc", "$HOME/x", "~/x", "&&", "*.sh", "[[")
        ),
        (
            "echo hi",
            "write each word as an item of the list, or script: for text that a shell runs",
        ),
        ("no-such-tool", None),
        ("./run.sh", None),
    ],
)
def test_what_no_program_is(word: str, advice: str | None) -> None:
    """A command that could not be started names its program; a word of a shell, the remedy too."""
    command = {"command": [word], "exit_code": -1, "target_pid": None}
    said = failure_of(report_with("FAILED", **command))
    _, _, rest = said.partition("no process left: ")
    assert rest == (word if advice is None else f"{word}; {advice}")
    assert failure_of(report_with("FAILED", exit_code=3, command=[word])) == "exit code 3"


# Whom a run of a group is told to wait for (rule 10.7).


@pytest.fixture
def waiting(recorded: Callable[..., RunState]) -> RunState:
    """A run that waits for the group `g`, with its runner."""
    flow = FlowSpec("f", (StepSpec("a", ("a",)),), concurrency=Concurrency("g"))
    run = recorded(flow, joining=Joining("g"))
    assert is_nothing(update(run, RunnerStarted(), NOW))
    return run


def test_it_is_told_once_who_holds_the_group(waiting: RunState) -> None:
    def seen(holder: str) -> list[str]:
        effects = update(waiting, QueueSeen(Queue(holder, ()), frozenset()), NOW).effects
        return [effect.message for effect in effects if isinstance(effect, Warn)]

    assert seen("h") == ["run 'k' waits for group 'g', held by run 'h'"]
    assert seen("h") == []
    assert seen("i") == ["run 'k' waits for group 'g', held by run 'i'"]
    (warning,) = update(
        waiting, QueueSeen(Queue("j", ()), frozenset(), holder_is_to_end=True), NOW
    ).effects
    assert warning == Warn("run 'k' waits for group 'g', held by run 'j', which is to be cancelled")
