"""`explain`: why each step of a run waits, runs or was skipped, led by who decided (rule 9.4)."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from flow_conditions import Explanation, Name
from flow_spec import RUN_WORD
from flow_store import Run
from orchesjob_flow.cli.options import CommandOnRun, format_option, run_key_option, step_argument
from orchesjob_flow.errors import line_about
from orchesjob_flow.explanation import (
    Explained,
    ExplainedCondition,
    Gate,
    by_name,
    explain_steps,
    sentence,
)
from orchesjob_flow.home import RunHandle, Snapshot
from orchesjob_flow.reasons import (
    Copies,
    Dependency,
    describe_given_up,
    not_started_text,
    silence_words,
    waiting_words,
)
from orchesjob_flow.views.results import header_json, runner_json, settlement_json
from orchesjob_flow.views.terminal import OutputFormat, as_json, print_json, print_lines, visible

DEEPEST_IN_JSON = 50


@click.command(cls=CommandOnRun)
@run_key_option
@step_argument
@format_option
def explain(handle: RunHandle, step: str | None, output_format: OutputFormat) -> None:
    """Explain why each step of a run, or one of them, waits, runs or was skipped.

    \b
    Example:
      orchesjob-flow explain nightly-2026-05-07 load
    """  # noqa: D301 - click reads \b
    with handle.open_readonly() as store:
        turned_away = store.not_started(run_key=handle.run_key)
    counts = [f"{not_started_text('this run was', one)}." for one in turned_away]
    if counts and not handle.is_recorded():
        if output_format is OutputFormat.TEXT:
            print_lines(map(visible, counts))
        else:
            print_json({"run_key": handle.run_key, "notes": counts})
        return
    snapshot = handle.snapshot()
    run = snapshot.run
    explained = explain_steps(run, step, snapshot.stale)
    notes = [*waiting_notes(handle, run), *_not_advanced(snapshot), *counts]
    if output_format is OutputFormat.TEXT:
        print_lines(explained_lines(explained, notes))
    else:
        header = header_json(run)
        print_json(
            {
                **as_json(run, "run_key", "flow_id", "status"),
                "runner": runner_json(snapshot),
                **{key: header[key] for key in ("gave_up", "group", "waits_for_group")},
                "notes": notes,
                "steps": [explained_json(one) for one in explained],
            }
        )


def explained_json(explained: Explained) -> dict[str, Any]:
    """Describe the explanation of a step for scripts; the condition is a tree."""
    step, waits_for, condition, before, gate, _, settlement, _ = explained
    rows = by_name((*before.steps, *waits_for.steps))
    return {
        "id": step.step_id,
        "status": step.status,
        "reason": sentence(explained),
        "waits_for": [{"id": name, **_status_json(row)} for name, row in rows.items()],
        "decided_by": None if condition is None else _decided_json(condition, rows),
        "condition": None if condition is None else tree_json(condition.whole, rows),
        "only_if": None if gate is None else _gate_json(gate),
        "settled": None if settlement is None else settlement_json(settlement, holds=True),
    }


def _gate_json(gate: Gate) -> dict[str, Any]:
    latest = gate.latest
    return {
        "command": gate.command,
        "attempt": None if latest is None else latest.number,
        "status": None if latest is None else latest.status,
        "answer": gate.answer,
        "error": None if latest is None else latest.error,
    }


def _decided_json(
    condition: ExplainedCondition, rows: Mapping[str, Dependency]
) -> Sequence[dict[str, Any]] | None:
    if condition.decided_by is None:
        return None
    values = condition.whole.operands
    return [
        {"text": str(operand), "value": values[operand], **_named_json(operand, rows)}
        for operand in condition.decided_by
    ]


def tree_json(part: Explanation, rows: Mapping[str, Dependency], level: int = 0) -> dict[str, Any]:
    """Describe a part of a condition; parts that are too deep to read are left out."""
    described: dict[str, Any] = as_json(part, "text", "value", "operator")
    if part.operator is None:
        (operand,) = part.operands
        return described | _named_json(operand, rows)
    children = part.children if level < DEEPEST_IN_JSON else ()
    return described | {"children": [tree_json(child, rows, level + 1) for child in children]}


def _named_json(operand: Name, rows: Mapping[str, Dependency]) -> dict[str, Any]:
    if operand.quantifier == RUN_WORD:
        return {"step": None, "status": None}
    return {"step": operand.name, **_status_json(rows[operand.name])}


def _status_json(waited: Dependency) -> dict[str, Any]:
    if isinstance(waited, Copies):
        return {"status": None, "copies": waited.counts}
    return {"status": waited.status}


def waiting_notes(handle: RunHandle, run: Run) -> Iterator[str]:
    """Say for which run another one waits, and how to free the group of both (rule 10.7)."""
    if run.queue is None:
        return
    yield f"This run {waiting_words(run)}: nothing of it runs before it is its turn."
    first = run.queue.holder or next(iter(run.queue.waiting), None)
    if first is None:
        return
    before = handle._replace(run_key=first)
    runner, key = before.holder(), shlex.quote(first)
    remedy = f"`orchesjob-flow cancel --run-key {key}` ends it"
    with before.open_readonly() as store:
        request = store.cancel_request(first)
    if request is not None:
        by = "" if request.successor is None else f": {request.successor} replaces it"
        who = f"no process advances it, and {remedy}" if runner is None else f"{runner} advances it"
        yield f"{first} has a request to cancel it{by}; {who}."
    elif runner is not None:
        yield f"{first} is advanced by {runner}; {remedy}."
    elif first == run.queue.holder:
        resume = f"`orchesjob-flow resume --run-key {key}` continues it"
        yield f"No process advances {first}, which keeps the group: {resume}, {remedy}."
    else:
        yield f"No process advances {first}: a run that has one does not wait for it."


def _not_advanced(snapshot: Snapshot) -> Iterator[str]:
    run = snapshot.run
    if (described := describe_given_up(snapshot)) is not None:
        yield f"{described[:1].upper()}{described[1:]}."
    elif snapshot.is_abandoned:
        line = line_about(run.run_key, "resume")
        yield f"No process advances this run, {silence_words(run)}: `{line}` continues it."


def explained_lines(explained: Sequence[Explained], notes: Sequence[str]) -> list[str]:
    """Write a sentence for each step.

    A single step is followed by its whole condition, part by part, and by its gate. The notes about
    the run come last.
    """
    lines = [f"{one.step.step_id} {one.step.status.value}: {sentence(one)}" for one in explained]
    condition = explained[0].condition if len(explained) == 1 else None
    if condition is not None and condition.whole.operator is not None:
        lines += ["", *(f"  {line}" for line in condition.lines)]
    if len(explained) == 1 and explained[0].gate is not None:
        gate = explained[0].gate
        lines += ["", f"  only_if {shlex.join(gate.command)}: {gate}"]
    if notes:
        lines += ["", *notes]
    return list(map(visible, lines))
