"""What a long history costs each call of orchesjob (rule 9.11).

orchesjob reads and rewrites the rows of all its jobs in each call, and asked for its version it
reads none. So the difference between the two is what its history costs, on any machine.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from orchesjob_client import JobReport, OrchesjobClient
from orchesjob_flow.views.checks import Check, Grade

MUCH_SEC = 0.1
_ROUNDS = 3


class Answered(NamedTuple):
    """What orchesjob has answered, and in how many seconds at its quickest."""

    version: str
    active: tuple[JobReport, ...]
    version_sec: float
    call_sec: float

    @property
    def history_sec(self) -> float:
        """How much of a call goes into the jobs of the home."""
        return max(0.0, self.call_sec - self.version_sec)


def measure_calls(
    client: OrchesjobClient, clock: Callable[[], float] = time.perf_counter
) -> Answered:
    """Ask for the version and for the active jobs, and take the time of both.

    Where the history seems to cost much, both are repeated: other work can delay a call, but hardly
    each of them.

    Raises:
        OrchesjobError: No usable answer.
    """
    answered = _measure_once(client, clock)
    for _ in range(_ROUNDS - 1):
        if answered.history_sec < MUCH_SEC:
            break
        again = _measure_once(client, clock)
        answered = again._replace(
            version_sec=min(answered.version_sec, again.version_sec),
            call_sec=min(answered.call_sec, again.call_sec),
        )
    return answered


def _measure_once(client: OrchesjobClient, clock: Callable[[], float]) -> Answered:
    began = clock()
    version = client.version()
    between = clock()
    active = client.running()
    return Answered(version, active, between - began, clock() - between)


def check_history(answered: Answered) -> Check:
    """Tell what a call costs, and what helps where old jobs make it slow."""
    costs = (
        f"a call takes {answered.call_sec * 1e3:.0f} ms, "
        f"{answered.history_sec * 1e3:.0f} of them for the jobs of the home"
    )
    if answered.history_sec < MUCH_SEC:
        return Check("history", Grade.OK, costs)
    return Check(
        "history",
        Grade.NOTE,
        f"{costs}, and each step pays that two or three times, as orchesjob rewrites the rows of "
        "all its jobs in each call; `prune` removes those of old runs, `orchesjob clean` others, "
        "and `start --jobs own` gives a run a home of its own",
    )
