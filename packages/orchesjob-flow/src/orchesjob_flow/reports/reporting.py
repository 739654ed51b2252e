"""The report of a run as it is now, in each format (rule 12.1)."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from flow_store import Attempt, Run, StoreError
from orchesjob_flow.errors import FlowError
from orchesjob_flow.explanation import Explained, explain_steps, sentence
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.reports.facts import Facts, Why, facts_of, tails_of
from orchesjob_flow.reports.written_file import write_file
from orchesjob_flow.views.definition import in_order
from orchesjob_flow.views.step_output import went_wrong
from orchesjob_flow.views.terminal import warn

MOST_PARTS = 50
"""Of a condition, so many parts are shown one by one."""


def write_reports(handle: RunHandle, reports: Sequence[tuple[str, str]]) -> None:
    """Write reports of a run that has ended, each a format and a file.

    How the run ended stays its outcome: a report that cannot be written is a warning.
    """
    for form, file in reports:
        try:
            write_file(Path(file), report_of(handle, form))
        except (FlowError, StoreError) as error:
            warn(f"{error}; `orchesjob-flow report` writes it again")


def report_of(handle: RunHandle, form: str) -> str:
    """Write the report of a run as it is now."""
    with handle.open_readonly() as store:
        run, attempts = handle.load(store), store.attempts(handle.run_key)
    return writer_of(form)(facts_now(run, attempts))


def writer_of(form: str) -> Callable[[Facts], str]:
    """Return the function that writes a format; only what that format needs is imported."""
    match form:
        case "junit":
            from orchesjob_flow.reports.junit import as_junit

            return as_junit
        case "trace":
            from orchesjob_flow.reports.trace import as_trace

            return as_trace
        case "markdown":
            from orchesjob_flow.reports.markdown import as_markdown

            return as_markdown
        case _:
            from orchesjob_flow.reports.page import as_html

            return as_html


def facts_now(run: Run, attempts: Sequence[Attempt]) -> Facts:
    """Put together what happened in a run so far, with the last words of what went wrong."""
    wrong = [step.step_id for step in in_order(run) if went_wrong(step)]
    return facts_of(run, attempts, whys(run), tails_of(run, attempts, wrong), time.time())


def whys(run: Run) -> Mapping[str, Why]:
    """Explain all steps, as `explain` does."""
    return {one.step.step_id: Why(sentence(one), parts_of(one)) for one in explain_steps(run, None)}


def parts_of(explained: Explained) -> Sequence[str]:
    """List the parts of a condition with their values, unless it is too large to be read."""
    if explained.condition is None:
        return ()
    parts = explained.condition.lines
    return parts if len(parts) <= MOST_PARTS else ()
