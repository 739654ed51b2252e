"""`status` for scripts, whose plainest spelling is read without click.

Dashboards and sensors ask every few seconds, and loading click costs more than the answer.
Everything but the plainest spelling, help and mistakes included, is the matter of `cli`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from orchesjob_flow.views.terminal import SPELLINGS, default_spelling, format_of_result

RUN_KEY = "--run-key"
NEWEST = "-"


class Question(NamedTuple):
    """What a plain call of `status` asks."""

    run_key: str
    database: str | None
    spelling: str = "auto"
    """What the answer is to look like: `views.terminal` knows what that means."""


def parse_question(words: Sequence[str]) -> Question | None:
    """Read `[--db PATH] status KEY [--format FORMAT]`; None if it is anything else.

    The key may also be the value of `--run-key` or `-k`. Which run is the newest is not plain.

    >>> parse_question(["--db=x.sqlite3", "status", "--run-key", "nightly"])
    Question(run_key='nightly', database='x.sqlite3', spelling='auto')
    >>> parse_question(["status", "nightly", "--format", "yaml"])
    """
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.partition("=")
        name = RUN_KEY if word == "-k" else name
        if word == "status" and not found.keys() - {"--db"}:
            found[word] = word
        elif "status" in found and not word.startswith("-"):
            if RUN_KEY in found:
                return None
            found[RUN_KEY] = word
        elif name in found or name not in options_here(found):
            return None
        else:
            found[name] = value if has_value else next(rest, "")
    spelling = found.get("--format") or default_spelling()
    plain = "status" in found and spelling in SPELLINGS and all(found.values())
    if not plain or found.get(RUN_KEY, NEWEST) == NEWEST:
        return None
    return Question(found[RUN_KEY], found.get("--db"), spelling)


def options_here(found: dict[str, str]) -> tuple[str, ...]:
    """Return the options that may come next: a global one before the command, or its own."""
    return (RUN_KEY, "--format") if "status" in found else ("--db",)


def answer(question: Question) -> None:
    """Print the run as it is now, as `commands.status` does."""
    from orchesjob_flow.home.runs import RunHandle
    from orchesjob_flow.home.settings import Settings
    from orchesjob_flow.views.results import show_run

    handle = RunHandle(question.run_key, Settings.from_options(question.database, None))
    show_run(handle, handle.snapshot(), format_of_result(question.spelling))
