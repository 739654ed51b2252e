"""orchesjob-flow that kills itself where it is told to; the product knows nothing of this.

usage: python launcher.py WORDS_OF_ORCHESJOB_FLOW...

Every function that changes something outside the process, and every commit, is wrapped here: the
moments before it and after it are points. A point is named by the role of the process, its place,
and how often the process has been there: `parent after commit 3`. What brings the tables to their
latest version is committed at a place of its own, `upgrade`, so that a new version renames no
point of a run. The role is `child` in the
background process of `start -d`, which is started through this program too, else `parent`. Each
point that is passed becomes a line of the file `$CRASH_POINTS`. At the point `$CRASH_AT` the
process sends SIGKILL to itself.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Literal

import flow_store.store
from flow_store import database as database_file
from flow_store.database import MIGRATIONS, Database
from orchesjob_client import OrchesjobClient, call
from orchesjob_flow.__main__ import main
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.paths import Home
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.runner import background
from orchesjob_flow.runner.performer import Performer
from orchesjob_flow.views import terminal

# All that the process does to files, locks, pipes and other processes, apart from its commits. An
# effect is handed to a thread, which calls orchesjob, which is a process that can outlive its
# caller; so the beginning of each is a place of its own.
EFFECTS: tuple[tuple[Any, str], ...] = (
    (Home, "prepare"),
    (flow_store.store, "create_file"),
    (database_file, "_switch_to_wal"),
    (Database, "checkpoint"),
    (Lock, "take"),
    (Lock, "inherit"),
    (Lock, "sign"),
    (Lock, "close"),
    (subprocess.Popen, "__init__"),
    (background, "report_ready"),
    (terminal, "write_result"),
    (Performer, "perform"),
    (call, "spawn"),
    (OrchesjobClient, "start"),
    (OrchesjobClient, "status"),
    (OrchesjobClient, "running"),
    (OrchesjobClient, "abort"),
    (OrchesjobClient, "survivors"),
    (OrchesjobClient, "end_survivors"),
)


class Points:
    """The points that this process passes, in whatever thread."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._visits: Counter[str] = Counter()
        self._lock = threading.Lock()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._journal = os.open(os.environ["CRASH_POINTS"], flags, 0o600)

    def reach(self, place: str) -> None:
        with self._lock:
            self._visits[place] += 1
            point = f"{self._role} {place} {self._visits[place]}"
            os.write(self._journal, f"{point}\n".encode())
            if point == os.environ.get("CRASH_AT"):
                os.kill(os.getpid(), signal.SIGKILL)

    def surround(self, owner: Any, name: str) -> None:
        """Make the moments before and after a function two points."""
        original = vars(owner)[name]
        place = f"{owner.__name__}.{name}" if isinstance(owner, type) else name

        def surrounded(function: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(function)
            def call(*positional: Any, **named: Any) -> Any:
                self.reach(f"before {place}")
                answer = function(*positional, **named)
                self.reach(f"after {place}")
                return answer

            return call

        if isinstance(original, classmethod):
            setattr(owner, name, classmethod(surrounded(original.__func__)))
        else:
            setattr(owner, name, surrounded(original))

    def surround_commits(self) -> None:
        """Make the moments before and after the commit of each writing transaction two points."""
        original, upgrade = Database.transaction, database_file.upgrade
        place = "commit"

        def upgrading(database: Database, migrations: Sequence[str] = MIGRATIONS) -> None:
            nonlocal place
            place = "upgrade"
            try:
                upgrade(database, migrations)
            finally:
                place = "commit"

        @contextmanager
        def transaction(
            database: Database, kind: Literal["DEFERRED", "IMMEDIATE"]
        ) -> Iterator[None]:
            with original(database, kind):
                yield
                if kind == "IMMEDIATE":
                    self.reach(f"before {place}")
            if kind == "IMMEDIATE":
                self.reach(f"after {place}")

        setattr(flow_store.store, "upgrade", upgrading)  # noqa: B010 - as open() finds it
        setattr(Database, "transaction", transaction)  # noqa: B010 - a method is not assignable


def lead_child_here() -> None:
    original = background.child_command

    def child_command(handle: RunHandle, lock: Lock, pipe: int) -> list[str]:
        words = original(handle, lock, pipe)
        program = words.index("-m")
        return [*words[:program], __file__, *words[program + 2 :]]

    background.child_command = child_command


if __name__ == "__main__":
    points = Points("child" if "drive" in sys.argv else "parent")
    for owner, name in EFFECTS:
        points.surround(owner, name)
    points.surround_commits()
    lead_child_here()
    sys.exit(main())
