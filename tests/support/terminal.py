"""A terminal for a command, and what the command shows on it."""

import codecs
import fcntl
import os
import select
import struct
import termios

from support.deadlines import EVENT_SEC

PICTURE = "\x1b[?7l"
"""With this each picture begins that is drawn in place: no line of it is broken."""


class Terminal:
    """A pseudo-terminal; a command has `line` as its stdout or stderr.

    Attributes:
        line: The command's end, to be given to it.
        shown: What has been read so far, with plain line ends.
    """

    def __init__(self) -> None:
        self._screen, self.line = os.openpty()
        self._open = {self._screen, self.line}
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._begun = ""

    @property
    def picture(self) -> str:
        """What is seen now where a table is drawn in place."""
        return self.shown.rpartition(PICTURE)[2]

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def hand_over(self) -> None:
        """Leave the command's end to the command, whose exit is then seen here."""
        self._close(self.line)

    def await_picture(self, text: str, *, pictures: int = 0) -> None:
        """Look until the picture has this text and at least so many have been drawn."""
        while text not in self.picture or self.shown.count(PICTURE) < pictures:
            assert select.select([self._screen], [], [], EVENT_SEC)[0], self.shown
            assert self._look(), self.shown

    def await_text(self, text: str) -> None:
        """Look until this text has been shown."""
        while text not in self.shown:
            assert select.select([self._screen], [], [], EVENT_SEC)[0], self.shown
            assert self._look(), self.shown

    def type(self, text: str) -> None:
        """Type at the terminal."""
        os.write(self._screen, text.encode())

    def read_to_end(self) -> str:
        """Look until the command has gone; return all that it has shown."""
        while self._look():
            pass
        self.close()
        return self.shown

    def close(self) -> None:
        """Take the terminal away, from a command that lives too."""
        for descriptor in tuple(self._open):
            self._close(descriptor)

    def _look(self) -> bool:
        try:
            part = os.read(self._screen, 65536)
        except OSError:  # Linux says EIO when the last writer has gone
            return False
        # A character, or the two of a line's end, may come in two parts.
        text = self._begun + self._decoder.decode(part)
        self._begun = "\r" if part and text.endswith("\r") else ""
        self.shown += text.removesuffix(self._begun).replace("\r\n", "\n")
        return bool(part)

    def _close(self, descriptor: int) -> None:
        self._open.remove(descriptor)
        os.close(descriptor)
