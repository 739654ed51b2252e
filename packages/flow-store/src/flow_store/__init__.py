"""The record of flow runs in SQLite: what has happened, safe from crashes and other processes.

`RunReader` reads runs, their steps and every attempt. It knows no flow files: a run's definition is
opaque text to it. The names in `__all__` are public, and the README explains them.

The other names are for orchesjob-flow, which records runs with `FlowStore`. They are not public:
`FlowStore` trusts its caller, and may change with any version.
"""

# ruff: noqa: I001 - a name that is imported `as` itself is one of those

from flow_store.errors import (
    LONGEST_PATH as LONGEST_PATH,
    CancelRequested as CancelRequested,
    CircleOfGroups as CircleOfGroups,
    DamagedRecord,
    GroupTaken as GroupTaken,
    NotRecorded,
    NotSettleable as NotSettleable,
    NotTerminal as NotTerminal,
    RunTakenOver as RunTakenOver,
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
    TerminalStatus as TerminalStatus,
    Unstorable as Unstorable,
    WrongThread,
)
from flow_store.reading import (
    RunReader,
    RunToken as RunToken,
    reported_job,
    was_found,
)
from flow_store.records import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    Changes as Changes,
    Deadline,
    EndedRun as EndedRun,
    RunStatus,
    GivenUp,
    GroupPlace,
    Hook as Hook,
    Joining as Joining,
    NotStarted,
    Outcome,
    Parent,
    PastAttempt,
    Person,
    Queue,
    Reopening as Reopening,
    Run,
    RunHeader as RunHeader,
    RunSummary,
    Settlement,
    Step,
    StepStatus,
    attempt_key,
)
from flow_store.store import (
    FlowStore as FlowStore,
)

__all__ = [
    "Attempt",
    "AttemptStatus",
    "CancelRequest",
    "DamagedRecord",
    "Deadline",
    "GivenUp",
    "GroupPlace",
    "NotRecorded",
    "NotStarted",
    "Outcome",
    "Parent",
    "PastAttempt",
    "Person",
    "Queue",
    "Run",
    "RunReader",
    "RunStatus",
    "RunSummary",
    "Settlement",
    "Step",
    "StepStatus",
    "StoreBroken",
    "StoreError",
    "StoreForeign",
    "StoreMissing",
    "StoreNewer",
    "StoreUnavailable",
    "WrongThread",
    "attempt_key",
    "reported_job",
    "was_found",
]
