"""`completion`: the script with which a shell completes command lines (rule 9.15)."""

import click

from orchesjob_flow.cli.sections import COMPLETE_VARIABLE, PROGRAM
from orchesjob_flow.cli.shells import SHELLS
from orchesjob_flow.views.terminal import write_result


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell script that completes commands, options, run keys and steps.

    \b
    Example:
      source <(orchesjob-flow completion bash)
      orchesjob-flow completion zsh > "${fpath[1]}/_orchesjob-flow"
      orchesjob-flow completion fish | source
    """  # noqa: D301 - click reads \b
    asking = SHELLS[shell](ctx.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE)
    write_result(asking.source())
