"""From YAML text to a document tree; the only module that imports PyYAML.

PyYAML's scanner and parser are used; its composer, resolver and constructor are not. So scalars
keep their characters (rule 2.5), no object can be constructed (rule 2.8) and nothing recurses.

PyYAML reports where it could not go on, which may be far below the mistake: a quotation mark that
is never closed takes in the rest of the file. The second half of this module finds the mistake.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
    place_of,
    too_deep,
    too_many,
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
        """Note where a quoted text of several lines begins."""
        token = super().scan_flow_scalar(style)
        if token.end_mark.line > token.start_mark.line:
            self.quoted.append((token.start_mark, token.end_mark))
        return token

    def fetch_tag(self) -> None:
        if self._at_value_of_when():
            self.fetch_plain()
        else:
            super().fetch_tag()

    def _at_value_of_when(self) -> bool:
        match [*self._taken, *self.tokens][-3:]:
            case [KeyToken(), ScalarToken(value="when"), ValueToken()]:
                return True
            case _:
                return False


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
            )
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


def _compose(events: Iterator[Any]) -> Node:
    """Build the tree: a loop over events with a stack, counting every value it attaches."""
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
            node = _begun(event)
            values += 1
            if isinstance(node, SequenceNode | MappingNode):
                stack.append(_Open(node, first))
                if len(stack) > MAX_DEPTH + 1:
                    raise too_deep(node.line, node.column)
                continue
        if values > MAX_VALUES:
            raise too_many(*_place(event))
        if node.anchor is not None and not isinstance(event, AliasEvent):
            anchors[node.anchor] = node, values - first
        stack[-1].children.append(node)
    return document.children[0]


def _begun(event: Any) -> Node:
    line, column = _place(event)
    common = {"line": line, "column": column, "tag": event.tag, "anchor": event.anchor}
    has_lines = event.end_mark.line >= line  # PyYAML counts from 0
    match event:
        case ScalarEvent():
            form = Form.TEXT if event.style else Form.BARE
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
    """Return the node that an alias stands for, and how many values it has."""
    name = event.anchor
    if name in anchors:
        return anchors[name]
    if any(opened.node.anchor == name for opened in stack):
        raise DocumentError(f"the alias *{name} refers to a value that contains it", *_place(event))
    raise DocumentError(
        advised(
            f"*{name} is a YAML alias of an anchor &{name} that does not exist",
            f"write &{name} before the value to repeat, or put text that begins with * in quotes",
        ),
        *_place(event),
    )


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _unprintable(text: str, error: ReaderError) -> DocumentError:
    return DocumentError(
        f"the character U+{ord(text[error.position]):04X} is not allowed in YAML; "
        'write it as an escape in double quotes, such as "\\e" or "\\x1b"',
        *place_of(text, error.position),
    )


_KEY = re.compile(r"\s*(?:- +)*[\w.-]+\s*:(?:\s|$)")
_ENDS = {"[": "]", "{": "}"}


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
        _no_yaml(text, lines)
        or _closed_too_late(error, quoted, lines)
        or _never_closed(error, lines)
        or _indentation(error, lines)
        or _no_colon(error, lines)
        or _braces(error, lines)
        or _index(error, lines)
        or _sign(error, lines)
        or _list_on_line(error, lines)
        or _after_quotes(error, lines)
        or _colon_in_text(error, lines)
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


def _never_closed(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a quotation mark or a bracket that nothing closes."""
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
    """Find a quotation mark that is only closed by the next one, some lines below."""
    at: Any = error.problem_mark
    is_open = "end of stream" in str(error.problem)
    if not quoted or quoted[-1][1].line != at.line or is_open:
        return None
    begun, _ = quoted[-1]
    sign = lines[begun.line][begun.column]
    fact = f"this {sign} is not closed before line {at.line + 1}"
    return Mistake(fact, f"write {sign} where the text ends", begun.line, begun.column)


def _indentation(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a line whose indentation matches no enclosing block."""
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
        fix = "put it in the column of the lines it belongs to"
        fact = "this line's indentation matches no enclosing block"
        if line.lstrip().startswith(("'", '"')):
            return None
        return Mistake(fact, fix, at.line, column)
    return None


def _indented_too_far(number: int, column: int, lines: list[str]) -> Mistake:
    """Say that a key is too far right, or that the line above it is not a key."""
    before = next((above for above in reversed(lines[:number]) if above.strip()), "")
    glued = re.match(r"\s*(?:- +)*([\w.-]+):\S|\s*-(\w[\w.-]*):", before)
    if glued is not None:
        where = lines[:number].index(before)
        column = len(before) - len(before.lstrip())
        if glued[2]:
            fix = f"add a space after the hyphen: - {glued[2]}:"
            return Mistake("expected an item of a list on this line", fix, where, column)
        fix = f"add a space after the colon of {glued[1]}:"
        return Mistake("expected KEY: VALUE on this line", fix, where, column)
    beginning = len(before) - len(before.lstrip(" -"))
    fix = "put the key in the column of the keys it belongs to"
    if beginning != column and _KEY.match(before):
        fix += f", such as column {beginning + 1}"
    return Mistake("this line is indented too far", fix, number, column)


def _no_colon(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a line that should be a key, but has no colon with a space after it."""
    begun: Any = error.context_mark
    if error.context != "while scanning a simple key" or begun is None:
        return None
    line = lines[begun.line]
    glued = re.match(r"\s*(?:- +)*([\w.-]+):\S", line)
    fix = f"add a space after {glued[1]}:" if glued else "write KEY: VALUE"
    return Mistake("expected KEY: VALUE on this line", fix, begun.line, begun.column)


_KINDS = (
    (r"^\[Timer\]\s*$", "a systemd timer"),
    (r"\A(?:[#;].*\n|\s)*\[[A-Z][A-Za-z]+\]\s*\n", "a systemd unit"),
    (r"\A(?:#.*\n|\s)*(?:from [\w.]+ import |import \w|def \w|\"\"\")", "a Python program"),
    (r"^[\w./ -]+:[^:=\n]*\n\t", "a Makefile"),
    (r"^(?:set [\w-]+|[\w-]+ *:= .*)$", "a justfile"),
    (r"\A\s*<[?!\w]", "XML"),
)


def _no_yaml(text: str, lines: list[str]) -> Mistake | None:
    """Recognize files that are not YAML at all."""
    if re.search(r"^(?:flow_id|steps)\s*:", text, re.MULTILINE):
        return None
    kind = next((kind for pattern, kind in _KINDS if re.search(pattern, text, re.MULTILINE)), None)
    if kind is None:
        return None
    number = next(place for place, line in enumerate(lines) if line.strip() and line[0] not in "#;")
    started = re.search(r"^ExecStart=[-@:+!]*(\S.{0,60})$", text, re.MULTILINE)
    words = ["make", "build"] if started is None else started[1].split()
    step_id = "build" if started is None else words[0].rpartition("/")[2].partition(".")[0]
    if kind == "a systemd timer":
        fix = "keep it for systemd; in its service, write WorkingDirectory=FLOW_DIR and "
        fix += "ExecStart=orchesjob-flow run FLOW_DIR/flow.yaml"
        return Mistake(f"this is {kind}, not a flow", fix, number, 0)
    fix = f"write flow_id: NAME, and steps: [{{id: {step_id}, command: [{', '.join(words)}]}}]"
    return Mistake(f"this looks like {kind}", fix, number, 0)


_COPY = re.compile(r"(\w[\w-]*)\[(\w[\w-]*)\]")


def _index(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find `load[3]` in flow style, which is `load@3` here."""
    at: Any = error.problem_mark
    for found in _COPY.finditer(lines[at.line]):
        if found.start() <= at.column <= found.end():
            fact = "brackets begin a list here, and a copy of a step is written with @"
            return Mistake(fact, f"write {found[1]}@{found[2]}", at.line, found.start())
    return None


_BRACES = re.compile(r"\$?\{\{[^{}\"']*\}\}")
_LONGEST_SHOWN = 80


def _braces(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find `{{ NAME }}` without quotes, which YAML reads as mappings."""
    at: Any = error.problem_mark
    line = lines[at.line]
    for found in _BRACES.finditer(line):
        is_quoted = line.count("'", 0, found.start()) % 2 or line.count('"', 0, found.start()) % 2
        if found.start() <= at.column <= found.end() + 1 and not is_quoted:
            begin = max(line.rfind(sign, 0, found.start()) for sign in " ,[{") + 1
            rest = line[found.end() :]
            end = len(line) - len(
                rest.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-")
            )
            fix = f"put the whole text in quotes: '{line[begin:end]}'"
            return Mistake("to YAML, { begins a mapping", fix, at.line, begin)
    return None


def _colon_in_text(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a text of one line with a colon and a space in it."""
    at: Any = error.problem_mark
    line = lines[at.line]
    found = re.match(r"(\s*(?:- +)*([\w.-]+): +)([^\s'\"\[{|>].*)", line)
    if "mapping values are not allowed" not in str(error.problem) or found is None:
        return None
    text = found[3].strip()
    sign = '"' if "'" in text and '"' not in text and "\\" not in text else "'"
    fact, fix = 'text that contains ": " needs quotes', f"write {found[2]}: {sign}{text}{sign}"
    if sign in text or len(text) > _LONGEST_SHOWN:
        fix = f"write {found[2]}: | and the text on the line below it, indented"
    return Mistake(fact, fix, at.line, found.start(3), text)


_SIGNS = {"*": "begins an alias", "&": "begins an anchor", "|": "begins lines of text"}
_TOKEN = re.compile(r"[^\s,\]}]+")


def _sign(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find a text without quotes whose first character means something to YAML."""
    is_name = error.context in {"while scanning an alias", "while scanning an anchor"}
    mark: Any = error.context_mark if is_name else error.problem_mark
    if not is_name and "cannot start any token" not in str(error.problem):
        return None
    line = lines[mark.line]
    sign, rest = line[mark.column : mark.column + 1], line[mark.column :]
    is_inside = line.count("[", 0, mark.column) + line.count("{", 0, mark.column) > 0
    found = _TOKEN.match(rest) if is_inside else re.match(r".*\S", rest)
    if sign in {"", "\t"} or found is None:
        return None
    text = found[0][:_LONGEST_SHOWN]
    fact = f"to YAML, {sign} {_SIGNS.get(sign, 'cannot begin a text')}"
    command = re.search(r"\bcommand: *\[([^\[\]]*)\]", line)
    if command is not None and sign in "&|*" and command.start(1) <= mark.column:
        words = " ".join(word.strip() for word in command[1].split(","))
        knows = "expands *" if sign == "*" else f"knows {text}"
        fix = f"only a shell {knows}: write script: {words} in place of command:"
        return Mistake(fact, fix, mark.line, mark.column)
    fix = f"put it in quotes: '{text}'" if "'" not in text else "put it in quotes"
    return Mistake(fact, fix, mark.line, mark.column)


def _list_on_line(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find `key: - item`, a list that begins on the line of its key."""
    at: Any = error.problem_mark
    found = re.match(r"\s*(?:- +)*([\w.-]+): +- +(.*\S)", lines[at.line])
    if "sequence entries are not allowed" not in str(error.problem) or found is None:
        return None
    item = found[2] if found[1] == "script" else f"[{found[2]}]"
    fact = "a list cannot begin on the line of its key"
    return Mistake(fact, f"write {found[1]}: {item}", at.line, at.column)


def _after_quotes(error: MarkedYAMLError, lines: list[str]) -> Mistake | None:
    """Find text that goes on after closing quotes."""
    at: Any = error.problem_mark
    line = lines[at.line]
    found = re.match(r"\s*(?:- +)*([\w.-]+): +([\"'].*\S)", line)
    if "expected <block end>" not in str(error.problem) or found is None or "'" in found[2]:
        return None
    if len(found[2]) > _LONGEST_SHOWN or at.column <= found.start(2):
        return None
    fix = f"put the whole text in quotes: {found[1]}: '{found[2]}'"
    return Mistake("text after the closing quotes", fix, at.line, at.column)


def _as_it_is(error: MarkedYAMLError) -> Mistake:
    """Repeat what PyYAML says, with the advice that helps most often."""
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
