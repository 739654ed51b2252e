"""The command line: the program's own options, and its commands in sections.

What a command does lies elsewhere, and so does what becomes of its errors (`door`). At the top only
click and the standard library are imported; each command imports what it needs, so that `status`
stays quick. The commands are in the modules beside this one, their options too.
"""

import click

from orchesjob_flow.cli import files, looking, running, upkeep
from orchesjob_flow.cli.options import Seconds, refuse_empty
from orchesjob_flow.settings import DEFAULT_PATIENCE_SEC, DEFAULT_POLL_INTERVAL_SEC, Settings

SECTIONS = {
    "Run": (running.start, running.cancel),
    "Look": (
        looking.status,
        looking.watch,
        looking.wait,
        looking.logs,
        looking.explain,
        looking.list_command,
        upkeep.doctor,
    ),
    "Mend": (running.resume, running.retry, upkeep.prune),
    "Files": (files.validate, files.graph, files.schema, files.example, upkeep.completion),
}
HIDDEN = (running.tick, running.drive)


class Sections(click.Group):
    """A group of commands whose help shows them in sections, each in the order of `SECTIONS`."""

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section with its commands, all columns alike."""
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
    name="orchesjob-flow",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    package_name="orchesjob-flow", prog_name="orchesjob-flow", message="%(prog)s %(version)s"
)
@click.option(
    "--db",
    metavar="PATH",
    callback=refuse_empty,
    help="Database of the runs. [default: orchesjob-flow.sqlite3 in $ORCHESJOB_FLOW_HOME, "
    "$ORCHESJOB_HOME, or ~/.local/share/orchesjob-flow]",
)
@click.option(
    "--orchesjob-bin",
    metavar="PATH",
    callback=refuse_empty,
    help="orchesjob executable. [default: $ORCHESJOB_BIN, or the one on PATH, or our own]",
)
@click.option(
    "--poll-interval",
    type=Seconds(zero=False),
    default=DEFAULT_POLL_INTERVAL_SEC,
    show_default=True,
    help="How stale a status may be where the system cannot announce a job's end.",
)
@click.option(
    "--patience",
    type=Seconds(zero=True),
    default=DEFAULT_PATIENCE_SEC,
    show_default=True,
    help="For how long calls that fail are tried again.",
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
      orchesjob-flow start --run-key first-try flow.yaml
      orchesjob-flow status --run-key first-try --format table
    """  # noqa: D301 - click reads \b
    ctx.obj = Settings.from_options(db, orchesjob_bin, poll_interval, patience)


for command in (*(command for commands in SECTIONS.values() for command in commands), *HIDDEN):
    cli.add_command(command)
