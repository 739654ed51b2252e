"""The settings of one call of the program: its global options, with their defaults (section 6)."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from orchesjob_flow.home.paths import Home, SlotFiles, find_home

STARTS_PER_CORE = 2
ABORTS_PER_CORE = 8
DEFAULT_POLL_INTERVAL_SEC = 5.0
DEFAULT_PATIENCE_SEC = 60.0


class Settings(NamedTuple):
    """The global options of one call of the program (section 6 of the rules)."""

    home: Home
    orchesjob: str | None
    """The executable as given with --orchesjob-bin; None leaves it to the search of rule 6.2."""
    poll_interval_sec: float
    patience_sec: float
    environ: Mapping[str, str]

    @classmethod
    def from_options(
        cls,
        database: str | None,
        orchesjob: str | None,
        poll_interval_sec: float = DEFAULT_POLL_INTERVAL_SEC,
        patience_sec: float = DEFAULT_PATIENCE_SEC,
    ) -> "Settings":
        """Combine the options with the environment."""
        home = find_home(database, os.environ)
        return cls(home, orchesjob, poll_interval_sec, patience_sec, os.environ)

    @property
    def starts(self) -> int:
        """How many steps may be starting at once: each keeps a core busy for part of the time."""
        return STARTS_PER_CORE * (os.cpu_count() or 1)

    @property
    def call_slot_files(self) -> SlotFiles:
        """The slots for calls of orchesjob: all runners together have as many as one may use."""
        return self.home.slot_files("calls", self.starts)

    @property
    def abort_slot_files(self) -> SlotFiles:
        """The slots for aborts: many, since each mostly waits for a grace time to end."""
        return self.home.slot_files("aborts", ABORTS_PER_CORE * (os.cpu_count() or 1))

    def global_options(self) -> list[str]:
        """Return these settings as options, for a child process in another directory."""
        options = [
            f"--db={self.home.database}",
            f"--poll-interval={self.poll_interval_sec!r}",
            f"--patience={self.patience_sec!r}",
        ]
        if self.orchesjob is not None:
            options.append(f"--orchesjob-bin={self.orchesjob}")
        return options
