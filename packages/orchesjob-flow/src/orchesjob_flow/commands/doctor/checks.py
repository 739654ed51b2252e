"""What `doctor` has looked at, and how it is shown (rule 9.11)."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from orchesjob_flow.views.terminal import status_line, visible


class Grade(StrEnum):
    """What came of a check."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


MARKS = {Grade.OK: "OK", Grade.NOTE: "--", Grade.PROBLEM: "NG"}


class Check(NamedTuple):
    """One thing that was looked at, and a sentence about it, which says how to fix a problem."""

    name: str
    grade: Grade
    message: str


def check_text(check: Check) -> str:
    """Write the line of a check."""
    return f"{MARKS[check.grade]}  {check.name}: {visible(check.message)}"


def counted[Item](answers: Iterable[Item], total: int) -> Iterator[Item]:
    """Pass answers on; on a terminal, show meanwhile how many there have been."""
    with status_line(patience_sec=0) as line:
        for number, answer in enumerate(answers, 1):
            line.say(f"orchesjob has answered about {number:,} of {total:,} attempts")
            yield answer


def checks_json(checks: Sequence[Check], *, sound: bool) -> dict[str, Any]:
    """Describe the checks for scripts."""
    described = [
        {"check": name, "verdict": grade.value, "message": message}
        for name, grade, message in checks
    ]
    return {"sound": sound, "checks": described}
