"""The key `concurrency` of a flow file: which runs are not under way beside each other (rule 10.7).

What becomes of such runs is decided elsewhere; here it is only said.
"""

from enum import StrEnum

import attrs

from flow_spec.containers import Record
from flow_spec.declaration import declared
from flow_spec.kinds import FilledLine, OneOf

GROUP = FilledLine(max_length=255)


class OnConflict(StrEnum):
    """What becomes of a new run while another one of its group is under way."""

    WAIT = "wait"
    SKIP = "skip"
    FAIL = "fail"


@attrs.frozen
class Concurrency:
    """The group of a flow's runs, of which one is under way at a time."""

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
