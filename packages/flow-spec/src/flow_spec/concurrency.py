"""The key `concurrency`: the group of runs of which only one runs at a time (rule 10.7)."""

from enum import StrEnum

import attrs

from flow_spec.fields.kinds import FilledLine, OneOf
from flow_spec.fields.records import Record, declared

GROUP = FilledLine(max_length=255)


class OnConflict(StrEnum):
    """What happens to a new run while another one of its group runs."""

    WAIT = "wait"
    SKIP = "skip"
    FAIL = "fail"


@attrs.frozen
class Concurrency:
    """The group of a flow's runs; one of them runs at a time."""

    group: str | None = declared(
        GROUP,
        "The name of the group: flows of the same group take turns. By default the flow's id.",
        "warehouse",
        default=None,
    )
    on_conflict: OnConflict = declared(
        OneOf(OnConflict),
        "What becomes of a new run meanwhile: it waits, is skipped, or fails to start.",
        "skip",
        default=OnConflict.WAIT,
    )


CONCURRENCY = Record(Concurrency, "concurrency")
