"""The stored form of a flow: compact JSON without default values, written and read back.

cattrs does the work, and converts nothing: a text, a number or a boolean is accepted as it is or
refused, only a list is a list, and an unknown key is an error. Importing cattrs takes longer than
most commands take, so this module is imported only to store or rebuild a flow.
"""

import json
from collections.abc import Callable
from types import GenericAlias
from typing import Any, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from flow_spec.errors import StoredFlowError
from flow_spec.fields.records import key_of
from flow_spec.step import OnConflict, StepSpec, WarningCode

_VARIABLES = tuple[tuple[str, str], ...]
"""The type of `env`: sorted pairs of name and value, stored as a mapping."""

_WORDS: dict[type[Any], str] = {
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}


def to_json(flow: attrs.AttrsInstance) -> str:
    """Return the stored form of a flow."""
    return json.dumps(_converter.unstructure(flow), ensure_ascii=False, separators=(",", ":"))


def from_json[T](text: str, cls: type[T]) -> T:
    """Rebuild a flow of this class from its stored form.

    Raises:
        StoredFlowError: The text is something else; names the first value that does not fit.
    """
    try:
        return _converter.structure(json.loads(text), cls)
    except ClassValidationError as error:
        reason, _, path = transform_error(error, "", _described)[0].rpartition(" @ ")
        keys = ".".join(_spelled_part(part) for part in path.removeprefix(".").split("."))
        reason = f"{keys}: {reason}" if path else reason
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise StoredFlowError(reason)


def _spelled_part(part: str) -> str:
    """Return a part of a path as the text spells it: `finally[0]`, not `finally_[0]`."""
    attribute, bracket, index = part.partition("[")
    return f"{key_of(attribute)}{bracket}{index}"


def _described(error: BaseException, _: type | None) -> str:
    """Say what does not fit; the caller adds where."""
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown key {', '.join(map(json.dumps, sorted(error.extra_fields)))}"
    return "is missing" if isinstance(error, KeyError) else str(error)


def _exactly(value: Any, *allowed: type[Any]) -> Any:
    """Return a value of one of these types; a boolean is not an integer here."""
    if type(value) not in allowed:
        raise ValueError(f"must be {_WORDS[allowed[-1]]}, got {_WORDS[type(value)]}")
    return value


def _list(value: Any, sequence: type[tuple[Any, ...]]) -> tuple[Any, ...]:
    items: Any = GenericAlias(list, get_args(sequence)[:1])
    return tuple(_converter.structure(_exactly(value, list), items))


def _variables(value: Any, _: type) -> tuple[tuple[str, str], ...]:
    return tuple(_converter.structure(_exactly(value, dict), dict[str, str]).items())


def _record(cls: type[Any]) -> Callable[[Any, type[Any]], Any]:
    """Return a function that rebuilds an instance of an attrs class from a mapping."""
    rebuild = make_dict_structure_fn(
        cls, _converter, _cattrs_forbid_extra_keys=True, **_spelled(cls)
    )
    return lambda value, _: rebuild(_exactly(value, dict), cls)


def _written(cls: type[Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a function that makes a mapping of an instance of an attrs class."""
    return make_dict_unstructure_fn(cls, _converter, _cattrs_omit_if_default=True, **_spelled(cls))


_WAITS_FOR = "x-waits-for"
"""What a step waits for, if that is more than its `depends_on`.

It is recorded because the program shows it for each run, and would otherwise parse each condition.
"""


def _written_step(cls: type[Any]) -> Callable[[Any], dict[str, Any]]:
    write = _written(cls)

    def written(step: StepSpec) -> dict[str, Any]:
        mapping = write(step)
        if step.waits_for != step.depends_on:
            mapping[_WAITS_FOR] = list(step.waits_for)
        return mapping

    return written


def _recorded_step(cls: type[Any]) -> Callable[[Any, type[Any]], Any]:
    rebuild = _record(cls)

    def record(value: Any, kind: type[Any]) -> Any:
        if type(value) is dict and _WAITS_FOR in value:
            value = {key: field for key, field in value.items() if key != _WAITS_FOR}
        return rebuild(value, kind)

    return record


def _spelled(cls: type[Any]) -> dict[str, Any]:
    """Return the renamings of the fields whose keys cannot be attributes."""
    names = (field.name for field in attrs.fields(cls))
    return {name: override(rename=key_of(name)) for name in names if key_of(name) != name}


def _is_sequence(kind: Any) -> bool:
    return get_origin(kind) is tuple


_converter = Converter(omit_if_default=True)
_converter.register_structure_hook(str, lambda value, _: _exactly(value, str))
_converter.register_structure_hook(OnConflict, lambda value, _: OnConflict(_exactly(value, str)))
_converter.register_structure_hook(WarningCode, lambda value, _: WarningCode(_exactly(value, str)))
_converter.register_structure_hook(int, lambda value, _: _exactly(value, int))
_converter.register_structure_hook(bool, lambda value, _: _exactly(value, bool))
_converter.register_structure_hook(float, lambda value, _: _exactly(value, int, float))
_converter.register_structure_hook_func(_is_sequence, _list)
_converter.register_structure_hook_func(lambda kind: bool(kind == _VARIABLES), _variables)
_converter.register_structure_hook_factory(attrs.has, _record)
_converter.register_structure_hook_factory(lambda kind: kind is StepSpec, _recorded_step)
_converter.register_unstructure_hook_factory(attrs.has, _written)
_converter.register_unstructure_hook_factory(lambda kind: kind is StepSpec, _written_step)
_converter.register_unstructure_hook_func(lambda kind: bool(kind == _VARIABLES), dict)
