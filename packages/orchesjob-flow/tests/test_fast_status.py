"""Which calls are plain enough to be answered without click (rule 6.4)."""

import pytest

from orchesjob_flow.main import Question, parse_question

PLAIN = [
    ("status --run-key k", Question("k", None)),
    ("status --run-key=k", Question("k", None)),
    ("status --run-key=--x=y", Question("--x=y", None)),
    ("--db d status --run-key k", Question("k", "d")),
    ("--db=d status --format=json --run-key=k", Question("k", "d", "json")),
    ("status --run-key k --format table", Question("k", None, "table")),
    ("status --run-key status", Question("status", None)),
    ("--db status status --run-key k", Question("k", "status")),
    ("status k", Question("k", None)),
    ("status --format json k", Question("k", None, "json")),
    ("status k --format=json", Question("k", None, "json")),
    ("--db d status -k k", Question("k", "d")),
    ("status -k -x", Question("-x", None)),
    ("status status", Question("status", None)),
]
NOT_PLAIN = [
    "",
    "status",
    "--help",
    "--db",
    "--db status",
    "--db status --run-key k",
    "status --help",
    "status --run-key",
    "status --run-key=",
    "status --run-key k --format",
    "status --run-key k --format=yaml",
    "status --run-key k --run-key l",
    "status --run-key k more",
    "status more --run-key k",
    "status k more",
    "status k -k k",
    "status -",
    "status -k -",
    "status --run-key=-",
    "status -kk",
    "status -k=k",
    "status -k",
    "status -x",
    "status -- k",
    "status k --format yaml",
    "status --db d --run-key k",
    "status status --run-key k",
    "--run-key k status",
    "--run k status",
    "status --run k",
    "--patience 1 status --run-key k",
    "--db d --db e status --run-key k",
    "watch --run-key k",
    "start --run-key k status",
]


@pytest.mark.parametrize(("words", "question"), PLAIN)
def test_plain(words: str, question: Question) -> None:
    """Key, database and format, in one word or two, are understood (rule 6.12)."""
    assert parse_question(words.split()) == question


@pytest.mark.parametrize("words", NOT_PLAIN)
def test_not_plain(words: str) -> None:
    """Everything else is left to click: other commands, abbreviations, mistakes and help."""
    assert parse_question(words.split()) is None


@pytest.mark.parametrize(
    ("variable", "spelling"), [("", "auto"), ("json", "json"), ("text", "text"), ("yaml", None)]
)
def test_variable(monkeypatch: pytest.MonkeyPatch, variable: str, spelling: str | None) -> None:
    """The variable is the default of the format; click refuses a wrong one (rule 6.11)."""
    monkeypatch.setenv("ORCHESJOB_FLOW_FORMAT", variable)
    question = parse_question(["status", "--run-key", "k"])
    assert (None if question is None else question.spelling) == spelling
    assert parse_question(["status", "--run-key", "k", "--format", "table"]) == Question(
        "k", None, "table"
    )
