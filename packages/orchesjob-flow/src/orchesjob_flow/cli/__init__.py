"""The command line: the program's own options, and its commands in the sections of its help.

Each section is the module beside this one that is named after it. Only declarations are here:
`commands` has what each command does, and `main` what becomes of an error. Modules are imported
where they are used, so that `status` stays quick.
"""

import click

from orchesjob_flow.cli import files, inspect, maintain, run, shell
from orchesjob_flow.cli.completion import PROGRAM
from orchesjob_flow.cli.run_key import TELL_RUN
from orchesjob_flow.cli.values import Seconds, option_given_once, refuse_empty
from orchesjob_flow.home.settings import DEFAULT_PATIENCE_SEC, DEFAULT_POLL_INTERVAL_SEC, Settings

SECTIONS = {
    "Run": (run.start, run.run, run.cancel),
    "Inspect": (
        inspect.status,
        inspect.watch,
        inspect.wait,
        inspect.logs,
        inspect.explain,
        inspect.report,
        inspect.list_runs,
        inspect.stats,
        inspect.metrics,
        inspect.doctor,
    ),
    "Maintain": (maintain.resume, maintain.retry, maintain.settle, maintain.prune),
    "Files": (files.validate, files.simulate, files.graph, files.schema, files.example),
    "Shell": (shell.completion,),
}
HIDDEN = (run.tick, run.drive)


class Sections(click.Group):
    """A group of commands whose help shows them in sections, each in the order of `SECTIONS`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant (rule 6.12)."""
        is_option = args[0].startswith("-")
        if not ctx.resilient_parsing and not is_option and args[0] not in self.commands:
            from orchesjob_flow.cli.advice import unknown_command

            shown = [command for command in self.commands.values() if not command.hidden]
            raise unknown_command(ctx, args, shown)
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section with its commands, all in the same columns."""
        longest = max(len(name) for name in self.commands)
        width = formatter.width - longest - 6
        for title, commands in SECTIONS.items():
            rows = [
                (f"{command.name:{longest}}", command.get_short_help_str(width))
                for command in commands
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(
    cls=Sections,
    name=PROGRAM,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    package_name="orchesjob-flow", prog_name=PROGRAM, message="%(prog)s %(version)s"
)
@option_given_once(
    "--db",
    metavar="PATH",
    callback=refuse_empty,
    help="Database of the runs. [default: orchesjob-flow.sqlite3 in $ORCHESJOB_FLOW_HOME, "
    "$ORCHESJOB_HOME, or ~/.local/share/orchesjob-flow]",
)
@option_given_once(
    "--orchesjob-bin",
    metavar="PATH",
    callback=refuse_empty,
    help="orchesjob executable. [default: $ORCHESJOB_BIN, or the one on PATH, or the bundled one]",
)
@click.option(
    "--poll-interval",
    type=Seconds(zero=False),
    default=DEFAULT_POLL_INTERVAL_SEC,
    show_default=True,
    help="Seconds between checks of a job whose end the system cannot announce.",
)
@click.option(
    "--patience",
    type=Seconds(zero=True),
    default=DEFAULT_PATIENCE_SEC,
    show_default=True,
    help="Seconds for which a call that fails is tried again.",
)
@click.pass_context
def cli(
    ctx: click.Context,
    db: str | None,
    orchesjob_bin: str | None,
    poll_interval: float,
    patience: float,
) -> None:
    """Run a small graph of dependent commands through orchesjob.

    \b
    Example:
      orchesjob-flow example > flow.yaml
      orchesjob-flow start first-try flow.yaml
      orchesjob-flow status first-try
    """  # noqa: D301 - click reads \b
    ctx.meta[TELL_RUN] = ctx.obj  # from `main`
    ctx.obj = Settings.from_options(db, orchesjob_bin, poll_interval, patience)


for command in (*(command for commands in SECTIONS.values() for command in commands), *HIDDEN):
    cli.add_command(command)
