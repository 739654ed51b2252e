"""`settle`: a person decides how a step of a run has ended, and the run goes on (rule 12.3)."""

import os
import pwd
import time
from collections.abc import Mapping

import click

from flow_store import Person, Run, StepStatus
from orchesjob_flow.cli.completion import complete_step_to_settle
from orchesjob_flow.cli.options import (
    CommandOnRun,
    detach_option,
    format_option,
    progress_option,
    run_key_option,
    takes_course,
)
from orchesjob_flow.engine.reopening import Settling, plan_settle
from orchesjob_flow.home import RunHandle, flow_of_run
from orchesjob_flow.launch.recording import Plan, reopen
from orchesjob_flow.views.terminal import Course, unsafe

LONGEST_SETTLING_REASON = 500


def read_reason(_ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Strip the reason for a decision, which is a line of text (rule 12.3), or refuse it."""
    text = value.strip()
    flaw = None
    if not text:
        flaw = "is empty; say in a few words why"
    elif unsafe().search(text):
        flaw = "has a line break or a control character; give a line of text"
    elif len(text) > LONGEST_SETTLING_REASON:
        flaw = f"has {len(text):,} characters; {LONGEST_SETTLING_REASON} are enough for a reason"
    if flaw is not None:
        raise click.BadParameter(flaw, param=param)
    return text


@click.command(cls=CommandOnRun)
@run_key_option
@click.argument("step", shell_complete=complete_step_to_settle)
@click.option(
    "--as",
    "outcome",
    type=click.Choice(["succeeded", "skipped"], case_sensitive=False),
    required=True,
    help="The outcome that the step has from now on.",
)
@click.option(
    "--reason",
    callback=read_reason,
    metavar="TEXT",
    required=True,
    help="Why, in one line; shown wherever the step is.",
)
@takes_course(detach_option, progress_option, format_option)
def settle(handle: RunHandle, step: str, outcome: str, reason: str, course: Course) -> int:
    """Override the outcome of a failed or cancelled step, and continue its run.

    The steps that depend on it are decided again, as by `retry`. The run records who settled it,
    when and why.

    \b
    Example:
      orchesjob-flow settle nightly-7 load --as skipped --reason "no data today"
    """  # noqa: D301 - click reads \b

    def plan(run: Run) -> Plan:
        by = _who_calls(handle.settings.environ)
        settling = Settling(StepStatus(outcome.upper()), reason, by, time.time())
        flow = flow_of_run(run)
        return Plan(flow, plan_settle(run, flow, step, settling))

    return reopen(handle, plan, course)


def _who_calls(environ: Mapping[str, str]) -> Person:
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container that runs as some number
        user = str(uid)
    return Person(user, uid, environ.get("SUDO_USER") or None)
