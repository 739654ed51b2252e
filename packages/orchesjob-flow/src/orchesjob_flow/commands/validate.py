"""`validate`: flow files are read and checked, and nothing is recorded (rule 9.1).

`flow_spec` finds what is wrong with a file; here it is printed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flow_spec import FlowFileError, FlowSpec
from orchesjob_flow.commands.flow_files import load_to_run
from orchesjob_flow.commands.given import Given
from orchesjob_flow.commands.value_lists import lists_here
from orchesjob_flow.exit_codes import DONE, WRONG
from orchesjob_flow.views.error_text import flow_file_text, style_of
from orchesjob_flow.views.form import Form
from orchesjob_flow.views.problem_json import problem_json
from orchesjob_flow.views.run_json import print_json
from orchesjob_flow.views.streams import write_result
from orchesjob_flow.views.terminal import stdout
from orchesjob_flow.views.text import visible


def validate(files: Sequence[str], params: Mapping[str, str], form: Form) -> int:
    """Print what is wrong with each file.

    Without `params`, no parameter needs a value.
    """
    findings = [Finding(file, read(file, Given({}, params or None))) for file in files]
    if form is Form.JSON:
        print_json({"files": [finding_json(finding) for finding in findings]})
    else:
        write_result("".join(f"{finding_text(finding)}\n" for finding in findings))
    return DONE if all(finding.is_valid for finding in findings) else WRONG


class Finding(NamedTuple):
    """The result of reading one file: its flow, or what is wrong with it."""

    file: str
    outcome: FlowSpec | FlowFileError

    @property
    def is_valid(self) -> bool:
        """Whether the file holds a flow."""
        return isinstance(self.outcome, FlowSpec)


def read(file: str, given: Given) -> FlowSpec | FlowFileError:
    """Read a flow file; return what is wrong instead of raising it."""
    try:
        return load_to_run(file, given, lists_here(file))
    except FlowFileError as error:
        return error


def finding_json(finding: Finding) -> dict[str, Any]:
    """Describe a finding for scripts."""
    described: dict[str, Any] = {
        "file": finding.file,
        "valid": finding.is_valid,
        "flow_id": None,
        "steps": None,
        "finally": None,
        "group": None,
        "problems": [],
    }
    match finding.outcome:
        case FlowSpec() as flow:
            described |= {
                "flow_id": flow.flow_id,
                "steps": len(flow.steps),
                "finally": len(flow.finally_),
                "group": flow.group,
            }
        case FlowFileError() as error:
            described["problems"] = [problem_json(problem) for problem in error.problems]
    return described


def finding_text(finding: Finding) -> str:
    """Describe a finding for people, as compilers do; in a pipe, editors jump to the place."""
    match finding.outcome:
        case FlowSpec() as flow:
            steps = "1 step" if len(flow.steps) == 1 else f"{len(flow.steps)} steps"
            last = f" and {len(flow.finally_)} in finally" if flow.finally_ else ""
            group = "" if flow.group is None else f", one run at a time of group {flow.group}"
            return visible(f"{finding.file}: valid: {flow.flow_id}, {steps}{last}{group}")
        case error if (terminal := stdout()).stream.isatty():
            return flow_file_text(error, style_of(terminal))
        case error:
            return str(error)
