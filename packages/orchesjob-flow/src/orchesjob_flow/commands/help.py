"""`help`: the help of a command, or a part of the reference, whose text is installed (rule 6.16).

`make_share.py` makes the texts from the documents.
"""

import re
import sys
import textwrap
from itertools import chain

import click

from flow_spec import WarningCode, closest_words
from orchesjob_flow.cli.options import Misused
from orchesjob_flow.cli.sections import (
    PROGRAM,
    SHOWN,
    TOPICS,
    load_command,
    topic_text,
    topics,
)
from orchesjob_flow.views.terminal import stdout, write_result

_GROUPS = {"": "Topics of help", "fields": "Fields of flow files", "how-to": "Tasks"}
"""The folders of topics, below that of all, and what they hold."""


def _complete_topic(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (*topics(), *SHOWN) if name.startswith(incomplete)]


@click.command()
@click.argument("topic", metavar="[TOPIC]", required=False, shell_complete=_complete_topic)
@click.pass_context
def help(ctx: click.Context, topic: str | None) -> None:  # noqa: A001 - named as the command
    """Print the help of a command, or explain a topic.

    Without TOPIC, print the help of the program, and all topics.

    \b
    Example:
      orchesjob-flow help durations
    """  # noqa: D301 - click reads \b
    program = ctx.find_root()
    if topic is None:
        text = "\n\n".join([program.get_help(), *map(_listed, _GROUPS)])
    elif topic in topics():
        text = topic_text(topic)
    elif topic in SHOWN:
        command = load_command(topic)
        text = click.Context(command, info_name=topic, parent=program).get_help()
    else:
        raise Misused(f"No help on {topic!r}.", f"{PROGRAM} {_meant_by(topic)}")
    terminal, text = stdout(), f"{text.rstrip()}\n"
    if terminal.can_draw and sys.stdin.isatty() and text.count("\n") >= terminal.size().lines:
        click.echo_via_pager(text)
    else:
        write_result(text)


def _listed(folder: str) -> str:
    """Return the heading of a group of topics, with their names below."""
    names = ", ".join(name for name, path in topics().items() if path.parent == TOPICS / folder)
    shown = textwrap.indent(textwrap.fill(names, 76, break_on_hyphens=False), "  ")
    return f"{_GROUPS[folder]}:\n{shown}"


def _meant_by(word: str) -> str:
    """Return the words that print the help on a warning, a term, a misspelled topic or a title."""
    if word in list(WarningCode):
        return f"validate --explain {word}"
    texts = {name: topic_text(name) for name in topics()}
    title = re.compile(rf"# .*\b{re.escape(word)}", re.IGNORECASE)
    near = chain(
        (name for name in texts if name.startswith(f"{word}_") or f"\n  {word}\n" in texts[name]),
        (name for name in texts if title.match(texts[name])),
        closest_words(word, [*texts, *SHOWN]),
    )
    found = next(near, None)
    return f"help {found}" if found else "help  # lists commands and topics"
