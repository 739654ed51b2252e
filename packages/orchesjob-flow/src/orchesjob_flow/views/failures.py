"""The last lines of what failed steps have printed, on stderr (rule 9.14).

The log of a CI job, or the mail of a cron job, is often all that its reader sees.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from flow_store import Step, StepStatus
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.home.step_files import Choice, Source, files_of
from orchesjob_flow.views import terminal
from orchesjob_flow.views.definition import in_order
from orchesjob_flow.views.step_lines import Printer
from orchesjob_flow.views.streams import write_message, write_paragraph, write_view_bytes
from orchesjob_flow.views.text import visible

LAST_LINES = 10
"""Of each of the two streams."""
LAST_BYTES = 16 * 1024
"""Of these lines: one line can be as long as a whole file."""
MOST_STEPS = 10


def show_failures(handle: RunHandle, *, with_heading: bool) -> None:
    """Write which steps of a run went wrong, and the last lines of their latest attempts.

    The heading names the run, where nothing that was shown before has done so.
    """
    with handle.open_readonly() as store:
        run, attempts = handle.load(store), store.attempts(handle.run_key)
    if with_heading:
        name = f"run {run.run_key} of flow {run.flow_id}"
        write_paragraph(visible(f"{name} {run.status.value}: {run.error}"))
    wrong = [step for step in in_order(run) if went_wrong(step)]
    for step in wrong[:MOST_STEPS]:
        set_apart()
        choice = Choice(step.step_id, step.attempt_no, ("stdout", "stderr"), LAST_LINES)
        show_failure(step, files_of(run, attempts, choice))
    if len(wrong) > MOST_STEPS:
        set_apart()
        more = len(wrong) - MOST_STEPS
        write_paragraph(f"... and {more} more; `logs` shows what they have printed")


def set_apart() -> None:
    """Leave a line free for a person's eyes; a log stays as dense as it is."""
    if terminal.stderr().stream.isatty():
        write_message("")


def went_wrong(step: Step) -> bool:
    """Tell whether a step failed, or was ended while it ran because the run's time was over."""
    cut_short = step.status is StepStatus.CANCELLED and step.has_begun
    return cut_short or step.status is StepStatus.FAILED


def show_failure(step: Step, sources: Mapping[Source, Path]) -> None:
    """Write how one step has failed, and its last lines, each led by its id."""
    what = f"{step.step_id} {step.status.value} {visible(step.error or '')}"
    if not has_content(sources.values()):
        write_paragraph(f"{what}, and has printed nothing")
        return
    write_paragraph(f"{what}, after it has printed:")
    prefixes = {step.step_id: f"{step.step_id} | "}
    is_terminal = terminal.stderr().stream.isatty()
    printer = Printer(
        prefixes,
        LAST_LINES,
        terminal=is_terminal,
        write=write_view_bytes,
        most_bytes=LAST_BYTES,
    )
    printer.follow(sources, growing=())
    printer.show(last=True)


def has_content(paths: Iterable[Path]) -> bool:
    """Tell whether one of these files has content, or is missing."""
    for path in paths:
        with suppress(FileNotFoundError):
            if path.stat().st_size == 0:
                continue
        return True
    return False
