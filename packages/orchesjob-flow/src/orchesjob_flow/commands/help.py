"""`help`: the help of a command, or a part of the reference, whose text is installed (rule 6.16).

`make_share.py` makes the texts from the documents.
"""

import sys
from itertools import chain

import click

from flow_spec import WarningCode, closest_words
from orchesjob_flow.cli.options import Misused
from orchesjob_flow.cli.sections import PROGRAM, SHOWN, load_command, topic_text, topics
from orchesjob_flow.views.terminal import stdout, write_result


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
        text = f"{program.get_help()}\n\nTopics of help:\n  {', '.join(topics())}"
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


def _meant_by(word: str) -> str:
    """Return the words that print the help on what is a warning, a field or a misspelled topic."""
    if word in list(WarningCode):
        return f"validate --explain {word}"
    explaining = (name for name in topics() if f"\n  {word}\n" in topic_text(name))
    near = next(chain(explaining, closest_words(word, [*topics(), *SHOWN])), None)
    return f"help {near}" if near else "help  # lists commands and topics"
