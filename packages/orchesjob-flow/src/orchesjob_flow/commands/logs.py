"""`logs`: what the steps of a run have printed, and what they still print (rule 9.6)."""

import time
from collections.abc import Iterable, Iterator, Mapping

import click

from flow_store import Attempt, AttemptStatus, Run
from orchesjob_flow.cli.options import (
    ALL,
    CommandOnRun,
    Count,
    limited,
    run_key_option,
    step_argument,
)
from orchesjob_flow.errors import NoOutput
from orchesjob_flow.home import Observer, RunHandle, flow_of_run
from orchesjob_flow.reasons import is_at_gate, reasons
from orchesjob_flow.views.results import command_line
from orchesjob_flow.views.step_output import Choice, Printer, files_of, prefixes_of, still_growing
from orchesjob_flow.views.terminal import stdout, warn

FOLLOW_LOOK_SEC = 0.5


@click.command(cls=CommandOnRun)
@run_key_option
@step_argument
@click.option(
    "--attempt",
    type=Count(1),
    metavar="N",
    help="This attempt, or all of them. [default: the latest]",
)
@click.option(
    "--stream",
    type=click.Choice(["stdout", "stderr", "both"]),
    default="both",
    show_default=True,
    help="What to show.",
)
@click.option(
    "-n", "--tail", type=Count(0), metavar="N", help="Only the last N lines of each file."
)
@click.option("-f", "--follow", is_flag=True, help="Show new output until the run has ended.")
def logs(  # noqa: PLR0913, PLR0917 - its options
    handle: RunHandle,
    step: str | None,
    attempt: int | str | None,
    stream: str,
    tail: int | str | None,
    follow: bool,
) -> None:
    """Show the output of the steps of a run, or of one of them.

    \b
    Example:
      orchesjob-flow logs nightly-2026-05-07 --tail 20 --follow
      orchesjob-flow logs nightly-2026-05-07 load --stream stderr
    """  # noqa: D301 - click reads \b
    streams = ("stdout", "stderr") if stream == "both" else (stream,)
    every, number, lines = attempt == ALL, limited(attempt), limited(tail)
    choice = Choice(step, number, streams, every)
    is_terminal = stdout().stream.isatty()
    with Observer(handle) as observer:
        run = observer.snapshot().run
        leads = prefixes(run, step)
        printer = Printer(leads, lines, terminal=is_terminal, numbered=every)
        while True:
            attempts = observer.attempts()
            files = files_of(run, attempts, choice)
            printer.follow(files, still_growing(run, attempts, files))
            if not follow or run.status.is_terminal:
                break
            news = show_until_news(observer, run, printer)
            if news is None:
                break
            run = news
        printer.show(last=True)
    if follow and not run.status.is_terminal:
        line = command_line(handle, "resume")
        warn(f"run {run.run_key!r} has no runner and no running job: `{line}` continues it")
    unstarted = list(unstarted_attempts(run, attempts, choice))
    if step is not None and not printer.has_shown:
        raise NoOutput(step, number, unstarted[0][1] if unstarted else why_not(run, choice))
    if number is not None and all(one.number != number for one in attempts):
        warn(f"no step has an attempt {number}")
    for step_id, why in unstarted:
        warn(f"step {step_id!r}: {why}")
    if is_terminal and not printer.has_written:
        whose = f"run {run.run_key!r}" if step is None else f"step {step!r}"
        said = "printed nothing" if run.status.is_terminal else "has printed nothing yet"
        warn(f"{whose} {said}")


def show_until_news(observer: Observer, run: Run, printer: Printer) -> Run | None:
    """Show what is added to the files until the run has changed; return the changed run.

    None means that nothing can be added: the run has no runner, and no job of it is running.
    """
    was_idle = False
    while True:
        has_more = printer.show()
        if not has_more:
            time.sleep(FOLLOW_LOOK_SEC)
        snapshot = observer.snapshot()
        if snapshot.run is not run:
            return snapshot.run
        is_idle = not has_more and snapshot.is_idle
        if is_idle and was_idle:  # a runner that takes over needs a moment between two looks
            return None
        was_idle = is_idle


def prefixes(run: Run, step_id: str | None) -> Mapping[str, str]:
    """Return what leads the lines of each step: nothing where only one is asked for."""
    ids = [step.step_id for step in run.steps]
    if step_id is not None:
        ids = [step.id for step in flow_of_run(run).named(step_id)]
        if ids == [step_id]:
            return {step_id: ""}
    return prefixes_of(ids)


def unstarted_attempts(
    run: Run, attempts: Iterable[Attempt], choice: Choice
) -> Iterator[tuple[str, str]]:
    """Yield the steps whose chosen attempt could not be started, and why: it has no output."""
    chosen: dict[object, Attempt] = {
        (one.position, one.number if choice.every else None): one
        for one in attempts
        if choice.attempt_no in (None, one.number)
    }
    for attempt in chosen.values():
        step_id = run.steps[attempt.position].step_id
        is_unstarted = attempt.status is AttemptStatus.FAILED and attempt.job is None
        if is_unstarted and choice.includes(step_id):
            yield step_id, f"attempt {attempt.number} {attempt.error}"


def why_not(run: Run, choice: Choice) -> str:
    """Say why the step that was asked for, or the first of its copies, has no output."""
    chosen = (
        (step, why)
        for step, why in zip(run.steps, reasons(run), strict=True)
        if choice.includes(step.step_id)
    )
    found = next(chosen, None)
    if found is None:
        return "it has no copies"
    step, reason = found
    if choice.attempt_no is not None and choice.attempt_no > step.attempt_no > 0:
        return f"the last one is attempt {step.attempt_no}"
    if choice.attempt_no is None and not choice.every and is_at_gate(run, step):
        return f"{reason}; --attempt {step.attempt_no} shows what its only_if has printed"
    return "its files are missing" if step.attempt_no > 0 else reason
