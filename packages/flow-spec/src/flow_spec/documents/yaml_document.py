"""From YAML or JSON text to a document tree; the only module that imports PyYAML.

JSON is read as the YAML that it nearly is, once Python's own parser has found it to be JSON.

PyYAML's scanner and parser are used; its composer, resolver and constructor are not. So scalars
keep their characters (rule 2.5), no object can be constructed (rule 2.8) and nothing recurses.

PyYAML reports where it could not go on, which may be far below the mistake: a quotation mark that
is never closed takes in the rest of the file. The second half of this module finds the mistake.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import attrs
from yaml import YAMLError
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner
from yaml.tokens import KeyToken, ScalarToken, Token, ValueToken

from flow_spec.documents.tree import (
    MAX_DEPTH,
    MAX_VALUES,
    Form,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    follow_merge_key,
)
from flow_spec.errors import DocumentError, Span, advised, pointed


def read_yaml(text: str) -> Node:
    """Return the one document of `text`.

    Raises:
        DocumentError: The text is not one YAML document, or exceeds the limits (rule 2.8).
    """
    try:
        parser = _FlowParser(text)
    except ReaderError as error:
        raise _unprintable(text, error) from None
    try:
        return _compose(_events(parser))
    except DocumentError:
        raise
    except MarkedYAMLError as error:
        raise syntax_error(text, error, parser.quoted) from None
    except (YAMLError, ValueError, OverflowError) as error:
        # A few escapes and directives ("\\UFFFFFFFF") get past PyYAML's own checks.
        raise DocumentError(
            f"not valid YAML: {error}", parser.line + 1, parser.column + 1
        ) from None


def read_json(text: str) -> Node:
    """Return the document of `text`, in which the spelling of a value decides its type (rule 2.5).

    Raises:
        DocumentError: The text is not JSON, or exceeds the limits (rule 2.8).
    """
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
        # The scanner of YAML would take seconds to count them.
        if text.count(",") >= MAX_VALUES <= _STRING.sub("", text).count(","):
            raise _too_many(1, 1)
    except json.JSONDecodeError as error:
        excerpt = pointed(text.split("\n")[error.lineno - 1], error.colno)
        is_yaml = error.msg.startswith(("Expecting value", "Expecting property", "Illegal"))
        message = advised(f"not valid JSON: {error.msg}", _NO_JSON if is_yaml else None)
        raise DocumentError(message, error.lineno, error.colno, excerpt) from None
    except RecursionError:
        pass  # what follows counts the levels, and knows where there are too many
    parser = _FlowParser(text.translate(_AS_YAML))
    return _compose(_events(parser), lambda value: _JSON_WORDS.get(value, Form.NUMBER))


def _too_many(line: int, column: int) -> DocumentError:
    return DocumentError(
        f"more than {MAX_VALUES:,} values (an alias counts as everything it stands for); "
        "split the flow",
        line,
        column,
    )


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NO_JSON = (
    "JSON has double quotes, and neither comments nor a comma at the end; name the file .yaml to "
    "have them, with # for a comment"
)
_AS_YAML = {
    ord("\t"): " ",
    **{char: f"\\u{char:04x}" for char in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFFFE, 0xFFFF)},
}
"""The characters of JSON that YAML does not have, or takes for line breaks."""


def _refuse_constant(spelling: str) -> NoReturn:
    raise DocumentError(f"not valid JSON: {spelling} is not a JSON number")


_JSON_WORDS = {"true": Form.BOOLEAN, "false": Form.BOOLEAN, "null": Form.NULL}


class _FlowParser(Reader, Scanner, Parser):
    """PyYAML's scanner and parser, which read a bare value of the key `when` as text (rule 2.4).

    To YAML the `!` of `when: !A` begins a tag. Only the scanner knows where a value begins in
    block style, in flow style and on the next line, and what is merely text that looks like one.
    """

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        self._taken: deque[Token] = deque(maxlen=3)
        self.quoted: list[tuple[Any, Any]] = []
        """The marks of the quoted texts of several lines, for messages about later errors."""

    def get_token(self) -> Token:
        token: Token = super().get_token()  # type: ignore[no-untyped-call]
        self._taken.append(token)
        return token

    def scan_flow_scalar(self, style: str) -> Any:
        token = super().scan_flow_scalar(style)
        if token.end_mark.line > token.start_mark.line:
            self.quoted.append((token.start_mark, token.end_mark))
        return token

    def fetch_tag(self) -> None:
        match [*self._taken, *self.tokens][-3:]:
            case [KeyToken(), ScalarToken(value="when"), ValueToken()]:
                self.fetch_plain()
            case _:
                super().fetch_tag()


def _events(parser: Any) -> Iterator[Any]:
    """Yield the events of the only document, without its start and end.

    PyYAML's stubs leave the parser's methods and the events' marks half untyped, hence Any.
    """
    parser.get_event()
    if not parser.check_event(DocumentStartEvent):
        raise DocumentError(
            advised(
                "the file is empty: a flow has flow_id and steps",
                "`orchesjob-flow example > FILE` writes one",
            ),
            1,
            1,
        )
    parser.get_event()
    while not parser.check_event(DocumentEndEvent):
        yield parser.get_event()
    parser.get_event()
    if parser.check_event(DocumentStartEvent):
        raise DocumentError(
            advised(
                "a second document begins here, and a file contains one flow",
                "write each flow in a file of its own",
            ),
            *_place(parser.peek_event()),
        )


@attrs.define
class _Open:
    """A list or mapping whose end has not been seen; `first` is its number among the values."""

    node: SequenceNode | MappingNode
    first: int
    children: list[Node] = attrs.Factory(list)


def _compose(events: Iterator[Any], form_of: Callable[[str], Form] = lambda _: Form.BARE) -> Node:
    """Build the tree: a loop over events with a stack, counting every value it attaches.

    `form_of` returns the form of a scalar without quotes.
    """
    document = _Open(SequenceNode([]), first=0)
    stack = [document]
    anchors: dict[str, tuple[Node, int]] = {}
    values = 0
    for event in events:
        first = values
        if isinstance(event, CollectionEndEvent):
            done = stack.pop()
            node: Node = _closed(done)
            first = done.first
        elif isinstance(event, AliasEvent):
            node, weight = _aliased(event, anchors, stack)
            values += weight
        else:
            node = _begun(event, form_of)
            values += 1
            if isinstance(node, SequenceNode | MappingNode):
                stack.append(_Open(node, first))
                if len(stack) > MAX_DEPTH + 1:
                    fact = f"nested more than {MAX_DEPTH} levels deep"
                    raise DocumentError(fact, node.line, node.column)
                continue
        if values > MAX_VALUES:
            raise _too_many(*_place(event))
        if node.anchor is not None and not isinstance(event, AliasEvent):
            anchors[node.anchor] = node, values - first
        stack[-1].children.append(node)
    return document.children[0]


def _begun(event: Any, form_of: Callable[[str], Form]) -> Node:
    line, column = _place(event)
    common = {"line": line, "column": column, "tag": event.tag, "anchor": event.anchor}
    has_lines = event.end_mark.line >= line  # PyYAML counts from 0
    match event:
        case ScalarEvent():
            form = Form.TEXT if event.style else form_of(event.value)
            folded = has_lines and event.style != "|"
            return ScalarNode(_paired(event.value), form, folded=folded, **common)
        case SequenceStartEvent():
            return SequenceNode([], **common)
        case _:
            return MappingNode([], **common)


def _paired(text: str) -> str:
    """Join escaped surrogate pairs, which JSON in a YAML file uses beyond U+FFFF."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _closed(done: _Open) -> Node:
    if isinstance(done.node, SequenceNode):
        done.node.items = done.children
    else:
        pairs = iter(done.children)
        done.node.entries = list(zip(pairs, pairs, strict=True))
        follow_merge_key(done.node)
    return done.node


def _aliased(
    event: Any, anchors: dict[str, tuple[Node, int]], stack: list[_Open]
) -> tuple[Node, int]:
    name = event.anchor
    if name in anchors:
        return anchors[name]
    if any(opened.node.anchor == name for opened in stack):
        raise DocumentError(f"the alias *{name} refers to a value that contains it", *_place(event))
    raise DocumentError(
        advised(
            f"*{name} is a YAML alias of an anchor &{name} that does not exist",
            f"write the name of an anchor above it, or &{name} before the value to repeat; put "
            "text that begins with * in quotes",
        ),
        *_place(event),
    )


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _unprintable(text: str, error: ReaderError) -> DocumentError:
    at = error.position
    return DocumentError(
        f"the character U+{ord(text[at]):04X} is not allowed in YAML; "
        'write it as an escape in double quotes, such as "\\e" or "\\x1b"',
        text.count("\n", 0, at) + 1,
        at - text.rfind("\n", 0, at),
    )


class Mistake(NamedTuple):
    """What is wrong at a line and column (from 0), how to fix it, and the text to mark there."""

    fact: str
    help: str | None
    line: int
    column: int
    marked: str | None = None


def syntax_error(
    text: str, error: MarkedYAMLError, quoted: Sequence[tuple[Any, Any]]
) -> DocumentError:
    """Describe an error of PyYAML; `quoted` are the earlier quoted texts of several lines."""
    # The end of the file may lie one line after its last.
    lines = [*text.splitlines(), ""]
    found = (
        _never_closed(error, quoted, lines)
        or _indentation(error, lines)
        or _colon(error, lines)
        or _as_it_is(error)
    )
    column = found.column + 1
    return DocumentError(
        advised(f"not valid YAML: {found.fact}", found.help),
        found.line + 1,
        column,
        pointed(lines[found.line], column),
        None if found.marked is None else Span(found.marked, 0, len(found.marked)),
    )


def _never_closed(
    error: MarkedYAMLError, quoted: Sequence[tuple[Any, Any]], lines: list[str]
) -> Mistake | None:
    begun: Any = error.context_mark
    at: Any = error.problem_mark
    problem, context = str(error.problem), str(error.context)
    ends = "stream end" in problem or "end of stream" in problem
    if quoted and quoted[-1][1].line == at.line and "end of stream" not in problem:
        begun, ends = quoted[-1][0], False
    elif context == "while scanning a quoted scalar":
        begun = begun if ends else None
    elif not context.startswith("while parsing a flow") or not (ends or at.line != begun.line):
        begun = None
    sign = "" if begun is None else lines[begun.line][begun.column : begun.column + 1]
    if sign not in {"'", '"', "[", "{"}:
        return None
    place = "is never closed" if ends else f"is not closed before line {at.line + 1}"
    fix = f"write {sign} where the text ends"
    if end := {"[": "]", "{": "}"}.get(sign):
        fix = f"write commas between its items, # before a comment, and {end} where it ends"
    return Mistake(f"this {sign} {place}", fix, begun.line, begun.column)


_KEY = re.compile(r"\s*(?:- +)*[\w.-]+\s*:(?:\s|$)")
_TEXT = re.compile(r"\s*(?:- +)*[\w.-]+: +([^\s'\"\[{|>].*\S)")


def _indentation(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    at: Any = error.problem_mark
    line = lines[at.line]
    column = len(line) - len(line.lstrip())
    if "\t" in line[:column]:
        tab = line.index("\t")
        return Mistake("a tab in the indentation", "use spaces instead of tabs", at.line, tab)
    is_text = line[column : column + 1] in {"'", '"'}
    if "expected <block end>" in str(error.problem) and at.column == column and not is_text:
        fact = "this line's indentation matches no enclosing block"
        return Mistake(fact, "put it in the column of the lines it belongs to", at.line, column)
    return None


def _colon(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a line that should be a key, and a text with a colon and a space in it."""
    at: Any = error.problem_mark
    begun: Any = error.context_mark
    line = lines[at.line]
    if error.context == "while scanning a simple key":
        return Mistake(*_NO_PAIR, begun.line, begun.column)
    if "mapping values are not allowed" not in str(error.problem):
        return None
    if _KEY.match(line) and line.index(":") == at.column:
        above = next((n for n in range(at.line - 1, -1, -1) if lines[n].strip()), 0)
        column = len(line) - len(line.lstrip())
        if not column or _NO_SPACE.match(lines[above]):
            return Mistake(*_NO_PAIR, above, len(lines[above]) - len(lines[above].lstrip()))
        fix = "put the key in the column of the keys it belongs to"
        return Mistake("this line is indented too far", fix, at.line, column)
    if text := _TEXT.match(line):
        fix = "put the text in quotes, or write | and the text on the line below, indented"
        return Mistake('text that contains ": " needs quotes', fix, at.line, text.start(1), text[1])
    return None


_NO_SPACE = re.compile(r"\s*(?:(?:- +)*[\w.-]+:[^ ]|-\w)")
_NO_PAIR = (
    "expected KEY: VALUE on this line",
    "write a space after the colon and after the hyphen of an item; indent text below |",
)


def _as_it_is(error: MarkedYAMLError) -> Mistake:
    context = f"{error.context}, " if error.context else ""
    said = f"{context}{error.problem}"
    is_name = "scanning an a" in context  # an alias or an anchor begins before its flaw
    # A problem has a mark: the scanner and the parser always set it.
    mark: Any = error.context_mark if is_name else error.problem_mark
    fix = next((then for words, then in _ADVICE if words in said), None)
    fact = said.replace(r"'\x00'", "the end of the file").replace("<stream end>", "end of the file")
    return Mistake(fact, fix, mark.line, mark.column)


_IN_QUOTES = "put it in quotes, or write script: | and the text below it, if a shell is to read it"
_WHOLE = "put the whole text in quotes that it does not hold"
_ADVICE = (
    ("cannot start any token", _IN_QUOTES),
    ("scanning an a", _IN_QUOTES),
    ("scanning a block scalar", "put the whole text in quotes"),
    ("mapping values are not allowed", 'put text that contains ": " in quotes'),
    ("tag", "put text that begins with ! in quotes"),
    ("expected ',' or", f"write a comma before it, or {_WHOLE}"),
    ("unknown escape character", "write \\\\ for a backslash, or put the text in single quotes"),
    ("expected <block end>", f"{_WHOLE}; in single quotes, '' is an apostrophe"),
    ("sequence entries are not allowed", "write each item on a line of its own, below the key"),
)
"""What helps most often, by the words of PyYAML."""
