"""`validate`: flow files are read and checked, and nothing is recorded (rules 9.1 and 11.2).

`flow_spec` finds what is wrong with a file, and what it is warned about; here it is printed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flow_spec import FlowFileError, FlowSpec, FlowWarning, find_warnings
from orchesjob_flow.commands.flow_files import read_to_run
from orchesjob_flow.commands.given import Given
from orchesjob_flow.commands.programs import lacks_program
from orchesjob_flow.commands.value_lists import lists_here
from orchesjob_flow.exit_codes import DONE, WRONG
from orchesjob_flow.views.error_text import flow_file_text, style_of, warning_text
from orchesjob_flow.views.run_json import print_json, problem_json, warning_json
from orchesjob_flow.views.streams import Form, stdout, write_result
from orchesjob_flow.views.text import visible


class Strictness(NamedTuple):
    """What is made of warnings: whether they count as wrong, and which codes are left out."""

    strict: bool = False
    allowed: Collection[str] = ()


def validate(
    files: Sequence[str], params: Mapping[str, str], form: Form, strictness: Strictness
) -> int:
    """Print what is wrong with each file, and what it is warned about.

    Without `params`, no parameter needs a value.
    """
    findings = [read(file, Given({}, params or None), strictness.allowed) for file in files]
    if form is Form.JSON:
        print_json({"files": [finding_json(finding) for finding in findings]})
    else:
        write_result("".join(f"{line}\n" for each in findings for line in finding_lines(each)))
    is_warned = strictness.strict and any(finding.warnings for finding in findings)
    return DONE if all(finding.is_valid for finding in findings) and not is_warned else WRONG


class Finding(NamedTuple):
    """The result of reading one file: its flow and the warnings, or what is wrong with it."""

    file: str
    outcome: FlowSpec | FlowFileError
    warnings: Sequence[FlowWarning] = ()
    is_proven: bool | None = None
    """Whether all was proven that can be; None where there is no flow."""

    @property
    def is_valid(self) -> bool:
        """Whether the file holds a flow."""
        return isinstance(self.outcome, FlowSpec)


def read(file: str, given: Given, allowed: Collection[str]) -> Finding:
    """Read a flow file; return what is wrong instead of raising it."""
    try:
        found = read_to_run(file, given, lists_here(file))
    except FlowFileError as error:
        return Finding(file, error)
    warned = find_warnings(found, lacks_program)
    warnings = [warning for warning in warned.warnings if warning.code not in allowed]
    return Finding(file, found.flow, warnings, warned.is_complete)


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
        "warnings": [warning_json(warning) for warning in finding.warnings],
        "proven": finding.is_proven,
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


def finding_lines(finding: Finding) -> Iterator[str]:
    """Describe a finding for people, as compilers do; in a pipe, editors jump to the place."""
    terminal = stdout()
    is_terminal = terminal.stream.isatty()
    match finding.outcome:
        case FlowSpec() as flow:
            for warning in finding.warnings:
                if is_terminal:
                    yield f"{warning_text(finding.file, warning, style_of(terminal))}\n"
                else:
                    yield warning_line(finding.file, warning)
            unproven = "" if finding.is_proven else ", too entangled to prove all of it"
            words = f"{summary(flow, len(finding.warnings))}{unproven}"
            yield visible(f"{finding.file}: valid: {words}")
        case error if is_terminal:
            yield flow_file_text(error, style_of(terminal))
        case error:
            yield str(error)


def summary(flow: FlowSpec, warnings: int) -> str:
    """Say in a few words what a valid file holds."""
    steps = "1 step" if len(flow.steps) == 1 else f"{len(flow.steps)} steps"
    last = f" and {len(flow.finally_)} in finally" if flow.finally_ else ""
    group = "" if flow.group is None else f", one run at a time of group {flow.group}"
    warned = f", {warnings} warning{'' if warnings == 1 else 's'}" if warnings else ""
    return f"{flow.flow_id}, {steps}{last}{group}{warned}"


def warning_line(file: str, warning: FlowWarning) -> str:
    """Write a warning on one line, led by its place."""
    place = ":".join(str(part) for part in (file, warning.line, warning.column) if part is not None)
    return visible(f"{place}: warning[{warning.code}]: {warning.path}: {warning.message}")
