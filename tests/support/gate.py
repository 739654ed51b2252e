"""A gate for steps: the test knows that a step runs, and says when it may go on."""

import os
import select
import shlex
from pathlib import Path

from support.deadlines import EVENT_SEC


class Gate:
    """A place where steps wait until the test lets them through."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / "arrivals", folder / "gate"]
        for path in self._paths:
            os.mkfifo(path)
        # Open for both, so that neither side ever waits for the other to open.
        self._arrivals, self._gate = (os.open(path, os.O_RDWR) for path in self._paths)

    def command(self, then: str = "true", *, before: str = ":") -> list[str]:
        """Return the command of a step that announces itself, waits, and then does something."""
        arrivals, gate = map(shlex.quote, map(str, self._paths))
        return ["sh", "-c", f"{before}; echo >{arrivals}; read -r _ <{gate}; {then}"]

    def await_arrival(self) -> None:
        """Wait until a step has come to the gate."""
        assert select.select([self._arrivals], [], [], EVENT_SEC)[0]
        os.read(self._arrivals, 1)

    def has_arrival(self) -> bool:
        """Tell whether a step has come to the gate that was not awaited."""
        return bool(select.select([self._arrivals], [], [], 0)[0])

    def let_through(self, steps: int = 1) -> None:
        """Let steps go on, those that have come and those to come."""
        os.write(self._gate, b"\n" * steps)

    def close(self) -> None:
        """Close the pipes."""
        os.close(self._arrivals)
        os.close(self._gate)
