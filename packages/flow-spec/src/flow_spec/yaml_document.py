"""From YAML text to a document tree.

Everything that knows YAML lives here, and the only import of PyYAML. Its scanner and parser are
used; its composer, resolver and constructor are not, so that scalars keep their characters (rule
2.5), no object can be constructed (rule 2.8) and nothing recurses. What the values mean does not
belong here.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

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

from flow_spec.document import (
    MAX_DEPTH,
    MAX_VALUES,
    Form,
    Mapping,
    Node,
    Scalar,
    Sequence,
    too_deep,
    too_many,
)
from flow_spec.errors import DocumentError
from flow_spec.merge_keys import follow_merge_key
from flow_spec.yaml_mistakes import syntax_error


def read_yaml(text: str) -> Node:
    """Return the one document of `text`.

    Raises:
        DocumentError: no YAML, no or several documents, or beyond the limits of rule 2.8.
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
    """PyYAML's scanner and parser, reading a bare value of the key `when` as text (rule 2.4).

    To YAML the `!` of `when: !A` begins a tag. Only the scanner knows where a value begins in
    block style, in flow style and on the next line, and what is merely text that looks like one.
    """

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        self._taken: deque[Token] = deque(maxlen=3)
        self.quoted: list[tuple[Any, Any]] = []
        """The marks of the texts in quotes that go over several lines, for what may follow."""

    def get_token(self) -> Token:
        token: Token = super().get_token()  # type: ignore[no-untyped-call]
        self._taken.append(token)
        return token

    def scan_flow_scalar(self, style: str) -> Any:
        """Note where a text in quotes begins that goes over several lines."""
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
        raise DocumentError("the file is empty; it must contain flow_id and steps")
    parser.get_event()
    while not parser.check_event(DocumentEndEvent):
        yield parser.get_event()
    parser.get_event()
    if parser.check_event(DocumentStartEvent):
        raise DocumentError(
            "a second document begins here; a file contains one flow", *_place(parser.peek_event())
        )


@attrs.define
class _Open:
    """A list or mapping whose end has not been seen; `first` is its number among the values."""

    node: Sequence | Mapping
    first: int
    children: list[Node] = attrs.Factory(list)


def _compose(events: Iterator[Any]) -> Node:
    """Build the tree: a loop over events with a stack, counting every value it attaches."""
    document = _Open(Sequence([]), first=0)
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
            if isinstance(node, Sequence | Mapping):
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
    match event:
        case ScalarEvent():
            form = Form.TEXT if event.style else Form.BARE
            folded = _last_line(event) > line and event.style not in ("|", ">")
            return Scalar(_paired(event.value), form, folded=folded, **common)
        case SequenceStartEvent():
            return Sequence([], **common)
        case _:
            return Mapping([], **common)


def _paired(text: str) -> str:
    """Join escaped surrogate pairs, which JSON in a YAML file uses beyond U+FFFF."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _closed(done: _Open) -> Node:
    if isinstance(done.node, Sequence):
        done.node.items = done.children
    else:
        pairs = iter(done.children)
        done.node.entries = list(zip(pairs, pairs, strict=True))
        follow_merge_key(done.node)
    return done.node


def _aliased(
    event: Any, anchors: dict[str, tuple[Node, int]], stack: list[_Open]
) -> tuple[Node, int]:
    """Return what an alias stands for, and how many values that is."""
    name = event.anchor
    if name in anchors:
        return anchors[name]
    if any(opened.node.anchor == name for opened in stack):
        raise DocumentError(f"the alias *{name} refers to a value that contains it", *_place(event))
    raise DocumentError(
        f"*{name} is a YAML alias of an anchor &{name} that does not exist; "
        "put text that begins with * in quotes",
        *_place(event),
    )


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _last_line(event: Any) -> int:
    return int(event.end_mark.line) + 1


def _unprintable(text: str, error: ReaderError) -> DocumentError:
    line = text.count("\n", 0, error.position) + 1
    column = error.position - text.rfind("\n", 0, error.position)
    return DocumentError(
        f"the character U+{ord(text[error.position]):04X} is not allowed in YAML; "
        'write it as an escape in double quotes, such as "\\e" or "\\x1b"',
        line,
        column,
    )
