"""From JSON text to a document tree; the only module that knows JSON's syntax.

Numbers keep their spelling, and objects their repeated keys.
"""

import json
import re
from typing import NoReturn

from flow_spec.documents.tree import (
    MAX_DEPTH,
    MAX_VALUES,
    Form,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    place_of,
    too_deep,
    too_many,
)
from flow_spec.errors import DocumentError, advised, pointed


def read_json(text: str) -> Node:
    """Return the document of `text`.

    Raises:
        DocumentError: The text is not JSON, or exceeds the limits (rule 2.8).
    """
    _check_limits(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_mapping,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise _syntax_error(text, error) from None
    return _node(value)


def _syntax_error(text: str, error: json.JSONDecodeError) -> DocumentError:
    """Say what is not JSON, where it begins, and what to write instead."""
    place = error.pos
    rest = text[place:].lstrip()
    fact = f"not valid JSON: {error.msg}"
    fix = next((fix for beginning, fix in _ADVICE if re.match(beginning, rest)), None)
    opened = _still_open(text) if not rest else None
    if error.msg.startswith("Extra data"):
        fact, fix = "not valid JSON: something follows the flow", "a file contains one flow"
    elif error.msg.startswith(("Invalid control character", "Unterminated string")):
        place = text.rfind('"', 0, place) if text[place : place + 1] != '"' else place
        fact = 'not valid JSON: Unterminated string, this " is not closed on its line'
        fix = 'write " where the text ends, and \\n for a line break'
    elif place == 0 and re.match(r"---|[A-Za-z_#-]", rest):
        fix = "this looks like YAML; name the file .yaml"
    elif opened is not None:
        place = opened
        fact = f"not valid JSON: this {text[place]} is never closed"
        fix = f"write {_CLOSING[text[place]]} where it ends"
    elif "trailing comma" in error.msg or re.match(r",\s*[\]}]", text[place:]):
        fact, fix = "not valid JSON: a comma before a closing bracket", "remove the comma"
    elif rest[:1] in ("]", "}") and text[:place].rstrip().endswith(","):
        place = text[:place].rstrip().rfind(",")
        fact, fix = "not valid JSON: a comma before a closing bracket", "remove the comma"
    line, column = place_of(text, place)
    excerpt = pointed(text.split("\n")[line - 1], column)
    return DocumentError(advised(fact, fix), line, column, excerpt)


_CLOSING = {"[": "]", "{": "}"}
_ADVICE = (
    (r"//|/\*|#", "JSON has no comments; remove it, or name the file .yaml, which has # for them"),
    (r"'", "JSON has double quotes only"),
    (r"True|False|None", "JSON has true, false and null, in small letters"),
    (r"[A-Za-z_][\w-]*\s*:", "put the key in double quotes, or name the file .yaml"),
    (r"[A-Za-z_!]", "put text in double quotes, or name the file .yaml"),
    (r'"', "write a comma before it"),
    (r"[\[{]", "write a comma before it"),
)


def _still_open(text: str) -> int | None:
    """Return the offset of the innermost bracket that is never closed, or None."""
    opened: list[int] = []
    for token in _STRUCTURE.finditer(text):
        char = text[token.start()]
        if char in "[{":
            opened.append(token.start())
        elif char in "]}" and opened:
            opened.pop()
    return opened[-1] if opened else None


# A string (whose end may be missing: the parser will say so), or what opens, closes or separates.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:]', re.DOTALL)


def _check_limits(text: str) -> None:
    """Refuse too deep or too many values before the parser, which recurses, sees them."""
    depth = values = 0
    for token in _STRUCTURE.finditer(text):
        char = text[token.start()]
        if char in "]}":
            depth -= 1
        elif char != '"':
            # Every value, and every key, comes after a bracket, a comma or a colon.
            depth += char in "[{"
            values += 1
            if depth > MAX_DEPTH or values > MAX_VALUES:
                refusal = too_deep if depth > MAX_DEPTH else too_many
                raise refusal(*place_of(text, token.start()))


def _number(spelling: str) -> ScalarNode:
    return ScalarNode(spelling, Form.NUMBER)


def _refuse_constant(spelling: str) -> NoReturn:
    raise DocumentError(f"not valid JSON: {spelling} is not a JSON number")


def _mapping(pairs: list[tuple[str, object]]) -> MappingNode:
    return MappingNode([(ScalarNode(key, Form.TEXT), _node(value)) for key, value in pairs])


def _node(value: object) -> Node:
    """Wrap what the parser returned; lists nest no deeper than `MAX_DEPTH`."""
    match value:
        case Node():
            return value
        case str():
            return ScalarNode(value, Form.TEXT)
        case list():
            return SequenceNode([_node(item) for item in value])
        case None:
            return ScalarNode("null", Form.NULL)
        case _:
            return ScalarNode("true" if value else "false", Form.BOOLEAN)
