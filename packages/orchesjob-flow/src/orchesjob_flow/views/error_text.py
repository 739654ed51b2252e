"""An error as a person reads it on a terminal: as compilers print theirs (rule 6.11).

A problem of a flow file is shown with its line, and carets under the very characters. The words are
those of the JSON, which is made here too; only what is obvious to a person is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from orchesjob_flow.views.terminal import Terminal, beginning, cut, visible, width, wrapped

if TYPE_CHECKING:
    from flow_spec import FlowFileError, FlowWarning, Mark, Problem

SHOWN_BEFORE = ("error", "problems", "differences", "conflicts")
"""The keys whose values are in the sentence, or are shown in a way of their own."""
RED, YELLOW, BLUE, PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[0m"
MOST_OUTCOMES = 6
"""Ends of steps that a warning shows as an example."""
FURTHER = "    "
"""How a line begins with which a sentence goes on."""
ROOM_BEFORE = 2
"""Which part of the room for a line what stands before the carets may take: one in so many."""


class Style(NamedTuple):
    """How wide the terminal is, and whether it is to show colours."""

    columns: int
    colour: bool = False

    def led(self, colour: str, word: str) -> str:
        """Return a word in a colour, where there are any."""
        return f"{colour}{word}{PLAIN}" if self.colour else word


def style_of(terminal: Terminal) -> Style:
    """Return how to write for a terminal."""
    return Style(terminal.size().columns, terminal.colour)


def error_text(described: Mapping[str, Any], style: Style) -> str:
    """Write an error that is described by the keys of its JSON; the help is not said twice."""
    sentence = str(described["error"]).removesuffix(f"; {described.get('help')}")
    first, *rest = sentence.splitlines() or [""]
    sentences = [
        f"{style.led(RED, 'error')}: {visible(first)}",
        *(f"  {visible(line)}" for line in rest),
    ]
    lines = [part for one in sentences for part in wrapped(one, style.columns, indent=FURTHER)]
    for key, value in described.items():
        if key not in SHOWN_BEFORE and value is not None and not isinstance(value, bool):
            line = note(key, str(value), style)
            # What is no sentence stays whole, to be copied.
            lines += wrapped(line, style.columns, indent=FURTHER) if key == "help" else [line]
    return "\n".join(lines)


def note(key: str, text: str, style: Style) -> str:
    """Write a line below an error: what to do, or what else is known."""
    return f"  {style.led(BLUE, '=')} {key}: {visible(text)}"


def flow_file_text(error: "FlowFileError", style: Style) -> str:
    """Write all that is wrong with a flow file, each problem with its line."""
    parts = ["\n".join(problem_lines(error.source, problem, style)) for problem in error.problems]
    if len(parts) > 1:
        parts.append(f"{style.led(RED, 'error')}: {len(parts)} problems in {visible(error.source)}")
    return "\n\n".join(parts)


def warning_text(source: str, warning: "FlowWarning", style: Style) -> str:
    """Write what a flow file is warned about, with its line, and outcomes that show it."""
    lines = list(problem_lines(source, warning, style, f"warning[{warning.code}]", YELLOW))
    if warning.outcomes:
        indent = " " * (1 if warning.mark is None else len(str(warning.mark.line)))
        example = f"{indent}{note('example', outcomes_text(warning.outcomes), style)[1:]}"
        lines += wrapped(example, style.columns, indent=FURTHER)
    return "\n".join(lines)


def outcomes_text(outcomes: Mapping[str, str]) -> str:
    """Write how steps end, those first that fail; of many, the first few."""
    ends = [f"{name} {end}" for name, end in outcomes.items()]
    ends.sort(key=lambda end: not end.endswith(" FAILED"))
    more = len(ends) - MOST_OUTCOMES
    return ", ".join(ends[:MOST_OUTCOMES]) + (f" and {more} more" if more > 0 else "")


def problem_lines(
    source: str, problem: "Problem", style: Style, kind: str = "error", colour: str = RED
) -> Iterator[str]:
    """Yield the lines of one problem, or of something else about a file."""
    where = "" if problem.path is None else f"{problem.path}: "
    sentence = f"{style.led(colour, kind)}: {visible(f'{where}{problem.fact}')}"
    yield from wrapped(sentence, style.columns, indent=FURTHER)
    mark = problem.mark
    indent = " " * (1 if mark is None else len(str(mark.line)))
    place = [source] if mark is None else [source, str(mark.line)]
    if mark is not None and mark.length:
        place.append(str(mark.column))
    yield f"{indent}{style.led(BLUE, '-->')} {visible(':'.join(place))}"
    if mark is None:
        yield from (f"    {visible(line)}" for line in (problem.excerpt or "").splitlines())
    else:
        yield from marked_line(mark, style, colour)
    if problem.help is not None:
        remedy = f"{indent}{note('help', problem.help, style)[1:]}"
        yield from wrapped(remedy, style.columns, indent=FURTHER)


def marked_line(mark: "Mark", style: Style, colour: str) -> Iterator[str]:
    """Yield a line of the file after its number, and carets under the characters that are meant."""
    number = str(mark.line)
    gutter, bar = " " * len(number), style.led(BLUE, "|")
    room = max(1, style.columns - len(number) - len(" | "))
    before, marked, after = fitted(mark, room)
    yield f"{gutter} {bar}"
    yield f"{style.led(BLUE, number)} {bar} {before}{marked}{after}".rstrip()
    if mark.length:
        carets = "^" * max(1, columns_of(marked))
        yield f"{gutter} {bar} {' ' * columns_of(before)}{style.led(colour, carets)}"


def fitted(mark: "Mark", room: int) -> Sequence[str]:
    """Return what stands before the marked characters, these, and what follows, as it is shown.

    It is no wider than `room` together; what is left out on either side is dots.
    """
    begin = mark.column - 1
    end = begin + mark.length
    before, marked, after = map(visible, (mark.text[:begin], mark.text[begin:end], mark.text[end:]))
    if columns_of(before + marked + after) > room:
        most = max(room // ROOM_BEFORE, room - columns_of(marked + after))
        if columns_of(before) > most:
            before = f"...{beginning(before[::-1], max(0, most - 3))[::-1]}"[:most]
        marked = cut(marked, room - columns_of(before))
        after = cut(after, room - columns_of(before + marked))
    return before, marked, after


def columns_of(text: str) -> int:
    """Return how many columns a visible text takes; most of what is shown is ASCII."""
    return len(text) if text.isascii() else width(text)


def problem_json(problem: "Problem") -> dict[str, Any]:
    """Describe one thing that is wrong with a flow file."""
    return {
        "message": problem.message,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "help": problem.help,
    }


def warning_json(warning: "FlowWarning") -> dict[str, Any]:
    """Describe one thing that a flow file is warned about (rule 11.2)."""
    return {
        "code": warning.code.value,
        **problem_json(warning),
        "outcomes": dict(warning.outcomes),
    }
