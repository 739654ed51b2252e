"""The columns follow from the fields of the records."""

from typing import NamedTuple

import pytest

from flow_store import (
    StepStatus,
    Unstorable,
)
from flow_store.records import ForeignText, SystemPath
from flow_store.sql import Columns


class Place(NamedTuple):
    """Part of another record."""

    folder: str
    depth: int | None


class Thing(NamedTuple):
    """A record with a field of every kind."""

    status: StepStatus
    is_new: bool
    place: Place | None
    path: SystemPath
    note: ForeignText | None
    number: int


def test_a_field_is_a_column() -> None:
    """Columns are named as the fields; a record in a record is a column for each of its fields."""
    names = ("status", "is_new", "place_folder", "place_depth", "path", "note", "number")
    assert Columns(Thing).names == names
    assert Columns(Thing, without=("place", "path")).names == ("status", "is_new", "note", "number")


@pytest.mark.parametrize("place", [None, Place("/", None), Place("/", 2)])
def test_records_are_read_as_they_were_written(place: Place | None) -> None:
    """The values of a record give the same record again, with enums and booleans in it."""
    columns = Columns(Thing)
    thing = Thing(StepStatus.FAILED, False, place, "/caf\udce9", "note", 3)
    row = [int(value) if isinstance(value, bool) else value for value in columns.values(thing)]
    read = columns.record(row)
    assert read == thing
    assert isinstance(read.status, StepStatus)
    assert isinstance(read.is_new, bool)
    assert row[4] == b"/caf\xe9"
    assert columns.fields(row) == thing._asdict()


def test_lone_surrogates_are_spelled_out() -> None:
    """Text from outside may hold what SQLite cannot store; a path may not."""
    columns = Columns(Thing)
    thing = Thing(StepStatus.FAILED, False, None, "/", "x\udc80", 3)
    assert columns.values(thing)[5] == r"x\udc80"
    with pytest.raises(Unstorable, match="surrogates not allowed"):
        columns.values(thing._replace(path="/\ud800"))
