"""An attempt that has begun: its row, the call that is under way for it, and what came of others.

What of this survives the process is the row; the next runner asks for the rest again.
"""

from enum import StrEnum

import attrs

from flow_store import Attempt, Step
from orchesjob_client import JobReport, Watch
from orchesjob_flow.engine.events import AttemptId


class AbortReason(StrEnum):
    """Why an attempt is to be ended: recorded with the attempt, and given to orchesjob.

    A later one of these takes the place of an earlier one.
    """

    DEAD_START = "dead start"
    TIMEOUT = "timeout"
    FLOW_TIMEOUT = "flow timeout"
    CANCEL = "cancel"

    def outranks(self, other: str | None) -> bool:
        """Whether this reason takes the place of the other, or of none."""
        ranks = list(AbortReason)
        return other is None or ranks.index(self) > ranks.index(AbortReason(other))


class Call(StrEnum):
    """What is under way for an attempt, and not answered yet."""

    START = "orchesjob start"
    STATUS = "orchesjob status"
    ABORT = "orchesjob abort"
    WATCH = "the watcher"
    LOOK = "the search for its processes"
    END = "the ending of its processes"

    @property
    def takes_a_place(self) -> bool:
        """Whether it begins when it has a place among the calls of all runners (rule 5.11)."""
        return self in (Call.START, Call.STATUS, Call.ABORT)


@attrs.define
class Trouble:
    """Calls in a row that gave no answer: since when, and how long to wait before the next."""

    since: float
    delay_sec: float


@attrs.define
class Loss:
    """That orchesjob did not see how a job ended, or whether it did: see `losses`."""

    why: str
    error: str
    """The attempt's error, once nothing of it is alive."""
    looked_at: float | None = None
    """When processes of it were seen last (monotonic)."""
    exited: bool = False
    """The process that is watched, or is to be, has ended."""


@attrs.define(eq=False)
class OpenAttempt:
    """An attempt that has begun and whose outcome is not known yet."""

    row: Attempt
    attempt_key: str
    before: Step | None = None
    """The step's row before this attempt was begun, until orchesjob has answered."""
    call: Call | None = None
    call_since: float = 0.0
    """When the call began, or, as long as it waits for a place, since when it does."""
    call_limit_sec: float = 0.0
    """How long it may be under way once it has begun."""
    call_until: float | None = None
    """Until when it may be under way; None while it waits for a place."""
    job: JobReport | None = None
    """The last answer of orchesjob to this runner."""
    watch: Watch | None = None
    worker_gone: bool = False
    contradictions: int = 0
    """How often orchesjob took the job for running although its worker was gone."""
    questions: int = 0
    """How often the job was asked about again without being awaited: see `polling`."""
    ask_at: float = 0.0
    """When to ask again, if that is planned; timers set for an earlier moment do nothing."""
    trouble: Trouble | None = None
    loss: Loss | None = None

    @property
    def id(self) -> AttemptId:
        """Name the attempt."""
        return AttemptId(self.row.position, self.row.number)

    @property
    def is_seen_alive(self) -> bool:
        """Whether its worker is watched, lives, and may run on."""
        watched = self.watch is Watch.WATCHING and not self.worker_gone
        return watched and self.row.abort_reason is None

    @property
    def is_polled(self) -> bool:
        """Whether its job runs and the end of that cannot announce itself."""
        return self.watch is Watch.UNSUPPORTED and self.loss is None
