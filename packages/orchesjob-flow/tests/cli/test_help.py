"""The help of every command, and the answers to words of other tools (6.12)."""

import re

import click
import pytest

from orchesjob_flow.cli.advice import foreign_lines, groups_in
from orchesjob_flow.cli.sections import HIDDEN, MODULES, SHOWN, cli, load_command

# The help of every command: short, and with an example.

LONGEST_LINE = 64
"""How long a line may be in the list of commands on a terminal of 80 columns."""
COMMANDS = [load_command(name) for name in SHOWN]


def help_lines(command: click.Command) -> list[str]:
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


# The tables for words of other tools answer with what is there, and only where it is (6.12).

BY_NAME = {"orchesjob-flow": cli, **{name: load_command(name) for name in SHOWN}}
OPTIONS = {
    name: {option for param in command.params for option in param.opts}
    for name, command in BY_NAME.items()
}
LINE = re.compile(r"(?:orchesjob-flow |^)([a-z]+)\b([^;`#]*)")
OPTION = re.compile(r"(?<=\s)--?[a-z][\w-]*")
TABLES = ("commands", "options", "arguments")


@pytest.mark.parametrize(
    "answer", sorted({one for name in TABLES for one in foreign_lines()[name]})
)
def test_what_is_advised_exists(answer: str) -> None:
    """Each line of an answer has a command of ours, and only options of that."""
    for name, words in LINE.findall(answer.partition(" | dot")[0]):
        if name in SHOWN:
            assert set(OPTION.findall(words)) <= OPTIONS[name]


def test_words_of_other_tools() -> None:
    """No word is a command or an option of ours that is answered as if it were not."""
    words = [word for *_, theirs in groups_in("commands") for word in theirs.split()]
    assert len(words) == len(set(words))
    assert not set(words) & set(SHOWN)
    for _, subjects, theirs in groups_in("options"):
        for name in OPTIONS.keys() & set(subjects.split()):
            assert set(theirs.split()) & OPTIONS[name] <= {"--dry-run"}


def test_options_and_values_of_ours() -> None:
    """An option that is advised is one of a command that is asked, and has the value."""
    for answer, subjects, _ in groups_in("options"):
        names = OPTIONS if "*" in subjects else subjects.split()
        if answer.startswith("-"):
            assert any(answer.split()[0] in OPTIONS[name] for name in names), answer
    choices = {
        (option, str(choice))
        for command in BY_NAME.values()
        for param in command.params
        if isinstance(param.type, click.Choice)
        for option in param.opts
        for choice in param.type.choices
    }
    for answer in foreign_lines()["values"]:
        assert not answer.startswith("-") or tuple(answer.split()[:2]) in choices
