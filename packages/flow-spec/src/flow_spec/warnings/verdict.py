"""`Verdict`, what is proven about a step without words and places, and how much that may take."""

from collections.abc import Mapping

import attrs

from flow_spec.errors import Span

BUDGET = 200_000
"""Steps of work for each of the questions about one flow: some tenths of a second."""


@attrs.frozen
class Verdict:
    """What is proven about a step: its id as written, and what there is to show.

    `part` are the characters of its condition that are meant; `outcomes` are ends of steps that
    show it, and `steps` the ids of those that it is about.
    """

    step_id: str
    part: Span | None = None
    outcomes: Mapping[str, str] = attrs.Factory(dict)
    steps: tuple[str, ...] = ()
