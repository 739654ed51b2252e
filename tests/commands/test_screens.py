"""What every command shows on terminals of any size; nothing that matters is cut (6.11)."""

import json
import re
import shlex

import pytest

from orchesjob_flow.cli.sections import SHOWN
from support.flow import Flow

STEPS = (
    {"id": "fetch", "command": ["true"]},
    {"id": "check", "command": ["sh", "-c", "echo row 17 is broken; exit 3"], "when": "fetch"},
    {"id": "load", "command": ["true"], "when": "check"},
)
TABLE = ("FAILED", "exitcode3", "load", "SKIPPED", "itsconditionwasfalse:checkFAILED")
LAST_WORDS = ("checkFAILEDexitcode3,afterprinting:", "check|row17isbroken")
NEXT = "orchesjob-flowretryk"
SCREENS: dict[str, tuple[str, ...]] = {
    "start k flow.json": (*TABLE, NEXT),
    "start k -d flow.json": ("Runkofflowfhasended:FAILED",),
    "run flow.json": ("Run:f-", *TABLE, *LAST_WORDS, "orchesjob-flowretryf-"),
    "cancel k": TABLE,
    "status k": (*TABLE, NEXT),
    "watch k": (*TABLE, NEXT),
    "watch k --mode append": (*TABLE, NEXT),
    "wait k": (*TABLE, NEXT),
    "logs k": ("check|row17isbroken",),
    "explain k": ("check", "exitcode3", "load", "checkFAILED"),
    "report k --format markdown": ("check", "FAILED", "row17isbroken"),
    "list": ("FAILED", "again"),
    "stats": ("Flow", "Median", "f"),
    "stats --flow-id f": ("Flow", "Step", "fetch", "check", "load"),
    "metrics": ('orchesjob_flow_step_retries{flow_id="f",step="check"}0',),
    "overview -o page": ("Theoverviewisin", "/page/index.html:1flow,"),
    "doctor k": ("OKorchesjob:", "OKrecords:"),
    "resume k": (*TABLE, NEXT),
    "resume --all": ("everyrunthathasnotendedhasitsrunner",),
    "retry again": (*TABLE, *LAST_WORDS, "orchesjob-flowretryagain"),
    "settle k check --as skipped": ("error:Missingoption'--reason'",),
    "explain settled check": ("settledasSUCCEEDEDby", "checkedrow17byhand", "exitcode3"),
    "status settled": ("checkedrow17byhand", "SUCCEEDED"),
    "prune --older-than 9d": ("",),
    "validate flow.json": ("flow.json:valid:f,3steps",),
    "test flow.test.json": ("OKafailedcheckloadsnothing", "1case,0failed"),
    "simulate flow.json": ("fetch", "check", "load", "SUCCEEDED"),
    "graph flow.json": ("fetch", "check", "load", "whencheck"),
    "graph -k k": ("fetch", "check", "load", "FAILED"),
    "schema": ('"flow_id"',),
    "example": ("flow_id:",),
    "help durations": ("timeout_sec:1h30m",),
    "completion bash": ("COMPREPLY",),
    "status nope": ("error:norun'nope'in", "`orchesjob-flowlist`showstherunkeys"),
    "start k nofile.yaml": ("error:nosuchfile", "-->nofile.yaml"),
}
"""Command lines, and what must be on the screen, without its blanks and line breaks."""
DOCUMENTS = ("report", "metrics", "schema", "example", "help", "completion")
"""The commands whose results are files, which no terminal may break into other lines."""
DRAWN = ("start", "run", "watch", "status", "retry")
"""The commands that draw on a terminal which can do more."""
EACH = [(line, 40, 10, "dumb") for line in SCREENS]
EACH += [(line, 120, 40, "xterm-256color") for line in SCREENS if line.startswith(DRAWN)]
ESCAPES = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


@pytest.fixture(scope="module")
def ended(shared_flow: Flow) -> Flow:
    """Two runs that have FAILED, of which only `again` is changed, and one that was settled."""
    file = shared_flow.write(*STEPS)
    shared_flow.start("k", file, code=1)
    shared_flow.start("again", file, code=1)
    shared_flow.start("settled", file, code=1)
    case = {"given": {"check": "failed"}, "expect": {"load": "SKIPPED", "run": "FAILED"}}
    cases = {"cases": [{"name": "a failed check loads nothing", **case}]}
    (shared_flow.folder / "flow.test.json").write_text(json.dumps(cases))
    reason = "checked row 17 by hand"
    shared_flow.ask("settle", "settled", "check", "--as", "succeeded", "--reason", reason)
    return shared_flow


@pytest.mark.parametrize(("line", "columns", "lines", "term"), EACH)
def test_every_screen(ended: Flow, line: str, columns: int, lines: int, term: str) -> None:
    """No line is wider than the terminal; what happened, and why, is there whole (6.11)."""
    words = shlex.split(line)
    code, shown = ended.run_on_terminal(*words, size=(columns, lines), TERM=term, NO_COLOR="1")
    shown = ESCAPES.sub("", shown)
    assert code in {0, 1, 2}
    assert "Traceback" not in shown
    text = "".join(shown.split())
    for part in SCREENS[line]:
        assert part in text, shown
    if words[0] not in DOCUMENTS:
        wide = [one for one in shown.splitlines() if len(one.rpartition("\r")[2]) > columns]
        to_copy = ("orchesjob-flow ", "  = help: orchesjob-flow ")
        assert [one for one in wide if not one.startswith(to_copy)] == []


@pytest.mark.parametrize("line", [line for line in SCREENS if line.split()[0] in DOCUMENTS[1:]])
def test_documents(ended: Flow, line: str) -> None:
    """A result that is a file is the same on a terminal, to the byte (rule 6.11)."""
    words = shlex.split(line)
    assert ended.run_on_terminal(*words, size=(40, 10)) == (0, ended.run(*words).stdout)


def test_every_command_is_looked_at() -> None:
    """No command is forgotten in the table of this module."""
    assert {line.split()[0] for line in SCREENS} == set(SHOWN)
