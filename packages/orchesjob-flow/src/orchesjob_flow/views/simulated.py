"""A simulated run, as `status` shows one that has ended, with virtual times (rule 11.3)."""

from collections.abc import Sequence
from typing import Any

from flow_store import Run, Step
from orchesjob_flow.views.definition import in_order
from orchesjob_flow.views.reasons import reasons
from orchesjob_flow.views.run_json import run_json
from orchesjob_flow.views.streams import fitted, stdout, write_result
from orchesjob_flow.views.table import params_words, screen_row, short_duration, simple_table
from orchesjob_flow.views.table_fitting import UNDECIDED, steps_in
from orchesjob_flow.views.text import visible

COLUMNS = ("Step", "Status", "Attempt", "Begins", "Ends", "Why")
WITHOUT_MEANING = ("run_key", "orchesjob_home", "orchesjob_status")
"""Keys of the JSON about what only a real run has, at any depth."""


def simulated_json(run: Run) -> dict[str, Any]:
    """Describe a simulated run as `status` does; what has no meaning is null."""
    described: dict[str, Any] = without_meaningless(run_json(run, None))
    return described | {"simulated": True}


def without_meaningless(value: Any) -> Any:
    """Return a part of the JSON with null for what only a real run has."""
    if isinstance(value, list):
        return [without_meaningless(one) for one in value]
    if isinstance(value, dict):
        return {
            key: None if key in WITHOUT_MEANING else without_meaningless(one)
            for key, one in value.items()
        }
    return value


def print_simulated(run: Run, exit_code: int) -> None:
    """Print a simulated run for people, and how it would end, with which exit code."""
    terminal = stdout()
    lines = [f"Flow: {visible(run.flow_id)}"]
    if run.params:
        lines.append(f"Params: {params_words(run.params)}")
    rows = simulated_rows(run, colour=terminal.colour)
    table = [COLUMNS, *rows]
    is_terminal = terminal.stream.isatty()
    drawn = steps_in(terminal.size().columns, table) if is_terminal else simple_table(table)
    lines += ["", *drawn, "", *fitted([visible(ending_words(run, exit_code))], indent="")]
    write_result("".join(f"{line}\n" for line in lines))


def simulated_rows(run: Run, *, colour: bool) -> list[Sequence[str]]:
    """Draw the steps in the order in which they begin, or are decided without an attempt."""
    why, first = reasons(run), first_starts(run)
    rows: list[Sequence[str]] = []
    for step in sorted(in_order(run), key=lambda step: first.get(step.position, end_of(step))):
        name, status, number, _, error = screen_row(run, step, 0.0, colour=colour)
        if step.status in UNDECIDED and not error:
            error = visible(why[step.position])
        begins = first.get(step.position)
        rows.append((name, status, number, moment(begins), moment(end_of(step)), error))
    return rows


def first_starts(run: Run) -> dict[int, float]:
    """Return when the first attempt at each step begins, by the step's position."""
    return {past.position: past.started_at for past in run.history if past.number == 1}


def end_of(step: Step) -> float:
    """Return when a step has ended."""
    return step.finished_at or 0.0


def moment(at: float | None) -> str:
    """Write a virtual time, in seconds since the run's beginning."""
    return "-" if at is None else short_duration(0.0, at, 0.0)


def ending_words(run: Run, exit_code: int) -> str:
    """Say that nothing was run, and how the run would end."""
    after = moment(run.finished_at)
    error = "" if run.error is None else f": {run.error}"
    return (
        f"This was a simulation, and nothing was run. The run would end {run.status.value} after "
        f"{after}, with exit code {exit_code}{error}."
    )
