"""The section "Shell": `completion`."""

import click

from orchesjob_flow.cli.completion import COMPLETE_VARIABLE, PROGRAM


@click.command(short_help="Print the script with which a shell completes commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the script with which a shell completes commands, options, run keys and steps.

    \b
    Example:
      source <(orchesjob-flow completion bash)
      orchesjob-flow completion zsh > "${fpath[1]}/_orchesjob-flow"
      orchesjob-flow completion fish | source
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.cli.shells import SHELLS
    from orchesjob_flow.commands.completion import completion

    asking = SHELLS[shell](ctx.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE)
    return completion(asking.source())
