"""Write the files that are made of others: the manual page, the completions, and the warnings.

The first two come from the program's own help, and are in share/. The document about warnings is
copied into the package, for `validate --explain`. After a change of a command, an option, a field
of flow files or that document, run `python packages/orchesjob-flow/make_share.py`; a test compares.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from flow_spec.case_file import CASE, CASE_FILE
from flow_spec.fields.records import Declaration
from flow_spec.flow import FLOW
from flow_spec.foreach import BLOCK, ITEM_STEP
from orchesjob_flow.cli.sections import SECTIONS, cli, load_command
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED, SIGNALLED, UNFINISHED, WRONG

PROGRAM = "orchesjob-flow"
SHARE = Path(__file__).parent / "share"
WARNINGS = Path(__file__).parents[2] / "docs" / "warnings.md"
INSTALLED_WARNINGS = Path(__file__).parent / "src" / "orchesjob_flow" / "commands" / "warnings.md"
COMPLETIONS = {
    "bash": f"bash-completion/completions/{PROGRAM}",
    "zsh": f"zsh/site-functions/_{PROGRAM}",
    "fish": f"fish/vendor_completions.d/{PROGRAM}.fish",
}
EXIT_CODES = {
    str(DONE): "done; for start, retry, resume, watch and wait: the run SUCCEEDED",
    str(NOT_SUCCEEDED): "the run ended FAILED or CANCELLED, a case of test failed, or doctor has "
    "found a problem",
    str(WRONG): "something is wrong with the call, the flow file or the machine; "
    "one JSON object on stderr says what",
    str(UNFINISHED): "wait, status --exit-status: the run has not ended",
    ", ".join(str(SIGNALLED + number) for number in (2, 15, 1)): "interrupted by Ctrl-C, SIGTERM, "
    "SIGHUP; the steps keep running",
}
VARIABLES = {
    "ORCHESJOB_FLOW_HOME": "the folder of the database, the logs and the locks",
    "ORCHESJOB_HOME": "the folder of orchesjob; also ours if ORCHESJOB_FLOW_HOME is not set",
    "ORCHESJOB_BIN": "the orchesjob executable",
    "NO_COLOR": "if set, nothing is coloured",
}

CONDITIONS = {
    "A": "A SUCCEEDED",
    "A.failed, A.skipped, A.finished": "A FAILED; A was SKIPPED; A has ended in whatever way",
    "A.passed": "A SUCCEEDED, FAILED with allow_failure, or was SKIPPED by its own only_if or "
    "exit code",
    "A.cancelled": "A was CANCELLED; only in the steps of finally",
    "!X": "X is false: !A is true of a step that FAILED and of one that was SKIPPED",
    "X && Y, X || Y, (X)": "both; at least one; && binds more tightly than ||",
    "any(failed), all(finished), none(skipped)": "asks all steps in depends_on; in a step of "
    "finally without depends_on, all of steps",
    "any(A), all(A.failed), none(A.skipped)": "asks the copies of A, which a foreach repeats",
}
NAMES = {
    "${{ NAME }}": "a parameter or a name of foreach, put as text into a word of command, only_if, "
    "env, env_file, working_dir or concurrency.group; in a script, use the variable $NAME",
    "${{ FLOW_DIR }}, ${{ RUN_DIR }}, ${{ RUN_KEY }}": "the folder of the flow file, the "
    "directory of the run, its key",
}


def files() -> dict[Path, str]:
    """Return every file that is made of others, with its text; an sdist has no documents."""
    made = {SHARE / "man" / "man1" / f"{PROGRAM}.1": "\n".join(manual()) + "\n"}
    for shell, path in COMPLETIONS.items():
        made[SHARE / path] = completion(shell)
    if WARNINGS.exists():
        marks = re.compile(r"^<!-- .* -->\n", re.MULTILINE)  # they tell the tests what to try
        made[INSTALLED_WARNINGS] = marks.sub("", WARNINGS.read_text("utf-8"))
    return made


def completion(shell: str) -> str:
    """Ask the program for a shell's script."""
    words = [sys.executable, "-m", "orchesjob_flow", "completion", shell]
    answer = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ))
    return answer.stdout


def manual() -> Iterator[str]:
    """Yield the lines of the manual page."""
    yield f'.TH "{escaped(PROGRAM.upper())}" "1"'
    yield ".nh"  # a word of an example is never broken
    yield ".SH NAME"
    yield rf"{escaped(PROGRAM)} \- run a small graph of dependent commands through orchesjob"
    yield ".SH SYNOPSIS"
    yield rf"\fB{escaped(PROGRAM)}\fR [\fIoptions\fR] \fIcommand\fR [\fIarguments\fR]"
    yield ".SH DESCRIPTION"
    yield from paragraphs(cli)
    yield ".SH OPTIONS"
    yield from options(cli)
    for title, commands in SECTIONS.items():
        yield f'.SH "COMMANDS: {title.upper()}"'
        for name in commands:
            yield from section(load_command(name))
    yield from flow_files()
    for title, rows in (("EXIT STATUS", EXIT_CODES), ("ENVIRONMENT", VARIABLES)):
        yield f".SH {title}"
        for term, text in rows.items():
            yield from entry(rf"\fB{escaped(term)}\fR", text)


def flow_files() -> Iterator[str]:
    """Yield what a flow file can say: fields, conditions and names."""
    yield '.SH "FLOW FILES"'
    yield "A flow is a YAML or JSON file. Keys that begin with x\\- are the user's own."
    for title, fields in (
        ("Fields of a flow", FLOW.fields()),
        ("Fields of a step", ITEM_STEP.fields()),
        ("Fields of an item of steps that repeats others", BLOCK.fields()),
        ("Fields of a file of cases, which test runs", CASE_FILE.fields()),
        ("Fields of a case", CASE.fields()),
    ):
        yield f'.SS "{title}"'
        for name, field in fields.items():
            yield from entry(rf"\fB{escaped(name)}\fR", described(field))
    for title, rows in (("Conditions", CONDITIONS), ("Names in words", NAMES)):
        yield f'.SS "{title}"'
        for term, text in rows.items():
            yield from entry(rf"\fB{escaped(term)}\fR", text)


def described(field: Declaration) -> str:
    """Describe a field in one paragraph: what it means, its default, and how it is written."""
    default = field.schema().get("default")
    needed = "Required." if field.required else ""
    given = "" if default is None else f"[default: {json.dumps(default)}]"
    examples = [json.dumps(example, ensure_ascii=False) for example in field.examples]
    example = f"Example: {' or '.join(examples)}" if examples else ""
    return " ".join(filter(None, (field.doc, needed, given, example)))


def section(command: click.Command) -> Iterator[str]:
    """Yield the section of a command."""
    context = click.Context(command, info_name=command.name)
    usage = " ".join([str(command.name), *command.collect_usage_pieces(context)])
    yield f'.SS "{escaped(usage)}"'
    yield from paragraphs(command)
    yield from options(command)


def paragraphs(command: click.Command) -> Iterator[str]:
    """Yield the text of a command's help; lines that click keeps are kept here too."""
    text = inspect.cleandoc(str(command.help))  # which Python 3.13 has done already
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        marked, *lines = paragraph.splitlines()
        if marked == "\b":
            yield ".nf"
            yield from map(escaped, lines)
            yield ".fi"
        else:
            yield escaped(" ".join(paragraph.split()))


def options(command: click.Command) -> Iterator[str]:
    """Yield the options of a command, with what they mean."""
    context = click.Context(command, info_name=command.name)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            yield from entry(rf"\fB{escaped(record[0])}\fR", record[1])


def entry(term: str, text: str) -> Iterator[str]:
    """Yield a term with its description."""
    yield ".TP"
    yield term
    yield escaped(" ".join(text.split()))


def escaped(text: str) -> str:
    r"""Write a text as roff reads it: `\` and `-` escaped, no request at the start of a line."""
    shown = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{shown}" if shown.startswith((".", "'")) else shown


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
