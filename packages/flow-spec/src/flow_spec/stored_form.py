"""A flow as data: what a file holds of it, and its stored form, written and read back.

The stored form is compact JSON without default values.

cattrs reads it, and converts nothing: a text, a number or a boolean is accepted as it is or
refused, only a list is a list, and an unknown key is an error. Importing cattrs takes longer than
most commands take, so it is imported where a flow is read back. A flow that has just been recorded
is not.
"""

import json
import re
from collections.abc import Callable
from functools import cache, partial
from operator import eq
from types import GenericAlias
from typing import TYPE_CHECKING, Any, get_args, get_origin

import attrs

from flow_spec.errors import FlowFileError, StoredFlowError
from flow_spec.fields.reading import FOREACH, STEPS, ValueList, escaped
from flow_spec.fields.records import (
    ListedFile,
    ProducedFile,
    attribute_of,
    declarations,
    key_of,
)
from flow_spec.foreach import ALLOW_EMPTY, AT, MAX_PARALLEL, Block
from flow_spec.step import (
    OF_FLOW,
    OF_STEP,
    OnConflict,
    StepSpec,
    WarningCode,
    changed_words,
)

if TYPE_CHECKING:
    from cattrs import Converter

    from flow_spec.flow import FlowSpec

_VARIABLES = tuple[tuple[str, str], ...]
"""The type of `env`: sorted pairs of name and value, stored as a mapping."""


def to_json(flow: attrs.AttrsInstance) -> str:
    """Return the stored form of a flow."""
    return json.dumps(flow, default=_written, ensure_ascii=False, separators=(",", ":"))


def _written(record: attrs.AttrsInstance) -> dict[str, Any]:
    """Return what the text holds of a flow or of a part of it: the fields not at their defaults."""
    written: dict[str, Any] = {}
    for name, key, default, is_variables in _fields(type(record)):
        value = getattr(record, name)
        if value != default:
            written[key] = dict(value) if is_variables else value
    if isinstance(record, StepSpec) and record.waits_for != record.depends_on:
        written[_WAITS_FOR] = record.waits_for
    return written


def to_data(flow: "FlowSpec", items: tuple[Any, ...]) -> dict[str, Any]:
    """Return what a file holds of a flow, whose steps and blocks are these `items`.

    It holds the declared fields alone: no other field of a record is a key of a file.

    Raises:
        FlowFileError: No file can hold the flow; holds every problem.
    """
    from flow_spec.flow_file import parse_flow

    text = json.dumps(attrs.evolve(flow, steps=items), default=partial(_in_file, flow))
    lists, values = flow.lists, dict(flow.values)
    try:
        parse_flow(
            text, format="json", params=values, read_list=lambda *one: lists.get(one[:2], ())
        )
    except FlowFileError as error:
        problems = [one for one in error.problems if one.param is None]
        if problems:  # the parameters may have values in a run
            placed = [attrs.evolve(one, line=None, column=None, mark=None) for one in problems]
            raise FlowFileError(error.source, tuple(placed)) from None
    data: dict[str, Any] = json.loads(text)
    return data


def _in_file(flow: "FlowSpec", record: Any) -> Any:
    """Return what a file holds of a part of a flow."""
    match record:
        case ValueList(origin=None):
            return record.values
        case ValueList():
            found = {record.origin: record.text, AT: record.at, ALLOW_EMPTY: record.allow_empty}
            return {key: value for key, value in found.items() if value}
        case Block(names=names, steps=steps, max_parallel=bound):
            lists = {one.name: one for one in record.lists}
            rows = [dict(zip(names, copy.values, strict=True)) for copy in record.copies]
            return {FOREACH: lists or rows, STEPS: steps} | ({MAX_PARALLEL: bound} if bound else {})
        case _ if not attrs.has(type(record)):
            raise TypeError(f"a flow file cannot hold {record!r}")
    data: dict[str, Any] = {}
    for key, field in declarations(type(record)).items():
        value = getattr(record, attribute_of(key))
        if value == field.default:
            continue
        if key in (*OF_STEP, *OF_FLOW) and key not in record.fills:
            # Words built in Python hold names, but not a script, nor what is beside filled words.
            is_script = key == "command" and record.script is not None
            if flow.has_names or (is_script and (flow.params or flow.blocks)):
                value = changed_words(value, escaped)
        match key:
            case "env":
                value = dict(value)
            case "params":
                value = {param.name: param for param in value}
            case "x-airflow":
                value = {name: json.loads(text) for name, text in value}
        data[key] = value
    return data


@cache
def _fields(cls: type[attrs.AttrsInstance]) -> list[tuple[str, str, object, bool]]:
    """Return name, key and default of each field of a class, and whether it holds variables."""
    return [
        (field.name, key_of(field.name), field.default, field.type == _VARIABLES)
        for field in attrs.fields(cls)
    ]


_WAITS_FOR = "x-waits-for"
"""What a step waits for, if that is more than its `depends_on`.

It is recorded because the program shows it for each run, and would otherwise parse each condition.
"""


def from_json[T](text: str, cls: type[T]) -> T:
    """Rebuild a flow of this class from its stored form.

    Raises:
        StoredFlowError: The text is something else; names the first value that does not fit.
    """
    from cattrs import ClassValidationError, transform_error

    try:
        return _converter().structure(json.loads(text), cls)
    except ClassValidationError as error:
        reason, _, path = transform_error(error, "", _described)[0].rpartition(" @ ")
        # The text spells `finally[0]`, not `finally_[0]`.
        keys = re.sub(r"\w+", lambda found: key_of(found[0]), path.removeprefix("."))
        reason = f"{keys}: {reason}" if path else reason
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise StoredFlowError(reason)


def _described(error: BaseException, _: type | None) -> str:
    from cattrs import ForbiddenExtraKeysError

    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown key {', '.join(map(json.dumps, sorted(error.extra_fields)))}"
    return "is missing" if isinstance(error, KeyError) else str(error)


def _exactly[T](value: Any, kind: type[T]) -> T:
    """Return a value of this type; a boolean is not an integer here."""
    if type(value) is not kind:
        raise ValueError(f"must be {kind.__name__}, got {type(value).__name__}")
    return value


@cache
def _converter() -> "Converter":
    from cattrs import Converter

    converter = Converter()
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly)
    for words in (OnConflict, WarningCode):
        converter.register_structure_hook(words, lambda value, kind: kind(_exactly(value, str)))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(_is_sequence, _list)
    converter.register_structure_hook_func(lambda kind: bool(kind == _VARIABLES), _variables)
    for record in (ListedFile, ProducedFile):
        converter.register_structure_hook_func(
            partial(eq, str | record), partial(_file_or_record, record=record)
        )
    converter.register_structure_hook_factory(attrs.has, _record)
    return converter


def _number(value: Any, kind: type[float]) -> float:
    return value if type(value) is int else _exactly(value, kind)


def _is_sequence(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _list(value: Any, sequence: type[tuple[Any, ...]]) -> tuple[Any, ...]:
    items: Any = GenericAlias(list, get_args(sequence)[:1])
    return tuple(_converter().structure(_exactly(value, list), items))


def _variables(value: Any, _: type) -> tuple[tuple[str, str], ...]:
    return tuple(_converter().structure(_exactly(value, dict), dict[str, str]).items())


def _file_or_record[T](value: Any, _: type, record: type[T]) -> str | T:
    return value if type(value) is str else _converter().structure(value, record)


def _record(cls: type[attrs.AttrsInstance]) -> Callable[[Any, type[Any]], Any]:
    from cattrs.gen import make_dict_structure_fn, override

    renamed: dict[str, Any] = {
        name: override(rename=key) for name, key, *_ in _fields(cls) if key != name
    }
    rebuild = make_dict_structure_fn(cls, _converter(), _cattrs_forbid_extra_keys=True, **renamed)

    def read(value: Any, _: type[Any]) -> Any:
        _exactly(value, dict).pop(_WAITS_FOR, None)
        return rebuild(value, cls)

    return read
