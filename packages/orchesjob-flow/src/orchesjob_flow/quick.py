"""`status` for scripts, read from the command line without the machinery that reads any of them.

Dashboards and sensors ask every few seconds, and loading click costs more than the answer. Only the
plainest spelling is understood here; everything else, help and mistakes included, is `cli`'s.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Question(NamedTuple):
    """What a plain call of `status` asks."""

    run_key: str
    database: str | None


def parse_question(words: Sequence[str]) -> Question | None:
    """Read `[--db PATH] status --run-key KEY [--format json]`; None if it is anything else.

    >>> parse_question(["--db=x.sqlite3", "status", "--run-key", "nightly"])
    Question(run_key='nightly', database='x.sqlite3')
    >>> parse_question(["status", "--run-key", "nightly", "--format", "table"])
    """
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.partition("=")
        if word == "status" and not found.keys() - {"--db"}:
            found[word] = word
        elif name in found or name not in options_here(found):
            return None
        else:
            found[name] = value if has_value else next(rest, "")
    plain = "status" in found and found.get("--format", "json") == "json" and all(found.values())
    if not plain or "--run-key" not in found:
        return None
    return Question(found["--run-key"], found.get("--db"))


def options_here(found: dict[str, str]) -> tuple[str, ...]:
    """Name the options that may come next: the global one before the command, the others after."""
    return ("--run-key", "--format") if "status" in found else ("--db",)


def answer(question: Question) -> None:
    """Print how the run stands, as `cli.status` does."""
    from orchesjob_flow.reading import read
    from orchesjob_flow.report import print_json, run_json
    from orchesjob_flow.settings import Settings

    settings = Settings.from_options(question.database, None)
    print_json(run_json(*read(question.run_key, settings)))
