"""Facts of runs, made from their steps and from the times of their attempts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flow_spec import FlowSpec, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    NotStarted,
    Person,
    Run,
    RunStatus,
    RunSummary,
    Settlement,
    Step,
    StepStatus,
)
from orchesjob_flow.explanation import explain_steps
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Listed
from orchesjob_flow.reports.facts import Facts, Tail, facts_of, headline
from orchesjob_flow.reports.overview import FlowLine, RunMark, Trouble, overview_page
from orchesjob_flow.reports.reporting import explanations

ENDS = {0: AttemptStatus.SUCCEEDED, None: AttemptStatus.RUNNING}
NOW = 1000.0

type AttemptTimes = tuple[float, float | None, int | None]
"""When an attempt began, when it ended, and its exit code."""


class RecordedStep(NamedTuple):
    """A step, its attempts and its status; the last attempt determines a missing status."""

    spec: StepSpec
    attempts: Sequence[AttemptTimes] = ()
    status: StepStatus | None = None
    retry_no: int = 0
    failures: int | None = None
    ended_at: float | None = None
    tails: Sequence[Tail] | None = ()


def row_of(place: int, recorded: RecordedStep) -> Step:
    last = recorded.attempts[-1] if recorded.attempts else None
    status = recorded.status or (
        StepStatus.PENDING if last is None else StepStatus(ENDS.get(last[2], "FAILED"))
    )
    failures = sum(code not in ENDS for _, _, code in recorded.attempts)
    return Step(
        place,
        recorded.spec.id,
        status,
        len(recorded.attempts),
        failures if recorded.failures is None else recorded.failures,
        recorded.spec.retries,
        started_at=last[0] if last else None,
        finished_at=(last[1] if last else recorded.ended_at) if status.is_terminal else None,
        error=f"exit code {last[2]}" if last and last[2] else None,
        retry_no=recorded.retry_no,
    )


def attempts_of(place: int, recorded: RecordedStep) -> list[Attempt]:
    return [
        Attempt(
            place,
            number,
            ended_as(ended, code),
            began,
            None,
            "boot",
            job=json.dumps({"exit_code": code}),
            finished_at=ended,
            error=f"exit code {code}" if code else None,
        )
        for number, (began, ended, code) in enumerate(recorded.attempts, start=1)
    ]


def ended_as(ended: float | None, code: int | None) -> AttemptStatus:
    if code is None and ended is not None:
        return AttemptStatus.CANCELLED
    return ENDS.get(code, AttemptStatus.FAILED)


def facts_from(
    *steps: RecordedStep,
    finally_: Sequence[RecordedStep] = (),
    attempts: Sequence[Attempt] = (),
    description: str | None = None,
    **other: Any,
) -> Facts:
    all_steps = [*steps, *finally_]
    flow = FlowSpec(
        "flow",
        tuple(one.spec for one in steps),
        finally_=tuple(o.spec for o in finally_),
        description=description,
    )
    rows = tuple(row_of(place, recorded) for place, recorded in enumerate(all_steps))
    recorded_attempts = attempts or [
        one for at, recorded in enumerate(all_steps) for one in attempts_of(at, recorded)
    ]
    ended = [row.finished_at for row in rows if row.finished_at is not None]
    fields: Mapping[str, Any] = {
        "run_key": "run",
        "flow_id": "flow",
        "definition": flow.to_json(),
        "directory": "/",
        "flow_dir": "/",
        "orchesjob_home": "/srv/jobs",
        "status": RunStatus.SUCCEEDED,
        "error": None,
        "started_at": 0.0,
        "finished_at": max(ended, default=None),
        "deadline": None,
        "revision": 1,
        "cancel": None,
        "steps": rows,
        "attempts": {one.position: one for one in recorded_attempts},
    }
    run = Run(**{**fields, **other})
    tails = {
        recorded.spec.id: recorded.tails for recorded in all_steps if recorded.tails is not None
    }
    return facts_of(run, recorded_attempts, explanations(explain_steps(run, None)), tails, NOW)


def step(name: str, **fields: Any) -> StepSpec:
    return StepSpec(name, ("x",), **fields)


HOSTILE = (
    "\"><script>document.title='hacked'</script><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}"
    "\x00\x1b[31m|`<b>&*_[x](http://e)\u202e\ud800\ufffe\n# www.e @me ```"
)


def night(text: str) -> Facts:
    """Return the facts of a run with every kind of outcome, with `text` in all texts."""
    lines = f"last words\n```\n{text}".replace("\ud800", "")
    tails = [Tail("stderr", lines, 12, f"/{text}"), Tail("stdout", "", 0, text, is_missing=True)]
    what, env = text.replace("\ud800", ""), (("NAME", "a secret"),)
    command = ("x", text.replace("\ud800", "").replace("\x00", ""))
    return facts_from(
        RecordedStep(StepSpec("good", command, description=what, env=env), [(0, 1.25, 0)]),
        RecordedStep(step("flaky", retries=1), [(0, 1, 7), (2, 3, 0)]),
        RecordedStep(step("bad", retries=1), [(0, 1, 7), (2, 3, 9)], tails=tails),
        RecordedStep(step("may", allow_failure=True), [(0, 1, 1)]),
        RecordedStep(step("not", when="bad"), status=StepStatus.SKIPPED, ended_at=3.0),
        RecordedStep(step("ended"), [(3, 4, None)], StepStatus.CANCELLED),
        RecordedStep(step("never", when="ended"), status=StepStatus.CANCELLED, ended_at=4.0),
        finally_=[RecordedStep(step("tidy"), [(3.5, 4, 0)])],
        status=RunStatus.FAILED,
        description=f"What it\nis for: {what}",
        run_key=text,
        flow_id=text,
        params={"P": text},
        orchesjob_home=text,
    )


def layers_of_steps(number: int, width: int) -> Facts:
    """Return the facts of many steps in layers; each waits for two steps of the layer before."""
    recorded_steps = []
    for place in range(number):
        layer = place // width
        before = [layer * width - width + (place * factor) % width for factor in (3, 7)]
        waits = tuple(dict.fromkeys(f"step_{one}" for one in before)) if layer else ()
        begin = layer * 10 + place % 5
        recorded_steps.append(
            RecordedStep(step(f"step_{place}", depends_on=waits), [(begin, begin + 5, 0)])
        )
    return facts_from(*recorded_steps)


def settled(reason: str) -> Facts:
    """Return the facts of a run with two settled steps: as SUCCEEDED, and as SKIPPED."""
    recorded_steps = [
        RecordedStep(step(name, retries=1), [(0, 1, 7), (2, 3, 9)]) for name in ("done", "left")
    ]
    settlements = [
        Settlement(place, 0, status, StepStatus.FAILED, reason, Person("ann", 1), 5.0, reason)
        for place, status in enumerate((StepStatus.SUCCEEDED, StepStatus.SKIPPED))
    ]
    return facts_from(
        *(
            recorded._replace(status=one.status)
            for recorded, one in zip(recorded_steps, settlements, strict=True)
        ),
        settlements=tuple(settlements),
        settled=dict(enumerate(settlements)),
    )


def overview_of(text: str) -> str:
    """Make a page about runs of each status, with the text wherever a page has any."""
    facts = night(text)
    run = facts.run
    key = "".join(filter(str.isprintable, text))  # as run keys are

    def mark(number: int, status: RunStatus, runner: Holder | None = None) -> RunMark:
        end = float(60 + number) if status.is_terminal else None
        shared = {name: getattr(run, name) for name in RunSummary._fields if hasattr(run, name)}
        changed = {"status": status, "run_key": f"{key}-{number}", "finished_at": end}
        summary = RunSummary(**{**shared, **changed, "steps": {}})
        return RunMark(Listed(summary, runner), 30 + number)

    marks = [mark(number, status, Holder(7)) for number, status in enumerate([*RunStatus] * 5)]
    wrong = [one for one in facts.steps if one.went_wrong]
    failed = mark(70, RunStatus.FAILED)
    abandoned = mark(71, RunStatus.RUNNING)
    lines = [
        FlowLine(f"{text} failed", [*marks, failed], 40.0, 50.0),
        FlowLine(f"{text} has no runner", [abandoned], None, None),
        FlowLine(f"{text} is well", [*marks, mark(72, RunStatus.SUCCEEDED)], 100.0, 132.0),
        FlowLine("unreadable", [mark(73, RunStatus.FAILED)], 1.0, 1.0),
    ]
    troubles = [
        Trouble(abandoned, f"It has no runner: `{text}`", []),
        Trouble(failed, headline(facts), [(one, text) for one in wrong]),
    ]
    turned_away = NotStarted(key, key, text, text, NOW, NOW)
    return overview_page(lines, troubles, {f"{key}-73"}, [turned_away], text, NOW)
