"""Records whose words hold names: which of their fields do, and what they are when filled (10.2).

A name in a word is the matter of `placeholders`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import attrs

from flow_spec.concurrency import Concurrency
from flow_spec.placeholders import filled, holds_name

OF_STEP = ("command", "only_if", "env", "env_file", "working_dir")
OF_FLOW = ("concurrency", "env", "env_file", "working_dir")
"""The fields whose words may hold names."""


def fields_to_fill(values: Mapping[str, Any], fields: Iterable[str]) -> tuple[str, ...]:
    """Return which of these fields have a value that holds a name."""
    return tuple(name for name in fields if any(map(holds_name, _texts(values.get(name)))))


def filled_record[Record](
    record: Record, fields: Iterable[str], values: Mapping[str, str]
) -> Record:
    """Return a record with the words of these fields filled, and none left to fill."""
    words = {name: _filled(getattr(record, name), values) for name in fields}
    if not words:
        return record
    # mypy knows no bound for "an instance of an attrs class".
    evolved: Record = attrs.evolve(cast("Any", record), **words, fills=())
    return evolved


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """Fill a text, a list of texts, the name of a group, or the texts of pairs of a variable."""
    match value:
        case str():
            return filled(value, values)
        case Concurrency(group=str() as group):
            return attrs.evolve(value, group=filled(group, values))
        case [tuple(), *_]:
            return tuple((name, filled(text, values)) for name, text in value)
        case _:
            return tuple(filled(text, values) for text in value)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case None | Concurrency(group=None):
            return
        case Concurrency(group=str() as group):
            yield group
        case str():
            yield value
        case [tuple(), *_]:
            yield from (text for _, text in value)
        case _:
            yield from value
