"""What is wrong with a text that is no YAML: where that begins, and how to mend it.

PyYAML says where it cannot go on, which may be far behind the mistake: a quotation mark that is
never closed takes in the rest of the file. Nothing is looked for here before there is a mistake.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from yaml.error import MarkedYAMLError

from flow_spec.document import pointed
from flow_spec.errors import DocumentError, advised

_KEY = re.compile(r"\s*(?:- +)*[\w.-]+\s*:(?:\s|$)")
_ENDS = {"[": "]", "{": "}"}


class Mistake(NamedTuple):
    """What is wrong from which place on (counted from 0), and how to mend it."""

    fact: str
    help: str | None
    line: int
    column: int


def syntax_error(
    text: str, error: MarkedYAMLError, quoted: Sequence[tuple[Any, Any]]
) -> DocumentError:
    """Describe an error of PyYAML; `quoted` are the texts in quotes of several lines before it."""
    # The end of the file may lie one line behind its last.
    lines = [*text.splitlines(), ""]
    found = (
        _closed_too_late(error, quoted, lines)
        or _never_closed(error, lines)
        or _indentation(error, lines)
        or _no_colon(error, lines)
        or _as_it_is(error)
    )
    column = found.column + 1
    return DocumentError(
        advised(f"not valid YAML: {found.fact}", found.help),
        found.line + 1,
        column,
        pointed(lines[found.line], column),
    )


def _never_closed(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a quotation mark or a bracket that nothing closes, where it stands."""
    begun: Any = error.context_mark
    at: Any = error.problem_mark
    context = str(error.context)
    if begun is None:
        return None
    if context == "while scanning a quoted scalar" and "end of stream" in str(error.problem):
        sign = lines[begun.line][begun.column]
        fix = f"write {sign} where the text ends"
        return Mistake(f"this {sign} is never closed", fix, begun.line, begun.column)
    sign = lines[begun.line][begun.column : begun.column + 1]
    ends = "stream end" in str(error.problem)
    if not context.startswith("while parsing a flow") or sign not in _ENDS:
        return None
    if not ends and at.line == begun.line:
        return None
    fix = f"write {_ENDS[sign]} where it ends, and commas between its items"
    place = "is never closed" if ends else f"is not closed before line {at.line + 1}"
    return Mistake(f"this {sign} {place}", fix, begun.line, begun.column)


def _closed_too_late(
    error: MarkedYAMLError, quoted: Sequence[tuple[Any, Any]], lines: list[str]
) -> Mistake | None:
    """Find a quotation mark that only the next one has closed, some lines below."""
    at: Any = error.problem_mark
    is_open = "end of stream" in str(error.problem)
    if not quoted or quoted[-1][1].line != at.line or is_open:
        return None
    begun, _ = quoted[-1]
    sign = lines[begun.line][begun.column]
    fact = f"this {sign} is not closed before line {at.line + 1}"
    return Mistake(fact, f"write {sign} where the text ends", begun.line, begun.column)


def _indentation(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a line that is indented like none above it."""
    at: Any = error.problem_mark
    problem, line = str(error.problem), lines[at.line]
    column = len(line) - len(line.lstrip())
    if "\t" in line[:column]:
        tab = line.index("\t")
        return Mistake("a tab in the indentation", "use spaces instead of tabs", at.line, tab)
    key = _KEY.match(line)
    if "mapping values are not allowed" in problem and key and line.index(":") == at.column:
        return _indented_too_far(at.line, column, lines)
    if "expected <block end>" in problem and at.column == column:
        fix = "put it into the column of the lines that it belongs to"
        fact = "this line is indented like none that it could belong to"
        if line.lstrip().startswith(("'", '"')):
            return None
        return Mistake(fact, fix, at.line, column)
    return None


def _indented_too_far(number: int, column: int, lines: list[str]) -> Mistake:
    """Say that a key is too far right, or that the line above it is no key."""
    before = next((above for above in reversed(lines[:number]) if above.strip()), "")
    glued = re.match(r"\s*(?:- +)*([\w.-]+):\S|\s*-(\w[\w.-]*):", before)
    if glued is not None:
        where = lines[:number].index(before)
        column = len(before) - len(before.lstrip())
        if glued[2]:
            fix = f"write a space behind the hyphen: - {glued[2]}:"
            return Mistake("this line is no item of a list", fix, where, column)
        fix = f"write a space behind the colon of {glued[1]}:"
        return Mistake('this line is no key with ": " behind it', fix, where, column)
    beginning = len(before) - len(before.lstrip(" -"))
    fix = "put the key into the column of the keys that it belongs to"
    if beginning != column and _KEY.match(before):
        fix += f", such as column {beginning + 1}"
    return Mistake("this line is indented too far", fix, number, column)


def _no_colon(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a line that should be a key, but has no colon with a space behind it."""
    begun: Any = error.context_mark
    if error.context != "while scanning a simple key" or begun is None:
        return None
    line = lines[begun.line]
    glued = re.match(r"\s*(?:- +)*([\w.-]+):\S", line)
    fix = f"write a space behind {glued[1]}:" if glued else "write KEY: VALUE"
    return Mistake('this line is no key with ": " behind it', fix, begun.line, begun.column)


def _as_it_is(error: MarkedYAMLError) -> Mistake:
    """Say what PyYAML says, with what helps most often."""
    mark: Any = error.problem_mark  # never None: the scanner and the parser always set it
    if error.context in {"while scanning an alias", "while scanning an anchor"}:
        mark = error.context_mark
    context = f"{error.context}, " if error.context else ""
    said = f"{context}{error.problem}"
    fix = next((then for words, then in _ADVICE if words in said), None)
    fact = said.replace(r"'\x00'", "the end of the file").replace("<stream end>", "end of the file")
    return Mistake(fact, fix, mark.line, mark.column)


_ADVICE = (
    (r"'\t' that cannot start", "use spaces instead of tabs"),
    ("that cannot start any token", "put text that begins with this character in quotes"),
    ("scanning an anchor", "put text that begins with & in quotes"),
    ("scanning an alias", "put text that begins with * in quotes"),
    ("scanning a block scalar", "put text that begins with | or > in quotes"),
    ("mapping values are not allowed", 'put text that contains ": " in quotes'),
    ("tag", "put text that begins with ! in quotes"),
    ("expected ',' or", "write a comma before it, or put the whole text in the other quotes"),
    ("unknown escape character", "write \\\\ for a backslash, or put the text in single quotes"),
    ("expected <block end>", "put the whole text in quotes, or the line into another column"),
)
