"""The state of reading one flow file: where its steps are, and every problem so far."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import attrs

from flow_spec.documents.tree import (
    MappingNode,
    Node,
    NodePath,
    ScalarNode,
    flaw_of_merged,
    is_merge_key,
    written,
)
from flow_spec.errors import Advised, Message, Problem, Span
from flow_spec.fields import messages
from flow_spec.fields.hints import Speller
from flow_spec.fields.lists import ListReader, PathParams, ValueList, not_read
from flow_spec.fields.template_names import TemplateNames

STEPS, FINALLY = "steps", "finally"
"""The keys of a flow that hold steps."""

_INSIDE = 4  # the parts of the path to a step inside of a foreach: steps[2].steps[0]


class StepPlace(NamedTuple):
    """The place of a step: its path, which begins with `steps` or `finally`, and its id's node."""

    path: NodePath
    node: Node

    @property
    def in_finally(self) -> bool:
        """Whether it is a step of `finally` (rule 10.1)."""
        return self.path[0] == FINALLY

    @property
    def block(self) -> NodePath | None:
        """The path to the `foreach` that it is in, if it is in one (rule 10.3)."""
        return self.path[:2] if len(self.path) == _INSIDE else None


type Labels = dict[str, None]
"""The labels of the copies of a block, in their order."""


class BlockLists(NamedTuple):
    """What a `foreach` gives a block: names, a row of values for each copy, and labels.

    `labels` are in the order of the rows; None if the lists are wrong or unknown.
    """

    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    labels: Labels | None = None
    lists: tuple[ValueList, ...] = ()


def step_path(path: NodePath) -> NodePath:
    """Return the path of the step that contains a path, also inside a `foreach`."""
    is_inside = path[:1] == path[2:3] == (STEPS,)
    return path[:_INSIDE] if is_inside else path[:2]


@attrs.define(eq=False)
class Reading:
    """What reading a file has found out so far.

    Attributes:
        steps: The first step of every id; those of `finally` are last.
        depends_on: The items that could be step ids, by the path of the step.
        defaults: The values for fields that a step does not give.
        names: The words with names in them, which are checked at the end.
        blocks: The lists of each `foreach`, by its path.
        read_list: Reads lists that are in other files.
        path_params: The parameters that paths of lists may name.
        problems: Every problem so far.
        speller: Finds the known word that was probably meant.
    """

    steps: dict[str, StepPlace] = attrs.Factory(dict)
    depends_on: dict[NodePath, tuple[str, ...]] = attrs.Factory(dict)
    defaults: dict[str, Any] = attrs.Factory(dict)
    names: TemplateNames = attrs.Factory(TemplateNames)
    blocks: dict[NodePath, BlockLists] = attrs.Factory(dict)
    read_list: ListReader = not_read
    path_params: PathParams = attrs.Factory(PathParams)
    problems: list[Problem] = attrs.Factory(list)
    speller: Speller = attrs.Factory(Speller)

    def depends_on_of(self, path: NodePath) -> tuple[str, ...]:
        """Return the `depends_on` of the step that contains a path."""
        return self.depends_on.get(step_path(path), ())

    def names_around(self, path: NodePath) -> tuple[str, ...]:
        """Return the names that a `foreach` around this path defines (rule 10.3)."""
        block = self.blocks.get(path[:2])
        return () if block is None else block.names

    def add(
        self,
        message: Message,
        path: NodePath,
        node: Node,
        *,
        excerpt: str | None = None,
        span: Span | None = None,
    ) -> None:
        """Add a problem at `path` and the position of `node`; `span` is the wrong part of it."""
        remedy = message.help if isinstance(message, Advised) else None
        place = written(path) or None
        self.problems.append(
            Problem(str(message), place, node.line, node.column, excerpt, remedy, span)
        )

    def report_names(self) -> None:
        """Add the problems with names in words, once all declared names are known."""
        for word, message, excerpt in self.names.flaws(self.speller):
            self.add(message, word.path, word.node, excerpt=excerpt)

    def keys_of(self, mapping: MappingNode, path: NodePath) -> Iterator[tuple[str, Node, Node]]:
        """Yield name, key and value of each entry once (rule 2.6)."""
        first: dict[str, Node] = {}
        for key, value in mapping.entries:
            if not isinstance(key, ScalarNode):
                self.add(messages.key_is_no_text(key), path, key)
            elif key.tag is not None:
                self.add(messages.tag(key), path, key)
            elif is_merge_key(key):
                self._add_merge_key(key, value, path)
            elif key.text in first:
                self.add(messages.duplicate_key(first[key.text]), (*path, key.text), key)
            else:
                first[key.text] = key
                yield key.text, key, value

    def _add_merge_key(self, key: Node, value: Node, path: NodePath) -> None:
        """Add the problem with a merge key that could not be followed."""
        flaw = flaw_of_merged(value)
        if flaw is None:
            self.add(messages.second_merge_key(), (*path, "<<"), key)
        else:
            self.add(messages.wrong_merge(flaw), (*path, "<<"), flaw)
