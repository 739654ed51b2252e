"""An error as a person reads it on a terminal: as compilers print theirs (rule 6.11).

A mistake in a flow file is shown with its line, and carets under the exact characters. The words
are the same as in the JSON; only what is obvious to a person is left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from orchesjob_flow.reasons import listed
from orchesjob_flow.views.terminal import (
    Terminal,
    as_json,
    beginning,
    cut,
    visible,
    width,
    wrapped,
)

if TYPE_CHECKING:
    from flow_spec import FlowFileError, FlowWarning, Mark, Problem

SHOWN_BEFORE = ("error", "problems", "differences", "conflicts")
"""The keys whose values are part of the sentence, or are shown differently."""
RED, YELLOW, BLUE, PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[0m"
MOST_OUTCOMES = 6
"""How many outcomes of steps a warning shows as an example."""
FURTHER = "    "
"""The indentation of a sentence's further lines."""
ROOM_BEFORE = 2
"""The text before the carets may take one part in so many of the line."""


class Style(NamedTuple):
    """How wide the terminal is, and whether to use colours."""

    columns: int
    colour: bool = False

    def coloured(self, colour: str, word: str) -> str:
        """Return a word in a colour, if colours are used."""
        return f"{colour}{word}{PLAIN}" if self.colour else word


def style_of(terminal: Terminal) -> Style:
    """Return how to write for a terminal."""
    return Style(terminal.size().columns, terminal.colour)


def error_text(described: Mapping[str, Any], style: Style) -> str:
    """Write an error, given as the keys of its JSON; the help is not repeated."""
    sentence = str(described["error"]).removesuffix(f"; {described.get('help')}")
    first, *rest = sentence.splitlines() or [""]
    sentences = [
        f"{style.coloured(RED, 'error')}: {visible(first)}",
        *(f"  {visible(line)}" for line in rest),
    ]
    lines = [part for one in sentences for part in wrapped(one, style.columns, indent=FURTHER)]
    for key, value in described.items():
        if key not in SHOWN_BEFORE and value is not None and not isinstance(value, bool):
            lines += noted(key, str(value), style)
    return "\n".join(lines)


def noted(key: str, text: str, style: Style) -> list[str]:
    """Write a line below an error; only sentences are wrapped, so that one can copy the rest.

    What is said about a command line, after its `#`, goes below it where both do not fit.
    """
    whole = note(key, text, style)
    if key != "help":
        return [whole]
    if not text.startswith("orchesjob-flow "):
        return _wrapped_around_commands(whole, style.columns)
    line, mark, said = whole.partition("  # ")
    if not mark or width(whole) <= style.columns:
        return [whole]
    return [line, *_wrapped_around_commands(f"{FURTHER}# {said}", style.columns, f"{FURTHER}# ")]


_COMMAND = re.compile(r"`[^`]*`|\$\{\{[^}]*\}\}|orchesjob-flow [^;`]*")
_KEPT = "\ue000"
"""Stands for a blank that is not the end of a word; `visible` lets none through."""


def _wrapped_around_commands(text: str, columns: int, indent: str = FURTHER) -> list[str]:
    """Keep a command that fits a line on it."""

    def kept(command: re.Match[str]) -> str:
        fits = width(command[0]) <= columns - len(indent)
        return command[0].replace(" ", _KEPT) if fits else command[0]

    lines = wrapped(_COMMAND.sub(kept, text), columns, indent=indent)
    return [line.replace(_KEPT, " ") for line in lines]


def note(key: str, text: str, style: Style) -> str:
    """Write a line below an error: a remedy, or another fact."""
    return f"  {style.coloured(BLUE, '=')} {key}: {visible(text)}"


def flow_file_text(error: "FlowFileError", style: Style) -> str:
    """Write all problems of a flow file, each with its line."""
    parts = ["\n".join(problem_lines(error.source, problem, style)) for problem in error.problems]
    if len(parts) > 1:
        parts.append(
            f"{style.coloured(RED, 'error')}: {len(parts)} problems in {visible(error.source)}"
        )
    return "\n\n".join(parts)


def warning_text(source: str, warning: "FlowWarning", style: Style) -> str:
    """Write a warning about a flow file with its line, and outcomes of steps that show it."""
    lines = list(problem_lines(source, warning, style, f"warning[{warning.code}]", YELLOW))
    if warning.outcomes:
        indent = " " * (1 if warning.mark is None else len(str(warning.mark.line)))
        ends = [f"{name} {end}" for name, end in warning.outcomes.items()]
        ends.sort(key=lambda end: not end.endswith(" FAILED"))
        example = f"{indent}{note('example', listed(ends, MOST_OUTCOMES), style)[1:]}"
        lines += wrapped(example, style.columns, indent=FURTHER)
    return "\n".join(lines)


def problem_lines(
    source: str, problem: "Problem", style: Style, kind: str = "error", colour: str = RED
) -> Iterator[str]:
    """Yield the lines of one problem, or of one warning."""
    where = "" if problem.path is None else f"{problem.path}: "
    sentence = f"{style.coloured(colour, kind)}: {visible(f'{where}{problem.fact}')}"
    yield from wrapped(sentence, style.columns, indent=FURTHER)
    mark = problem.mark
    indent = " " * (1 if mark is None else len(str(mark.line)))
    place = [source] if mark is None else [source, str(mark.line)]
    if mark is not None and mark.length:
        place.append(str(mark.column))
    yield f"{indent}{style.coloured(BLUE, '-->')} {visible(':'.join(place))}"
    if mark is None:
        yield from (f"    {visible(line)}" for line in (problem.excerpt or "").splitlines())
    else:
        yield from marked_line(mark, style, colour)
    if problem.help is not None:
        remedy = f"{indent}{note('help', problem.help, style)[1:]}"
        yield from _wrapped_around_commands(remedy, style.columns)


def marked_line(mark: "Mark", style: Style, colour: str) -> Iterator[str]:
    """Yield a line of the file with its number, and carets under the marked characters."""
    number = str(mark.line)
    gutter, bar = " " * len(number), style.coloured(BLUE, "|")
    room = max(1, style.columns - len(number) - len(" | "))
    before, marked, after = excerpt(mark, room)
    yield f"{gutter} {bar}"
    yield f"{style.coloured(BLUE, number)} {bar} {before}{marked}{after}".rstrip()
    if mark.length:
        carets = "^" * max(1, width(marked))
        yield f"{gutter} {bar} {' ' * width(before)}{style.coloured(colour, carets)}"


def excerpt(mark: "Mark", room: int) -> Sequence[str]:
    """Return the text before the marked characters, the marked ones, and the text after them.

    Together they take at most `room` columns; dots replace what is left out on either side.
    """
    begin = mark.column - 1
    end = begin + mark.length
    before, marked, after = map(visible, (mark.text[:begin], mark.text[begin:end], mark.text[end:]))
    if width(before + marked + after) > room:
        most = max(room // ROOM_BEFORE, room - width(marked + after))
        if width(before) > most:
            before = f"...{beginning(before[::-1], max(0, most - 3))[::-1]}"[:most]
        marked = cut(marked, room - width(before))
        after = cut(after, room - width(before + marked))
    return before, marked, after


def problems_json(problems: Iterable["Problem"]) -> list[dict[str, Any]]:
    """Describe the things that are wrong with a flow file."""
    return [as_json(one, "message", "path", "line", "column", "help") for one in problems]


def warning_json(warning: "FlowWarning") -> dict[str, Any]:
    """Describe one thing that a flow file is warned about (rule 11.2)."""
    described = as_json(warning, "code", "message", "path", "line", "column", "help")
    return {**described, "outcomes": dict(warning.outcomes)}
