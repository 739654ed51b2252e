"""Marks in an environment: one variable, whose value is a mark or several, joined by `:`.

Whoever starts something marked inside something marked adds a mark to those that are there; so what
is inner is found by the outer mark too. Where the environment is read is in `proc_table` and `ps`.
"""

from collections.abc import Collection, Mapping

_JOIN = ":"


def joined(outer: str, inner: str) -> str:
    """Return the marks of what has a mark of its own inside something that has marks."""
    return f"{outer}{_JOIN}{inner}" if outer else inner


def split(value: str) -> list[str]:
    """Return the marks in a variable's value, the outermost first."""
    return value.split(_JOIN) if value else []


class WantedMarks:
    """The marks that are looked for, in one variable."""

    def __init__(self, variable: str, marks: Collection[str]) -> None:
        """Look for any of these marks."""
        self._name = f"{variable}=".encode(errors="surrogateescape")
        self._marks: Mapping[bytes, str] = {
            mark.encode(errors="surrogateescape"): mark for mark in marks
        }

    def find(self, environment: bytes) -> str | None:
        """Return the first wanted mark in an environment as the system shows it, or None."""
        if self._name not in environment:
            return None  # nearly all processes, and every one is read
        for line in environment.split(b"\0"):
            if line.startswith(self._name):
                for mark in line.removeprefix(self._name).split(_JOIN.encode()):
                    if mark in self._marks:
                        return self._marks[mark]
        return None
