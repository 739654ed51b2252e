"""Flow files: YAML or JSON read into a validated graph of steps.

Public names only; the modules behind them are private to the package.
"""

from flow_spec.conditions import PREDICATES, holds
from flow_spec.errors import (
    FlowFileError,
    FlowSpecError,
    Problem,
    StoredFlowError,
    UnknownStepError,
)
from flow_spec.model import FlowSpec, StepSpec
from flow_spec.reading import load_flow, parse_flow
from flow_spec.schema import json_schema
from flow_spec.texts import flaw_of_setting

__all__ = [
    "PREDICATES",
    "FlowFileError",
    "FlowSpec",
    "FlowSpecError",
    "Problem",
    "StepSpec",
    "StoredFlowError",
    "UnknownStepError",
    "flaw_of_setting",
    "holds",
    "json_schema",
    "load_flow",
    "parse_flow",
]
