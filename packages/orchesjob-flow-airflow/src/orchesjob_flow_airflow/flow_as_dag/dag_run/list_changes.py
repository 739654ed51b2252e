"""What a run in progress is told of the lists of its `foreach` (rules 10.3 and 13.3)."""

from collections.abc import Iterator, Sequence

from flow_spec import FlowSpec

_MOST_NAMED = 5


def list_changes(old: FlowSpec, new: FlowSpec) -> Iterator[str]:
    """Yield a sentence for each list from elsewhere that gives other values in `new`.

    To a run of the local runner these are no change: it keeps its lists. Airflow makes tasks of
    what is there now.
    """
    now = new.lists
    for (origin, text), values in old.lists.items():
        found = now.get((origin, text), values)
        name = f"{origin} {text!r}"
        was, is_now = dict.fromkeys(values), dict.fromkeys(found)
        if gone := [value for value in was if value not in is_now]:
            yield f"{name} no longer gives {_named(gone)}"
        if added := [value for value in is_now if value not in was]:
            yield f"{name} also gives {_named(added)}"


def _named(values: Sequence[str]) -> str:
    more = len(values) - _MOST_NAMED
    named = ", ".join(map(repr, values[:_MOST_NAMED]))
    return f"{named} and {more} more" if more > 0 else named
