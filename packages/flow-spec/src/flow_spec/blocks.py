"""`Block`, a `foreach` of a flow as a value, and the plain steps that it stands for (rule 10.3).

A block has its steps as they are written, and for each copy of them the values and the label, which
tells their ids apart. How a block is read from a file is in `foreach`; where its lists come from,
in `lists`.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import attrs

from flow_conditions import operands_in
from flow_spec.lists import ValueList
from flow_spec.placeholders import escaped
from flow_spec.script import SHELL, command_of
from flow_spec.step import StepSpec
from flow_spec.texts import NAME

OF = "@"
"""What stands between the id of a step and the label of a copy; no id in a file has it."""

MOST_STEPS = 10_000
"""Steps of a flow with a block, after expansion."""

MOST_CHARACTERS = 8 * 1024 * 1024
"""Characters that all copies of a flow have together, but for scripts."""

LONGEST_LABEL = 128


@attrs.frozen
class Copy:
    """One copy of the steps of a block: its label, and a value for each name of the block."""

    label: str
    values: tuple[str, ...]


@attrs.frozen
class Block:
    """A `foreach`: its steps as they are written, its names, and its copies.

    `before` is how many steps outside of any block stand before it in the file. `lists` has the
    values of each name, of which every combination is a copy; without lists, each copy stands in
    the file as a row.
    """

    names: tuple[str, ...]
    steps: tuple[StepSpec, ...]
    copies: tuple[Copy, ...]
    before: int
    max_parallel: int | None = None
    lists: tuple[ValueList, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its steps, as they are written."""
        return tuple(step.id for step in self.steps)

    @property
    def ids_of_copies(self) -> Iterator[tuple[str, ...]]:
        """The ids of the steps of each copy."""
        return (tuple(copy_id(step.id, copy.label) for step in self.steps) for copy in self.copies)

    def expanded(self) -> Iterator[StepSpec]:
        """Yield the steps of all copies, one copy after the other."""
        own = frozenset(self.ids)
        templates = [(step, _parts(step.when, own)) for step in self.steps]
        for copy in self.copies:
            values = dict(zip(self.names, copy.values, strict=True))
            for step, parts in templates:
                yield _copied(step, parts, own, copy.label, values)


def copy_id(step_id: str, label: str) -> str:
    """Return the id of a copy of a step."""
    return f"{step_id}{OF}{label}"


def base_of(step_id: str) -> str:
    """Return the id of a step as it is written, given that of a copy."""
    return step_id.partition(OF)[0]


def labels_of(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return what tells the copies apart, no two of which have the same values.

    That is a copy's values, joined by `@`; its number, where one of them is no id. If a number
    would then be taken for another copy's value, all copies have their numbers.
    """
    labels = [
        label
        if all(map(NAME.fullmatch, row)) and len(label := OF.join(row)) <= LONGEST_LABEL
        else str(number)
        for number, row in enumerate(rows, start=1)
    ]
    if len(set(labels)) < len(labels):
        return [str(number) for number in range(1, len(rows) + 1)]
    return labels


def _parts(when: str | None, own: Set[str]) -> tuple[str, ...] | None:
    """Split a condition after each name of a step of the same block; a copy's label goes there."""
    if when is None:
        return None
    parts, begin = [], 0
    for operand in operands_in(when):
        if operand.name is not None and operand.name in own:
            end = operand.start + len(operand.name)
            parts.append(when[begin:end])
            begin = end
    return *parts, when[begin:]


def _copied(
    step: StepSpec,
    parts: tuple[str, ...] | None,
    own: Set[str],
    label: str,
    values: Mapping[str, str],
) -> StepSpec:
    """Return a step for one copy: inside, a name means the same copy's step."""
    step_id = copy_id(step.id, label)
    if "env" in step.fills:  # what the values hold is no name, whatever it looks like
        values = {name: escaped(text) for name, text in values.items()}
    command = step.command
    if step.script is not None:
        command = command_of(step.script, SHELL, step_id)
    return attrs.evolve(
        step,
        id=step_id,
        command=command,
        when=None if parts is None else f"{OF}{label}".join(parts),
        depends_on=tuple(copy_id(name, label) if name in own else name for name in step.depends_on),
        env=tuple(sorted({**dict(step.env), **values}.items())),
    )
