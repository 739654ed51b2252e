"""Runs as they are told: which steps there were, and when their attempts began and ended."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flow_spec import FlowSpec, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    FlowStatus,
    Person,
    Run,
    Settlement,
    Step,
    StepStatus,
)
from orchesjob_flow.reports.facts import Facts, Tail, facts_of
from orchesjob_flow.reports.reporting import explanations

ENDS = {0: AttemptStatus.SUCCEEDED, None: AttemptStatus.RUNNING}
NOW = 1000.0

type Told = tuple[float, float | None, int | None]
"""When an attempt began, when it ended, and its exit code."""


class Tale(NamedTuple):
    """A step, its attempts, and how it stands; the status follows from the last attempt."""

    spec: StepSpec
    attempts: Sequence[Told] = ()
    status: StepStatus | None = None
    retry_no: int = 0
    failures: int | None = None
    ended_at: float | None = None
    tails: Sequence[Tail] | None = ()


def row_of(place: int, tale: Tale) -> Step:
    last = tale.attempts[-1] if tale.attempts else None
    status = tale.status or (
        StepStatus.PENDING if last is None else StepStatus(ENDS.get(last[2], "FAILED"))
    )
    failures = sum(code not in ENDS for _, _, code in tale.attempts)
    return Step(
        place,
        tale.spec.id,
        status,
        len(tale.attempts),
        failures if tale.failures is None else tale.failures,
        tale.spec.retries,
        started_at=last[0] if last else None,
        finished_at=(last[1] if last else tale.ended_at) if status.is_terminal else None,
        error=f"exit code {last[2]}" if last and last[2] else None,
        retry_no=tale.retry_no,
    )


def attempts_of(place: int, tale: Tale) -> list[Attempt]:
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
        for number, (began, ended, code) in enumerate(tale.attempts, start=1)
    ]


def ended_as(ended: float | None, code: int | None) -> AttemptStatus:
    if code is None and ended is not None:
        return AttemptStatus.CANCELLED
    return ENDS.get(code, AttemptStatus.FAILED)


def tell(
    *tales: Tale, finally_: Sequence[Tale] = (), attempts: Sequence[Attempt] = (), **other: Any
) -> Facts:
    """Make the facts of a run from what happened at its steps."""
    both = [*tales, *finally_]
    flow = FlowSpec(
        "flow", tuple(one.spec for one in tales), finally_=tuple(o.spec for o in finally_)
    )
    rows = tuple(row_of(place, tale) for place, tale in enumerate(both))
    those = attempts or [one for at, tale in enumerate(both) for one in attempts_of(at, tale)]
    ended = [row.finished_at for row in rows if row.finished_at is not None]
    told: Mapping[str, Any] = {
        "run_key": "run",
        "flow_id": "flow",
        "definition": flow.to_json(),
        "directory": "/",
        "flow_dir": "/",
        "orchesjob_home": "/srv/jobs",
        "status": FlowStatus.SUCCEEDED,
        "error": None,
        "started_at": 0.0,
        "finished_at": max(ended, default=None),
        "deadline": None,
        "revision": 1,
        "cancel": None,
        "steps": rows,
        "attempts": {one.position: one for one in those},
    }
    run = Run(**{**told, **other})
    tails = {tale.spec.id: tale.tails for tale in both if tale.tails is not None}
    return facts_of(run, those, explanations(run), tails, NOW)


def step(name: str, **fields: Any) -> StepSpec:
    """Make a step of a flow."""
    return StepSpec(name, ("x",), **fields)


HOSTILE = (
    "\"><script>document.title='hacked'</script><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}"
    "\x00\x1b[31m|`<b>&*_[x](http://e)\u202e\ud800\ufffe\n# www.e @me ```"
)


def night(text: str) -> Facts:
    """Tell of a run with every kind of outcome, with a text wherever there can be one."""
    lines = f"last words\n```\n{text}".replace("\ud800", "")
    tails = [Tail("stderr", lines, 12, f"/{text}"), Tail("stdout", "", 0, text, is_missing=True)]
    what, env = text.replace("\ud800", ""), (("NAME", "a secret"),)
    command = ("x", text.replace("\ud800", "").replace("\x00", ""))
    return tell(
        Tale(StepSpec("good", command, description=what, env=env), [(0, 1.25, 0)]),
        Tale(step("flaky", retries=1), [(0, 1, 7), (2, 3, 0)]),
        Tale(step("bad", retries=1), [(0, 1, 7), (2, 3, 9)], tails=tails),
        Tale(step("may", allow_failure=True), [(0, 1, 1)]),
        Tale(step("not", when="bad"), status=StepStatus.SKIPPED, ended_at=3.0),
        Tale(step("ended"), [(3, 4, None)], StepStatus.CANCELLED),
        Tale(step("never", when="ended"), status=StepStatus.CANCELLED, ended_at=4.0),
        finally_=[Tale(step("tidy"), [(3.5, 4, 0)])],
        status=FlowStatus.FAILED,
        run_key=text,
        flow_id=text,
        params={"P": text},
        orchesjob_home=text,
    )


def layers_of_steps(number: int, width: int) -> Facts:
    """Tell of many steps in layers, each of which waits for two of the layer before."""
    tales = []
    for place in range(number):
        layer = place // width
        before = [layer * width - width + (place * factor) % width for factor in (3, 7)]
        waits = tuple(dict.fromkeys(f"step_{one}" for one in before)) if layer else ()
        begin = layer * 10 + place % 5
        tales.append(Tale(step(f"step_{place}", depends_on=waits), [(begin, begin + 5, 0)]))
    return tell(*tales)


def settled(reason: str) -> Facts:
    """Tell of a run of which a person has settled two steps: as SUCCEEDED, and as SKIPPED."""
    tales = [Tale(step(name, retries=1), [(0, 1, 7), (2, 3, 9)]) for name in ("done", "left")]
    settlements = [
        Settlement(place, 0, status, StepStatus.FAILED, reason, Person("ann", 1), 5.0, reason)
        for place, status in enumerate((StepStatus.SUCCEEDED, StepStatus.SKIPPED))
    ]
    return tell(
        *(tale._replace(status=one.status) for tale, one in zip(tales, settlements, strict=True)),
        settlements=tuple(settlements),
        settled=dict(enumerate(settlements)),
    )
