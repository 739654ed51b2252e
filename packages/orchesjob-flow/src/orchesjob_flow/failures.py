"""The last lines of what the steps that went wrong have printed, on stderr (rule 9.14).

The log of a CI job, or the mail of a cron job, is often all that its reader sees.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from flow_store import Step, StepStatus
from orchesjob_flow import terminal
from orchesjob_flow.logs import Choice, Printer, Source, chosen, read
from orchesjob_flow.output import write_message, write_view_bytes
from orchesjob_flow.settings import Settings
from orchesjob_flow.text import visible

LAST_LINES = 10
"""Of each of the two streams."""
MOST_STEPS = 10


def show_failures(run_key: str, settings: Settings) -> None:
    """Write which steps of a run went wrong, and the last lines of their latest attempts."""
    run, attempts = read(run_key, settings)
    wrong = [step for step in run.steps if went_wrong(step)]
    for step in wrong[:MOST_STEPS]:
        choice = Choice(step.step_id, None, ("stdout", "stderr"), LAST_LINES)
        show_failure(step, chosen(run, attempts, choice))
    if len(wrong) > MOST_STEPS:
        more = len(wrong) - MOST_STEPS
        write_message(f"... and {more} more; `logs` shows what they have printed")


def went_wrong(step: Step) -> bool:
    """Tell whether a step has failed, or was ended in its midst because the run's time was over."""
    cut_short = step.status is StepStatus.CANCELLED and step.attempt_no > 0
    return cut_short or step.status is StepStatus.FAILED


def show_failure(step: Step, sources: Mapping[Source, Path]) -> None:
    """Write how one step has failed, and its last lines, each led by its id."""
    what = f"{step.step_id} {step.status.value} {visible(step.error or '')}"
    if not has_content(sources.values()):
        write_message(f"{what}, and has printed nothing")
        return
    write_message(f"{what}, after it has printed:")
    prefixes = {step.step_id: f"{step.step_id} | "}
    is_terminal = terminal.stderr().stream.isatty()
    printer = Printer(prefixes, LAST_LINES, terminal=is_terminal, write=write_view_bytes)
    printer.show(sources, last=True)


def has_content(paths: Iterable[Path]) -> bool:
    """Tell whether there is anything in these files, or one that should be there is gone."""
    for path in paths:
        with suppress(FileNotFoundError):
            if path.stat().st_size == 0:
                continue
        return True
    return False
