"""`doctor`: prints what the checks of an installation and of its records have found (rule 9.11)."""

from contextlib import suppress

import click

from flow_store import StoreError
from orchesjob_flow.checks import Grade, examine, try_hook
from orchesjob_flow.cli.options import CommandOnRun, Misused, declare_run_key, format_option
from orchesjob_flow.errors import DONE, NOT_SUCCEEDED
from orchesjob_flow.home import RunHandle, Settings
from orchesjob_flow.views.terminal import OutputFormat, as_json, print_json, print_lines, visible

GRADE_MARKS = {Grade.OK: "OK", Grade.NOTE: "--", Grade.PROBLEM: "NG"}


@click.command(cls=CommandOnRun)
@declare_run_key("Audit only this run, which is quicker if there are many.", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Ask orchesjob about every attempt of all runs, not only about the newest 100.",
)
@click.option("--hook", is_flag=True, help="Only call hooks/run-finished, with a made-up run.")
@format_option
@click.pass_obj
def doctor(
    settings: Settings,
    handle: RunHandle | None,
    every: bool,
    hook: bool,
    output_format: OutputFormat,
) -> int:
    """Check the installation, and audit the recorded attempts against what orchesjob knows.

    Nothing is changed. The exit code is 1 if there is a problem.

    \b
    Example:
      orchesjob-flow doctor
    """  # noqa: D301 - click reads \b
    if every + hook + (handle is not None) > 1:
        raise Misused(
            "give one of a run, --all and --hook",
            "orchesjob-flow doctor KEY  # every attempt of all runs: orchesjob-flow doctor --all",
        )
    if handle is not None:
        refuse_unknown(handle)
    checks = []
    found = examine(settings, handle, every=every or handle is not None)
    for check in [try_hook(settings)] if hook else found:
        checks.append(check)
        if output_format is OutputFormat.TEXT:  # one by one: many attempts take long
            print_lines([f"{GRADE_MARKS[check.grade]}  {check.name}: {visible(check.message)}"])
    sound = all(check.grade is not Grade.PROBLEM for check in checks)
    if output_format is OutputFormat.JSON:
        described = [as_json(check, "check=name", "verdict=grade", "message") for check in checks]
        print_json({"sound": sound, "checks": described})
    return DONE if sound else NOT_SUCCEEDED


def refuse_unknown(handle: RunHandle) -> None:
    """Refuse a run that is not recorded, before anything is checked.

    Raises:
        BadRunKey, RunNotFound: The key is not valid, or there is no such run.
        HomeMissing: There is no such home (rule 6.13).
    """
    with suppress(StoreError), handle.open_readonly() as store:  # a check says what is wrong
        if not store.has(handle.run_key):
            raise handle.not_found()
