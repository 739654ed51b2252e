"""The state of reading one flow file: where its steps are, the names in its words, every problem.

A template name, `${{ NAME }}`, stands for a value (rule 10.2). A word keeps its spelling until its
values are known. It is filled once, so a value that looks like a name stays as it is.

Reading a flow file reads no other file. To read the lists of a `foreach` that are in other files
(rule 10.3), the caller passes a `ListReader`; `read_list` reads them from the file system.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from flow_spec.documents.source import file_names, read_lines
from flow_spec.documents.tree import (
    Form,
    MappingNode,
    Node,
    NodePath,
    ScalarNode,
    SequenceNode,
    flaw_of_merged,
    is_merge_key,
    is_null,
    items_of,
    node_at,
    written,
)
from flow_spec.errors import (
    Advised,
    ListError,
    Message,
    MissingValuesError,
    Problem,
    Span,
    Speller,
    advised,
    pointed,
    printable,
    quoted,
)
from flow_spec.fields import messages

NAME_LIKE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
"""The id of a step, as written."""

REFERENCE = re.compile(rf"{NAME_LIKE.pattern}(?:@{NAME_LIKE.pattern})*")
"""The id of a step, or of one of its copies (rule 10.3)."""

OPENING = "${{"
"""What begins a name in a word; `$${{` stands for this text itself."""

BUILT_IN = ("FLOW_DIR", "RUN_DIR", "RUN_KEY")
"""The names that every flow has."""

_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_OPENING = re.compile(r"\$(\$?)\{\{")
_TO_FILL = re.compile(rf"\$\$\{{\{{|\$\{{\{{{_NAME.pattern}")

_MOST_LISTED = 20
"""How many names a message lists."""


def names_in(text: str) -> Iterator[str]:
    """Yield the names in a word, with repetitions."""
    return (found[1] for found in _TO_FILL.finditer(text) if found[1] is not None)


def flaws_of_names(
    text: str, known: Collection[str], speller: Speller, elsewhere: Collection[str] = ()
) -> Iterator[tuple[Message, int]]:
    """Yield what is wrong with the names in a word, and where; `known` are those that exist.

    Those that exist `elsewhere` are names of a `foreach`.
    """
    for opening in _OPENING.finditer(text):
        if opening[1]:
            continue
        found = _NAME.match(text, opening.end())
        if found is None:
            closed = text.find("}}", opening.end())
            held = None if closed < 0 else text[opening.end() : closed].strip()
            yield messages.no_name(held), opening.start()
            if held is None:
                return  # the rest is inside it
        elif found[1] not in known:
            yield _unknown(found[1], known, speller, elsewhere), found.start(1)


class Noting(dict[str, str]):
    """The values of names; names without one are added to `missing`."""

    def __init__(self, values: Mapping[str, str], missing: dict[str, None]) -> None:
        """Take the values, and where to note."""
        super().__init__(values)
        self.missing = missing

    def __missing__(self, name: str) -> str:
        """Note the name; return an empty text."""
        self.missing[name] = None
        return ""


def filled(text: str, values: Mapping[str, str], quote: Callable[[str], str] = str) -> str:
    """Return a word with its names replaced by `values`, each of them as `quote` returns it.

    Raises:
        MissingValuesError: They do not have all of them.
    """
    try:
        return _TO_FILL.sub(lambda found: quote(values[found[1]]) if found[1] else OPENING, text)
    except KeyError:
        missing = dict.fromkeys(name for name in names_in(text) if name not in values)
        raise MissingValuesError(tuple(missing)) from None


def escaped(text: str) -> str:
    """Return the word that `filled` turns into this text."""
    return text.replace(OPENING, f"${OPENING}")


def _unknown(
    name: str, known: Collection[str], speller: Speller, elsewhere: Collection[str]
) -> Message:
    sentence = f"unknown name {quoted(name)}"
    if name in elsewhere:
        return Advised(
            f"{sentence} here: a foreach gives it only to its own steps",
            "give this step the same foreach:, or write both below the steps: of one",
        )
    if remedy := speller.suggestion(name, known):
        return Advised(sentence, remedy)
    declare = f"declare it beside steps:, as in params: {{{name}: VALUE}}"
    if len(known) > _MOST_LISTED:
        return Advised(sentence, declare)
    return Advised(f"{sentence}; there is {', '.join(sorted(known))}", declare)


SHELL_KEY = "shell"
"""The key whose words run a script, in which no names are filled (rule 10.4)."""

_IN_SHELL = "names are not filled in here: a script finds them among its variables"


def _excerpt(text: str, at: int) -> str | None:
    begin = max(text.rfind("\n", 0, at) + 1, at - _AROUND)
    return pointed(text[begin : at + _AROUND].partition("\n")[0], at - begin + 1)


_MOST_IN_WORD = 20
"""How many mistakes in one word are reported; a word may hold thousands."""

_AROUND = 60
"""Characters shown on both sides, so that a long word with many mistakes costs little."""


LINES, GLOB, SPLIT = "lines", "glob", "split"
"""The keys that stand in place of a list."""
ORIGINS = (LINES, GLOB)
"""Those of lists outside the flow file."""


@attrs.frozen
class ValueList:
    """The values of a name, and their origin if the flow file alone does not give them.

    `origin` is `LINES`, `GLOB`, or `SPLIT` if the text holds parameters. `text` is the path, the
    pattern or the text, and `at` the separator of a text. `values` are those that were there when
    the run was recorded. None are an error then, unless `allow_empty`.
    """

    name: str
    values: tuple[str, ...]
    origin: str | None = None
    text: str | None = None
    at: str | None = None
    allow_empty: bool = False

    @property
    def as_written(self) -> object:
        """What the flow file says: values from elsewhere may change in the meantime."""
        return self.values if self.origin is None else (self.origin, self.text, self.at)

    @property
    def spelled(self) -> str:
        """The mapping that stands in place of the list, as a message shows it."""
        at = "" if self.at is None else f", at: {quoted(self.at)}"
        return f"{{{self.origin}: {quoted(self.text or '')}{at}}}"


type ListReader = Callable[[str, str, Mapping[str, str]], Sequence[str]]
"""Returns the lines of a file, or the file names that match a pattern.

Its arguments are `LINES` or `GLOB`, the path or pattern as written, and the values of the names
that it may hold: the parameters, and `FLOW_DIR`, the folder of the flow file as it was named.
`read_list` is one. Another is `partial(read_list, below=FOLDER)`, which reads nothing outside of a
folder. `lambda origin, text, names: ()` leaves lists unread: their steps have no copies.
"""


def not_read(_origin: str, _text: str, _names: Mapping[str, str]) -> Sequence[str]:
    """Refuse to read any list: reading a flow file reads no other file unless the caller says."""
    raise ListError(
        "is outside the flow file, and no reader of lists was given; pass read_list=read_list"
    )


def read_list(
    origin: str,
    text: str,
    names: Mapping[str, str],
    directory: str = ".",
    *,
    below: str | os.PathLike[str] | None = None,
) -> Sequence[str]:
    """Return the values of a list; this is a `ListReader`.

    Args:
        origin: `LINES` or `GLOB`.
        text: The path of a file or the pattern of file names, as written.
        names: The values of the names in it.
        directory: Where a relative path starts.
        below: The folder below which the file, or all that matches, must lie once `..` and links
            are followed; None allows all.

    Raises:
        ListError: It cannot be read, lies elsewhere, or has too many values.
    """
    path = filled(text, names)
    found = file_names(path, directory) if origin == GLOB else (path,)
    root = Path(below or "/").resolve()
    for name in found if below is not None else ():
        if not Path(directory, name).resolve().is_relative_to(root):
            raise ListError(f"gives {quoted(name)}, which is not below {printable(str(root))}")
    return read_lines(path, directory) if origin == LINES else found


STEPS, FINALLY = "steps", "finally"
"""The keys of a flow that hold steps."""

FOREACH = "foreach"
"""The key of an item of `steps` that is repeated (rule 10.3)."""

_INSIDE = 4  # the parts of the path to a step inside of a foreach: steps[2].steps[0]


class StepPlace(NamedTuple):
    """The place of a step: its path, which begins with `steps` or `finally`, and its id's node.

    `block` is the path to the `foreach` that repeats it, if one does (rule 10.3).
    """

    path: NodePath
    node: Node
    block: NodePath | None = None

    @property
    def in_finally(self) -> bool:
        """Whether it is a step of `finally` (rule 10.1)."""
        return self.path[0] == FINALLY


type Labels = dict[str, None]
"""The labels of the copies of a block, in their order."""


class BlockLists(NamedTuple):
    """What a `foreach` gives a block: names, a row of values for each copy, and labels.

    `labels` are in the order of the rows; None if the lists are wrong or unknown. `is_named` is
    false for a list without a name.
    """

    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    labels: Labels | None = None
    lists: tuple[ValueList, ...] = ()
    is_named: bool = True

    def place_of(self, name: str) -> NodePath:
        """Return where the values of a name stand, from the item of `steps` on."""
        return (FOREACH, name) if self.is_named else (FOREACH,)


def step_path(path: NodePath) -> NodePath:
    """Return the path of the step that contains a path, also inside a `foreach`."""
    is_inside = path[:1] == path[2:3] == (STEPS,)
    return path[:_INSIDE] if is_inside else path[:2]


_MOST_PLACED = 200
"""Of so many problems the key is looked for: nobody reads more."""


@attrs.define(eq=False)
class Reading:
    """What reading a file has found out so far.

    Attributes:
        root: The whole file.
        steps: The first step of every id; those of `finally` are last.
        depends_on: The items that could be step ids, by the path of the step.
        defaults: The values for fields that a step does not give.
        words: The words that may hold names, which are checked at the end.
        params: The parameters by their names, None for a wrong one; or None without the key.
        given: The values of parameters, for the paths of lists.
        blocks: The lists of each `foreach`, by its path.
        read_list: Reads lists that are in other files.
        flow_dir: The folder of the flow file, as it was named.
        problems: Every problem so far.
        speller: Finds the known word that was probably meant.
    """

    root: Node | None = None
    steps: dict[str, StepPlace] = attrs.Factory(dict)
    depends_on: dict[NodePath, tuple[str, ...]] = attrs.Factory(dict)
    defaults: dict[str, Any] = attrs.Factory(dict)
    words: list["Cursor"] = attrs.Factory(list)
    params: Mapping[str, Any] | None = None
    given: Mapping[str, str] = attrs.Factory(dict)
    blocks: dict[NodePath, BlockLists] = attrs.Factory(dict)
    read_list: ListReader = not_read
    flow_dir: str = "."
    problems: list[Problem] = attrs.Factory(list)
    speller: Speller = attrs.Factory(Speller)

    def names_around(self, path: NodePath) -> tuple[str, ...]:
        """Return the names that a `foreach` around this path defines (rule 10.3)."""
        block = self.blocks.get(path[:2])
        return () if block is None else block.names

    @property
    def fills_names(self) -> bool:
        """Whether names are replaced: the flow declares names, or uses one that is built in.

        In all other flows `${{` is plain text.
        """
        if self.params is not None or self.blocks:
            return True
        return any(name in BUILT_IN for word in self.words for name in names_in(word.text))

    def report_names(self) -> None:
        """Add the problems with names in words, once all declared names are known."""
        if not self.fills_names:
            return
        everywhere = dict.fromkeys((*BUILT_IN, *(self.params or ())))
        inside = {
            path: dict.fromkeys((*everywhere, *block.names)) for path, block in self.blocks.items()
        }
        repeated = {name for block in self.blocks.values() for name in block.names}
        for word in self.words:
            if word.path[-2:-1] == (SHELL_KEY,) and isinstance(word.path[-1], int):
                word.add(_IN_SHELL)
                continue
            known = inside.get(word.path[:2], everywhere)
            flaws = flaws_of_names(word.text, known, self.speller, repeated)
            for message, at in islice(flaws, _MOST_IN_WORD):
                word.add(message, excerpt=_excerpt(word.text, at))


@attrs.frozen(eq=False)
class Cursor:
    """A node of a file, the path to it, and what reading the file has found out so far."""

    node: Node
    path: NodePath
    reading: Reading

    @property
    def field(self) -> str:
        """The last part of the path."""
        return str(self.path[-1]) if self.path else ""

    @property
    def text(self) -> str:
        """The text of a scalar; empty for any other node."""
        return self.node.text if isinstance(self.node, ScalarNode) else ""

    @property
    def is_mapping(self) -> bool:
        """Whether this is a mapping."""
        return isinstance(self.node, MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return isinstance(self.node, SequenceNode)

    @property
    def is_scalar(self) -> bool:
        """Whether this is neither."""
        return isinstance(self.node, ScalarNode)

    @property
    def is_null(self) -> bool:
        """Whether this is no value, or what YAML takes for none."""
        return is_null(self.node)

    @property
    def is_folded(self) -> bool:
        """Whether YAML has joined the lines of this text."""
        return isinstance(self.node, ScalarNode) and self.node.folded

    @property
    def is_quoted(self) -> bool:
        """Whether this can be nothing but text."""
        return isinstance(self.node, ScalarNode) and self.node.form is Form.TEXT

    @property
    def step(self) -> NodePath:
        """The path of the step around."""
        return step_path(self.path)

    @property
    def in_finally(self) -> bool:
        """Whether the step around is one of `finally` (rule 10.1)."""
        return self.path[0] == FINALLY

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The `depends_on` of the step around."""
        return self.reading.depends_on.get(self.step, ())

    @property
    def given(self) -> Mapping[str, Node]:
        """The values of a mapping by their keys; none of any other node."""
        return self.node.by_key() if isinstance(self.node, MappingNode) else {}

    def child(self, part: str | int, node: Node) -> "Cursor":
        """Return a node one step further."""
        return Cursor(node, (*self.path, part), self.reading)

    def get(self, name: str) -> "Cursor | None":
        """Return the value of a key, or None."""
        node = node_at(self.node, (name,))
        return None if node is None else self.child(name, node)

    def items(self) -> list["Cursor"]:
        """Return the items of a list; none if it is something else."""
        return [self.child(index, item) for index, item in enumerate(items_of(self.node))]

    def listed(self, name: str) -> list["Cursor"]:
        """Return the items of the list under a key; none if there is no list."""
        found = self.get(name)
        return [] if found is None else found.items()

    def add(
        self,
        message: Message,
        *,
        excerpt: str | None = None,
        span: Span | None = None,
        param: str | None = None,
    ) -> None:
        """Add a problem with this node; `span` is the wrong part of it.

        A list or mapping that begins on a line below its key is reported at the key. `param` is the
        parameter whose value is missing, if that is the problem.
        """
        node = self._beginning()
        place = written(self.path) or None, node.line, node.column
        problem = Problem.of(message, *place, excerpt=excerpt, span=span, param=param)
        self.reading.problems.append(problem)

    def must_be(self, expected: str, remedy: str | None = None) -> None:
        """Add that this must be something else."""
        self.add(advised(f"must be {expected}; got {messages.got(self.node)}", remedy))

    def _beginning(self) -> Node:
        """Return the key of a list or mapping that begins on a line below it, or else the node."""
        reading, node = self.reading, self.node
        if isinstance(node, ScalarNode) or len(reading.problems) >= _MOST_PLACED:
            return node
        around = node_at(reading.root, self.path[:-1]) if self.path else None
        entries = around.entries if isinstance(around, MappingNode) else ()
        key = next((key for key, value in entries if value is node), node)
        return key if key.line < node.line else node

    def entries(self) -> Iterator[tuple[str, "Cursor", "Cursor"]]:
        """Yield name, key and value of each entry of a mapping once (rule 2.6)."""
        first: dict[str, Node] = {}
        remedy = None
        for key, value in self.node.entries if isinstance(self.node, MappingNode) else ():
            if not isinstance(key, ScalarNode):
                self.at(key).add(f"a key must be text, got {messages.got(key)}")
            elif key.tag is not None:
                self.at(key).add(messages.tag(key))
            elif is_merge_key(key):
                self._add_merge_key(key, value)
            elif key.text in first:
                fact = f"duplicate key, first given on line {first[key.text].line}"
                if key.text == "id":
                    remedy = "begin the next step with a hyphen: - id: NAME"
                one = "keep one of the two, and add to it what you need of the other"
                one = "remove one of the two" if isinstance(value, ScalarNode) else one
                self.child(key.text, key).add(Advised(fact, remedy or one))
            else:
                first[key.text] = key
                yield key.text, self.child(key.text, key), self.child(key.text, value)

    def at(self, node: Node) -> "Cursor":
        """Return another node under the same path."""
        return Cursor(node, self.path, self.reading)

    def _add_merge_key(self, key: Node, value: Node) -> None:
        flaw = flaw_of_merged(value)
        message: Message
        if flaw is None:
            remedy = 'merge several mappings by one list: "<<: [*first, *second]"'
            message = Advised("duplicate key", remedy)
        elif flaw.tag is not None:
            message = messages.tag(flaw)
        else:
            expected = 'a mapping, such as the alias in "<<: *base", or a list of these'
            message = f"must be {expected}, got {messages.got(flaw)}"
        self.child("<<", flaw or key).add(message)
