"""`FlowWarning`, one thing that a valid flow file is warned about (rule 11.2)."""

from collections.abc import Mapping

import attrs

from flow_spec.errors import Problem
from flow_spec.warning_codes import WarningCode


@attrs.frozen
class FlowWarning(Problem):
    """Something that a flow file may say, and that was hardly meant.

    `outcomes` are ends of steps that show it, where some can.
    """

    # Of the class as a whole, older attrs would say it of the inherited fields too.
    code: WarningCode = attrs.field(kw_only=True)
    outcomes: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
