"""The key `params`: how parameters are declared, and which values each accepts (rule 10.2).

`FlowSpec.with_params` gives them the values of a run.
"""

import re
import signal
import threading
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Never

import attrs

from flow_spec.errors import Advised, Problem, Speller, advised, printable, quoted
from flow_spec.fields.env import SETTABLE, flaw_of_setting
from flow_spec.fields.kinds import MOST_NAMED, PROSE, Kind, Schema, Text, Value, Word
from flow_spec.fields.messages import flaw_of_length
from flow_spec.fields.reading import BUILT_IN, Cursor
from flow_spec.fields.records import ListOf, Record, declared, flaw_of_param_name

_MOST_LISTED = 10
"""How many values a message lists."""
_PATTERN_SEC = 1.0
"""How much processor time a value and its pattern may take: some patterns would take years."""


_LONGEST_PATTERN = 1000


def _flaw_of_pattern(text: str) -> str | None:
    if flaw := flaw_of_length(text, _LONGEST_PATTERN):
        return flaw
    if text.startswith("/^") and text.endswith("$/"):
        return "matches no value: the slashes are a part of it; write it without them"
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a valid regular expression of Python: {error}"
    return None


@attrs.frozen
class Param:
    """A parameter; without a default, every run must give it a value."""

    name: str
    default: str | None = declared(
        Value(), "The value that it has where a run gives none.", "berlin", default=None
    )
    enum: tuple[str, ...] = declared(
        ListOf(Word(), "values", "[berlin, paris]", min_items=1, distinct=True),
        "The only values that it may have.",
        ["berlin", "paris"],
        default=(),
    )
    pattern: str | None = declared(
        Text(_flaw_of_pattern, {"maxLength": _LONGEST_PATTERN}),
        "A regular expression of Python that must match the whole value.",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        default=None,
    )
    description: str | None = declared(PROSE, "What it is for.", "The day to import.", default=None)

    def value_in(self, given: Mapping[str, str]) -> str | None:
        """Return the given value, else the default, else None."""
        return given.get(self.name, self.default)

    def flaw_of(self, value: str | None) -> str | None:
        """Return what is wrong with a value, or that there is none; None if nothing is wrong."""
        if value is None:
            what = self.description
            about = "" if what is None else f" ({printable(what.strip())})"
            return f"has no value{about}"
        flaw = flaw_of_setting(self.name, value)
        if flaw is not None:
            return flaw
        if self.enum and value not in self.enum:
            listed = ", ".join(map(quoted, self.enum[:_MOST_LISTED]))
            others = ", ..." if len(self.enum) > _MOST_LISTED else ""
            return f"must be one of {listed}{others}, got {quoted(value)}"
        if self.pattern is None:
            return None
        try:
            is_match = _matches(self.pattern, value)
        except _TooSlow:
            return (
                f"cannot be compared with {quoted(self.pattern)} within {_PATTERN_SEC:g} s: write "
                "a pattern that repeats nothing inside of what it repeats, such as a+ for (a+)+"
            )
        return (
            None
            if is_match
            else f"must match {quoted(self.pattern)} as a whole, got {quoted(value)}"
        )


class _TooSlow(Exception):
    """The time is over."""


def _matches(pattern: str, value: str) -> bool:
    """Tell whether a whole value matches.

    Only the main thread can be interrupted. Elsewhere it takes what it takes.

    Raises:
        _TooSlow: It takes too long.
    """

    def interrupt(_number: int, _frame: object) -> Never:
        raise _TooSlow

    if threading.current_thread() is not threading.main_thread():
        return re.fullmatch(pattern, value) is not None
    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, _PATTERN_SEC)
        return re.fullmatch(pattern, value) is not None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)


def problems_of_values(params: Iterable[Param], given: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with the values that a run gives to the parameters of a flow."""
    known = {param.name: param for param in params}
    speller = Speller()
    for name in given:
        if name not in known:
            remedy = speller.suggestion(name, known) or _parameters_of(known, name)
            message = advised(f"the flow has no parameter {quoted(name)}", remedy)
            yield Problem.of(message)
    for name, param in known.items():
        value = param.value_in(given)
        if flaw := param.flaw_of(value):
            yield Problem(flaw, f"params.{name}", param=name if value is None else None)


def _parameters_of(known: Collection[str], name: str) -> str:
    if not known:
        return f"it has no parameters; params: {{{printable(name)}: {{}}}} in the file declares one"
    return f"its parameters are {', '.join(list(known)[:MOST_NAMED])}"


class ParamRecord(Record):
    """A parameter in a file, without its name, which is its key."""

    def _made(self, values: dict[str, Any], here: Cursor) -> Any:
        return Param(here.field, **values)


PARAM = ParamRecord(Param, "a parameter")


class Params(Kind):
    """A mapping of the names of parameters to their defaults, or to their declarations."""

    def schema(self) -> Schema:
        """Give the pattern of a name, and both forms."""
        return {
            "type": "object",
            "propertyNames": {"pattern": rf"^(?!(?:{'|'.join(BUILT_IN)})$){SETTABLE[1:]}"},
            "additionalProperties": {"anyOf": [Value().schema(), PARAM.schema()]},
        }

    def _read(self, here: Cursor) -> tuple[Any, ...] | None:
        if not here.is_mapping:
            example = "such as {SHOP: berlin}, or {X: {}} for none"
            here.must_be(f"a mapping of names to defaults, {example}")
            return None
        if here.reading.params is None:
            here.reading.params = {name: _param(key, value) for name, key, value in here.entries()}
        return tuple(here.reading.params.values())


def _param(key: Cursor, value: Cursor) -> Param | None:
    name, problems = key.field, value.reading.problems
    before = len(problems)
    if flaw := flaw_of_param_name(name):
        key.add(flaw)
    elif value.is_null:
        remedy = (
            f"write {name}: {{}} if every run must give it a value, "
            f'or {name}: "" for an empty default'
        )
        value.add(Advised("is empty", remedy))
    elif value.is_list:
        remedy = f"write {name}: {{enum: [A, B]}}, with the values that it may have"
        value.add(Advised("must be a single text, got a list", remedy))
    else:
        param: Param = PARAM.read(value) if value.is_mapping else Param(name, Word().read(value))
        is_whole = len(problems) == before
        if is_whole and param.default is not None and (flaw := param.flaw_of(param.default)):
            value.at(value.given.get("default", value.node)).add(flaw)
        return param if len(problems) == before else None
    return None


def note_params(root: Cursor) -> None:
    """Read the parameters of a file before the lists whose paths may name them."""
    here = root.get("params")
    if here is not None and here.is_mapping and here.node.tag is None:
        Params().read(here)
