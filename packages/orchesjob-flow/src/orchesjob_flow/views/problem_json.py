"""A problem in a flow file as JSON, in what `validate` prints and in an error; and a warning."""

from typing import TYPE_CHECKING, Any

from flow_spec import Problem

if TYPE_CHECKING:
    from flow_spec import FlowWarning


def problem_json(problem: Problem) -> dict[str, Any]:
    """Describe one thing that is wrong with a flow file."""
    return {
        "message": problem.message,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "help": problem.help,
    }


def warning_json(warning: "FlowWarning") -> dict[str, Any]:
    """Describe one thing that a flow file is warned about (rule 11.2)."""
    return {
        "code": warning.code.value,
        **problem_json(warning),
        "outcomes": dict(warning.outcomes),
    }
