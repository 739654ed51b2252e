"""A problem in a flow file as JSON: in what `validate` prints, and in an error."""

from typing import Any

from flow_spec import Problem


def problem_json(problem: Problem) -> dict[str, Any]:
    """Describe one thing that is wrong with a flow file."""
    return {
        "message": problem.message,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "help": problem.help,
    }
