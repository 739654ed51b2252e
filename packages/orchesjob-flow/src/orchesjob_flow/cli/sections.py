"""The command line: the program's own options, and its commands in the sections of its help.

`SECTIONS` is the one table of the commands. A command is declared and carried out in the module of
`orchesjob_flow.commands` that has its name, or that `MODULES` names. Only the module of the command
that is called is imported.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.options import ON_RUN_NAMED, Duration, refuse_empty, refuse_repeated
from orchesjob_flow.home import DEFAULT_PATIENCE_SEC, DEFAULT_POLL_INTERVAL_SEC, Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PROGRAM = "orchesjob-flow"
COMPLETE_VARIABLE = "_ORCHESJOB_FLOW_COMPLETE"
"""The script of a shell sets it, and click answers."""
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Run": {
        "run": "Run FLOW_FILE once, under a new key.",
        "start": "Start a run of FLOW_FILE under your key, or continue it.",
        "cancel": "Cancel a run, and wait until its steps have exited.",
    },
    "Inspect": {
        "status": "Print the status of a run and of its steps.",
        "watch": "Show a run until it ends.",
        "wait": "Wait until a run has ended, and print it.",
        "logs": "Show the output of the steps of a run, or of one of them.",
        "explain": "Explain why the steps of a run wait, run or were skipped.",
        "report": "Report what happened in a run, from its records.",
        "overview": "Write a page about the last runs of each flow.",
        "list": "List the runs, newest first.",
        "stats": "Show how long runs take, how often they fail, and at which step.",
        "metrics": "Print the figures of stats for Prometheus.",
        "doctor": "Check the installation and audit the recorded attempts.",
    },
    "Maintain": {
        "resume": "Resume a run, or all runs, whose runner is gone.",
        "retry": "Rerun failed and cancelled steps, and what depends on them.",
        "settle": "Override the outcome of a failed step, and continue its run.",
        "prune": "Remove runs that ended long ago, with their logs and output.",
    },
    "Files": {
        "validate": "Check flow files, and warn about likely mistakes.",
        "simulate": "Show how a run of a flow file would go, without running it.",
        "test": "Run the cases that test flow files, in virtual time.",
        "graph": "Draw the steps of a flow file, or of a run.",
        "schema": "Print the JSON Schema of flow files, for editors.",
        "example": "Print a commented flow that this program runs.",
    },
    "Shell": {
        "help": "Print the help of a command, or explain a topic.",
        "completion": "Print a shell script that completes commands.",
    },
}
"""The commands with their lines in the help and for TAB, which import no command."""
SHOWN = {name: line for section in SECTIONS.values() for name, line in section.items()}
HIDDEN = ("tick", "drive")
MODULES = {
    "run": "start",
    "wait": "status",
    "list": "status",
    "overview": "report",
    "settle": "retry",
    "metrics": "stats",
    "tick": "drive",
}
"""The commands that are in the module of another one."""
TOPICS = Path(__file__).parents[1] / "topics"
"""The texts about topics, parts of the reference, that are installed with the program."""


def load_command(name: str) -> click.Command:
    """Import a command of the tables."""
    module = import_module(f"orchesjob_flow.commands.{MODULES.get(name, name)}")
    command: click.Command = getattr(module, name)
    return command


def topics() -> dict[str, Path]:
    """Return the topics on which there is a text, with its file."""
    return {path.stem: path for path in sorted(TOPICS.rglob("*.txt"))}


def topic_text(topic: str) -> str:
    """Return the installed text about a topic."""
    return topics()[topic].read_text("utf-8")


class Commands(click.Group):
    """The commands of the tables, each imported when it is asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return [*SHOWN, *HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        return load_command(cmd_name) if cmd_name in self.list_commands(ctx) else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an option of the program that is given twice."""
        if not ctx.resilient_parsing:
            refuse_repeated(ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and refuse an option of it that is given twice."""
        name, command, words = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:
            refuse_repeated(click.Context(command, ctx, name), words)
        return name, command, words

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section with its commands, all in the same columns."""
        longest = max(map(len, SHOWN))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{longest}}", line) for name, line in section.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Offer the commands that begin like this, then the options."""
        from click.shell_completion import CompletionItem

        names = [name for name in sorted(SHOWN) if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=SHOWN[name]) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=Commands,
    name=PROGRAM,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    package_name="orchesjob-flow", prog_name=PROGRAM, message="%(prog)s %(version)s"
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
    help="orchesjob executable. [default: $ORCHESJOB_BIN, or the one on PATH, or the bundled one]",
)
@click.option(
    "--poll-interval",
    type=Duration(zero=False),
    default=DEFAULT_POLL_INTERVAL_SEC,
    show_default=True,
    help="Time between checks of a job whose exit the system cannot announce.",
)
@click.option(
    "--patience",
    type=Duration(zero=True),
    default=DEFAULT_PATIENCE_SEC,
    show_default=True,
    help="How long to retry an orchesjob call that fails.",
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
      orchesjob-flow run flow.yaml
      orchesjob-flow status -
    """  # noqa: D301 - click reads \b
    ctx.meta[ON_RUN_NAMED] = ctx.obj  # from `main`
    ctx.obj = Settings.from_options(db, orchesjob_bin, poll_interval, patience)
