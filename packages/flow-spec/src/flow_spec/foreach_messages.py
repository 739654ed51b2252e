"""The words of the problems that a `foreach` can have; all others are in `messages`."""

from collections.abc import Collection
from itertools import islice

from flow_spec.document import Mapping, Node, Path, Scalar, Sequence, written
from flow_spec.errors import Advised, Message, quoted
from flow_spec.messages import got
from flow_spec.spelling import Speller


def no_foreach(node: Node) -> str:
    """Say that a value does not say for what the steps are repeated."""
    return (
        "must be a mapping of names to lists, such as {SHOP: [berlin, paris]}, or a list of "
        f"mappings; got {_got_collection(node)}"
    )


def _got_collection(node: Node) -> str:
    empty = (isinstance(node, Sequence) and not node.items) or (
        isinstance(node, Mapping) and not node.entries
    )
    return f"an empty {got(node).split()[-1]}" if empty else got(node)


def no_values(node: Node) -> str:
    """Say that a mapping is none that stands for a list."""
    return (
        "must be a list of values, such as [berlin, paris], or {lines: FILE} or {glob: PATTERN}; "
        f"got {_got_collection(node)}"
    )


def list_without_name(origin: str, value: Scalar) -> str:
    """Say that the values of a file have no name."""
    return (
        f"gives its values no name; write foreach: {{NAME: {{{origin}: {got(value)}}}}}, with a "
        "name of your own"
    )


def not_known_by_now(name: str) -> str:
    """Say that a name has no value where a list is read."""
    return (
        f"a list is read before its run begins, and ${{{{ {name} }}}} has no value then; "
        "only ${{ FLOW_DIR }} and parameters have"
    )


def wrong_in_path(name: str, flaw: str) -> str:
    """Say what is wrong with the value of a parameter that the path of a list needs."""
    return f"needs the parameter {name}, which {flaw}"


def name_is_param() -> str:
    """Say that a name of a block is that of a parameter."""
    return "is a parameter, which every step has under this name; give the values another one"


def no_row(node: Node) -> str:
    """Say that an item of a list of mappings is none."""
    return f"must be a mapping of names to values, such as {{GO: '1.21'}}; got {got(node)}"


def repeated_row(first: Path) -> str:
    """Say that a row has the values of an earlier one."""
    return f"has the same values as {written(first)}: the steps would run twice for them"


def gives_twice(value: str) -> str:
    """Say that a file gives a value twice."""
    return f"gives {quoted(value)} twice; the steps would run twice for it"


def wrong_value(value: str, flaw: str) -> str:
    """Say that a value that a file gives is none that a process can be passed."""
    return f"gives {quoted(value)}, which {flaw}"


def too_many_copies(most: int) -> str:
    """Say that there are more copies than a flow may have steps."""
    return (
        f"stands for more than {most:,} steps, the most that a flow with foreach can have; "
        "split the flow, or let one step do several values"
    )


def too_many_values(most: int) -> str:
    """Say that the copies have too many values altogether."""
    return f"has more than {most:,} values, counted for each copy; repeat the steps for fewer names"


def too_large_copies(most: int) -> str:
    """Say that the steps of all copies are too much to read."""
    return (
        f"stands for copies with more than {most // 1024**2} MiB of text; shorten what they share, "
        "or pass the names of files instead of values"
    )


def field_beside_foreach(name: str) -> str:
    """Say that a field of a step stands where only its block can be."""
    return f"foreach repeats the steps in its own list: write {quoted(name)} of a step in there"


def foreach_not_here() -> str:
    """Say that a block stands where none can be."""
    return "only an item of the flow's own steps can be a foreach: not one of finally, nor in one"


def hides_value(name: str) -> str:
    """Say that a step sets what its copies are to have from their block."""
    return f"would hide the value of each copy: foreach gives {quoted(name)} already"


def has_no_copies(step_id: str) -> str:
    """Say that the copy of a step is named that is in no block."""
    return f"step {quoted(step_id)} is in no foreach and has no copies; write its id alone"


def unknown_copy(step_id: str, label: str, labels: Collection[str], speller: Speller) -> Message:
    """Say that a step has copies, but none with this label."""
    sentence = f"step {quoted(step_id)} has no copy {quoted(label)}"
    if meant := speller.closest(label, labels):
        return Advised(sentence, f"did you mean {quoted(f'{step_id}@{meant}')}?")
    if not labels:
        return f"{sentence}; it has none at all"
    first = ", ".join(f"{step_id}@{label}" for label in islice(labels, _SHOWN))
    return f"{sentence}; it has {first}{', ...' if len(labels) > _SHOWN else ''}"


_SHOWN = 3
"""Copies that a message names."""
