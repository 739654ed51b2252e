"""`test`: tries the cases of files, and tells what does not hold (rule 11.4)."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from flow_spec import FlowFileError, Problem, ReadCases, read_document
from orchesjob_flow.cli.options import FLOW_FILE, declare_format
from orchesjob_flow.errors import DONE, NOT_SUCCEEDED, WRONG
from orchesjob_flow.launch.inputs import tell_empty_lists
from orchesjob_flow.reports.ci import add_case, add_suite, add_text, legal, xml_of
from orchesjob_flow.trials import (
    Coverage,
    Tested,
    Tried,
    coverage_of,
    read_to_try,
    try_case,
)
from orchesjob_flow.views.error_layout import flow_file_text, problems_json, style_of
from orchesjob_flow.views.terminal import (
    OutputFormat,
    as_json,
    counted,
    print_json,
    print_lines,
    stdout,
    visible,
    write_result,
)

MOST_FAILURES = 10
"""How many failures of a case a person sees; a program gets all."""


@click.command()
@click.option(
    "--coverage",
    "is_covered",
    is_flag=True,
    help="List the steps and conditions that no case covers.",
)
@declare_format("junit")
@click.argument("case_files", metavar="FILE...", nargs=-1, required=True, type=FLOW_FILE)
def test(is_covered: bool, output_format: OutputFormat, case_files: tuple[str, ...]) -> int:
    """Run the cases in each FILE, which test a flow file; run none of its commands.

    A case says how steps end, and how the run must then end. NAME.test.yaml tests NAME.yaml beside
    it. The exit code is 1 if a case fails, and 2 if a file is not valid.

    \b
    Example:
      orchesjob-flow test flows/*.test.yaml
    """  # noqa: D301 - click reads \b
    tested = [test_file(file) for file in case_files]
    tell_empty_lists(*(each.case.flow for one in tested for each in one.tried))
    coverage = coverage_of(tested) if is_covered else None
    match output_format:
        case OutputFormat.JSON:
            print_json(_tested_json(tested, coverage))
        case OutputFormat.JUNIT:
            write_result(tested_junit(tested, coverage))
        case OutputFormat.TEXT:
            print_tested(tested, coverage)
    if any(isinstance(one.outcome, FlowFileError) for one in tested):
        return WRONG
    return NOT_SUCCEEDED if any(each.failures for one in tested for each in one.tried) else DONE


def test_file(file: str) -> Tested:
    """Try the cases of a file; return an error instead of raising it."""
    try:
        cases, scenarios = read_to_try(read_document(file))
    except FlowFileError as error:
        from orchesjob_flow.cli.advice import file_meant  # only after a mistake

        if error.problems[0].fact == "no such file" and (meant := file_meant(file, ".test")):
            remedy = f"did you mean {meant}?"
            error = FlowFileError(file, (Problem(f"no such file; {remedy}", help=remedy),))
        return Tested(file, error)
    tried = [try_case(*pair) for pair in zip(cases.cases, scenarios, strict=True)]
    return Tested(file, cases, tried)


def _tested_json(tested: Sequence[Tested], coverage: Sequence[Coverage] | None) -> dict[str, Any]:
    tried = [each for one in tested for each in one.tried]
    return {
        "cases": len(tried),
        "failed": sum(bool(each.failures) for each in tried),
        "files": [_file_json(one) for one in tested],
        "coverage": None if coverage is None else [_coverage_json(one) for one in coverage],
    }


def _file_json(tested: Tested) -> dict[str, Any]:
    outcome = tested.outcome
    return {
        "file": tested.file,
        "valid": isinstance(outcome, ReadCases),
        "flow_file": outcome.flow_file if isinstance(outcome, ReadCases) else None,
        "problems": [] if isinstance(outcome, ReadCases) else problems_json(outcome.problems),
        "cases": [_tried_json(one) for one in tested.tried],
    }


def _tried_json(tried: Tried) -> dict[str, Any]:
    case, run, failures = tried
    return {
        "name": case.name,
        "line": case.line,
        "passed": not failures,
        "status": run.status,
        "error": run.error,
        "steps": {step.step_id: step.status for step in run.steps},
        "failures": [
            {"message": str(one), **as_json(one, "key", "name", "expected", "actual", "reason")}
            for one in failures
        ],
    }


def _coverage_json(coverage: Coverage) -> dict[str, Any]:
    conditions = coverage.conditions
    return {
        "flow_file": coverage.flow_file,
        "flow_id": coverage.flow.flow_id,
        "steps": len(coverage.steps),
        "conditions": len(conditions),
        "never_fail": coverage.never_fail,
        "never_true": {name: conditions[name] for name in coverage.never_true},
        "never_false": {name: conditions[name] for name in coverage.never_false},
    }


def tested_junit(tested: Sequence[Tested], coverage: Sequence[Coverage] | None) -> str:
    """Write each file as a suite of test cases; that a file is not valid is an error in it."""
    root = ElementTree.Element("testsuites")
    for one in tested:
        suite = add_suite(root, one.file, time.time(), 0.0)
        for tried in one.tried:
            element = add_case(suite, tried.case.name, one.file, 0.0)
            if tried.failures:
                _add_failure(element, "failure", [str(failure) for failure in tried.failures])
        if isinstance(one.outcome, FlowFileError):
            element = add_case(suite, one.file, one.file, 0.0)
            _add_failure(element, "error", str(one.outcome).splitlines())
            continue
        path = Path(one.outcome.flow_file).resolve()
        for each in coverage or ():
            if Path(each.flow_file).resolve() == path:
                add_text(suite, "system-out", "\n".join(each.lines))
    return xml_of(root)


def _add_failure(case: ElementTree.Element, word: str, lines: Sequence[str]) -> None:
    failure = ElementTree.SubElement(case, word, type=word, message=legal(lines[0]))
    failure.text = "\n".join(map(legal, lines))


def print_tested(tested: Sequence[Tested], coverage: Sequence[Coverage] | None) -> None:
    """Print a line for each case, below it what does not hold, and the numbers at the end."""
    terminal = stdout()
    for number, one in enumerate(tested):
        if number:
            write_result("\n")
        match one.outcome:
            case ReadCases() as cases:
                print_lines([visible(f"{one.file} tests {cases.flow_file}")])
                for tried in one.tried:
                    print_tried(tried, colour=terminal.colour)
            case error if terminal.stream.isatty():
                write_result(f"{flow_file_text(error, style_of(terminal))}\n")
            case error:
                write_result(f"{error}\n")
    for each in coverage or ():
        print_lines(["", *map(visible, each.lines)])
    print_lines(["", _cases_words(tested)])


def print_tried(tried: Tried, *, colour: bool) -> None:
    """Print the line of a case, and one for each part that does not hold."""
    case, _, failures = tried
    verdict = "NG" if failures else "OK"
    if colour:
        verdict = f"\x1b[{31 if failures else 32}m{verdict}\x1b[0m"
    line = f" (line {case.line})" if failures else ""
    print_lines([f"  {verdict}  {visible(case.name)}{line}"], indent=" " * 6)
    shown = [f"      {visible(str(failure))}" for failure in failures[:MOST_FAILURES]]
    if len(failures) > MOST_FAILURES:
        shown.append(f"      ... and {len(failures) - MOST_FAILURES} more")
    print_lines(shown, indent=" " * 8)


def _cases_words(tested: Sequence[Tested]) -> str:
    tried = [each for one in tested for each in one.tried]
    wrong = sum(isinstance(one.outcome, FlowFileError) for one in tested)
    parts = [f"{counted(wrong, 'file')} not valid"] if wrong else []
    if tried or not wrong:
        failed = sum(bool(each.failures) for each in tried)
        parts = [counted(len(tried), "case"), f"{failed} failed", *parts]
    return ", ".join(parts)
