"""The state of one reading of a flow file: where its steps are, and every problem so far.

How a problem is worded is in `messages`; which values a field accepts is in `kinds` and
`containers`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import attrs

from flow_spec import messages
from flow_spec.document import Mapping, Node, Path, Scalar, written
from flow_spec.errors import Advised, Message, Problem, Span
from flow_spec.held_names import HeldNames
from flow_spec.lists import ListReader, PathParams, ValueList, not_read
from flow_spec.merge_keys import flaw_of_merged, is_merge_key
from flow_spec.spelling import Speller

STEPS, FINALLY = "steps", "finally"
"""The keys of a flow that hold steps."""

_INSIDE = 4  # the parts of the path to a step inside of a foreach: steps[2].steps[0]


class StepPlace(NamedTuple):
    """Where a step is: its path, which begins with `steps` or `finally`, and its id's node."""

    path: Path
    node: Node

    @property
    def in_finally(self) -> bool:
        """Whether it is a step of `finally` (rule 10.1)."""
        return self.path[0] == FINALLY

    @property
    def block(self) -> Path | None:
        """The path to the `foreach` that it is in, if it is in one (rule 10.3)."""
        return self.path[:2] if len(self.path) == _INSIDE else None


type Labels = dict[str, None]
"""The labels of the copies of a block, in their order."""


class BlockLists(NamedTuple):
    """What `foreach` gives a block: its names, a row of values for each copy, and their labels.

    `labels` are in the same order; it is None where the lists are wrong, or not known.
    """

    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    labels: Labels | None = None
    lists: tuple[ValueList, ...] = ()


def step_path(path: Path) -> Path:
    """Return the path to the step within which a path leads, also inside of a `foreach`."""
    is_inside = path[:1] == path[2:3] == (STEPS,)
    return path[:_INSIDE] if is_inside else path[:2]


@attrs.define(eq=False)
class Reading:
    """What one reading has found out.

    `steps` has the first step of every id, those of `finally` last; `depends_on` has, by the path
    of a step, what it lists that could be the id of a step; `defaults` has the values of fields for
    the steps that do not give them; `names` has the names in words, which are checked at the end.
    `blocks` has, by the path of each `foreach`, its lists, which `read_list` finds where they are
    files, whose paths may name what `path_params` has.
    """

    steps: dict[str, StepPlace] = attrs.Factory(dict)
    depends_on: dict[Path, tuple[str, ...]] = attrs.Factory(dict)
    defaults: dict[str, Any] = attrs.Factory(dict)
    names: HeldNames = attrs.Factory(HeldNames)
    blocks: dict[Path, BlockLists] = attrs.Factory(dict)
    read_list: ListReader = not_read
    path_params: PathParams = attrs.Factory(PathParams)
    problems: list[Problem] = attrs.Factory(list)
    speller: Speller = attrs.Factory(Speller)

    def depends_on_of(self, path: Path) -> tuple[str, ...]:
        """Return the `depends_on` of the step within which a path leads."""
        return self.depends_on.get(step_path(path), ())

    def names_around(self, path: Path) -> tuple[str, ...]:
        """Return the names that a `foreach` around this path gives values (rule 10.3)."""
        block = self.blocks.get(path[:2])
        return () if block is None else block.names

    def add(
        self,
        message: Message,
        path: Path,
        node: Node,
        *,
        excerpt: str | None = None,
        span: Span | None = None,
    ) -> None:
        """Add a problem at `path`, positioned where `node` begins; it may be about a part of it."""
        remedy = message.help if isinstance(message, Advised) else None
        place = written(path) or None
        self.problems.append(
            Problem(str(message), place, node.line, node.column, excerpt, remedy, span)
        )

    def report_names(self) -> None:
        """Add what is wrong with the names in words, once all that are declared are known."""
        for word, message, excerpt in self.names.flaws(self.speller):
            self.add(message, word.path, word.node, excerpt=excerpt)

    def keys_of(self, mapping: Mapping, path: Path) -> Iterator[tuple[str, Node, Node]]:
        """Yield name, key and value of each entry once (rule 2.6)."""
        first: dict[str, Node] = {}
        for key, value in mapping.entries:
            if not isinstance(key, Scalar):
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

    def _add_merge_key(self, key: Node, value: Node, path: Path) -> None:
        """Add what is wrong with a merge key: it is still here, so it was not followed."""
        flaw = flaw_of_merged(value)
        if flaw is None:
            self.add(messages.second_merge_key(), (*path, "<<"), key)
        else:
            self.add(messages.wrong_merge(flaw), (*path, "<<"), flaw)
