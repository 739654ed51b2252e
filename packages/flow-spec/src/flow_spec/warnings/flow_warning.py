"""`FlowWarning`, one thing that a valid flow file is warned about (rule 11.2)."""

from collections.abc import Mapping

import attrs

from flow_spec.errors import Problem
from flow_spec.warning_codes import WarningCode


@attrs.frozen(kw_only=True)
class FlowWarning(Problem):
    """Something that a flow file may say, and that was hardly meant.

    `outcomes` are ends of steps that show it, where some can.
    """

    code: WarningCode
    outcomes: Mapping[str, str] = attrs.Factory(dict)
