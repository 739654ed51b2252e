"""Flow files: YAML or JSON read into a validated graph of steps.

Public names only; the modules behind them are private to the package. What is needed to look for
warnings, and to read files of cases, is imported when it is asked for.
"""

from importlib import import_module

from flow_spec.comparison import differences
from flow_spec.documents.source import is_opened_by_caller
from flow_spec.durations import parse_duration
from flow_spec.errors import (
    EnvFileError,
    FlowFileError,
    FlowSpecError,
    ListError,
    Mark,
    MissingValuesError,
    ParamsError,
    Problem,
    StoredFlowError,
    UnknownStepError,
    closest_words,
)
from flow_spec.fields.env import EnvFile, StepVariable, flaw_of_setting, read_env_files
from flow_spec.fields.messages import program_as_script
from flow_spec.fields.params import Param
from flow_spec.fields.predicates import RUN_WORD, End, holds, holds_of_copies, operands_of
from flow_spec.fields.reading import BUILT_IN, ListReader, filled, read_list
from flow_spec.flow import FlowSpec, json_schema
from flow_spec.flow_file import (
    Document,
    ReadFlow,
    load_flow,
    parse_flow,
    read_document,
    read_flow,
    read_text,
)
from flow_spec.foreach import Block, Copy
from flow_spec.products import Product, note_files, shown_product, unwritten
from flow_spec.step import Concurrency, OnConflict, StepSpec, WarningCode, base_of
from flow_spec.step_ends import StepEnds

__all__ = [
    "BUILT_IN",
    "RUN_WORD",
    "Block",
    "Case",
    "CaseFiles",
    "Concurrency",
    "Copy",
    "Document",
    "End",
    "EnvFile",
    "EnvFileError",
    "FlowFileError",
    "FlowSpec",
    "FlowSpecError",
    "FlowWarning",
    "ListError",
    "ListReader",
    "Mark",
    "MissingValuesError",
    "OnConflict",
    "Param",
    "ParamsError",
    "Problem",
    "Product",
    "ReadCases",
    "ReadFlow",
    "StepEnds",
    "StepSpec",
    "StepVariable",
    "StoredFlowError",
    "UnknownStepError",
    "WarningCode",
    "base_of",
    "cases_schema",
    "closest_words",
    "constant_conditions",
    "differences",
    "filled",
    "find_warnings",
    "flaw_of_setting",
    "holds",
    "holds_of_copies",
    "is_opened_by_caller",
    "json_schema",
    "load_flow",
    "note_files",
    "operands_of",
    "parse_duration",
    "parse_flow",
    "program_as_script",
    "read_cases",
    "read_document",
    "read_env_files",
    "read_flow",
    "read_list",
    "read_text",
    "shown_product",
    "steps_that_never_run",
    "unwritten",
]

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_spec.case_file import Case, CaseFiles, ReadCases, cases_schema, read_cases
    from flow_spec.warnings.finding import FlowWarning, find_warnings
    from flow_spec.warnings.proofs import constant_conditions, steps_that_never_run
else:
    _NAMES_IN = {
        "case_file": "Case CaseFiles ReadCases cases_schema read_cases",
        "warnings.finding": "FlowWarning find_warnings",
        "warnings.proofs": "constant_conditions steps_that_never_run",
    }
    _MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Import what most callers never need (PEP 562)."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)

    def __dir__() -> list[str]:
        """List the public names, whether imported already or not."""
        return __all__
