"""`validate`: flow files are read and checked, and nothing is recorded (rule 9.1).

What is wrong with a file is the matter of `flow_spec`; here it is described.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from flow_spec import FlowFileError, FlowSpec, Problem, load_flow
from orchesjob_flow.text import visible


class Finding(NamedTuple):
    """What came of one file: its flow, or what is wrong with it."""

    file: str
    outcome: FlowSpec | FlowFileError

    @property
    def is_valid(self) -> bool:
        """Whether the file holds a flow."""
        return isinstance(self.outcome, FlowSpec)


def validate(files: Sequence[str]) -> list[Finding]:
    """Read every file, whatever is wrong with the ones before."""
    return [Finding(file, read(file)) for file in files]


def read(file: str) -> FlowSpec | FlowFileError:
    """Read a flow file; return what is wrong instead of raising it."""
    try:
        return load_flow(file)
    except FlowFileError as error:
        return error


def finding_json(finding: Finding) -> dict[str, Any]:
    """Describe a finding for scripts."""
    described: dict[str, Any] = {
        "file": finding.file,
        "valid": finding.is_valid,
        "flow_id": None,
        "steps": None,
        "problems": [],
    }
    match finding.outcome:
        case FlowSpec() as flow:
            described |= {"flow_id": flow.flow_id, "steps": len(flow.steps)}
        case FlowFileError() as error:
            described["problems"] = [problem_json(problem) for problem in error.problems]
    return described


def problem_json(problem: Problem) -> dict[str, Any]:
    """Describe one thing that is wrong with a flow file."""
    return {
        "message": problem.message,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
    }


def finding_text(finding: Finding) -> str:
    """Describe a finding for eyes: as compilers do, so that editors jump to the place."""
    match finding.outcome:
        case FlowSpec() as flow:
            steps = "1 step" if len(flow.steps) == 1 else f"{len(flow.steps)} steps"
            return f"{visible(finding.file)}: valid: {visible(flow.flow_id)}, {steps}"
        case error:
            return str(error)
