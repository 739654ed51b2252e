"""A terminal that understands what the live view writes, so that tests see what a person sees."""

import re

from wcwidth import wcwidth

SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Emulator:
    """What is on a terminal of some size, and what has scrolled away above it.

    Attributes:
        history: The lines that have scrolled away.
        rows: The lines of the screen, with their blanks on the right.
    """

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.history: list[str] = []
        self.rows: list[list[str]] = [[] for _ in range(lines)]
        self._line = self._column = 0
        self.breaks_lines = True

    @property
    def shown(self) -> list[str]:
        """All lines, those that have scrolled away too, up to the last one with something on it."""
        lines = [*self.history, *("".join(row).rstrip() for row in self.rows)]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def cursor(self) -> tuple[int, int]:
        """The line and the column of the cursor, both counted from 0."""
        return self._line, self._column

    def feed(self, text: str) -> None:
        """Show what a program has written through a terminal driver that adds carriage returns."""
        place = 0
        while place < len(text):
            found = SEQUENCE.match(text, place)
            if found is None:
                self._write(text[place])
                place += 1
            else:
                self._obey(found[1], found[2])
                place = found.end()

    def resize(self, columns: int, lines: int, *, reflows: bool) -> None:
        """Change the size as xterm does, or as the terminals do that break lines anew."""
        whole = self.rows[: self._line]
        if reflows:
            whole = [
                row[n : n + columns] for row in whole for n in range(0, len(row) or 1, columns)
            ]
        else:
            whole = [row[:columns] for row in whole]
        self.columns, self.lines = columns, lines
        above = max(0, len(whole) + 1 - lines)
        self.history += ["".join(row).rstrip() for row in whole[:above]]
        self.rows = [*whole[above:], *([] for _ in range(lines - len(whole[above:])))]
        self._line, self._column = len(whole) - above, 0

    def _write(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._column = 0
            self._down()
        else:
            if self._column >= self.columns:
                if self.breaks_lines:
                    self._column = 0
                    self._down()
                else:
                    self._column = self.columns - 1
            row = self.rows[self._line]
            row += [" "] * (self._column - len(row))
            row[self._column : self._column + 1] = [character]
            self._column += 1
            if wcwidth(character) == 2:
                row[self._column : self._column + 1] = [""]
                self._column += 1

    def _down(self) -> None:
        self._line += 1
        if self._line == self.lines:
            self.history.append("".join(self.rows.pop(0)).rstrip())
            self.rows.append([])
            self._line -= 1

    def _obey(self, parameters: str, letter: str) -> None:
        match letter, parameters:
            case "A", number:
                self._line = max(0, self._line - int(number))
            case "H", "":
                self._line = self._column = 0
            case "K", "":
                del self.rows[self._line][self._column :]
            case "J", "":
                del self.rows[self._line][self._column :]
                self.rows[self._line + 1 :] = [[] for _ in range(self.lines - self._line - 1)]
            case (("l" | "h"), "?7"):
                self.breaks_lines = letter == "h"
            case "m", _:
                pass
            case _:
                raise ValueError(f"the live view must not write ESC [ {parameters}{letter}")
