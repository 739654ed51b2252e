"""What a call gives: a flow file, and what its flow is to have besides.

Nothing is read here, and nothing imported that reads.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flow_spec import FlowSpec


class Given(NamedTuple):
    """What a call gives a flow besides its file: variables over its `env`, and parameters.

    None for `params` leaves them without values: the file is only looked at.
    """

    env: Mapping[str, str]
    params: Mapping[str, str] | None


class FlowSource(NamedTuple):
    """A flow file, and what reads its flow, once: it may be a pipe."""

    path: str
    read: "Callable[[], FlowSpec]"
