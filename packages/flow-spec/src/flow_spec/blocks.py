"""`Block`, a `foreach` as a value, and the plain steps it expands to (rule 10.3).

A block has its steps as written. Each copy of them has values, and a label that makes its ids
unique. `foreach` reads a block from a file.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import attrs

from flow_conditions import operands_in
from flow_spec.fields.lists import ValueList
from flow_spec.fields.template_names import escaped
from flow_spec.fields.text_rules import NAME
from flow_spec.step import SHELL, StepSpec, command_of

OF = "@"
"""The separator between the id of a step and the label of a copy; no id in a file has it."""

MOST_STEPS = 10_000
"""Steps of a flow with a block, after expansion."""

MOST_CHARACTERS = 8 * 1024 * 1024
"""Characters in all copies of a flow together, without scripts."""

LONGEST_LABEL = 128


@attrs.frozen
class Copy:
    """One copy of the steps of a block: its label, and a value for each name of the block."""

    label: str
    values: tuple[str, ...]


@attrs.frozen
class Block:
    """A `foreach`: its steps as written, its names, and its copies.

    `before` counts the steps outside of blocks that precede it in the file. `lists` has the values
    of each name, and every combination is a copy. Without lists, each copy is a row in the file.
    """

    names: tuple[str, ...]
    steps: tuple[StepSpec, ...]
    copies: tuple[Copy, ...]
    before: int
    max_parallel: int | None = None
    lists: tuple[ValueList, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its steps, as written."""
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
    """Return the id of a step as written, given the id of a copy."""
    return step_id.partition(OF)[0]


def labels_of(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a label for each copy; no two of them have the same values.

    A label is the copy's values joined by `@`, or its number if a value is not an id. If that makes
    two labels equal, all labels are numbers.
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
    """Split a condition after each step of the same block, where a copy's label belongs."""
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
    """Return a step for one copy; inside, a name means the same copy's step."""
    step_id = copy_id(step.id, label)
    if "env" in step.fills:  # a value that looks like a name is not one
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
