"""`validate`: flow files are read and checked, and nothing is recorded (rules 9.1 and 11.2).

`flow_spec` finds the problems of a file and the likely mistakes. This command finds the programs
that are missing here, as far as that is known before a run, and prints everything.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import click

from flow_spec import (
    FlowFileError,
    FlowSpec,
    FlowWarning,
    Problem,
    ReadCases,
    WarningCode,
    find_warnings,
    read_document,
)
from orchesjob_flow.cli.options import FLOW_FILE, declare_format, param_option
from orchesjob_flow.cli.sections import topic_text
from orchesjob_flow.errors import DONE, WRONG
from orchesjob_flow.launch.inputs import is_program_missing, list_reader, read_to_run
from orchesjob_flow.views.error_layout import (
    flow_file_text,
    problems_json,
    style_of,
    warning_json,
    warning_text,
)
from orchesjob_flow.views.terminal import (
    OutputFormat,
    counted,
    print_json,
    stdout,
    visible,
    write_result,
)

CODE_CHOICE = click.Choice([code.value for code in WarningCode])


def _print_section(ctx: click.Context, _param: click.Parameter, code: str | None) -> None:
    if code is None:
        return
    for section in re.split(r"^## ", topic_text("warnings"), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        if title == code:
            write_result(f"{code}\n{text.rstrip()}\n")
    ctx.exit()


@click.command()
@click.option(
    "--explain",
    metavar="CODE",
    type=CODE_CHOICE,
    callback=_print_section,
    is_eager=True,
    expose_value=False,
    help="Explain the warning with this code, and how to fix it; check nothing.",
)
@click.option("--strict", is_flag=True, help="Exit with 2 if there are warnings.")
@click.option(
    "--allow",
    "allowed",
    metavar="CODE",
    type=CODE_CHOICE,
    multiple=True,
    help="Ignore the warnings with this code; repeatable.",
)
@param_option
@declare_format("github")
@click.argument("flow_files", metavar="FLOW_FILE...", nargs=-1, required=True, type=FLOW_FILE)
def validate(
    strict: bool,
    allowed: tuple[str, ...],
    params: dict[str, str],
    output_format: OutputFormat,
    flow_files: tuple[str, ...],
) -> int:
    """Check flow files, and show each problem and likely mistake with its place.

    Nothing is recorded. The exit code is 2 if anything is wrong; warnings alone leave it at 0.
    Files of cases, which `test` runs, are checked too.

    \b
    Example:
      orchesjob-flow validate flows/*.yaml
    """  # noqa: D301 - click reads \b
    # Without --param, no parameter needs a value.
    findings = [check(file, params or None, allowed) for file in flow_files]
    if output_format is OutputFormat.JSON:
        print_json({"files": [_finding_json(finding) for finding in findings]})
    elif output_format is OutputFormat.GITHUB:
        write_result("".join(map(_annotations, findings)))
    else:
        write_result("".join(f"{line}\n" for each in findings for line in finding_lines(each)))
    is_warned = strict and any(finding.warnings for finding in findings)
    return DONE if all(finding.is_valid for finding in findings) and not is_warned else WRONG


class CheckedFile(NamedTuple):
    """The result of checking one file: its flow and the warnings, its cases, or the error."""

    file: str
    outcome: FlowSpec | ReadCases | FlowFileError
    warnings: Sequence[FlowWarning] = ()
    is_proven: bool | None = None
    """Whether the proofs were completed; None where there is no flow."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What is wrong with it."""
        return self.outcome.problems if isinstance(self.outcome, FlowFileError) else ()

    @property
    def is_valid(self) -> bool:
        """Whether the file holds a flow, or cases."""
        return not isinstance(self.outcome, FlowFileError)


def check(file: str, params: Mapping[str, str] | None, allowed: Collection[str]) -> CheckedFile:
    """Read and check a file; return an error instead of raising it."""
    try:
        document = read_document(file)
        if document.holds_cases:
            from orchesjob_flow.trials import read_to_try

            return CheckedFile(file, read_to_try(document)[0])
        found = read_to_run(document, {}, params, list_reader(file))
    except FlowFileError as error:
        return CheckedFile(file, error)
    warned = find_warnings(found, is_program_missing)
    warnings = [_with_more(warning) for warning in warned.warnings if warning.code not in allowed]
    return CheckedFile(file, found.flow, warnings, warned.is_complete)


def _with_more(warning: FlowWarning) -> FlowWarning:
    more = f"; more: orchesjob-flow validate --explain {warning.code}"
    return attrs.evolve(warning, message=warning.message + more, help=f"{warning.help}{more}")


def _finding_json(finding: CheckedFile) -> dict[str, Any]:
    outcome = finding.outcome
    flow = outcome if isinstance(outcome, FlowSpec) else None
    return {
        "file": finding.file,
        "valid": finding.is_valid,
        "flow_id": flow and flow.flow_id,
        "steps": flow and len(flow.steps),
        "finally": flow and len(flow.finally_),
        "group": flow and flow.group,
        "cases": len(outcome.cases) if isinstance(outcome, ReadCases) else None,
        "problems": problems_json(finding.problems),
        "warnings": [warning_json(warning) for warning in finding.warnings],
        "proven": finding.is_proven,
    }


def _annotations(finding: CheckedFile) -> str:
    from orchesjob_flow.reports.ci import annotation

    return "".join(
        annotation(
            "warning" if isinstance(one, FlowWarning) else "error",
            one.message if one.path is None else f"{one.path}: {one.message}",
            file=finding.file,
            line=one.line,
            col=one.column,
            title=getattr(one, "code", None),
        )
        for one in (*finding.warnings, *finding.problems)
    )


def finding_lines(finding: CheckedFile) -> Iterator[str]:
    """Describe a finding for people, as compilers do; in a pipe, editors jump to the place."""
    terminal = stdout()
    is_terminal = terminal.stream.isatty()
    match finding.outcome:
        case FlowSpec() as flow:
            for warning in finding.warnings:
                if is_terminal:
                    yield f"{warning_text(finding.file, warning, style_of(terminal))}\n"
                else:
                    yield _warning_line(finding.file, warning)
            unproven = "" if finding.is_proven else ", too complex to check completely"
            words = f"{_summary(flow, len(finding.warnings))}{unproven}"
            yield visible(f"{finding.file}: valid: {words}")
        case ReadCases() as found:
            cases = counted(len(found.cases), "case")
            yield visible(f"{finding.file}: valid: {cases} of {found.flow_file}")
        case error if is_terminal:
            yield flow_file_text(error, style_of(terminal))
        case error:
            yield str(error)


def _summary(flow: FlowSpec, warnings: int) -> str:
    steps = counted(len(flow.steps), "step")
    last = f" and {len(flow.finally_)} in finally" if flow.finally_ else ""
    group = "" if flow.group is None else f", one run at a time of group {flow.group}"
    warned = f", {counted(warnings, 'warning')}" if warnings else ""
    return f"{flow.flow_id}, {steps}{last}{group}{warned}"


def _warning_line(file: str, warning: FlowWarning) -> str:
    place = ":".join(str(part) for part in (file, warning.line, warning.column) if part is not None)
    return visible(f"{place}: warning[{warning.code}]: {warning.path}: {warning.message}")
