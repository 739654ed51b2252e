"""What reading one flow file has found out: the ids of its steps, and every problem so far.

How a problem is worded where many fields share the wording lives here too; which values a field
accepts does not.
"""

from collections.abc import Collection, Iterator

import attrs

from flow_spec.conditions import unknown_step
from flow_spec.document import Form, Mapping, Node, Scalar, Sequence
from flow_spec.errors import Problem, printable, quoted
from flow_spec.spelling import Speller

type Path = tuple[str | int, ...]

_REMOVE_OR_FILL = "; give it a value, or remove the key if it is optional"


@attrs.frozen(eq=False)
class StepPlace:
    """Where a step is: its position in the list, and the node of its id."""

    position: int
    node: Node


@attrs.define(eq=False)
class Findings:
    """The state of one reading; `steps` has the first step of every id, in the file's order.

    `depends_on` has, by the position of a step, what it lists that could be the id of a step.
    """

    steps: dict[str, StepPlace] = attrs.Factory(dict)
    depends_on: dict[int, tuple[str, ...]] = attrs.Factory(dict)
    problems: list[Problem] = attrs.Factory(list)
    speller: Speller = attrs.Factory(Speller)

    def depends_on_of(self, path: Path) -> tuple[str, ...]:
        """Return the `depends_on` of the step within which a path leads."""
        return self.depends_on.get(path[1], ()) if isinstance(path[1], int) else ()

    def add(self, message: str, path: Path, node: Node, *, excerpt: str | None = None) -> None:
        """Add a problem at `path`, positioned where `node` begins."""
        self.problems.append(
            Problem(message, written(path) or None, node.line, node.column, excerpt)
        )

    def add_type(self, expected: str, node: Node, path: Path) -> None:
        """Add that a value is not what its field expects, with what would mend its spelling."""
        mend = ""
        if isinstance(node, Scalar):
            if node.form is Form.TEXT:
                mend = "; write it without quotes"
            elif node.text in {"null", "~"}:
                mend = _REMOVE_OR_FILL
        self.add(f"{expected}, got {got(node)}{mend}", path, node)

    def add_no_text(self, node: Node, path: Path) -> None:
        """Add that a value is no text, with what would make it one."""
        null = isinstance(node, Scalar) and node.form is Form.NULL
        mend = _REMOVE_OR_FILL if null else "; put it in quotes"
        self.add(f"must be text, got {got(node)}{mend}", path, node)

    def add_unknown_step(self, name: str, path: Path, node: Node) -> None:
        """Add that a name in `when` or `depends_on` is no step of the flow."""
        self.add(unknown_step(name, self.steps, self.speller), path, node)

    def add_tag(self, node: Node, path: Path) -> None:
        """Add that a value has a tag, which only `when` may seem to have (rule 2.4)."""
        tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
        self.add(
            f"YAML tags such as {printable(tag)} are not supported; "
            "put text that begins with ! in quotes",
            path,
            node,
        )

    def add_empty(self, node: Node, path: Path) -> None:
        """Add that a key of YAML has no value."""
        if node.anchor is not None:
            message = (
                f"is empty: &{node.anchor} begins a YAML anchor; "
                "put text that begins with & in quotes"
            )
        elif path and isinstance(path[-1], int):
            message = 'is empty; write "" for empty text, or remove the item'
        else:
            message = f"is empty{_REMOVE_OR_FILL}"
        self.add(message, path, node)

    def add_unknown_key(
        self, name: str, known: Collection[str], key: Node, path: Path, noun: str
    ) -> None:
        """Add that a key is none of the known ones, and how to mend that (rule 2.6)."""
        if name == "<<":
            mend = "YAML merge keys are not supported; write the keys out"
        elif meant := self.speller.closest(name, known):
            mend = f"did you mean {quoted(meant)}?"
        else:
            mend = f"{noun} has {', '.join(known)}; a key of your own begins with x-"
        self.add(f"unknown key; {mend}", (*path, name), key)

    def keys_of(self, mapping: Mapping, path: Path) -> Iterator[tuple[str, Node, Node]]:
        """Yield name, key and value of each entry once (rule 2.6)."""
        first: dict[str, Node] = {}
        for key, value in mapping.entries:
            if not isinstance(key, Scalar):
                self.add(f"a key must be text, got {got(key)}", path, key)
            elif key.tag is not None:
                self.add_tag(key, path)
            elif key.text in first:
                line = first[key.text].line
                place = "" if line is None else f", first given on line {line}"
                self.add(f"duplicate key{place}", (*path, key.text), key)
            else:
                first[key.text] = key
                yield key.text, key, value


def got(node: Node) -> str:
    """Return what stands in the file, for the end of a message."""
    match node:
        case Scalar(form=Form.TEXT | Form.BARE):
            return quoted(node.text)
        case Scalar():
            return quoted(node.text)[1:-1]
        case Sequence():
            return "a list"
        case _:
            return "a mapping"


def written(path: Path) -> str:
    """Return a path as people write it: `steps[2].retries`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("-", "_").isidentifier() and part.isprintable():
            text += f".{part}"
        else:
            text += f"[{quoted(part)}]"
    return text.removeprefix(".")
