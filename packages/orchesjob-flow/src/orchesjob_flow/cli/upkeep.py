"""The commands that look after what is there: `prune`, `doctor` and `completion`."""

from typing import Any

import click

from orchesjob_flow.cli.completing import complete_run_key
from orchesjob_flow.cli.options import format_option
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED
from orchesjob_flow.settings import Settings

PROGRAM = "orchesjob-flow"
COMPLETE_VARIABLE = "_ORCHESJOB_FLOW_COMPLETE"
"""Set by the shell's script when it asks; click answers."""


class Age(click.ParamType[float]):
    """A number of seconds, written with a unit."""

    name = "age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the age, or say how one is written."""
        from orchesjob_flow.pruning import parse_age

        try:
            return parse_age(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def get_missing_message(
        self,
        param: click.Parameter,  # noqa: ARG002 - click names what it passes
        ctx: click.Context | None,  # noqa: ARG002
    ) -> str:
        """Say how one is written, to whoever has given none."""
        return "Such as 30d, 12h or 90m"


@click.command()
@click.option(
    "--older-than",
    type=Age(),
    metavar="AGE",
    required=True,
    help="How long ago a run must have ended: 30d, 12h, 90m.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    help="Keep the N newest runs of each flow, however old.",
)
@click.option("--flow-id", metavar="ID", help="Only runs of this flow.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@format_option
@click.pass_obj
def prune(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    older_than: float,
    keep: int,
    flow_id: str | None,
    dry_run: bool,
    output: str,
) -> int:
    """Remove runs that ended long ago, with their logs and locks. Never one that has not ended.

    \b
    Example:
      orchesjob-flow prune --older-than 30d --keep 10 --dry-run
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.output import write_result
    from orchesjob_flow.pruning import Pruning, prune, pruned_json
    from orchesjob_flow.report import print_json
    from orchesjob_flow.table import pruned_text

    removed = prune(Pruning(older_than, keep, flow_id), settings, dry_run=dry_run)
    if output == "json":
        print_json(pruned_json(removed, dry_run=dry_run))
    else:
        write_result(pruned_text(removed, dry_run=dry_run))
    return DONE


@click.command(short_help="Check the surroundings, and what is recorded.")
@click.option(
    "--run-key",
    metavar="KEY",
    shell_complete=complete_run_key,
    help="Audit this run only, which is quicker where there are many.",
)
@format_option
@click.pass_obj
def doctor(settings: Settings, run_key: str | None, output: str) -> int:
    """Check the surroundings, and every recorded attempt against what orchesjob knows.

    It mends nothing. The exit code is 1 if there is a problem.

    \b
    Example:
      orchesjob-flow doctor --format table
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.doctor import Verdict, examine
    from orchesjob_flow.output import write_result
    from orchesjob_flow.report import print_json
    from orchesjob_flow.text import visible

    marks = {Verdict.OK: "OK", Verdict.NOTE: "--", Verdict.PROBLEM: "NG"}
    checks = []
    for check in examine(settings, run_key):
        checks.append(check)
        if output == "table":  # one by one: there may be many attempts to ask for
            write_result(f"{marks[check.verdict]}  {check.name}: {visible(check.message)}\n")
    sound = all(check.verdict is not Verdict.PROBLEM for check in checks)
    if output == "json":
        described = [
            {"check": name, "verdict": verdict.value, "message": message}
            for name, verdict, message in checks
        ]
        print_json({"sound": sound, "checks": described})
    return DONE if sound else NOT_SUCCEEDED


@click.command(short_help="Print the script by which a shell completes commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the script by which a shell completes commands, options, run keys and steps.

    \b
    Example:
      source <(orchesjob-flow completion bash)
      orchesjob-flow completion zsh > "${fpath[1]}/_orchesjob-flow"
      orchesjob-flow completion fish | source
    """  # noqa: D301 - click reads \b
    from click.shell_completion import get_completion_class

    from orchesjob_flow.output import write_result

    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101 - the choice above is of those that click knows
    root = ctx.find_root()
    write_result(complete(root.command, {}, PROGRAM, COMPLETE_VARIABLE).source())
    return DONE
