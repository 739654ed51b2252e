"""The first look at a flow file: where each step is, who waits for whom, which copies there are.

That comes before anything is checked, since a condition may name any of it. What is wrong with a
step or with a condition is found later; only the lists of a `foreach` are read here.
"""

from collections.abc import Mapping as Mapping_

from flow_spec import messages
from flow_spec.blocks import MOST_STEPS
from flow_spec.document import MAX_VALUES, Mapping, Node, Path, Scalar, Sequence
from flow_spec.errors import DocumentError
from flow_spec.foreach_lists import FOREACH, Room, note_lists
from flow_spec.lists import ListReader
from flow_spec.params import path_params
from flow_spec.predicates import has_call
from flow_spec.reading import FINALLY, STEPS, Reading, StepPlace
from flow_spec.texts import NAME, REFERENCE


def begin_reading(root: Node, read_list: ListReader, params: Mapping_[str, str]) -> Reading:
    """Return a reading that knows the steps of a file, and their copies (rules 2.6 and 10.3).

    `params` are the values that are given to parameters, for the paths of lists.

    Raises:
        DocumentError: the conditions of `finally` ask more often than a file may hold values (2.8).
    """
    known = path_params(_value(root, "params"), params)
    reading = Reading(read_list=read_list, path_params=known)
    items, last = _items(_value(root, STEPS)), _items(_value(root, FINALLY))
    lists = [_value(item, FOREACH) for item in items]
    room = Room(MOST_STEPS - lists.count(None) - len(last))
    for position, (item, foreach) in enumerate(zip(items, lists, strict=True)):
        path: Path = (STEPS, position)
        if foreach is None:
            _note_step(item, path, reading)
            continue
        inner = _items(_value(item, STEPS))
        for place, step in enumerate(inner):
            _note_step(step, (*path, STEPS, place), reading)
        found = note_lists(foreach, (*path, FOREACH), reading, inner, room)
        reading.blocks[path] = found
        reading.names.declare((*path, STEPS), found.names)
    _note_finally(last, reading)
    return reading


def _note_step(step: Node, path: Path, reading: Reading) -> None:
    """Note where the id of a step is, and what it lists that could be the id of a step."""
    node = _value(step, "id")
    if isinstance(node, Scalar):
        reading.steps.setdefault(node.text, StepPlace(path, node))
    listed = (item.text for item in _items(_value(step, "depends_on")) if isinstance(item, Scalar))
    reading.depends_on[path] = tuple(filter(REFERENCE.fullmatch, dict.fromkeys(listed)))


def _note_finally(steps: list[Node], reading: Reading) -> None:
    """Note the steps of `finally`.

    One that asks about all of `steps` waits for these (rule 10.1), as if it named them; so that
    counts like an alias.
    """
    of_steps = tuple(filter(NAME.fullmatch, reading.steps))
    asked = 0
    for position, step in enumerate(steps):
        path: Path = (FINALLY, position)
        _note_step(step, path, reading)
        when = _value(step, "when")
        if not _items(_value(step, "depends_on")) and isinstance(when, Scalar):
            reading.depends_on[path] = of_steps if has_call(when.text) else ()
            asked += len(reading.depends_on[path])
            if asked > MAX_VALUES:
                raise DocumentError(messages.asks_too_often(), when.line, when.column)


def _items(node: Node | None) -> list[Node]:
    return node.items if isinstance(node, Sequence) else []


def _value(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, Mapping):
        return None
    return next((value for text, value in node.texts() if text == key), None)
