"""`simulate`: a flow file is played through the engine; nothing is run or recorded (rule 11.3).

One simulated run is shown as `status` shows a run that has ended, with virtual times. `--all` shows
the different endings that a run can have.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from flow_spec import FlowSpec, read_document
from flow_store import Run, RunStatus, Step, StepStatus
from orchesjob_flow.cli.completion import complete_step_of_file
from orchesjob_flow.cli.options import FLOW_FILE, format_option, param_option, until_option
from orchesjob_flow.home import Snapshot
from orchesjob_flow.launch.inputs import list_reader, read_to_run, tell_empty_lists
from orchesjob_flow.reasons import in_order, listed, reasons
from orchesjob_flow.simulation import (
    Ending,
    Endings,
    Played,
    Scenario,
    endings_of,
    first_starts,
    play,
)
from orchesjob_flow.views.results import run_exit_code, run_json
from orchesjob_flow.views.table import UNDECIDED, params_words, screen_row, steps_in
from orchesjob_flow.views.terminal import (
    OutputFormat,
    duration_text,
    print_json,
    print_lines,
    stdout,
    visible,
    warn,
    wrapped_for_stdout,
    write_lines,
)

PLAN_COLUMNS = ("Step", "Status", "Attempt", "Begins", "Ends", "Why")
WITHOUT_MEANING = ("run_key", "orchesjob_home", "orchesjob_status")
"""Keys of the JSON about what only a real run has, at any depth."""

MOST_SHOWN = 50
"""How many endings a person sees; a program gets all that were found."""
OPTIONS = {StepStatus.FAILED: "--fail", StepStatus.SKIPPED: "--skip"}


@click.command()
@click.option(
    "--fail",
    metavar="STEP",
    multiple=True,
    shell_complete=complete_step_of_file,
    help="Let this step fail in every attempt; repeatable.",
)
@click.option(
    "--skip",
    metavar="STEP",
    multiple=True,
    shell_complete=complete_step_of_file,
    help="Let this step be skipped, by its exit code or its only_if; repeatable.",
)
@click.option(
    "--cancel-at",
    metavar="STEP",
    shell_complete=complete_step_of_file,
    help="Cancel the run when a step begins.",
)
@until_option
@click.option("--all", "every", is_flag=True, help="Show every way in which a run can end.")
@param_option
@format_option
@click.argument("flow_file", metavar="FLOW_FILE", type=FLOW_FILE)
def simulate(  # noqa: PLR0913, PLR0917 - its options
    fail: tuple[str, ...],
    skip: tuple[str, ...],
    cancel_at: str | None,
    until: tuple[str, ...],
    every: bool,
    params: dict[str, str],
    output_format: OutputFormat,
    flow_file: str,
) -> int | None:
    """Simulate a run of FLOW_FILE in virtual time: what would start when, and how it would end.

    Every command succeeds unless an option names its step. Nothing is run or recorded. The
    exit code is that of the run; with --all it is 0.

    \b
    Example:
      orchesjob-flow simulate nightly.yaml --fail load
    """  # noqa: D301 - click reads \b
    read = read_to_run(read_document(flow_file), {}, params, list_reader(flow_file))
    flow = read.flow.with_until(until)
    tell_empty_lists(flow)
    scenario = Scenario.of(flow, fail=fail, skip=skip, cancel_at=cancel_at)
    if every:
        endings = endings_of(flow, scenario)
        if output_format is OutputFormat.JSON:
            print_json(endings_json(flow, endings, cancel_at))
        else:
            print_lines(endings_lines(flow, endings))
        return None
    played = play(flow, scenario)
    exit_code = run_exit_code(played.run)
    if output_format is OutputFormat.JSON:
        print_json(simulated_json(played.run))
    else:
        _print_simulated(played.run, exit_code)
    for message in _without_effect(flow, fail, skip, cancel_at, played):
        warn(message)
    return exit_code


def _without_effect(
    flow: FlowSpec, fail: Sequence[str], skip: Sequence[str], cancel_at: str | None, played: Played
) -> Iterator[str]:
    for option, names in (("--fail", fail), ("--skip", skip)):
        for name in names:
            if played.outcomes.keys().isdisjoint(step.id for step in flow.named(name)):
                yield f"{option} {name} has no effect: {name} never ends by itself"
    if cancel_at is not None and played.cancelled_at is None:
        yield f"--cancel-at {cancel_at} has no effect: {cancel_at} never begins"


def simulated_json(run: Run) -> dict[str, Any]:
    """Describe a simulated run as `status` does, with null for what only a real run has."""
    described: dict[str, Any] = without_meaningless(run_json(Snapshot(run, None)))
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


def _print_simulated(run: Run, exit_code: int) -> None:
    terminal = stdout()
    lines = [f"Flow: {visible(run.flow_id)}"]
    if run.params:
        lines.append(f"Params: {params_words(run.params)}")
    columns = terminal.columns
    rows = simulated_rows(run, colour=None if columns is None else terminal.colour)
    lines += [
        "",
        *steps_in(columns, [PLAN_COLUMNS, *rows]),
        "",
        *wrapped_for_stdout([visible(_ending_words(run, exit_code))], indent=""),
    ]
    write_lines(lines)


def simulated_rows(run: Run, *, colour: bool | None) -> list[Sequence[str]]:
    """Draw the steps in the order in which they begin, or are decided without beginning."""
    why, first = reasons(run), first_starts(run)
    rows: list[Sequence[str]] = []
    for step in sorted(in_order(run), key=lambda step: first.get(step.position, _end_of(step))):
        name, status, number, _, error = screen_row(run, step, 0.0, colour=colour)
        if step.status in UNDECIDED and not error:
            error = visible(why[step.position])
        begins = first.get(step.position)
        rows.append((name, status, number, moment(begins), moment(_end_of(step)), error))
    return rows


def _end_of(step: Step) -> float:
    return step.finished_at or 0.0


def moment(at: float | None) -> str:
    """Write a virtual time, in seconds since the run's beginning."""
    return "-" if at is None else duration_text(at)


def _ending_words(run: Run, exit_code: int) -> str:
    after = moment(run.finished_at)
    error = "" if run.error is None else f": {run.error}"
    return (
        f"This was a simulation; nothing ran. The run would end {run.status.value} after "
        f"{after}, with exit code {exit_code}{error}."
    )


def endings_json(flow: FlowSpec, endings: Endings, cancel_at: str | None) -> dict[str, Any]:
    """Describe the endings, each with the options of `simulate` that show it."""
    others = [f"--until={name}" for name in flow.until]
    others += [] if cancel_at is None else [f"--cancel-at={cancel_at}"]
    return {
        "flow_id": flow.flow_id,
        "params": dict(flow.values),
        "simulated": True,
        "total": len(endings.found) if endings.is_complete else None,
        "complete": endings.is_complete,
        "endings": [
            {
                "status": ending.status,
                "options": [
                    *(f"{OPTIONS[status]}={name}" for name, status in ending.by_themselves.items()),
                    *others,
                ],
                "steps": dict(ending.steps),
            }
            for ending in endings.found
        ],
    }


def endings_lines(flow: FlowSpec, endings: Endings) -> Iterator[str]:
    """Yield a line for each ending, in groups by how the run ends."""
    shown = endings.found[:MOST_SHOWN]
    yield f"Flow: {visible(flow.flow_id)}"
    yield f"Endings: {_endings_words(endings)}"
    for status in RunStatus:
        group = [ending for ending in shown if ending.status is status]
        if group:
            yield ""
        for ending in group:
            others = consequences(ending, endings.found[0])
            colon = ": " if others else ""
            yield visible(f"{status.value}, {_condition_words(ending)}{colon}{'; '.join(others)}")
    if len(shown) < len(endings.found) or not endings.is_complete:
        yield ""
        few = "with the fewest steps that fail or are skipped by themselves"
        yield f"Shown are the {len(shown)} {few}."


def _endings_words(endings: Endings) -> str:
    if not endings.is_complete:
        return f"more than {len(endings.found):,}"
    counts = Counter(ending.status for ending in endings.found)
    kinds = ", ".join(f"{counts[status]:,} {status}" for status in RunStatus if counts[status])
    return f"{len(endings.found):,} ({kinds})"


def _condition_words(ending: Ending) -> str:
    if not ending.by_themselves:
        return "when every command succeeds"
    return f"when {'; '.join(grouped(ending.by_themselves))}"


def consequences(ending: Ending, usual: Ending) -> Sequence[str]:
    """Name the other steps that do not succeed, and those that usually would not."""
    succeeded = StepStatus.SUCCEEDED
    return grouped(
        {
            step_id: status
            for step_id, status in ending.steps.items()
            if step_id not in ending.by_themselves
            and (status, usual.steps[step_id]) != (succeeded, succeeded)
        }
    )


def grouped(statuses: Mapping[str, StepStatus]) -> Sequence[str]:
    """Name the steps of each status, or the first few of them."""
    return [
        f"{listed([name for name, one in statuses.items() if one is status])} {status}"
        for status in StepStatus
        if status in statuses.values()
    ]
