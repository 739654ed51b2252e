"""`retry` and `settle`: a run that has ended is decided again in part, and continues.

`retry` runs steps again (rule 9.7). `settle` replaces the outcome of a step by what a person has
decided (rule 12.3).
"""

import os
import pwd
import time
from collections.abc import Mapping

import click

from flow_spec import BUILT_IN, FlowSpec, ParamsError, Problem, filled, read_document
from flow_store import Person, Reopening, Run, StepStatus
from orchesjob_flow.cli.completion import complete_step, complete_step_to_settle
from orchesjob_flow.cli.options import (
    FLOW_FILE,
    CommandOnRun,
    Misused,
    detach_option,
    env_option,
    follow_option,
    format_option,
    param_option,
    progress_option,
    run_key_option,
    takes_course,
)
from orchesjob_flow.engine.reopening import Settling, plan_retry, plan_settle
from orchesjob_flow.errors import line_about
from orchesjob_flow.explanation import values_text
from orchesjob_flow.home import RunHandle, flow_of_run
from orchesjob_flow.launch.inputs import (
    folder_of,
    list_reader,
    read_as_given,
    ready_to_run,
    tell_empty_lists,
    with_inputs,
)
from orchesjob_flow.launch.recording import Plan, reopen
from orchesjob_flow.reasons import listed
from orchesjob_flow.views.terminal import Course, unsafe, warn


@click.command(cls=CommandOnRun)
@run_key_option
@click.option(
    "--step",
    "steps",
    metavar="ID",
    multiple=True,
    shell_complete=complete_step,
    help="Rerun this step; repeatable.",
)
@click.option("--only", is_flag=True, help="With --step: rerun only these steps.")
@click.option(
    "--file",
    "flow_file",
    metavar="FLOW_FILE",
    type=FLOW_FILE,
    help="Continue with the flow in this file instead.",
)
@param_option
@env_option
@takes_course(detach_option, follow_option, progress_option, format_option)
def retry(  # noqa: PLR0913, PLR0917 - its options
    handle: RunHandle,
    steps: tuple[str, ...],
    only: bool,
    flow_file: str | None,
    params: dict[str, str],
    variables: dict[str, str],
    course: Course,
) -> int:
    """Rerun failed and cancelled steps, and the steps that depend on them.

    Steps that succeeded keep their outcomes; --step reruns one of them too.

    \b
    Example:
      orchesjob-flow retry nightly-2026-05-07
      orchesjob-flow retry nightly-2026-05-07 --step load --only
      orchesjob-flow retry nightly-2026-05-07 --file fixed.yaml -d
    """  # noqa: D301 - click reads \b
    if only and not steps:
        raise Misused(
            "--only needs --step: it reruns just the steps named there",
            line_about(handle.run_key, "retry", "--step", "STEP", "--only"),
        )
    new = None if flow_file is None else new_flow(handle, flow_file, params)

    def plan(run: Run) -> Plan:
        if new is None or flow_file is None:
            values = {**(run.params or {}), **params}
            recorded = flow_of_run(run)
            flow, flow_dir = with_inputs(recorded, variables, values), None
            refuse_other_lists(recorded, flow)
        else:
            old, names = run.params or {}, {param.name for param in new.params}
            values = {**{name: old[name] for name in old if name in names}, **params}
            flow, flow_dir = ready_to_run(new, flow_file, variables, values), folder_of(flow_file)
            flow = flow.with_until(flow_of_run(run).until)
        reopening = plan_retry(run, flow, steps=steps, only=only)
        if new is not None:
            tell_empty_lists(flow)
        _tell_old_values(run, reopening)
        return Plan(flow, reopening._replace(flow_dir=flow_dir))

    return reopen(handle, plan, course)


def new_flow(handle: RunHandle, flow_file: str, params: Mapping[str, str]) -> FlowSpec:
    """Read the flow file with which a run continues.

    Parameters that the call does not give keep the values that they have in the run.

    Raises:
        FlowFileError: It is not a valid flow.
    """
    with handle.open_readonly() as store:
        run = handle.load(store)
    values = {**(run.params or {}), **params}
    read_list = list_reader(flow_file, run.directory)
    return read_as_given(read_document(flow_file), values, read_list).flow


def _tell_old_values(run: Run, reopening: Reopening) -> None:
    kept: dict[str, list[str]] = {}
    for position, values in reopening.ran_with.items():
        kept.setdefault(values_text(values), []).append(run.steps[position].step_id)
    for told, steps in kept.items():
        if told:
            warn(f"steps that keep their outcome ran with {told}: {listed(steps)}")


def refuse_other_lists(recorded: FlowSpec, flow: FlowSpec) -> None:
    """Refuse new values that name other lists than those of the run, which keeps its own (10.3).

    Raises:
        ParamsError: There are such values.
    """
    before = {**dict.fromkeys(BUILT_IN, ""), **dict(recorded.values)}
    problems = tuple(
        Problem(
            f"changes the list {one.spelled}, which was read when the run was recorded; add "
            "--file FLOW_FILE to read it again",
            f"params.{name}",
        )
        for one in flow.open_lists
        for name, value in flow.values
        if filled(one.text or "", {**before, name: value}) != filled(one.text or "", before)
    )
    if problems:
        raise ParamsError(flow.flow_id, problems)


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
