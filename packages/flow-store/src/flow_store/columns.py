r"""The columns of the tables, as they follow from the fields of the records.

A field is a column of the same name. A field that is itself a record is one column for each of
its fields: `deadline` is `deadline_at`, `deadline_mono` and `deadline_boot`. The type of a field
says how its values are stored. So a new fact takes one line in `records` and one migration in
`schema` that adds the column. SQL belongs to `sql`.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from flow_store.changes import RunGuard, RunHeader
from flow_store.errors import Unstorable
from flow_store.records import (
    Attempt,
    EndedRun,
    ForeignText,
    GivenUp,
    NamedTexts,
    PastAttempt,
    Run,
    RunSummary,
    Settlement,
    Step,
    SystemPath,
)

type _Conversion = Callable[[Sequence[Any]], Sequence[Any]]


class _Form(NamedTuple):
    """How the values of one field are stored: in which columns, and how they are converted.

    `read` turns the values of these columns into the field's value, alone in a sequence; `write`
    does the reverse. None means that the value is stored as it is.
    """

    columns: tuple[str, ...]
    read: _Conversion | None = None
    write: _Conversion | None = None


class Columns[Record: NamedTuple]:
    """The columns that hold records of one class, or some fields of them.

    Attributes:
        names: The columns' names, in the order of the fields.
    """

    def __init__(self, record: type[Record], *, without: Collection[str] = ()) -> None:
        """Derive the columns from the fields of `record`, leaving out the fields in `without`."""
        self._record = record
        self._fields = tuple(name for name in record._fields if name not in without)
        forms = [_form(name, record.__annotations__[name]) for name in self._fields]
        self.names: tuple[str, ...] = tuple(column for form in forms for column in form.columns)
        self._places = tuple(map(record._fields.index, self._fields))
        # A field may take several columns. So fields are read from the first to the last, and
        # written from the last to the first: each field before the one at hand is then one value.
        self._reads = [
            (slice(place, place + len(form.columns)), form.read)
            for place, form in enumerate(forms)
            if form.read is not None
        ]
        self._writes = [
            (slice(place, place + 1), form.write)
            for place, form in reversed(tuple(enumerate(forms)))
            if form.write is not None
        ]

    def record(self, row: Sequence[Any]) -> Record:
        """Make a record of a row that holds all its fields.

        Raises:
            ValueError, TypeError: The row holds what no record of this class can hold.
        """
        return self._record._make(self._read(row))

    def fields(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return the fields that a row holds by name, for a record that has others besides.

        Raises:
            ValueError, TypeError: As `record`.
        """
        return dict(zip(self._fields, self._read(row), strict=True))

    def values(self, record: Record) -> Sequence[object]:
        """Return a record's values as they are stored, in the order of the columns.

        Raises:
            Unstorable: A path holds a surrogate that stands for no byte.
        """
        values = [record[place] for place in self._places]
        for place, write in self._writes:
            values[place] = write(values[place])
        return values

    def _read(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, read in self._reads:
            values[place] = read(values[place])
        return values


@cache  # many records have the same fields, and this is done at every start of the program
def _form(name: str, annotation: Any) -> _Form:
    """Derive how a field is stored from its type."""
    kind, is_optional = _without_none(annotation)
    if hasattr(kind, "_fields"):
        return _form_of_record(name, kind)
    read, write = _CONVERSIONS.get(kind, (None, None))
    if isinstance(kind, type) and issubclass(kind, Enum | bool):
        read = kind
    return _Form((name,), _of_one(read, is_optional), _of_one(write, is_optional))


def _form_of_record(name: str, record: type[NamedTuple]) -> _Form:
    """Derive how an optional record inside another is stored: None is NULL in all its columns.

    Its first field must not be optional, because the first column tells whether there is one.
    """
    columns = Columns(record)
    nothing = (None,) * len(columns.names)

    def read(values: Sequence[Any]) -> Sequence[Any]:
        return (None if values[0] is None else columns.record(values),)

    def write(values: Sequence[Any]) -> Sequence[Any]:
        return nothing if values[0] is None else columns.values(values[0])

    return _Form(tuple(f"{name}_{column}" for column in columns.names), read, write)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return a type without its `| None`, and whether it had one."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    (kind,) = (kind for kind in get_args(annotation) if kind is not NoneType)
    return kind, True


def _of_one(convert: Callable[[Any], Any] | None, is_optional: bool) -> _Conversion | None:
    """Let the conversion of a value convert the only value of a sequence."""
    if convert is None:
        return None
    if is_optional:
        return lambda values: (None if values[0] is None else convert(values[0]),)
    return lambda values: (convert(values[0]),)


def path_bytes(path: str) -> bytes:
    """Return a path as it is stored.

    Raises:
        Unstorable: It holds a surrogate that stands for no byte.
    """
    try:
        return os.fsencode(path)
    except UnicodeEncodeError as error:
        raise Unstorable(str(error)) from error


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _named_texts(stored: str) -> Mapping[str, str]:
    import json  # few runs have some

    texts = json.loads(stored)
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"expected a JSON object of texts, got {stored[:60]!r}")
    return texts


def stored_texts(texts: Mapping[str, str]) -> str:
    """Return texts as they are stored, in their order."""
    import json

    return json.dumps(dict(texts), ensure_ascii=False)


_CONVERSIONS: Mapping[Any, tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]] = {
    SystemPath: (os.fsdecode, path_bytes),
    ForeignText: (None, _escaped),
    NamedTexts: (_named_texts, stored_texts),
}
"""How to read and to write the values of a type."""

GUARD = Columns(RunGuard)
_OTHER_TABLES = ("steps", "attempts", "history", "queue", "settlements", "settled")
RUN = Columns(Run, without=_OTHER_TABLES)
RUN_STATE = Columns(Run, without=("definition", *_OTHER_TABLES))
ENDED = Columns(EndedRun)
SUMMARY = Columns(RunSummary, without=("steps", "queue"))
HEADER = Columns(RunHeader)
STEP = Columns(Step)
NEW_STEP = Columns(Step, without=Step._field_defaults.keys() - {"retry_no"})  # the rest is NULL
STEP_STATE = Columns(Step, without=("position", "step_id"))
STEP_RESET = Columns(Step, without=("position", "step_id", "attempt_no"))
GIVEN_UP = Columns(GivenUp)
ATTEMPT = Columns(Attempt)
ATTEMPT_STATE = Columns(Attempt, without=("position", "number"))
PAST_ATTEMPT = Columns(PastAttempt)
SETTLEMENT = Columns(Settlement)

TABLES: Mapping[str, Sequence[str]] = {
    "runs": RUN_STATE.names,
    "steps": STEP.names,
    "attempts": ATTEMPT.names,
    "settlements": SETTLEMENT.names,
}
"""The columns of the tables that grow, without the numbers that tie the tables together."""
