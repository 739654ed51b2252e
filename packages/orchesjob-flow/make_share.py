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
    "environment": [
        "reference/environment.md",
        "flow-files/values.md#`env`, `working_dir`",
        "how-to/environment.md",
    ],
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
FLOW_FILE_PAGES = ("flow-files.md", "conditions.md", "flow-files/*.md")
ELSEWHERE = {
    "depends_on": "conditions",
    "when": "conditions",
    "allow_warnings": "warnings",
    **dict.fromkeys(("retry_backoff", "retry_max_delay_sec"), "retries"),
    **dict.fromkeys((f"{end}_exit_codes" for end in ("success", "skip", "retry")), "exit-codes"),
}
"""The topic with more about a field than the sections that are named after it."""


def files() -> dict[Path, str]:
    """Return every file that is made of others, with its text; an sdist has no documents."""
    made = {SHARE / path: completion(shell) for shell, path in COMPLETIONS.items()}
    if DOCUMENTS.exists():
        made[SHARE / "man" / "man1" / f"{PROGRAM}.1"] = "\n".join(manual()) + "\n"
        for command in (cli, *map(load_command, SHOWN)):
            page = COMMANDS / f"{'index' if command is cli else command.name}.md"
            option_rows = "".join(f"| {' | '.join(row)} |\n" for row in rows_of_page(command))
            table = (OPTIONS_TABLE + option_rows).replace("\\", r"\\")
            made[page] = OPTIONS.sub(table, page.read_text("utf-8"))
        for topic, lines in topics().items():
            made[INSTALLED_TOPICS / f"{topic}.txt"] = "\n".join(lines)
    return made


def topics() -> dict[str, Iterator[str]]:
    """Return the lines of each topic, by its path: the reference, the fields, the how-to guides."""
    guides = {path.stem: [f"how-to/{path.name}"] for path in DOCUMENTS.glob("how-to/*.md")}
    fields = {*FLOW.fields, *ITEM_STEP.fields} - {*TOPICS}
    tasks = guides.keys() - {"index", *TOPICS, *fields}
    return {
        **{topic: plain_pages(sources) for topic, sources in TOPICS.items()},
        "flow-files": topic_of_flow_files(),
        **{f"fields/{name}": topic_of_field(name, guides.get(name, [])) for name in fields},
        **{f"how-to/{name}": plain_pages(guides[name]) for name in tasks},
    }


def plain_pages(sources: list[str]) -> Iterator[str]:
    """Yield the lines of documents, or of sections of them."""
    for source in sources:
        yield from plain(document(source))


def topic_of_field(name: str, guides: list[str]) -> Iterator[str]:
    """Yield what a field means, the sections that have its name in their headings, and guides."""
    yield from (f"# {name}", "")
    for title, fields in (("In a flow", FLOW.fields), ("In a step", ITEM_STEP.fields)):
        if name in fields:
            yield from listed(title, [described(fields[name])])
    yield ""
    for path in (path for pages in FLOW_FILE_PAGES for path in sorted(DOCUMENTS.glob(pages))):
        for heading in re.findall(rf"^##+ (.*`{name}`.*)$", path.read_text("utf-8"), re.MULTILINE):
            yield from plain(document(f"{path.relative_to(DOCUMENTS)}#{heading}"))
    yield from plain_pages(guides)
    if name in ELSEWHERE:
        yield from (f"More: {PROGRAM} help {ELSEWHERE[name]}", "")


def rows_of_page(command: click.Command) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of a command's page; one of them is for all options that `start` has too."""
    common = set(rows(load_command("start")).values()) if command.name != "start" else set()
    yield from (row for row in rows(command).values() if row not in common)
    shared = [f"`{option}`" for option, row in rows(command).items() if row in common]
    if shared:
        yield f"[{', '.join(shared)}](start.md#options)", "Same as for `start`.", ""


def rows(command: click.Command) -> dict[str, tuple[str, str, str]]:
    """Return a row for each option of a command: how it is written, its meaning, its default."""
    context = click.Context(command, info_name=command.name)
    found = {}
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
        found[param.opts[0]] = f"[{words}]({more})" if more else words, text, default
    return found


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
    text = unlinked(text)
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


def unlinked(text: str) -> str:
    """Return a text without links, but with the addresses of those that leave the documents."""
    text = re.sub(r"!?\[([^]]*)\]\((https:[^)]*)\)", r"\1 <\2>", text)
    return re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text).replace("**", "")


def cells(lines: list[str]) -> list[list[str]]:
    """Return the heads of a table, and its rows."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if not line.startswith("| ---")]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


def described_in(source: str) -> dict[str, str]:
    """Return the rows of the first table of a document, which has two columns."""
    text = unlinked(document(source)).replace("`", "")
    lines = "".join(re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)[:1]).splitlines()
    return dict(cells(lines)[1:])


def table(lines: list[str]) -> Iterator[str]:
    """Yield the rows of a table: the first cell, and below it the others with their headings."""
    heads, *rows = cells(lines)
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
    for title, source in (
        ("EXIT STATUS", "reference/exit-codes.md"),
        ("ENVIRONMENT", "reference/environment.md"),
        ("ENVIRONMENT OF STEPS", "flow-files/values.md#`env`, `working_dir`"),
        ("FILES BESIDE THE FLOW DATABASE", "reference/files.md"),
    ):
        yield f'.SH "{title}"'
        for term, text in described_in(source).items():
            yield from entry(rf"\fB{escaped(term)}\fR", text)
    yield ".SH EXAMPLES"
    for text, example in described_in("cheat-sheet.md#Commands").items():
        yield from entry(escaped(f"{text[0].upper()}{text[1:]}:"), example)
    yield '.SH "SEE ALSO"'
    yield r"\fBcrontab\fR(5), \fBsystemd.timer\fR(5), \fBsqlite3\fR(1)"
    yield ".PP"
    yield escaped(f"{PROGRAM} help lists topics: fields of flow files, tasks, formats.")


def flow_files() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what a flow file can say: fields, conditions and names, under their headings."""
    for title, fields in (
        ("Fields of a flow", FLOW.fields),
        ("Fields of a step", ITEM_STEP.fields),
        ("Fields of an item of steps that repeats others", BLOCK.fields),
        ("Fields of a file of cases, which test runs", CASE_FILE.fields),
        ("Fields of a case", CASE.fields),
    ):
        yield title, {name: described(field) for name, field in fields.items()}
    yield "Conditions", described_in("cheat-sheet.md#Conditions")
    yield "Names in words, as ${{ NAME }}", described_in("flow-files/values.md#Names in words")


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
        if (
            isinstance(parameter, click.Option)
            and record
            and (parameter.name != "help" or command is cli)
        ):
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
