"""How a command line names its run: `KEY`, `--run-key KEY` or `-k KEY`, or `-` (rule 6.12).

A run key is turned into the handle of its run at once, and travels as that.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from orchesjob_flow.cli.completion import NEWEST, complete_run_key, named_run, settings_of
from orchesjob_flow.cli.values import option_given_once

if TYPE_CHECKING:
    from orchesjob_flow.home.runs import RunHandle

OPTION = "run_key_option"
NAMED_BY_OPTION = f"{__name__}.named_by_option"
TELL_RUN = f"{__name__}.tell_run"
"""In a context's `meta`: what is to be called with the key of the run that is named."""


class KeyArgument(click.Argument):
    """The run key as the first argument."""


class CommandOnRun(click.Command):
    """A command on one run, whose key is its first argument unless an option gives it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out whether an option names the run, and refuse two keys; then read all words."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        if OPTION in given:
            places = [param.name for param in self.params if isinstance(param, click.Argument)]
            words = [given.get(place) for place in places]
            # What is no text is click's sign for an argument that is not given.
            if all(isinstance(word, str) for word in words) and not ctx.resilient_parsing:
                raise click.UsageError(
                    f"the run key is given twice, as {words[0]!r} and as --run-key "
                    f"{given[OPTION][0]!r}; only one can be meant",
                    ctx,
                )
            ctx.meta[NAMED_BY_OPTION] = True
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Leave out the argument for the key where an option gives it."""
        params = super().get_params(ctx)
        if NAMED_BY_OPTION in ctx.meta:
            return [param for param in params if not isinstance(param, KeyArgument)]
        return params


class CommandThatNames(CommandOnRun):
    """A command that gives a run its key, so that there is nothing for the newest run to mean."""


def handle_of(
    ctx: click.Context, _param: click.Parameter, run_key: str | None
) -> "RunHandle | None":
    """Return the handle of the run with this key, if one is given."""
    if run_key is None:
        return None
    if run_key == NEWEST and isinstance(ctx.command, CommandThatNames):
        raise click.UsageError(
            f"{NEWEST!r} means the newest run, and `{ctx.info_name}` names one: give it a key of "
            f"its own; `run` makes a fresh one, `resume {NEWEST}` continues the newest run",
            ctx,
        )
    try:
        handle = named_run(run_key, settings_of(ctx))
    except Exception:  # whatever it is, TAB wants no error; raised again for everybody else
        if ctx.resilient_parsing:
            return None
        raise
    if run_key == NEWEST and not ctx.resilient_parsing:
        from orchesjob_flow.views.streams import warn

        warn(f"the newest run is {handle.run_key}")
    name_run(ctx, handle.run_key)
    return handle


def name_run(ctx: click.Context, run_key: str) -> None:
    """Tell whoever wants to know it which run the command is about."""
    tell: Callable[[str], None] | None = ctx.meta.get(TELL_RUN)
    if tell is not None:
        tell(run_key)


def handle_of_option(ctx: click.Context, param: click.Parameter, run_key: str | None) -> None:
    """Keep the handle of the run that an option names where the argument would have it."""
    if run_key is not None:
        ctx.params["handle"] = handle_of(ctx, param, run_key)


def declare_key_option(explanation: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare `-k` and `--run-key`, which a command receives as the handle of the run."""
    return option_given_once(
        "-k",
        "--run-key",
        OPTION,
        metavar="KEY",
        callback=handle_of_option,
        expose_value=False,
        shell_complete=complete_run_key,
        help=explanation,
    )


def declare_run_key(
    explanation: str, *, required: bool
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the key of a `CommandOnRun`, which receives the handle of the run."""
    option = declare_key_option(explanation)
    argument = click.argument(
        "handle",
        cls=KeyArgument,
        metavar="KEY" if required else "[KEY]",
        required=required,
        callback=handle_of,
        shell_complete=complete_run_key,
    )
    return lambda command: option(argument(command))


run_key_option = declare_run_key("Name of the run, in place of KEY.", required=True)
