"""Write what is made of the program's help and of the documents.

The manual page and the completions in share/, and the options in the reference, come from the help.
Parts of the documents become plain text in the package, for `help TOPIC` and `validate --explain`.
After a change of a command, an option, a field of flow files or those documents, run
`python packages/orchesjob-flow/make_share.py`; a test compares.
"""

import inspect
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from flow_spec.case_file import CASE, CASE_FILE
from flow_spec.fields.records import Declaration
from flow_spec.flow import FLOW
from flow_spec.foreach import BLOCK, ITEM_STEP
from orchesjob_flow.cli.sections import SECTIONS, SHOWN, cli, load_command
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED, SIGNALLED, UNFINISHED, WRONG

PROGRAM = "orchesjob-flow"
SHARE = Path(__file__).parent / "share"
DOCUMENTS = Path(__file__).parents[2] / "docs"
COMMANDS = DOCUMENTS / "reference" / "commands"
OPTIONS_TABLE = "| Option | Meaning | Default |\n| --- | --- | --- |\n"
OPTIONS = re.compile(re.escape(OPTIONS_TABLE) + r"(?:\|.*\n)*")
MORE = {
    "db": "../files.md",
    "follow": "start.md#following",
    "output_format": "../output.md#text-and-json",
    "jobs": "../files.md#a-home-of-its-own",
    "orchesjob_bin": "../environment.md",
    "params": "../../flow-files/values.md#params",
    "progress": "start.md#progress",
    "reports": "report.md",
    "run_key_option": "../run-keys.md",
    "until": "start.md#until-a-step",
}
"""Where the reference says more about an option, by the name of its parameter."""
INSTALLED_TOPICS = Path(__file__).parent / "src" / "orchesjob_flow" / "topics"
TOPICS = {
    "conditions": ["conditions.md"],
    "durations": ["flow-files/endings.md#Durations"],
    "environment": ["reference/environment.md", "flow-files/values.md#`env`, `working_dir`"],
    "exit-codes": ["reference/exit-codes.md", "flow-files/endings.md#Exit codes"],
    "files": ["reference/files.md"],
    "foreach": ["flow-files/foreach.md"],
    "json": ["reference/json.md"],
    "run-keys": ["reference/run-keys.md"],
    "statuses": ["reference/statuses.md"],
    "warnings": ["warnings.md"],
}
"""The documents, or the sections of documents, that each topic is made of."""
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
    "run(failed), run(succeeded), run(cancelled), run(timed_out)": "how the run ends; only in the "
    "steps of finally",
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
    if DOCUMENTS.exists():
        for command in (cli, *map(load_command, SHOWN)):
            page = COMMANDS / f"{'index' if command is cli else command.name}.md"
            table = OPTIONS_TABLE + "".join(f"| {' | '.join(row)} |\n" for row in rows(command))
            made[page] = OPTIONS.sub(table.replace("\\", r"\\"), page.read_text("utf-8"))
        for topic, sources in TOPICS.items():
            lines = (line for source in sources for line in plain(document(source)))
            made[INSTALLED_TOPICS / f"{topic}.txt"] = "\n".join(lines)
    made[INSTALLED_TOPICS / "flow-files.txt"] = "\n".join(topic_of_flow_files())
    return made


def rows(command: click.Command) -> Iterator[tuple[str, str, str]]:
    """Yield a row for each option of a command: how it is written, its meaning, its default."""
    context = click.Context(command, info_name=command.name)
    for param in command.params:
        if not isinstance(param, click.Option):
            continue
        metavar = param.make_metavar(context)
        has_choices = isinstance(param.type, click.Choice) and "|" in metavar
        value = "" if param.is_flag or has_choices else f" {metavar}"
        text, _, told = str(param.help).partition(" [default: ")
        default = told.rstrip("]")
        if param.required:
            default = "required"
        elif param.is_flag:
            default = "off" if param.expose_value else ""
        elif not default and isinstance(param.default, str):
            default = f"`{param.default}`"
        elif not default and isinstance(param.default, int | float):
            default = f"`{param.default:g}`"
        if has_choices:
            choices = metavar.strip("[]").split("|")
            text += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
        words = ", ".join(f"`{word}{value}`" for word in param.opts)
        more = MORE.get(str(param.name))
        yield f"[{words}]({more})" if more else words, text, default


def document(source: str) -> str:
    """Return a document, or a section of it with those below."""
    name, _, heading = source.partition("#")
    text = (DOCUMENTS / name).read_text("utf-8")
    if not heading:
        return text
    # A comment in a fenced block is no heading.
    headings = [
        found
        for found in re.finditer(r"^```.*?^```$|^(#+) ([^\n]+)$", text, re.MULTILINE | re.DOTALL)
        if found[1]
    ]
    own = next(found for found in headings if found[2] == heading)
    ends = (one.start() for one in headings if one.start() > own.start() and one[1] <= own[1])
    return text[own.start() : next(ends, len(text))]


def plain(text: str) -> Iterator[str]:
    """Yield the lines of a document as a terminal shows them, without links and tables."""
    text = re.sub(r"!?\[([^]]*)\]\((https:[^)]*)\)", r"\1 <\2>", text)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text).replace("**", "")
    # These comments tell the tests what to try.
    text = re.sub(r"^<!-- .* -->\n", "", text, flags=re.MULTILINE)
    for block in re.findall(r"^```.*?^```$|^(?:(?!```)[^\n]+\n?)+", text, re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        if block.startswith("```"):
            yield from (f"    {line}".rstrip() for line in lines[1:-1])
        elif block.startswith("|"):
            yield from table(lines)
        elif block.startswith("#"):
            yield from lines
        else:
            for item in re.split(r"\n(?=- |\d+\. )", block):
                yield from wrapped(item, "", "  " if re.match(r"- |\d+\. ", item) else "")
        yield ""


def table(lines: list[str]) -> Iterator[str]:
    """Yield the rows of a table: the first cell, and below it the others with their headings."""
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    heads, _, *rows = [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]
    if len(heads[1:]) == 1:
        yield from listed(heads[0], heads[1:])
    for first, *others in rows:
        named = zip(heads[1:], others, strict=True)
        shown = others if len(others) == 1 else [f"{head}: {cell}" for head, cell in named if cell]
        yield from listed(first, shown)


def listed(term: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield a term, with its descriptions below."""
    yield from wrapped(term, "  ", "  ")
    for text in texts:
        yield from wrapped(text, " " * 6, " " * 6)


def wrapped(text: str, first: str, later: str) -> Iterator[str]:
    """Yield the lines of a paragraph, with what each begins with."""
    wrapper = textwrap.TextWrapper(
        79,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from wrapper.wrap(" ".join(text.split()))


def topic_of_flow_files() -> Iterator[str]:
    """Yield the lines of the topic that is made of the declarations."""
    yield "# Flow files"
    for title, rows in flow_files():
        yield from ("", f"## {title}", "")
        for term, text in rows.items():
            yield from listed(term, [text])
    yield ""


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
    yield '.SH "FLOW FILES"'
    yield "A flow is a YAML or JSON file. Keys that begin with x\\- are the user's own."
    for title, rows in flow_files():
        yield f'.SS "{title}"'
        for term, text in rows.items():
            yield from entry(rf"\fB{escaped(term)}\fR", text)
    for title, rows in (("EXIT STATUS", EXIT_CODES), ("ENVIRONMENT", VARIABLES)):
        yield f".SH {title}"
        for term, text in rows.items():
            yield from entry(rf"\fB{escaped(term)}\fR", text)


def flow_files() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what a flow file can say: fields, conditions and names, under their headings."""
    for title, fields in (
        ("Fields of a flow", FLOW.fields()),
        ("Fields of a step", ITEM_STEP.fields()),
        ("Fields of an item of steps that repeats others", BLOCK.fields()),
        ("Fields of a file of cases, which test runs", CASE_FILE.fields()),
        ("Fields of a case", CASE.fields()),
    ):
        yield title, {name: described(field) for name, field in fields.items()}
    yield "Conditions", CONDITIONS
    yield "Names in words", NAMES


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
