"""The columns of the tables, derived from the records, and the SQL that reads and writes them.

A field is a column of the same name. A field that is itself a record is one column for each of
its fields: `deadline` is `deadline_at`, `deadline_mono` and `deadline_boot`. The type of a field
determines how its values are stored. So a new fact takes one line in `records` and one migration
in `database` that adds the column.

The statements hold part of the guards: none changes a row whose status is terminal (rule 5.1).
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from flow_store.errors import Unstorable
from flow_store.records import (
    Attempt,
    EndedRun,
    ForeignText,
    GivenUp,
    Hook,
    NamedTexts,
    NotStarted,
    PastAttempt,
    Run,
    RunGuard,
    RunHeader,
    RunSummary,
    Settlement,
    Step,
    SystemPath,
)

# ruff: noqa: S608 - the statements are put together from names of columns only


type _Conversion = Callable[[Sequence[Any]], Sequence[Any]]


class _Form(NamedTuple):
    """The columns of one field, and how its values are converted.

    `read` takes the values of these columns and returns the field's value, alone in a sequence;
    `write` does the reverse. None means that the value is stored as it is.
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
        self._indexes = tuple(map(record._fields.index, self._fields))
        # A field may take several columns. So fields are read from the first to the last and
        # written from the last to the first: then each field before the current one is one value.
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
        """Return the record that a row holds with all its fields.

        Raises:
            ValueError, TypeError: No record of this class can hold these values.
        """
        return self._record._make(self._read(row))

    def fields(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return the fields that a row holds, by name, for a record that also has others.

        Raises:
            ValueError, TypeError: As `record`.
        """
        return dict(zip(self._fields, self._read(row), strict=True))

    def values(self, record: Record) -> Sequence[object]:
        """Return a record's values as they are stored, in the order of the columns.

        Raises:
            Unstorable: A path holds a surrogate that stands for no byte.
        """
        values = [record[place] for place in self._indexes]
        for place, write in self._writes:
            values[place] = write(values[place])
        return values

    def _read(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, read in self._reads:
            values[place] = read(values[place])
        return values


@cache  # many records have the same fields, and every start of the program does this
def _form(name: str, annotation: Any) -> _Form:
    kind, is_optional = _without_none(annotation)
    if hasattr(kind, "_fields"):
        return _form_of_record(name, kind)
    read, write = _CONVERSIONS.get(kind, (None, None))
    if isinstance(kind, type) and issubclass(kind, Enum | bool):
        read = kind
    return _Form((name,), _of_one(read, is_optional), _of_one(write, is_optional))


def _form_of_record(name: str, record: type[NamedTuple]) -> _Form:
    """Derive how an optional record inside another one is stored: None is NULL in all columns.

    The first field of the inner record must not be optional: its column tells whether there is a
    record.
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
    """Make the conversion of a value convert the only value of a sequence."""
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
    import json  # few runs have params

    texts = json.loads(stored)
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"expected a JSON object of texts, got {stored[:60]!r}")
    return texts


def stored_texts(texts: Mapping[str, str]) -> str:
    """Return named texts as they are stored, in their order."""
    import json  # few runs have params

    return json.dumps(dict(texts), ensure_ascii=False)


_CONVERSIONS: Mapping[Any, tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]] = {
    SystemPath: (os.fsdecode, path_bytes),
    ForeignText: (None, _escaped),
    NamedTexts: (_named_texts, stored_texts),
}
"""How to read and write the values of a type."""

GUARD = Columns(RunGuard)
_OTHER_TABLES = ("steps", "attempts", "history", "queue", "settlements", "settled")
RUN_ROW = Columns(Run, without=_OTHER_TABLES)
RUN_STATE = Columns(Run, without=("definition", *_OTHER_TABLES))
ENDED_RUN_ROW = Columns(EndedRun)
SUMMARY = Columns(RunSummary, without=("steps", "queue", "allowed"))
HEADER = Columns(RunHeader)
STEP_ROW = Columns(Step)
NEW_STEP = Columns(Step, without=Step._field_defaults.keys() - {"retry_no"})  # others: NULL
STEP_STATE = Columns(Step, without=("position", "step_id"))
STEP_RESET = Columns(Step, without=("position", "step_id", "attempt_no"))
GIVEN_UP = Columns(GivenUp)
HOOK = Columns(Hook)
ATTEMPT = Columns(Attempt)
ATTEMPT_STATE = Columns(Attempt, without=("position", "number"))
PAST_ATTEMPT = Columns(PastAttempt)
SETTLEMENT = Columns(Settlement)
TURNED_AWAY = Columns(NotStarted)

TABLES: Mapping[str, Sequence[str]] = {
    "runs": RUN_STATE.names,
    "steps": STEP_ROW.names,
    "attempts": ATTEMPT.names,
    "settlements": SETTLEMENT.names,
    "not_started": TURNED_AWAY.names,
}
"""The columns that follow from records, by table: without the numbers that tie tables together.

Migrations add columns to these tables.
"""


def _selected(columns: Columns[Any], **expressions: str) -> str:
    """List the columns of a SELECT; `expressions` stand in for the columns of these names."""
    return ", ".join(expressions.get(name, name) for name in columns.names)


def _inserted(columns: Columns[Any], *others: str) -> str:
    """List the columns of an INSERT and as many placeholders; the `others` come first."""
    names = (*others, *columns.names)
    return f"({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _assigned(columns: Columns[Any]) -> str:
    return ", ".join(f"{name} = ?" for name in columns.names)


SELECT_KEYS = "SELECT run_key FROM runs ORDER BY id DESC LIMIT ?"
SELECT_GUARD = f"SELECT {_selected(GUARD)} FROM runs WHERE run_key = ?"
SELECT_RUN = f"""
    SELECT id, {_selected(RUN_ROW)}
    FROM runs JOIN definitions ON run_id = id WHERE run_key = ?
"""
SELECT_RUN_STATE = f"SELECT {_selected(RUN_STATE)} FROM runs WHERE run_key = ?"
SELECT_SUMMARIES = f"""
    SELECT id, {_selected(SUMMARY)} FROM runs WHERE {{condition}} ORDER BY id DESC LIMIT ?
"""
IS_NEWEST = "id IN (SELECT max(id) FROM runs GROUP BY flow_id)"
SELECT_FLOW_IDS = "SELECT DISTINCT flow_id FROM runs ORDER BY flow_id"
COUNT_UNFINISHED = """
    SELECT flow_id, status, count(*) FROM runs
    WHERE status IN ('PENDING', 'RUNNING') GROUP BY flow_id, status
"""
SELECT_LAST_SUCCESSES = """
    SELECT flow_id, max(finished_at) FROM runs
    WHERE status = 'SUCCEEDED' AND finished_at >= ? GROUP BY flow_id
"""
COUNT_STEPS = "SELECT status, count(*) FROM steps WHERE run_id = ? GROUP BY status"
# A copy of a step has the step's name before "@" (rule 10.3).
COUNT_ALLOWED = """
    SELECT count(*) FROM steps WHERE run_id = ? AND status = 'FAILED'
    AND substr(step_id, 1, instr(step_id || '@', '@') - 1) IN (
        SELECT json_extract(definition, path || '.id') FROM definitions, json_tree(definition)
        WHERE run_id = ? AND key = 'allow_failure' AND atom
    )
"""
COUNT_ALL_STEPS = "SELECT count(*) FROM steps WHERE run_id = ?"
NEXT_RETRY_NO = "SELECT coalesce(max(retry_no), 0) + 1 FROM steps WHERE run_id = ?"
SELECT_STEPS = f"SELECT {_selected(STEP_ROW)} FROM steps WHERE run_id = ? ORDER BY position"
SELECT_STEP = "SELECT 1 FROM steps WHERE run_id = ? AND position = ? AND step_id = ?"
# SQLite takes the other columns from the row with the maximum.
SELECT_LATEST_ATTEMPTS = f"""
    SELECT {_selected(ATTEMPT, number="max(number)")}
    FROM attempts WHERE run_id = ? GROUP BY position
"""
SELECT_HISTORY = f"""
    SELECT {_selected(PAST_ATTEMPT, is_foreign="job IS NOT NULL AND job_id IS NULL")}
    FROM attempts WHERE run_id = ? ORDER BY position, number
"""
SELECT_ATTEMPTS = f"""
    SELECT {_selected(ATTEMPT)}
    FROM attempts WHERE run_id = (SELECT id FROM runs WHERE run_key = ?)
    ORDER BY position, number
"""
SELECT_SETTLEMENTS = f"""
    SELECT {_selected(SETTLEMENT)} FROM settlements WHERE run_id = ? ORDER BY retry_no, at, position
"""

INSERT_RUN = f"INSERT INTO runs {_inserted(RUN_STATE)} ON CONFLICT (run_key) DO NOTHING"
INSERT_DEFINITION = "INSERT INTO definitions (run_id, definition) VALUES (?, ?)"
UPDATE_DEFINITION = "UPDATE definitions SET definition = ? WHERE run_id = ?"
INSERT_STEP = f"INSERT INTO steps {_inserted(NEW_STEP, 'run_id')}"
NEXT_REVISION = "UPDATE runs SET revision = revision + 1 WHERE id = ?"
UPDATE_HEADER = f"UPDATE runs SET {_assigned(HEADER)} WHERE id = ?"
UPDATE_STEP = f"""
    UPDATE steps SET {_assigned(STEP_STATE)}
    WHERE run_id = ? AND position = ? AND step_id = ?
          AND status IN ('PENDING', 'DELAYED', 'RUNNING')
"""
UPSERT_ATTEMPT = f"""
    INSERT INTO attempts {_inserted(ATTEMPT, "run_id")}
    ON CONFLICT (run_id, position, number) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in ATTEMPT_STATE.names)}
    WHERE attempts.status IN ('STARTING', 'RUNNING')
"""
REQUEST_CANCEL = """
    UPDATE runs
    SET cancel_requested_at = ?, cancel_grace_sec = ?, cancel_is_nested = ?, cancel_successor = ?
    WHERE run_key = ? AND cancel_requested_at IS NULL AND status IN ('PENDING', 'RUNNING')
"""
SELECT_INNER = """
    WITH RECURSIVE inner_runs (run_key) AS (
        SELECT run_key FROM runs WHERE parent_run_key = ?
        UNION
        SELECT runs.run_key FROM runs
        JOIN inner_runs ON runs.parent_run_key = inner_runs.run_key
    )
    SELECT run_key FROM runs JOIN inner_runs USING (run_key)
    WHERE status IN ('PENDING', 'RUNNING') ORDER BY id
"""
INHERIT_RUN = """
    UPDATE runs SET parent_attempt_no = ?
    WHERE run_key = ? AND parent_run_key = ? AND parent_step_id = ?
          AND status IN ('PENDING', 'RUNNING')
"""
# This request covers the steps of `finally` too.
REQUEST_CANCEL_NOW = """
    UPDATE runs SET cancel_now_at = ?, cancel_grace_sec = coalesce(?, cancel_grace_sec)
    WHERE run_key = ? AND cancel_requested_at IS NOT NULL AND cancel_now_at IS NULL
          AND status IN ('PENDING', 'RUNNING')
"""
REOPEN_RUN = f"""
    UPDATE runs
    SET {_assigned(HEADER)}, flow_dir = coalesce(?, flow_dir),
        params = ?, group_name = ?, group_place = ?,
        cancel_requested_at = NULL, cancel_grace_sec = NULL, cancel_now_at = NULL,
        cancel_is_nested = NULL, cancel_successor = NULL,
        revision = revision + 1
    WHERE id = ?
"""
# The condition on the status is that of an index.
SELECT_GROUP = """
    SELECT run_key, status FROM runs
    WHERE group_name = ? AND status IN ('PENDING', 'RUNNING')
          AND run_key <> ? AND (status = 'RUNNING' OR group_place < ?)
    ORDER BY group_place
"""
NEXT_PLACE = """
    SELECT coalesce(max(group_place), 0) + 1 FROM runs
    WHERE group_name = ? AND status IN ('PENDING', 'RUNNING')
"""
# The runs that have not ended and these two, and every run that one of them is inside.
SELECT_CONNECTED = """
    WITH RECURSIVE connected (run_key, parent_run_key, status, group_name, group_place) AS (
        SELECT run_key, parent_run_key, status, group_name, group_place FROM runs
        WHERE status IN ('PENDING', 'RUNNING') OR run_key IN (?, ?)
        UNION
        SELECT runs.run_key, runs.parent_run_key, runs.status, runs.group_name, runs.group_place
        FROM runs JOIN connected ON runs.run_key = connected.parent_run_key
    )
    SELECT run_key, parent_run_key, status, group_name, group_place FROM connected
"""
RECORD_HOME = "UPDATE runs SET home_inode = ? WHERE id = ?"
RECORD_GIVING_UP = "UPDATE runs SET gave_up_at = ?, gave_up_error = ? WHERE id = ?"
# A runner that gives up on what its predecessor gave up on is no news.
RECORD_HOOK_DUE = """
    UPDATE runs SET hook_due_at = ?, hook_error = NULL WHERE run_key = ? AND gave_up_at IS NULL
"""
RECORD_HOOK_CALLED = """
    UPDATE runs SET hook_due_at = ?, hook_error = ? WHERE run_key = ? AND hook_due_at = ?
"""
SELECT_HOOKS = """
    SELECT run_key, hook_due_at, hook_error FROM runs
    WHERE hook_due_at IS NOT NULL ORDER BY hook_due_at
"""
RESET_STEP = f"UPDATE steps SET {_assigned(STEP_RESET)} WHERE run_id = ? AND position = ?"
KEEP_STEP = "UPDATE steps SET ran_with = ? WHERE run_id = ? AND position = ?"
INSERT_SETTLEMENT = f"INSERT INTO settlements {_inserted(SETTLEMENT, 'run_id')}"
SETTLE_STEP = """
    UPDATE steps SET status = ?, error = NULL
    WHERE run_id = ? AND position = ? AND retry_no = ? AND status = ?
          AND status IN ('FAILED', 'CANCELLED')
"""
# The inner query names the columns that are needed, because SQLite keeps them all while it ranks.
SELECT_ENDED = f"""
    SELECT {_selected(ENDED_RUN_ROW)} FROM (
        SELECT id, run_key, flow_id, status, finished_at, revision,
            row_number() OVER (PARTITION BY flow_id ORDER BY id DESC) AS newer
        FROM runs WHERE ? IS NULL OR flow_id = ?
    )
    WHERE status IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND finished_at <= ? AND newer > ?
    ORDER BY id DESC
"""
SELECT_ENDED_RUN = f"""
    SELECT {_selected(ENDED_RUN_ROW)} FROM runs
    WHERE run_key = ? AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
"""
# The first parameter is a JSON object: the revision of each run by its key. SQLite looks each run
# up; the `+` keeps it from reading all runs of these statuses instead.
DELETE_RUNS = """
    DELETE FROM runs WHERE id IN (
        SELECT runs.id
        FROM json_each(?) AS chosen JOIN runs ON run_key = chosen.key AND revision = chosen.value
        WHERE +status IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND finished_at <= ?
    )
    RETURNING run_key
"""
# SQLite takes the other columns from the row with the latest start.
SELECT_NOT_STARTED = f"""
    SELECT {_selected(TURNED_AWAY, last_at="max(last_at)", times="sum(times)")} FROM not_started
    WHERE run_key = coalesce(?, run_key) AND flow_id = coalesce(?, flow_id) AND last_at >= ?
    GROUP BY {{columns}} ORDER BY max(last_at) DESC LIMIT ?
"""
UPSERT_NOT_STARTED = f"""
    INSERT INTO not_started {_inserted(TURNED_AWAY)}
    ON CONFLICT (run_key, held_by) DO UPDATE
    SET times = times + 1, last_at = max(last_at, excluded.last_at)
"""
DELETE_NOT_STARTED = """
    DELETE FROM not_started WHERE last_at <= ? AND flow_id = coalesce(?, flow_id)
"""
