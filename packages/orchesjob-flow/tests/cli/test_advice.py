"""The tables for words of other tools answer with what is there, and only where it is (6.12)."""

import re

import click
import pytest

from orchesjob_flow.cli.advice import foreign_lines, groups_in
from orchesjob_flow.cli.sections import SHOWN, cli, load_command

COMMANDS = {"orchesjob-flow": cli, **{name: load_command(name) for name in SHOWN}}
OPTIONS = {
    name: {option for param in command.params for option in param.opts}
    for name, command in COMMANDS.items()
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
        for command in COMMANDS.values()
        for param in command.params
        if isinstance(param.type, click.Choice)
        for option in param.opts
        for choice in param.type.choices
    }
    for answer in foreign_lines()["values"]:
        assert not answer.startswith("-") or tuple(answer.split()[:2]) in choices
