"""The record of flow runs in SQLite: what has happened, safe from crashes and other processes.

`FlowStore` records runs, their steps and every attempt. It knows no flow files and does not decide
what runs next: a run's definition is opaque text to it.
"""

from flow_store.changes import Changes, Joining, Reopening, RunHeader
from flow_store.errors import (
    CancelRequested,
    DamagedRecord,
    GroupTaken,
    InsideItsGroup,
    NotRecorded,
    NotSettleable,
    NotTerminal,
    RunTakenOver,
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
    TerminalStatus,
    Unstorable,
)
from flow_store.records import (
    Attempt,
    CancelRequest,
    Deadline,
    EndedRun,
    EndMark,
    GivenUp,
    GroupPlace,
    Parent,
    PastAttempt,
    Person,
    Queue,
    Run,
    RunSummary,
    Settlement,
    Step,
)
from flow_store.reports import reported_job, was_found
from flow_store.run_reader import RunToken
from flow_store.statuses import AttemptStatus, FlowStatus, Outcome, StepStatus
from flow_store.store import FlowStore

__all__ = [
    "Attempt",
    "AttemptStatus",
    "CancelRequest",
    "CancelRequested",
    "Changes",
    "DamagedRecord",
    "Deadline",
    "EndMark",
    "EndedRun",
    "FlowStatus",
    "FlowStore",
    "GivenUp",
    "GroupPlace",
    "GroupTaken",
    "InsideItsGroup",
    "Joining",
    "NotRecorded",
    "NotSettleable",
    "NotTerminal",
    "Outcome",
    "Parent",
    "PastAttempt",
    "Person",
    "Queue",
    "Reopening",
    "Run",
    "RunHeader",
    "RunSummary",
    "RunTakenOver",
    "RunToken",
    "Settlement",
    "Step",
    "StepStatus",
    "StoreBroken",
    "StoreError",
    "StoreForeign",
    "StoreMissing",
    "StoreNewer",
    "StoreUnavailable",
    "TerminalStatus",
    "Unstorable",
    "reported_job",
    "was_found",
]
