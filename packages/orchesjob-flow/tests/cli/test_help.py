"""The help of every command: short, and with an example."""

from importlib import import_module

import click
import pytest

from orchesjob_flow.cli import SECTIONS, cli

COMMANDS = [command for commands in SECTIONS.values() for command in commands]


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


def test_each_section_is_a_module_of_its_name() -> None:
    """Whoever has found a command in the help knows where it is declared."""
    for title, commands in SECTIONS.items():
        for command in commands:
            assert command.callback is not None
            assert command.callback.__module__ == f"orchesjob_flow.cli.{title.lower()}"


def test_each_command_has_a_module_of_its_name() -> None:
    """What a command does is in the module that is named after it."""
    for command in cli.commands:
        import_module(f"orchesjob_flow.commands.{command}")


def test_the_program_itself() -> None:
    """The list of commands is longer than a screen; it names each command in one line."""
    shown = cli.get_help(click.Context(cli, info_name="orchesjob-flow", terminal_width=80))
    for command in COMMANDS:
        (line,) = (line for line in shown.splitlines() if line.split()[:1] == [command.name])
        assert not line.endswith("...")
