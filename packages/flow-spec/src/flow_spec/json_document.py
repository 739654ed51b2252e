"""From JSON text to a document tree.

Everything that knows JSON lives here. Numbers keep their spelling, and objects their repeated keys.
What the values mean does not belong here.
"""

import json
import re
from typing import NoReturn

from flow_spec.document import (
    MAX_DEPTH,
    MAX_VALUES,
    Form,
    Mapping,
    Node,
    Scalar,
    Sequence,
    pointed,
    too_deep,
    too_many,
)
from flow_spec.errors import DocumentError


def read_json(text: str) -> Node:
    """Return the document of `text`.

    Raises:
        DocumentError: no JSON, or beyond the limits of rule 2.8.
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
        raise DocumentError(
            f"not valid JSON: {error.msg}",
            error.lineno,
            error.colno,
            pointed(text.split("\n")[error.lineno - 1], error.colno),
        ) from None
    return _node(value)


# A string (whose end may be missing: the parser will say so), or what opens, closes or separates.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:]', re.DOTALL)


def _check_limits(text: str) -> None:
    """Refuse depth and number of values before the parser, which recurses, sees them."""
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
                line = text.count("\n", 0, token.start()) + 1
                column = token.start() - text.rfind("\n", 0, token.start())
                raise (too_deep if depth > MAX_DEPTH else too_many)(line, column)


def _number(spelling: str) -> Scalar:
    return Scalar(spelling, Form.NUMBER)


def _refuse_constant(spelling: str) -> NoReturn:
    raise DocumentError(f"not valid JSON: {spelling} is not a JSON number")


def _mapping(pairs: list[tuple[str, object]]) -> Mapping:
    return Mapping([(Scalar(key, Form.TEXT), _node(value)) for key, value in pairs])


def _node(value: object) -> Node:
    """Wrap what the parser returned; lists nest no deeper than `MAX_DEPTH`."""
    match value:
        case Node():
            return value
        case str():
            return Scalar(value, Form.TEXT)
        case list():
            return Sequence([_node(item) for item in value])
        case None:
            return Scalar("null", Form.NULL)
        case _:
            return Scalar("true" if value else "false", Form.BOOLEAN)
