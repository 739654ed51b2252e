"""Which characters of a flow file a problem is about, for showing the line with carets.

A problem knows where the value begins that it is about. How far the value reaches, and where a part
of it stands, is found here in the text.
"""

import re
from collections.abc import Sequence

import attrs

from flow_spec.errors import Mark, Problem, Span

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_QUOTED = re.compile(r"""'(?:[^']|'')*'?|"(?:[^"\\]|\\.)*"?""")
_PLAIN = re.compile(r".+?(?=\s*$|\s+#|\s*:(?:\s|$))")
_PLAIN_IN_FLOW = re.compile(r".+?(?=\s*(?:$|\s#|:(?:\s|$)|[,\]}]))")
_LONGEST_VALUE = 200  # lines of a value in which a part of it is looked for


def with_marks(problems: Sequence[Problem], text: str, *, is_yaml: bool) -> tuple[Problem, ...]:
    """Return the problems with the characters that each is about, as far as known."""
    lines = _LINE_BREAK.split(text) if is_yaml else text.split("\n")
    return tuple(attrs.evolve(problem, mark=_mark_of(problem, lines)) for problem in problems)


def _mark_of(problem: Problem, lines: Sequence[str]) -> Mark | None:
    if problem.line is None or problem.line > len(lines):
        return None
    if problem.column is None:
        return Mark(problem.line, 1, 0, lines[problem.line - 1])
    if problem.span is not None:
        found = _part(problem.span, lines, problem.line, problem.column)
        if found is not None:
            return found
    line = lines[problem.line - 1]
    return Mark(problem.line, problem.column, _length(line, problem.column), line)


def _length(line: str, column: int) -> int:
    """Return the length of the word or quoted text that begins in a column."""
    before, rest = line[: column - 1], line[column - 1 :]
    if not rest or rest[0] in "[{|> \t" or rest.startswith("- "):
        return 1
    pattern = _PLAIN_IN_FLOW if "[" in before or "{" in before else _PLAIN
    found = _QUOTED.match(rest) if rest[0] in "'\"" else pattern.match(rest)
    return 1 if found is None else len(found[0])


def _part(span: Span, lines: Sequence[str], line: int, column: int) -> Mark | None:
    """Find a part of a value that begins at a line and column; None if it has escapes.

    The file may have broken the value into lines, so blanks are not compared.
    """
    rest = "\n".join([lines[line - 1][column - 1 :], *lines[line : line + _LONGEST_VALUE]])
    place = rest.find("\n") + 1 if rest[:1] in {"|", ">"} else int(rest[:1] in {"'", '"'})
    places: list[int] = []
    for letter in span.text:
        if letter.isspace():
            places.append(place)
            continue
        while place < len(rest) and rest[place].isspace():
            place += 1
        if place == len(rest) or rest[place] != letter:
            return None
        places.append(place)
        place += 1
    places.append(place)
    begin = places[span.start]
    end = places[span.end - 1] + 1 if span.end > span.start else begin + 1
    above = rest.count("\n", 0, begin)
    first = rest.rfind("\n", 0, begin) + 1
    last = rest.find("\n", begin)
    length = max(1, min(end, len(rest) if last < 0 else last) - begin)
    at = begin - first + (0 if above else column - 1)
    return Mark(line + above, at + 1, length, lines[line - 1 + above])
