"""The commands that run, mend or end a run; the hidden `tick` and `drive` among them."""

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from orchesjob_flow.cli.completing import complete_run_key, complete_step
from orchesjob_flow.cli.options import FLOW_FILE, Seconds, run_key_option, show_outcome
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flow_store import Run
    from orchesjob_flow.commands import Detached, Resumed

    type Variables = tuple[tuple[str, str], ...]


class Variable(click.ParamType[tuple[str, str]]):
    """A variable for the environment of the steps, spelled NAME=VALUE (rule 9.12)."""

    name = "variable"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Take it apart, or say what is wrong."""
        from flow_spec import flaw_of_setting

        name, equals, text = str(value).partition("=")
        if not equals:
            self.fail(f"{value!r} is not of the form NAME=VALUE", param, ctx)
        flaw = flaw_of_setting(name, text)
        if flaw is not None:
            self.fail(f"the variable {name!r} {flaw}", param, ctx)
        return name, text


env_option = click.option(
    "--env",
    "variables",
    metavar="NAME=VALUE",
    type=Variable(),
    multiple=True,
    help="Set this for all steps, over the flow's env; may be repeated.",
)
detach_option = click.option(
    "-d", "--detach", is_flag=True, help="Return at once; a background process goes on."
)

progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="On stderr: the table on a terminal, a line for each change, or nothing.",
)


@click.command()
@run_key_option
@env_option
@detach_option
@progress_option
@click.argument("flow_file", metavar="FLOW_FILE", type=FLOW_FILE)
@click.pass_obj
def start(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    run_key: str,
    variables: "Variables",
    detach: bool,
    progress: str,
    flow_file: str,
) -> int:
    """Start a run of FLOW_FILE, or go on with it.

    Repeating it is safe: a run that has ended is only reported, one that is under way is waited
    for, and one whose runner died is taken up where it stands.

    \b
    Example:
      orchesjob-flow start --run-key nightly-2026-05-07 -d nightly.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow import commands

    if detach:
        refuse_progress(progress)
        return show_detached(commands.start_detached(run_key, flow_file, dict(variables), settings))
    command = partial(commands.start, run_key, flow_file, dict(variables), settings)
    return advance(progress, run_key, settings, command)


@click.command()
@click.option("--run-key", metavar="KEY", shell_complete=complete_run_key, help="Name of the run.")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Every run that has not ended and has no runner, each in the background.",
)
@detach_option
@progress_option
@click.pass_obj
def resume(
    settings: Settings, run_key: str | None, every: bool, detach: bool, progress: str
) -> int:
    """Go on with a run, or with all, whose runner is gone. It needs no flow file.

    A crontab line that calls it with --all each minute sees to it that no run stays behind.

    \b
    Example:
      orchesjob-flow resume --run-key nightly-2026-05-07 -d
      orchesjob-flow resume --all
    """  # noqa: D301 - click reads \b
    from orchesjob_flow import commands

    if every == (run_key is not None):
        raise click.UsageError("name one run with --run-key, or resume them with --all")
    if every or detach:
        refuse_progress(progress)
    if run_key is None:
        return show_resumed(commands.resume_all(settings))
    if detach:
        return show_detached(commands.resume_detached(run_key, settings))
    return advance(progress, run_key, settings, partial(commands.resume, run_key, settings))


@click.command(short_help="Run again what FAILED or was cancelled in a run.")
@run_key_option
@click.option(
    "--step",
    "steps",
    metavar="ID",
    multiple=True,
    shell_complete=complete_step,
    help="Run this step again; may be repeated.",
)
@click.option("--downstream", is_flag=True, help="Run all that depends on these steps again too.")
@click.option(
    "--file",
    "flow_file",
    metavar="FLOW_FILE",
    type=FLOW_FILE,
    help="Go on with this flow instead; a step that keeps its outcome must keep its command.",
)
@env_option
@detach_option
@progress_option
@click.pass_obj
def retry(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    run_key: str,
    steps: tuple[str, ...],
    downstream: bool,
    flow_file: str | None,
    variables: "Variables",
    detach: bool,
    progress: str,
) -> int:
    """Run again what FAILED or was cancelled in a run, and what that skipped.

    What succeeded keeps its outcome. All attempts stay visible.

    \b
    Example:
      orchesjob-flow retry --run-key nightly-2026-05-07
      orchesjob-flow retry --run-key nightly-2026-05-07 --step load --downstream
      orchesjob-flow retry --run-key nightly-2026-05-07 --file mended.yaml -d
    """  # noqa: D301 - click reads \b
    from orchesjob_flow import commands

    what = commands.Retry(steps, downstream, flow_file, dict(variables))
    if detach:
        refuse_progress(progress)
        return show_detached(commands.retry_detached(run_key, what, settings))
    return advance(progress, run_key, settings, partial(commands.retry, run_key, what, settings))


def advance(progress: str, run_key: str, settings: Settings, command: "Callable[[], Run]") -> int:
    """Let a command bring a run to its end, with its progress on stderr; print the run."""
    from orchesjob_flow.progress import with_progress

    return show_outcome(with_progress(progress, run_key, settings, command))


def refuse_progress(progress: str) -> None:
    """Refuse to show how a background process gets on."""
    if progress == "plain":
        raise click.UsageError("a background process shows no progress; `watch` does")


def show_resumed(resumed: "Sequence[Resumed]") -> int:
    """Print which runs have a runner again.

    Raises:
        NotResumed: One of them could not be helped.
    """
    from orchesjob_flow.errors import NotResumed
    from orchesjob_flow.report import print_json

    print_json(
        {
            "resumed": [
                {"run_key": one.run_key, "pid": one.pid, "error": one.error} for one in resumed
            ]
        }
    )
    if errors := {one.run_key: one.error for one in resumed if one.error is not None}:
        raise NotResumed(errors)
    return DONE


def show_detached(detached: "Detached") -> int:
    """Print a run that a background process advances."""
    from orchesjob_flow.report import print_json, run_json

    print_json(
        {
            **run_json(detached.run, detached.pid),
            "detached": True,
            "pid": detached.pid,
            "stdout_log": str(detached.stdout_log),
            "stderr_log": str(detached.stderr_log),
        }
    )
    return DONE


@click.command(short_help="End a run and return when nothing of it is left.")
@run_key_option
@click.option(
    "--grace-seconds",
    type=Seconds(zero=True),
    metavar="SECONDS",
    help="For how long a step may tidy up before it is killed (orchesjob's default: 5).",
)
@click.pass_obj
def cancel(settings: Settings, run_key: str, grace_seconds: float | None) -> int:
    """End a run: start nothing more, end what runs, return when nothing is left.

    \b
    Example:
      orchesjob-flow cancel --run-key nightly-2026-05-07 --grace-seconds 10
    """  # noqa: D301 - click reads \b
    from orchesjob_flow import commands

    show_outcome(commands.cancel(run_key, grace_seconds, settings))
    return DONE


@click.command(hidden=True)
@run_key_option
@click.pass_obj
def tick(settings: Settings, run_key: str) -> int:
    """Advance a run as far as it goes without waiting, and print how it stands."""
    from orchesjob_flow import commands

    show_outcome(commands.tick(run_key, settings))
    return DONE


@click.command(hidden=True)
@run_key_option
@click.option("--lock-fd", type=int, required=True)
@click.option("--ready-fd", type=int, required=True)
@click.pass_obj
def drive(settings: Settings, run_key: str, lock_fd: int, ready_fd: int) -> int:
    """Be the background process of `start -d`."""
    from orchesjob_flow import commands

    return show_outcome(
        commands.drive_in_background(
            run_key, settings, lock_descriptor=lock_fd, ready_descriptor=ready_fd
        )
    )
