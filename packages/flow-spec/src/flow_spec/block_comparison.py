"""The comparison of the blocks of two flows: which steps are repeated, and for what (rule 10.3).

The steps in them are compared in `comparison`, each once.
"""

from collections.abc import Iterable, Iterator, Sequence

from flow_spec.blocks import Block
from flow_spec.errors import quoted
from flow_spec.lists import ValueList


def block_differences(
    old: Sequence[Block], new: Sequence[Block], shared: Iterable[str]
) -> Iterator[str]:
    """Yield what differs in the blocks of the steps that both flows have, once for each block.

    What the lines of a file are, or the names of files, makes no difference: a run keeps those that
    there were when it was recorded.
    """
    before = {step_id: number for number, block in enumerate(old) for step_id in block.ids}
    after = {step_id: number for number, block in enumerate(new) for step_id in block.ids}
    compared = set()
    for step_id in shared:
        was, now = before.get(step_id), after.get(step_id)
        if was is None or now is None:
            if was is not None or now is not None:
                where = "into a foreach" if was is None else "out of its foreach"
                yield f"step {quoted(step_id)} was moved {where}"
        elif (was, now) not in compared:
            compared.add((was, now))
            for change in _changes(old[was], new[now]):
                yield f"foreach of step {quoted(step_id)}: {change}"


def _changes(old: Block, new: Block) -> Iterator[str]:
    if old.lists and new.lists:
        before, after = _lists(old), _lists(new)
        for name in dict.fromkeys((*before, *after)):
            if _as_written(before.get(name)) != _as_written(after.get(name)):
                yield f"{name} was {_shown(before.get(name))} and is now {_shown(after.get(name))}"
        if before.keys() == after.keys() and old.names != new.names:
            was, now = ", ".join(old.names), ", ".join(new.names)
            yield f"the order of its names was {was} and is now {now}"
    elif (old.names, _rows(old)) != (new.names, _rows(new)):
        yield "its rows were changed"
    if old.max_parallel != new.max_parallel:
        bounds = [block.max_parallel or "not set" for block in (old, new)]
        yield "max_parallel was {} and is now {}".format(*bounds)


def _lists(block: Block) -> dict[str, ValueList]:
    return {one.name: one for one in block.lists}


def _rows(block: Block) -> list[tuple[str, ...]]:
    return [copy.values for copy in block.copies]


def _as_written(values: ValueList | None) -> object:
    return None if values is None else values.as_written


_SHOWN = 5
"""Values that a sentence shows of a list."""


def _shown(values: ValueList | None) -> str:
    if values is None:
        return "not set"
    if values.origin is not None:
        return f"{{{values.origin}: {quoted(values.text or '')}}}"
    rest = len(values.values) - _SHOWN
    shown = ", ".join(map(quoted, values.values[:_SHOWN]))
    return f"[{shown}{f', and {rest} more' if rest > 0 else ''}]"
