"""The help of every command: short, and with an example."""

import re

import click
import pytest

from orchesjob_flow.cli.sections import HIDDEN, MODULES, SHOWN, cli, load_command

LONGEST_LINE = 64
"""How long a line may be in the list of commands on a terminal of 80 columns."""
COMMANDS = [load_command(name) for name in SHOWN]


def help_lines(command: click.Command) -> list[str]:
    """Return a command's help on a terminal of 80 columns."""
    program = click.Context(cli, info_name="orchesjob-flow", terminal_width=80)
    context = click.Context(command, info_name=command.name, parent=program)
    return command.get_help(context).splitlines()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_fits_a_screen(command: click.Command) -> None:
    """It fits a screen of 24 lines and 80 columns, with an example."""
    lines = help_lines(command)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert any(line.strip() == "Example:" for line in lines)


def test_each_command_has_a_module() -> None:
    """A command is declared and carried out in the module of its name, or in that of a sibling."""
    for name in (*SHOWN, *HIDDEN):
        command = load_command(name)
        assert (command.name, command.hidden) == (name, name in HIDDEN)
        assert command.callback is not None
        assert command.callback.__module__ == f"orchesjob_flow.commands.{MODULES.get(name, name)}"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_the_line_in_the_list(command: click.Command) -> None:
    """It is the first sentence of the command's help; where that is too long, a shorter one."""
    line = SHOWN[str(command.name)]
    first = re.split(r"(?<=\.)\s", str(command.help))[0]
    assert line == first if len(first) <= LONGEST_LINE else len(line) <= LONGEST_LINE


def test_the_program_itself() -> None:
    """The list of commands is longer than a screen; it names each command in one line."""
    shown = cli.get_help(click.Context(cli, info_name="orchesjob-flow", terminal_width=80))
    for command in COMMANDS:
        (line,) = (line for line in shown.splitlines() if line.split()[:1] == [command.name])
        assert not line.endswith("...")
