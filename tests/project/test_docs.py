"""What the documents say is so: every command shown is run, every output shown was printed.

README.md, CONTRIBUTING.md and docs/**/*.md follow these conventions:

- A `console` block is run, line by line after each `$ `, in one bash for the whole document, in a
  throwaway home with the real orchesjob. What it prints must be what is shown, after `normalise`.
- A `terminal` block is run in the same bash, with a terminal of 80 columns in place of the pipe.
- A block after a line `<!-- file: NAME -->` is that file, written before the commands. A later
  block with the same name replaces the file before the commands below it.
- A `synopsis` block of docs/reference/commands/*.md is what click knows of the command.
- A message in a heading of docs/troubleshooting.md is one that the program has; `...` stands for
  what differs each time.
- Everything else (`bash`, `crontab`, `ini`, `yaml`, `json`, `python`) is checked, but not run.
"""

import ast
import configparser
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import cache
from itertools import batched
from pathlib import Path
from typing import Any

import attrs
import click
import pyte
import pytest
import yaml

from flow_spec import parse_flow
from flow_spec.documents.tree import Form, ScalarNode
from flow_spec.fields.messages import answer_to_key
from flow_spec.fields.predicates import FINALLY_PREDICATES, End, holds, parse_when
from flow_spec.fields.records import Declaration
from flow_spec.flow import FLOW
from flow_spec.foreach import ITEM_STEP
from flow_spec.step import STEP, WarningCode
from flow_store.database import MIGRATIONS
from orchesjob_flow.cli.options import RUN_KEY_OPTION, KeyArgument
from orchesjob_flow.cli.sections import SECTIONS, SHOWN, cli, load_command
from orchesjob_flow.errors import NoRunYet
from support.files import write_program
from support.orchesjob import Orchesjob

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("packages/*/README.md")),
]
FOR_DEVELOPERS = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
DISTRIBUTIONS = [path.name for path in sorted(ROOT.glob("packages/*"))]
BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PLACES = [ROOT, ROOT / "tests", *ROOT.glob("packages/*/src"), *ROOT.glob("packages/*/src/*/")]
"""Where the paths begin that documents name."""
PATH = r"`([\w.-]+/[\w./-]*)`"
CITATION = r"\brules? ((?:\d+\.\d+(?:, | and | to )?)+)"
HOME = "/home/me"
SHOWS_A_RUN = ("console", "terminal")
SEPARATOR = "=== the next command ==="
END_OF_FILE = "=== file ==="
TERMINAL_LINES, TERMINAL_COLUMNS = 50, 80
LONGEST_SESSION_SEC = 180  # some thirty calls, on a machine that is busy with other tests
SIDE_BY_SIDE = 4
DETACHED = ("detached", "pid")


@attrs.frozen
class Block:
    """A fenced block of a document."""

    language: str
    text: str
    file: str | None
    line: int


def blocks(document: Path, *languages: str) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    found = [
        Block(match["language"], match["text"], match["file"], text.count("\n", 0, match.start()))
        for match in BLOCK.finditer(text)
    ]
    return [block for block in found if not languages or block.language in languages]


def prose(document: Path) -> str:
    return BLOCK.sub("", document.read_text(encoding="utf-8"))


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


# Every command shown was run, every output shown was printed.


def normalise(text: str) -> str:
    """Replace what no two runs have in common: moments, durations, made keys, people, ids.

    An indented job object becomes `{...}`: what is in it depends on orchesjob's version. Columns
    are as wide as the durations in them, so they are brought to one width.
    """
    for pattern, replacement in (
        (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\+\d\d:\d\d)?", "<date>"),
        (r"\b\d+(?:\.\d)? (?:ms|s|min)\b(?: \d+ s\b)?", "<duration>"),
        (r"-\d{8}T\d{6}-[a-z0-9]{4}\b", "-<time>"),
        (r"(?<=\S) {2,}", "  "),
        (r"-{3,}", "---"),
        (r"\b\d{10}(?:\.\d+)?\b", "<timestamp>"),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<job>"),
        (r'(?s)("orchesjob_status": )\{\n.*?\n {12}\}', r"\1{...}"),
        (r'(pid": ?|\bpid |\bprocess )\d+', r"\1<pid>"),
        (r"\b(settled as \w+ by )[^,:]+(?=, <date>)", r"\1<person>"),
    ):
        text = re.sub(pattern, replacement, text)
    return text.rstrip()


def commands(block: Block) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        last = next(i for i, line in enumerate(lines) if not line.endswith("\\\n"))
        yield "".join(lines[: last + 1]).rstrip(), "".join(lines[last + 1 :])


def session(document: Path) -> list[tuple[str, str, bool]]:
    """Return the commands of a document, led by the files shown again, with their outputs.

    The last item tells whether the command has a terminal.
    """
    found: list[tuple[str, str, bool]] = []
    names: set[str | None] = set()
    again = ""
    for block in blocks(document):
        if block.file in names - {None}:
            again += f"cat > {block.file} <<'{END_OF_FILE}'\n{block.text}{END_OF_FILE}\n"
        names.add(block.file)
        for command, output in commands(block) if block.language in SHOWS_A_RUN else ():
            found.append((f"{again}{command}", output, block.language == "terminal"))
            again = ""
    return found


def run_session(
    shown: list[tuple[str, str, bool]], folder: Path, environ: dict[str, str]
) -> list[str]:
    """Run commands in one bash and return what each printed, stdout and stderr together."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (TERMINAL_LINES, TERMINAL_COLUMNS))
    tty = os.ttyname(theirs)
    lines = ["exec 2>&1"]
    for command, _, on_terminal in shown:
        lines += [f"echo '{SEPARATOR}'", "(exit ${__code-0})"]
        if on_terminal:
            lines += [f"{{ {command}", f"}} < {tty} > {tty} 2>&1", "__code=$?"]
            lines += [f"printf %s '{SEPARATOR}' > {tty}"]
        else:
            lines += [command, "__code=$?"]
    received = bytearray()
    reader = threading.Thread(target=receive, args=(ours, received))
    reader.start()
    finished = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", "\n".join(lines)],  # noqa: S607 - whichever there is
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST_SESSION_SEC,
        check=False,
    )
    os.close(theirs)
    reader.join()
    os.close(ours)
    screens = iter(received.replace(os.fsencode(folder), HOME.encode()).split(SEPARATOR.encode()))
    printed = finished.stdout.replace(str(folder), HOME).split(f"{SEPARATOR}\n")[1:]
    return [
        screen_after(bytes(next(screens))) if on_terminal else text
        for text, (_, _, on_terminal) in zip(printed, shown, strict=True)
    ]


def receive(terminal: int, received: bytearray) -> None:
    with suppress(OSError):  # Linux says EIO then
        while data := os.read(terminal, 65536):
            received += data


def screen_after(written: bytes) -> str:
    screen = pyte.Screen(TERMINAL_COLUMNS, TERMINAL_LINES)
    pyte.ByteStream(screen).feed(written)
    return "\n".join(line.rstrip() for line in screen.display)


@pytest.mark.integration
@pytest.mark.parametrize(
    "documents",
    list(batched([document for document in GUIDES if session(document)], SIDE_BY_SIDE)),
    ids=lambda documents: " ".join(map(name, documents)),
)
def test_shown_commands_print_what_is_shown(
    documents: list[Path], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """A reader who types the commands of a document sees what the document shows."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:  # mostly they wait for their steps
        printed = {
            document: pool.submit(run_document, document, tmp_path / str(number))
            for number, document in enumerate(documents)
        }
    for document, texts in printed.items():
        with subtests.test(document=name(document)):
            shown = [normalise(output) for _, output, _ in session(document)]
            assert texts.result() == shown


def run_document(document: Path, folder: Path) -> list[str]:
    """Run the commands of a document in a home of its own; return what they print, normalised."""
    home = folder / "me"
    (home / "bin").mkdir(parents=True)
    for block in reversed(blocks(document)):  # the first of a name stays
        if block.file is not None:
            (home / block.file).write_text(block.text, encoding="utf-8")
    # The reader has a `mail`, for which `validate` looks; no document sends one.
    write_program(home / "bin" / "mail", "#!/bin/false\n")
    programs = Path(sys.executable).parent
    orchesjob = Orchesjob(str(programs / "orchesjob"), folder)
    environ = {**orchesjob.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    environ["PATH"] = f"{programs}:{home}/bin:{environ['PATH']}"
    try:
        return list(map(normalise, run_session(session(document), home, environ)))
    finally:
        orchesjob.end_all()


# What cannot be run here is at least well-formed.


def shell_text(block: Block) -> str:
    if block.language == "bash":
        return block.text
    entry = re.compile(r"^(?:@\w+|(?:[\d*/,-]+\s+){5})\s*(?=\S)")
    lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
    assert all(entry.match(line) or re.match(r"^\w+=", line) for line in lines), lines
    return "\n".join(entry.sub("", line).replace(r"\%", "%") for line in lines)


@pytest.mark.parametrize("document", GUIDES, ids=name)
def test_what_is_not_run_is_well_formed(document: Path) -> None:
    """A script is good bash, a YAML or JSON block a valid flow or some other program's data.

    A unit has sections, and Python is a module. A file that is shown as wrong may be.
    """
    for block in blocks(document):
        match block.language:
            case "bash" | "crontab":
                words = ["bash", "-n", "-c", shell_text(block)]
                finished = subprocess.run(words, capture_output=True, text=True, check=False)
                assert (finished.returncode, finished.stderr) == (0, ""), block
            case "yaml" | "json" if re.search(r'\bflow_id"?:', block.text):
                if block.file is None or "wrong" not in block.file:
                    source = f"{name(document)}:{block.line}"
                    parse_flow(block.text, source=source, read_list=lambda *_: ())
            case "yaml":
                yaml.safe_load(block.text)
            case "json":
                json.loads(block.text)
            case "ini":
                unit = configparser.RawConfigParser(strict=False)
                unit.read_string(block.text)
                assert unit.sections()
            case "python":
                ast.parse(block.text)
            case other:
                assert other in {*SHOWS_A_RUN, "synopsis", "text"}


PROGRAMS = {"make", "ifeq", "ps", "kill", "actionlint"}
"""What docs/how-to/coming-from.md names of other systems that is no field of theirs."""


def fields_shown(document: Path) -> Iterator[tuple[str, str]]:
    """Yield the fields that the last column of a table gives a value, as they are written."""
    for row in re.findall(r"^\| .* \|$", document.read_text(encoding="utf-8"), re.MULTILINE):
        cell = re.split(r"(?<!\\)\|", row)[-2].replace("\\|", "|")
        for code in re.findall(r"`([a-z_]+: [^`]+)`", cell):
            yield code.partition(":")[0], code


def test_what_is_called_otherwise_here() -> None:
    """docs/how-to/coming-from.md shows fields as a flow may have them, and their names elsewhere.

    Every word of other systems in it that is a key is answered with ours (rule 6.12).
    """
    document = ROOT / "docs" / "how-to" / "coming-from.md"
    first = "flow_id: f\nsteps:\n  - {id: build, command: [make]}\n"
    shown = list(fields_shown(document))
    assert len(shown) > 20
    for field, code in shown:
        if field == "flow_id":
            text = first.replace("flow_id: f", code)
        elif field in FLOW.fields and field not in STEP.fields:
            text = f"{first}{code}\n"
        else:
            command = "" if field in {"command", "script"} else "    command: [x]\n"
            depends = "    depends_on: [build]\n" if "any(" in code else ""
            last = "finally:\n" if "run(" in code else ""
            text = f"{first}{last}  - id: x\n{command}{depends}    {code}\n"
        parse_flow(text, source=code)
    records = {record.noun: [*record.fields] for record in (FLOW, STEP)}
    known = {field for fields in records.values() for field in fields}
    for row in re.findall(r"^\| `.* \|$", document.read_text(encoding="utf-8"), re.MULTILINE):
        theirs = re.split(r"(?<!\\)\|", row)[1:-2]
        for word in re.findall(r"`([A-Za-z-]+)`", " ".join(theirs)):
            if word not in known and word not in PROGRAMS and not word.startswith("-"):
                given = {word: ScalarNode("x", Form.BARE)}
                answers = [answer_to_key(word, noun, records[noun], given) for noun in records]
                assert any(answers), word


ENDS = {
    "ok": End("SUCCEEDED", passed=True),
    "bad": End("FAILED", passed=False),
    "allowed": End("FAILED", passed=True),
    "nothing to do": End("SKIPPED", passed=True),
    "left out": End("SKIPPED", passed=False),
    "stopped": End("CANCELLED", passed=False),
}
"""The ends of a step, as docs/conditions.md calls them."""


def test_the_truth_table_is_true() -> None:
    """docs/conditions.md has every predicate, with its value for every end of a step (3.2, 3.8)."""
    text = (ROOT / "docs" / "conditions.md").read_text(encoding="utf-8")
    table = text.partition("\n| Condition | ok |")[2].partition("\n\n")[0]
    header, _, *rows = (line.strip("| ").split(" | ") for line in table.splitlines())
    assert ["ok", *header] == [*ENDS]
    asked = set()
    for conditions, *values in rows:
        for condition in map(parse_when, re.findall(r"`([^`]+)`", conditions)):
            (operand,) = condition.operands
            asked.add(operand.predicate)
            for end, value in zip(ENDS.values(), values, strict=True):
                answer = condition.evaluate({operand: holds(operand.predicate, end)})
                assert str(answer).lower() == value, (condition, end)
    assert asked == {None, *FINALLY_PREDICATES}


def texts(block: Block) -> list[str]:
    """Return the texts in which a block may call the program."""
    if block.language == "python":
        nodes = ast.walk(ast.parse(block.text))
        return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    if block.language in SHOWS_A_RUN:
        return [command for command, _ in commands(block)]
    return [block.text]


def invocations(text: str) -> Iterator[list[str]]:
    joined = text.replace("\\\n", " ")
    for match in re.finditer(
        r"(?<![\w./-])(?:[\w/~.-]*/bin/)?orchesjob-flow (?=-{0,2}[a-z])(.*)", joined
    ):
        yield arguments(match[1])


def arguments(line: str) -> list[str]:
    """Return the words up to the end of a command, which may stand within another's quotes."""
    line = re.sub(r"\s\d?(?=[<>])", " ", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if word.startswith(tuple("|&;<>()")):
                break
            words.append(word)
    except ValueError:  # a quote that was opened before the program's name
        return arguments(line[: max(line.rfind("'"), line.rfind('"'))])
    return words


def parse_arguments(words: list[str]) -> None:
    """Parse arguments as the program does.

    Raises:
        click.UsageError: It would refuse them.
    """
    context = click.Context(cli, info_name="orchesjob-flow")
    _, rest, _ = cli.make_parser(context).parse_args(list(words))
    if rest:
        command = cli.get_command(context, rest[0])
        if command is None:
            raise click.UsageError(f"no command {rest[0]!r}")
        command.make_context(rest[0], rest[1:], parent=context)


@pytest.mark.parametrize("document", GUIDES, ids=name)
def test_shown_calls_of_the_program_are_valid(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands and options that a document shows exist, in what cannot be run here too."""
    monkeypatch.setenv("ORCHESJOB_FLOW_HOME", str(tmp_path))
    inline = [Block("text", code, None, 0) for code in re.findall(r"`([^`\n]+)`", prose(document))]
    shown = [block for block in blocks(document) if block.language != "synopsis"]
    for block in [*shown, *inline]:
        for words in (words for text in texts(block) for words in invocations(text)):
            try:
                parse_arguments(words)
            except click.UsageError as error:
                pytest.fail(f"{name(document)}: orchesjob-flow {words}: {error.format_message()}")
            except (click.exceptions.Exit, NoRunYet):
                pass  # --help; or `-`, the newest run, of which there is none here


# Links lead somewhere, and what is named exists.


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_resolve(document: Path) -> None:
    """Every relative link leads to a file, and its anchor to a heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_no_document_is_out_of_reach() -> None:
    """Every document can be reached from the README by links."""
    found, todo = {ROOT / "README.md"}, [ROOT / "README.md"]
    while todo:
        document = todo.pop()
        for target in re.findall(r"\]\((?!https:)([^)#\s]+\.md)", prose(document)):
            file = (document.parent / target).resolve()
            if file not in found:
                found.add(file)
                todo.append(file)
    assert set(DOCUMENTS) <= found


@pytest.mark.parametrize("document", sorted({*GUIDES} - {*FOR_DEVELOPERS}), ids=name)
def test_named_files_exist(document: Path) -> None:
    """A module or folder that a document for users names in passing is there."""
    ours = {path.name for place in PLACES for path in place.iterdir()}
    for path in re.findall(PATH, prose(document)):
        if path.partition("/")[0] in ours:
            assert any((place / path).exists() for place in PLACES), path
    patterns = ("*.py", "examples/**/*.py", "tests/**/*.py", "packages/**/*.py")
    modules = {path.name for pattern in patterns for path in ROOT.glob(pattern)}
    trees = "".join(block.text for block in blocks(document, "text"))
    assert set(re.findall(r"(?<![\w/])\w+\.py\b", prose(document) + trees)) <= modules


def test_named_tests_exist() -> None:
    """Every test or invariant that a document names is there, under that very name."""
    named = {
        (path, function)
        for document in DOCUMENTS
        for path, function in re.findall(r"`([\w./-]+\.py)::(\w+)`", prose(document))
    }
    assert len(named) > 30
    for path, function in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {function}\b", source, re.MULTILINE), f"{path}::{function}"


def test_named_sessions_exist() -> None:
    """Every session of `noxfile.py` that a document names is one."""
    source = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = set(re.findall(r"^def (\w+)\(session: nox\.Session\)", source, flags=re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        named = re.findall(r"noxfile\.py -s ((?:[a-z]+ ?)+)", text)
        assert {word for words in named for word in words.split()} <= sessions, name(document)


def test_cited_rules_exist() -> None:
    """Every rule that code, tests or documents cite is in docs/rules.md."""
    rules = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    written = set(re.findall(r"^- \*\*(\d+\.\d+)\*\*", rules, flags=re.MULTILINE))
    sources = [*DOCUMENTS, *ROOT.glob("packages/*/*/**/*.py"), *ROOT.glob("tests/**/*.py")]
    cited = {
        number: name(source)
        for source in sources
        for row in re.findall(CITATION, source.read_text(encoding="utf-8"))
        for number in re.findall(r"\d+\.\d+", row)
    }
    assert {number: cited[number] for number in cited.keys() - written} == {}


# Nothing is left undocumented.


REFERENCE = ROOT / "docs" / "reference"
COMMANDS = REFERENCE / "commands"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
PUBLIC = [load_command(name) for name in SHOWN]


def page_of(command: str) -> str:
    return (COMMANDS / f"{command}.md").read_text(encoding="utf-8")


def section(page: Path, heading: str) -> str:
    text = page.read_text(encoding="utf-8")
    return re.split(r"^#+ ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]


def usage(param: click.Parameter, context: click.Context) -> str:
    if isinstance(param, click.Option):
        spelled = param.opts[0] if param.is_flag else f"{param.opts[0]} {metavar(param, context)}"
    else:
        spelled = metavar(param, context)
    spelled = spelled if param.required else f"[{spelled}]"
    return f"{spelled}..." if param.multiple else spelled


def metavar(param: click.Parameter, context: click.Context) -> str:
    """Name the value of an option or an argument: as declared, by its choices, or by one word."""
    if param.metavar is not None:
        return param.metavar.strip("[]")
    if isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    return param.make_metavar(context).strip("[]")


def test_the_reference_has_the_sections_of_the_help() -> None:
    """The reference has a page for each command, in the sections and in the order of the help."""
    rows = re.findall(r"^\| (\w+) \| (\[.*) \|$", page_of("index"), flags=re.MULTILINE)
    listed = {title: re.findall(r"\[`(\w+)`\]\(\1\.md\)", row) for title, row in rows}
    assert list(listed.items()) == [(title, [*commands]) for title, commands in SECTIONS.items()]
    assert {path.stem for path in COMMANDS.iterdir()} == {"index", *SHOWN}


@pytest.mark.parametrize("command", PUBLIC, ids=lambda command: str(command.name))
def test_every_synopsis_is_what_the_program_takes(command: click.Command) -> None:
    """The page of each command in the reference is led by its options and arguments.

    The run key comes first; that an option may give it instead is said once for all (rule 6.12).
    """
    context = click.Context(command, info_name=f"orchesjob-flow {command.name}")
    options = [param for param in command.params if isinstance(param, click.Option)]
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    key = [param for param in arguments if isinstance(param, KeyArgument)]
    params = [
        *key,
        *(param for param in options if not (key and param.name == RUN_KEY_OPTION)),
        *(param for param in arguments if param not in key),
    ]
    words = [context.command_path, *(usage(param, context) for param in params)]
    (synopsis,) = re.findall(r"```synopsis\n(.*?)```", page_of(str(command.name)), re.DOTALL)
    assert synopsis.split() == " ".join(words).split()


@pytest.mark.parametrize(
    ("heading", "fields"),
    [("Fields of the flow", FLOW.fields), ("Fields of a step", ITEM_STEP.fields)],
)
def test_every_field_has_its_row(heading: str, fields: dict[str, Declaration]) -> None:
    """docs/flow-files.md has each field that a flow file may have, with its default."""
    text = section(ROOT / "docs" / "flow-files.md", heading)
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| ([^|]+) \|[^|]+\|$", text, flags=re.MULTILINE))
    assert set(rows) == set(fields)
    for name, field in fields.items():
        default = field.schema().get("default")
        if field.required:
            assert rows[name] == "required"
        elif default is not None:
            assert yaml.safe_load(rows[name].strip("`")) == json.loads(json.dumps(default))


def test_every_key_of_the_json_is_documented(flow: Any) -> None:
    """The reference has every key that `start` and `status` print of a run and its steps."""
    file = flow.write({"id": "a", "command": ["true"]})
    run = flow.ask("start", "--run-key=k", "-d", file)
    page = REFERENCE / "json.md"
    for heading, keys in (
        ("Keys of the run", [key for key in run if "log" not in key and key not in DETACHED]),
        ("Keys of a step", list(run["steps"][0])),
        ("Keys of start -d", [key for key in run if "log" in key or key in DETACHED]),
    ):
        assert re.findall(r"^\| `(\w+)` \|", section(page, heading), flags=re.MULTILINE) == keys


def test_every_warning_is_shown(flow: Any) -> None:
    """docs/warnings.md has a file for each code, with this warning and no other (rule 11.2)."""
    for block in blocks(ROOT / "docs" / "warnings.md", "yaml"):
        (flow.folder / str(block.file)).write_text(block.text, encoding="utf-8")
    (flow.folder / "shops.txt").write_text("berlin\n", encoding="utf-8")
    expected = {f"{code}.yaml": {code.value} for code in WarningCode} | {"meant.yaml": set()}
    found = flow.ask("validate", *expected)["files"]
    assert {each["file"]: {one["code"] for one in each["warnings"]} for each in found} == expected


def keys_of(value: object) -> Iterator[str]:
    match value:
        case dict():
            yield from value
            yield from (key for part in value.values() for key in keys_of(part))
        case list():
            yield from (key for part in value for key in keys_of(part))


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("list", []),
        ("stats", []),
        ("explain", ["--run-key=k"]),
        ("doctor", []),
        ("resume", ["--all"]),
        ("prune", ["--older-than=0s", "--dry-run"]),
        ("validate", ["flow.json"]),
    ],
)
def test_every_key_of_a_command_is_documented(flow: Any, command: str, options: list[str]) -> None:
    """A command's page in the reference has the keys of its JSON."""
    file = flow.write(
        {"id": "a", "command": ["true"]}, {"id": "b", "when": "a", "command": ["true"]}
    )
    flow.start("k", file)
    printed = flow.ask(command, *options)
    assert {key for key in keys_of(printed) if f"`{key}`" not in page_of(command)} == set()


# The symptoms of trouble are those that the program shows.


@cache
def messages() -> str:
    """Return every text in the sources of the packages, a line each, with `...` for its holes."""
    sources = [path.read_text(encoding="utf-8") for path in ROOT.glob("packages/*/src/**/*.py")]
    return "\n".join(
        template
        for source in sources
        for node in ast.walk(ast.parse(source))
        if (template := template_of(node)) is not None
    )


def template_of(node: ast.AST) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text.replace("\n", " ")
        case ast.JoinedStr(values=parts):
            return "".join(template_of(part) or "..." for part in parts)
        case _:
            return None


def test_the_stable_tables_are_there() -> None:
    """The tables and columns that docs/reference/database.md promises are those of the database."""
    rows = re.findall(
        r"^\| (.+) \| (.+) \|$",
        section(REFERENCE / "database.md", "Tables"),
        re.MULTILINE,
    )
    promised = {
        table: set(re.findall(r"`(\w+)`", columns))
        for names, columns in rows
        for table in re.findall(r"`(\w+)`", names)
    }
    assert promised.keys() == {"runs", "steps", "attempts"}
    with closing(sqlite3.connect(":memory:")) as database:
        for script in MIGRATIONS:
            database.executescript(script)
        ((application_id,),) = database.execute("PRAGMA application_id")
        page = (REFERENCE / "database.md").read_text("utf-8")
        assert f"`PRAGMA application_id` is {application_id} " in page
        for table, columns in promised.items():
            there = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
            assert columns <= there


def test_no_message_names_a_document() -> None:
    """An installed program has no documents: it names commands, and has texts of its own (6.16)."""
    assert re.findall(r"\bdocs/|\w\.md\b", messages()) == []


def quoted_messages() -> list[str]:
    text = prose(TROUBLESHOOTING)
    headings = re.findall(r"^### (.+)$|^(`[^`]+`)$", text, flags=re.MULTILINE)
    quoted = re.findall(r"`([^`]+)`", "\n".join("".join(heading) for heading in headings))
    return [message for message in quoted if not message.startswith('"')]


def is_message(quoted: str) -> bool:
    pattern = r"[^\n]*".join(map(re.escape, re.split(r"\s*\.\.\.\s*", quoted)))
    return re.search(pattern, messages()) is not None


@pytest.mark.parametrize("quoted", quoted_messages())
def test_every_symptom_is_a_message_of_the_program(quoted: str) -> None:
    """Who looks up a message in docs/troubleshooting.md finds it as it was printed."""
    assert is_message(quoted)


def test_every_entry_has_a_cause_and_a_remedy() -> None:
    """Each symptom in docs/troubleshooting.md is followed by why it is there and what helps."""
    entries = re.split(r"^#{2,3} ", TROUBLESHOOTING.read_text(encoding="utf-8"), flags=re.MULTILINE)
    halves = [(entry.count("**Cause.**"), entry.count("**Remedy.**")) for entry in entries[1:]]
    assert set(halves) <= {(0, 0), (1, 1)}
    assert halves.count((1, 1)) > 25


# On the index, the name of the program is that of another implementation.


INDEX_INSTALL = re.compile(
    r"\b(?:pip3?|pipx|uvx?|poetry|conda)\b(?![^\n`]*[ '](?:--no-index|uninstall|upgrade) )"
    r"[^\n`]*?(?<=[\s'\"])"
    rf"(?:{'|'.join(DISTRIBUTIONS)})(?=[\s'\"`\[=<>~!@]|$)",
    re.MULTILINE,
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_document_installs_our_names_from_an_index(document: Path) -> None:
    """The index has another program of our name: a checkout is installed, or a folder alone."""
    assert INDEX_INSTALL.findall(document.read_text(encoding="utf-8")) == []
