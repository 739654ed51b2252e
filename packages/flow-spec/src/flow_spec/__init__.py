"""Flow files: YAML or JSON read into a validated graph of steps.

Public names only; the modules behind them are private to the package.
"""

from flow_spec.binding import bind_params
from flow_spec.blocks import Block, Copy, base_of
from flow_spec.comparison import differences
from flow_spec.concurrency import Concurrency, OnConflict
from flow_spec.env_file import parse_env_file
from flow_spec.environment import EnvFile, flaw_of_setting
from flow_spec.errors import (
    EnvFileError,
    FlowFileError,
    FlowSpecError,
    ListError,
    Mark,
    ParamsError,
    Problem,
    StoredFlowError,
    UnknownStepError,
)
from flow_spec.flow import FlowSpec
from flow_spec.flow_file import load_flow, parse_flow
from flow_spec.lists import GLOB, LINES, ListReader, ValueList, values_of_lines
from flow_spec.params import Param
from flow_spec.placeholders import BUILT_IN, filled
from flow_spec.predicates import PREDICATES, holds, holds_of_copies
from flow_spec.rewritten import program_as_script
from flow_spec.schema import json_schema
from flow_spec.source import is_opened_by_caller
from flow_spec.step import StepSpec

__all__ = [
    "BUILT_IN",
    "GLOB",
    "LINES",
    "PREDICATES",
    "Block",
    "Concurrency",
    "Copy",
    "EnvFile",
    "EnvFileError",
    "FlowFileError",
    "FlowSpec",
    "FlowSpecError",
    "ListError",
    "ListReader",
    "Mark",
    "OnConflict",
    "Param",
    "ParamsError",
    "Problem",
    "StepSpec",
    "StoredFlowError",
    "UnknownStepError",
    "ValueList",
    "base_of",
    "bind_params",
    "differences",
    "filled",
    "flaw_of_setting",
    "holds",
    "holds_of_copies",
    "is_opened_by_caller",
    "json_schema",
    "load_flow",
    "parse_env_file",
    "parse_flow",
    "program_as_script",
    "values_of_lines",
]
