"""A run as the result of a command: JSON for programs, a table for people (rules 6.4 and 6.10).

On a terminal it ends with the commands that a person may type next. `start -d` and similar commands
say which process runs in the background, and where its log is. A foreground command shows the run
while it brings it to its end.

`start` imports this before its first call. So a function imports what only it needs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from flow_store import PastAttempt, Run, RunSummary, Settlement, Step, attempt_key, reported_job
from orchesjob_flow.errors import DONE, NOT_SUCCEEDED, UNFINISHED, line_about
from orchesjob_flow.home import DATABASE_OPTION, Listed, RunHandle, Snapshot
from orchesjob_flow.reasons import (
    clock_time,
    in_order,
    is_allowed,
    is_in_finally,
    latest_attempt,
    reasons,
    shape_of,
    shown_key,
)
from orchesjob_flow.views import terminal
from orchesjob_flow.views.terminal import (
    OutputFormat,
    as_json,
    print_json,
    stdout,
    visible,
    width,
    wrapped,
    wrapped_for_stdout,
    write_lines,
    write_result,
)


def run_json(snapshot: Snapshot) -> dict[str, Any]:
    """Describe a run, and the process that advances it."""
    run = snapshot.run
    why, holds = reasons(run, snapshot.stale), run.settled
    past, settled = by_position(run.history), by_position(run.settlements)
    return {
        **header_json(run),
        "orchesjob_home": run.orchesjob_home,
        "until": list(shape_of(run.definition).until),
        "steps": [
            {
                **step_json(run, step),
                "reason": why[step.position],
                "attempts": [
                    _attempt_json(attempt_key(run.run_key, step.step_id, attempt.number), attempt)
                    for attempt in past.get(step.position, ())
                ],
                "settlements": [
                    settlement_json(one, holds=holds.get(one.position) is one)
                    for one in settled.get(step.position, ())
                ],
            }
            for step in in_order(run)
        ],
        "runner": runner_json(snapshot),
    }


def by_position[Record: (PastAttempt, Settlement)](
    records: Iterable[Record],
) -> dict[int, list[Record]]:
    """Collect what is recorded of each step, by the step's position."""
    found: dict[int, list[Record]] = {}
    for one in records:
        found.setdefault(one.position, []).append(one)
    return found


def header_json(run: Run | RunSummary) -> dict[str, Any]:
    """Describe a run without its steps."""
    cancel, group = run.cancel, run.group
    return {
        **as_json(run, "run_key", "flow_id", "status", "started_at", "finished_at", "error"),
        "cancel_requested_at": None if cancel is None else cancel.requested_at,
        "replaced_by": None if cancel is None else cancel.successor,
        "finally_after": run.finally_after,
        "parent": parent_json(run),
        "gave_up": as_json(run.gave_up),
        "params": dict(run.params or {}),
        "group": None if group is None else group.name,
        "waits_for_group": as_json(run.queue, "held_by=holder", "behind=waiting"),
    }


def parent_json(run: Run | RunSummary) -> dict[str, Any] | None:
    """Describe the attempt that started a run, if a step of another run did."""
    described: dict[str, Any] | None = as_json(
        run.parent, "run_key", "step=step_id", "attempt=attempt_no"
    )
    return described


def runner_json(found: Snapshot | Listed) -> dict[str, Any] | None:
    """Describe the process that advances a run, or return None."""
    return None if found.runner is None else {"pid": found.runner.pid, "alive": True}


def settlement_json(settlement: Settlement, *, holds: bool) -> dict[str, Any]:
    """Describe a settlement; it `holds` until a `retry` decides its step again."""
    described = as_json(settlement, "status", "was", "error", "by", "at", "reason")
    return {**described, "by": as_json(settlement.by), "holds": holds}


def _attempt_json(key: str, attempt: PastAttempt) -> dict[str, Any]:
    return {
        **as_json(attempt, "number", "only_if=is_gate"),
        "run_key": key,
        **as_json(attempt, "status", "started_at", "finished_at", "error"),
    }


def step_json(run: Run, step: Step) -> dict[str, Any]:
    """Describe a step by its latest attempt since it was last decided (rule 9.7)."""
    attempt = latest_attempt(run, step)
    return {
        "id": step.step_id,
        "in_finally": is_in_finally(run, step),
        "foreach": shape_of(run.definition).values.get(step.step_id),
        "run_key": shown_key(run.run_key, step),
        **as_json(
            step,
            *("status", "attempt_no", "max_retries", "next_attempt_at"),
            *("started_at", "finished_at", "error"),
        ),
        "allowed": is_allowed(run, step),
        "orchesjob_status": None if attempt is None else reported_job(run, attempt),
    }


def show_run(handle: RunHandle, snapshot: Snapshot, output_format: OutputFormat) -> None:
    """Print a run as it is now; a format does not import the modules of the other one."""
    if output_format is OutputFormat.JSON:
        print_json(run_json(snapshot))
    else:
        from orchesjob_flow.views.table import print_table

        print_table(snapshot)
        show_next_steps(handle, snapshot)


def run_exit_code(run: Run) -> int:
    """Return the exit code that tells how a run ended, or that it has not (rules 6.9 and 9.9)."""
    if not run.status.is_terminal:
        return UNFINISHED
    return DONE if run.status == "SUCCEEDED" else NOT_SUCCEEDED


def show_next_steps(handle: RunHandle, snapshot: Snapshot) -> None:
    """Print on a terminal the commands that a person may type next, the most obvious first."""
    if not terminal.stdout().stream.isatty():
        return
    found = [(command_line(handle, *words), what) for words, what in suggestions(*snapshot)]
    lines = [part for line, what in found for part in explained(visible(line), what)]
    write_lines(["", *lines] if lines else [])


def show_foreground(
    handle: RunHandle,
    output_format: OutputFormat,
    progress: str,
    advance: Callable[[], Run],
    *,
    follow: str = "",
) -> int:
    """Let `advance` bring a run to its end with its progress on stderr, and print the run.

    A person sees the table once, then what the failed steps printed, then what to do next (rule
    6.11).
    """
    from orchesjob_flow.views.progress import show_outcome, with_progress

    shown = with_progress(progress, handle, advance, follow=follow)
    snapshot = Snapshot(shown.run, None)
    is_text = output_format is OutputFormat.TEXT
    if is_text and not (shown.was_drawn and terminal.is_one_terminal()):
        from orchesjob_flow.views.table import print_table

        print_table(snapshot)
        shown = shown._replace(was_shown=True)
    if progress != "none":
        show_outcome(handle, shown)
    if is_text:
        show_next_steps(handle, snapshot)
    else:
        print_json(run_json(snapshot))
    return run_exit_code(shown.run)


def show_background(handle: RunHandle, snapshot: Snapshot, output_format: OutputFormat) -> int:
    """Print a run that a background process advances, and where that process logs."""
    stdout_log, stderr_log = (str(handle.log(stream)) for stream in ("stdout", "stderr"))
    if output_format is OutputFormat.TEXT:
        write_result(background_text(snapshot, [stdout_log, stderr_log]))
        show_next_steps(handle, snapshot)
        return DONE
    print_json(
        {
            **run_json(snapshot),
            "detached": True,
            "pid": None if snapshot.runner is None else snapshot.runner.pid,
            "stdout_log": stdout_log,
            "stderr_log": stderr_log,
        }
    )
    return DONE


def show_skipped(held_by: str, output_format: OutputFormat) -> int:
    """Print that no run was recorded, and why; the flow says that this is not an error."""
    if output_format is OutputFormat.JSON:
        print_json({"skipped": True, "held_by": held_by})
    else:
        write_result(f"skipped: run {visible(held_by)} of the same group is running\n")
    return DONE


def background_text(snapshot: Snapshot, logs: Sequence[str]) -> str:
    """Say which process advances a run and where it logs, or that the run has already ended."""
    run, runner = snapshot
    words = f"Run {visible(run.run_key)} of flow {visible(run.flow_id)}"
    if runner is None:
        ended = "has ended" if run.status.is_terminal else "has no runner"
        return f"{words} {ended}: {run.status.value}\n"
    pid = "another process" if runner.pid is None else f"process {runner.pid}"
    begun = f"{words} is {run.status.value}; {pid} advances it in the background."
    paths = [f"  its log: {visible(log)}" for log in logs]  # not wrapped, so that one can copy them
    return "".join(f"{line}\n" for line in (*wrapped_for_stdout([begun], indent="  "), *paths))


def command_line(handle: RunHandle, command: str, *words: str) -> str:
    """Write a command line for a run, with the `--db` of this call."""
    home = handle.settings.home
    options = ["--db", str(home.database)] if home.named_by == DATABASE_OPTION else []
    return line_about(handle.run_key, command, *words, options=options)


def ended_words(run: Run) -> str:
    """Say when and how a run has ended, to begin a sentence about what is not done therefore."""
    when = clock_time(run.finished_at)
    return f"run {run.run_key!r} ended {run.status.value} at {when}"


def explained(line: str, what: str) -> Sequence[str]:
    """Say what a command line does: beside it, or above it if it would be too long."""
    beside, columns = f"{line}  # {what}", stdout().size().columns
    if width(beside) <= columns:
        return [beside]
    return [*wrapped(f"# {what}", columns, indent="# "), line]


def suggestions(run: Run, runner: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the words of each command that a person may type next, and what it does."""
    if run.status.is_terminal:
        if run.status != "SUCCEEDED":
            attempted = {attempt.position for attempt in run.history}
            has_more = len(attempted) < len(run.history) or any(one.is_gate for one in run.history)
            every = ("--attempt", "all") if has_more else ()
            yield ("logs", *every), "everything that its steps printed"
            yield ("retry",), "run again what went wrong, and what depends on it"
    elif run.cancel is not None and runner is None:
        yield ("cancel",), "carry out the cancel"
    elif runner is None:
        yield ("resume",), "continue it"
    else:
        yield ("watch",), "watch it; Ctrl-C leaves it running"
        yield ("logs", "-f"), "follow what its steps print"
        yield ("cancel",), "cancel it"
