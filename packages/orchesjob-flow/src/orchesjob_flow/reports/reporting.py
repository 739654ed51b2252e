"""The report of a run as it is now, in each format, and writing it to a file (rule 12.1).

A reader of the file finds the old report or the new one, never a part.

The short Markdown text is here: the summary of a CI job, a comment, a chat. GitHub accepts a
mebibyte, others less. This text has at most 64 KB, no matter how many steps there are. The least
important steps are left out, and the text says how many.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from flow_spec import FlowFileError, read_document
from flow_store import Attempt, Run, StepStatus, StoreError
from orchesjob_flow.clock import now
from orchesjob_flow.errors import FlowError, NotOurReport, ReportNotWritten, UnusableOrchesjobHome
from orchesjob_flow.explanation import Explained, explain_steps, sentence
from orchesjob_flow.home import RunHandle, Snapshot, last_recorded
from orchesjob_flow.reasons import went_wrong
from orchesjob_flow.reports.facts import (
    Facts,
    SpanKind,
    StepFacts,
    Tail,
    Why,
    endings_text,
    facts_of,
    headline,
)
from orchesjob_flow.views.step_output import Choice, OutputFile, Source, files_of
from orchesjob_flow.views.terminal import counted, duration_text, visible, visible_with_tabs, warn

MOST_REPORTED_PARTS = 50
"""The parts of a longer condition are not listed."""
REPORTED_LINES = 20
"""How many lines are shown of each of the two streams."""
REPORTED_BYTES = 8 * 1024
"""How much of these lines is shown: one line can be as long as a whole file."""
MOST_OUTPUT = 200_000
"""How many characters of the output of all attempts a page shows, about."""
MOST_STEPS_WITH_OUTPUT = 20
"""The output of so many failed steps is shown."""
ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
GENERATOR = b'<meta name="generator" content="orchesjob-flow '
"""The head of each page holds this."""
HEAD = 4096
"""The head of a page is within so many bytes."""
MOST_BYTES = 64_000
FOR_TAILS = 24_000
"""The part of it that the output of failed steps may take."""
LONGEST_TEXT = 300
MOST_TAILS, LINES_OF_TAIL = 5, 20
ACTIVE = re.compile(r"[]\\`*_[<>&|~@#$!]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
TICKS = re.compile(r"`+")
MARKS = {
    StepStatus.SUCCEEDED: "✅",
    StepStatus.FAILED: "❌",
    StepStatus.SKIPPED: "⏭️",
    StepStatus.CANCELLED: "🚫",
    StepStatus.RUNNING: "▶️",
    StepStatus.DELAYED: "⏳",
    StepStatus.PENDING: "⚪",
}
TABLE_HEAD = "| Step | Status | Attempts | Ran | Why |\n| --- | --- | --- | ---: | --- |\n"


def write_reports(handle: RunHandle, reports: Sequence[tuple[str, str]]) -> None:
    """Write reports of a run that has ended, each a format and a file.

    How the run ended stays its outcome: a report that cannot be written is a warning.
    """
    for report_format, file in reports:
        try:
            write_file(Path(file), report_of(handle, report_format))
        except (FlowError, StoreError) as error:
            warn(f"{error}; `orchesjob-flow report` writes it again")


def report_of(handle: RunHandle, report_format: str) -> str:
    """Write the report of a run as it is now."""
    with handle.open_readonly() as store:
        run, attempts = handle.load(store), store.attempts(handle.run_key)
    facts = facts_now(Snapshot(run, handle.holder()), attempts)
    if report_format == "html":
        facts = facts._replace(outputs=outputs_of(facts, attempts))
    return writer_of(report_format)(facts)


def writer_of(report_format: str) -> Callable[[Facts], str]:
    """Return the function that writes a format; only what that format needs is imported."""
    match report_format:
        case "junit" | "github":
            from orchesjob_flow.reports.ci import as_annotations, as_junit

            return as_junit if report_format == "junit" else as_annotations
        case "trace":
            from orchesjob_flow.reports.trace import as_trace

            return as_trace
        case "markdown":
            return as_markdown
        case _:
            from orchesjob_flow.reports.page import as_html

            return as_html


def facts_now(snapshot: Snapshot, attempts: Sequence[Attempt]) -> Facts:
    """Collect what happened in a run so far, with the last output of what went wrong."""
    run, stale = snapshot.run, snapshot.stale
    explained = explain_steps(run, None, stale)
    wrong = [one.step.step_id for one in explained if went_wrong(one.step)]
    why, tails = explanations(explained), tails_of(run, attempts, wrong)
    known_until = last_recorded(run) if snapshot.is_idle else now().wall
    facts = facts_of(run, attempts, why, tails, known_until)
    return facts._replace(is_abandoned=snapshot.is_abandoned, stale=stale)


def explanations(explained: Iterable[Explained]) -> Mapping[str, Why]:
    """Return why the steps ran or not, by their ids."""
    return {one.step.step_id: Why(sentence(one), _condition_parts(one)) for one in explained}


def _condition_parts(explained: Explained) -> Sequence[str]:
    parts = () if explained.condition is None else explained.condition.lines
    return parts if len(parts) <= MOST_REPORTED_PARTS else ()


def tails_of(
    run: Run, attempts: Sequence[Attempt], step_ids: Iterable[str]
) -> Mapping[str, tuple[Tail, ...]]:
    """Read the last output of the latest attempts of the first of some steps.

    Empty output is left out. stderr comes first: it mostly says what was wrong.
    """
    numbers = {step.step_id: step.attempt_no for step in run.steps}

    def read(step_id: str) -> Iterator[Tail]:
        choice = Choice(step_id, numbers[step_id], ("stderr", "stdout"))
        for source, path in files_of(run, attempts, choice).items():
            if source.step_id == step_id and (tail := read_tail(source, path)) is not None:
                yield tail

    return {step_id: tuple(read(step_id)) for step_id in list(step_ids)[:MOST_STEPS_WITH_OUTPUT]}


def outputs_of(
    facts: Facts, attempts: Sequence[Attempt]
) -> Mapping[tuple[str, int], Sequence[Tail]]:
    """Read the last output of all attempts while there is room, first of what went wrong."""
    found: dict[tuple[str, int], list[Tail]] = {}
    wrong, room = {one.id for one in facts.steps if one.went_wrong}, MOST_OUTPUT
    with suppress(UnusableOrchesjobHome):
        files = files_of(facts.run, attempts, Choice(every=True))
        for source in sorted(files, key=lambda source: source.step_id not in wrong):
            tail = read_tail(source, files[source]) if room > 0 else None
            if tail is not None and not tail.is_missing:
                room -= len(tail.text)
                found.setdefault((source.step_id, source.number), []).append(tail)
    return found


def read_tail(source: Source, path: Path) -> Tail | None:
    """Read the end of a file; None if the file is empty."""
    file = OutputFile(path)
    left_out = file.skip_to_last(REPORTED_LINES, REPORTED_BYTES)
    shown = visible(str(path))
    try:
        data = b"".join(file.read())[:REPORTED_BYTES]
    except OSError:
        return Tail(source.stream, "", 0, shown, is_missing=True)
    lines = data.decode("utf-8", "backslashreplace").rstrip("\n").split("\n")
    text = "\n".join(map(final_text, lines))
    return Tail(source.stream, text, left_out, shown) if text else None


def final_text(line: str) -> str:
    r"""Return what a terminal shows of a line in the end, without colours.

    >>> final_text("10 %\r\x1b[32m100 %\x1b[0m\r"), final_text("a\tb\x00")
    ('100 %', 'a\tb\\x00')
    """
    plain = ESCAPE_SEQUENCE.sub("", line).rstrip("\r").rpartition("\r")[2]
    return visible_with_tabs(plain)


def write_file(path: Path, text: str, mode: int | None = None) -> None:
    """Write a text to a file, and replace what it held; a symbolic link stays a link.

    A file gets this `mode`, or the usual mode without the bits of the umask.

    Raises:
        ReportNotWritten: It cannot be written, or is not a file; what was there is unchanged.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        refuse_other_kinds(path)
        replace(Path(os.path.realpath(path)), data, mode)
    except ReportNotWritten:
        raise
    except OSError as error:
        raise ReportNotWritten(path, error.strerror or str(error)) from error


def refuse_destination(path: Path, flow_file: str | None = None) -> None:
    """Refuse a file that could not be written later, or that must not be replaced (rule 12.1).

    `flow_file` is that of the run, if it is known.

    Raises:
        ReportNotWritten: Its folder is missing, it is not a regular file, or it is a flow file.
    """
    if not path.parent.is_dir():
        raise ReportNotWritten(path, f"there is no folder {path.parent}")
    refuse_other_kinds(path)
    if path.exists() and (is_same_file(path, flow_file) or holds_flow(path)):
        raise ReportNotWritten(path, "it is a flow file")


def refuse_other_kinds(path: Path) -> None:
    """Refuse what is there but not a regular file: a pipe that nobody reads would block.

    Raises:
        ReportNotWritten: It is a folder, a pipe, a device or the like, or a link of another user.
    """
    if path.is_symlink() and path.lstat().st_uid not in (0, os.geteuid()):
        raise ReportNotWritten(path, "it is a link of another user")
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file"
        raise ReportNotWritten(path, f"it is {what}")


def is_same_file(path: Path, flow_file: str | None) -> bool:
    """Whether both name one file, perhaps through a link."""
    with suppress(OSError):
        return flow_file is not None and path.samefile(flow_file)
    return False


def holds_flow(path: Path) -> bool:
    """Whether a file holds a flow, a valid one or not."""
    try:
        return read_document(path).holds_flow
    except FlowFileError:
        return False


def read_head(path: Path, *, follows_link: bool = False) -> bytes:
    """Read the head of a page of ours; empty if there is no file.

    Raises:
        NotOurReport: It is not a regular file, or a file that we have not written; or it is a link,
            unless `follows_link`.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follows_link else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise NotOurReport(path) from error
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        head = os.read(descriptor, HEAD) if is_file else b""
    finally:
        os.close(descriptor)
    if GENERATOR not in head:
        raise NotOurReport(path)
    return head


def replace(path: Path, data: bytes, mode: int | None) -> None:
    """Write a file beside the path, and then rename it."""
    beside = path.with_name(f".{path.name[:200]}.{os.getpid()}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def as_markdown(facts: Facts) -> str:
    """Write what happened, the last output of failed steps, and a table of the steps."""
    run = facts.run
    mark = MARKS[StepStatus(run.status.value)]
    text = f"## {mark} {inert(run.run_key)} {run.status.value}\n\n"
    text += f"Flow {inert(run.flow_id)}. {inert(headline(facts))}\n\n"
    text += f"{inert(facts.flow.about)}\n\n" if facts.flow.about else ""
    text += "".join(last_outputs(facts))
    rows, left_out = chosen_rows(
        facts.steps, MOST_BYTES - _byte_size(text + TABLE_HEAD) - LONGEST_TEXT
    )
    text += TABLE_HEAD + "".join(rows)
    if left_out:
        shown = f"{counted(left_out, 'step')} that matter less are left out"
        text += f"\n{len(rows):,} of {counted(len(facts.steps), 'step')}: {shown}.\n"
    return text


def inert(text: str) -> str:
    """Escape Markdown and HTML in a text, and write it on one line; cut a long one.

    >>> print(inert("*a*|<b>: www.c, http://d"))
    &#42;a&#42;&#124;&#60;b&#62;: www&#46;c, http&#58;//d
    """
    shown = visible(text)
    if len(shown) > LONGEST_TEXT:
        shown = f"{shown[:LONGEST_TEXT]}..."
    return ACTIVE.sub(lambda found: f"&#{ord(found[0])};", shown)


def last_outputs(facts: Facts) -> Iterator[str]:
    """Yield the last output of the first steps that failed, while there is room."""
    room = FOR_TAILS
    with_tails = [one for one in facts.steps if one.tails]
    for one in with_tails[:MOST_TAILS]:
        for tail in one.tails:
            block = f"The end of {tail.stream} of {inert(one.id)}:\n\n{fenced(tail)}\n"
            room -= _byte_size(block)
            if room < 0:
                return
            yield block


def fenced(tail: Tail) -> str:
    """Put lines into a code block with a fence that they do not contain."""
    if tail.is_missing:
        return f"The file {inert(tail.path)} is missing.\n"
    text = "\n".join(tail.text.split("\n")[-LINES_OF_TAIL:])
    fence = "`" * max(3, 1 + max(map(len, TICKS.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}\n"


def chosen_rows(steps: Sequence[StepFacts], room: int) -> tuple[list[str], int]:
    """Return the rows of the most important steps, in the order of the file, and count the rest."""
    chosen: dict[int, str] = {}
    for place in sorted(range(len(steps)), key=lambda place: row_priority(steps[place])):
        row = row_of(steps[place])
        room -= _byte_size(row)
        if room < 0:
            break
        chosen[place] = row
    return [chosen[place] for place in sorted(chosen)], len(steps) - len(chosen)


def row_priority(one: StepFacts) -> tuple[int, float]:
    """Sort the steps: wrong ones first, then running ones, then those that took longest.

    A settled step counts as one that went wrong.
    """
    place = -1 if one.went_wrong or one.settlement is not None else one.urgency
    return place, -one.took(SpanKind.RAN)


def row_of(one: StepFacts) -> str:
    """Write the row of a step."""
    ran = duration_text(one.took(SpanKind.RAN)) if one.current else ""
    note = " (allowed)" if one.is_tolerated else " (settled)" if one.settlement is not None else ""
    status = f"{MARKS[one.status]} {one.status.value}{note}"
    cells = (inert(one.id), status, inert(endings_text(one.current)), ran, inert(one.why.sentence))
    return f"| {' | '.join(cells)} |\n"


def _byte_size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))
