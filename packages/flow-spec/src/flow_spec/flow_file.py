"""From a flow file to a `FlowSpec`: text, tree, first pass, fields, cycles.

A `Document` is a file as a tree; a file of cases is read from one too (see `case_file`). The first
pass notes where each step is, what it waits for and which copies it has, because a
condition may name any step. Problems become a `FlowFileError` here and nowhere else.
"""

import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import attrs

from flow_spec.documents.source import decode, opened_by_caller, read_bytes
from flow_spec.documents.tree import (
    MAX_VALUES,
    MappingNode,
    Node,
    NodePath,
    nearest,
    node_at,
    with_marks,
    written,
)
from flow_spec.errors import Advised, DocumentError, FlowFileError, Problem
from flow_spec.fields.params import note_params
from flow_spec.fields.predicates import has_call
from flow_spec.fields.reading import (
    FINALLY,
    FOREACH,
    NAME_LIKE,
    REFERENCE,
    STEPS,
    Cursor,
    ListReader,
    Reading,
    StepPlace,
    not_read,
)
from flow_spec.flow import FLOW, FlowSpec
from flow_spec.foreach import MOST_STEPS, CopyBudget, note_lists, repeated_steps
from flow_spec.step import base_of

type Format = Literal["yaml", "json"]


CASES = "cases"
"""The key that a file of cases has, and a flow has not."""


@attrs.frozen(eq=False)
class Document:
    """A file of YAML or JSON that has been read; errors call it `source`."""

    source: str
    text: str
    root: Node

    @property
    def holds_cases(self) -> bool:
        """Whether this is a file of cases rather than a flow (rule 11.4)."""
        keys = self._keys
        is_named_so = Path(self.source).stem.endswith(".test")
        return STEPS not in keys and (CASES in keys or (is_named_so and "flow_id" not in keys))

    @property
    def holds_flow(self) -> bool:
        """Whether this looks like a flow, a valid one or not."""
        return self._keys >= {"flow_id", STEPS}

    @property
    def _keys(self) -> set[str]:
        root = self.root
        return {name for name, _ in root.texts()} if isinstance(root, MappingNode) else set()

    @property
    def folder(self) -> str:
        """The folder of the file, as it was named; that of the process if it has no name."""
        is_named = opened_by_caller(Path(self.source)) is None
        return (os.path.dirname(self.source) if is_named else "") or "."  # noqa: PTH120 - as given

    def error(self, problems: Iterable[Problem]) -> FlowFileError:
        """Return the error that holds these problems, by position, with the characters of each."""
        in_order = sorted(problems, key=_position)
        return FlowFileError(self.source, with_marks(in_order, self.text))

    def read_flow(
        self,
        *,
        read_list: ListReader = not_read,
        params: Mapping[str, str] = MappingProxyType({}),
    ) -> "ReadFlow":
        """Check the flow that this holds; the arguments are those of the function `read_flow`.

        Raises:
            FlowFileError: It is not a valid flow; holds every problem, by position (rule 2.7).
        """
        root = self.root
        if self.holds_cases:
            remedy = "`orchesjob-flow test` runs it; for other commands, name the flow file"
            message = Advised("this file holds cases that test a flow, not a flow", remedy)
            raise self.error([Problem.of(message, None, root.line, root.column)])
        reading = Reading(root, read_list=read_list, flow_dir=self.folder, given=params)
        here = Cursor(root, (), reading)
        note_params(here)
        note_steps(here)
        # Nothing is missing from the flow where there is no problem.
        flow: FlowSpec = FLOW.read(here)
        reading.report_names()
        if not reading.problems:
            if reading.words and not reading.fills_names:
                flow = flow.unfilled()
            _refuse_cycle(flow, reading)
        if not reading.problems:
            flow = flow.with_waits()
            if sum(len(step.waits_also) for step in flow.finally_) > MAX_VALUES:
                who = f"steps that ask run(...) wait for others of finally more than {MAX_VALUES:,}"
                (here.get(FINALLY) or here).add(Advised(f"{who} times", "ask it in fewer steps"))
        if reading.problems:
            raise self.error(reading.problems)
        return ReadFlow(flow.with_copies(), root, reading, self.text, self.source)


@attrs.frozen(eq=False)
class ReadFlow:
    """A flow, and the text it was read from, which has the place of each field.

    `source` is what errors call the file: problems and warnings do not repeat it.
    """

    flow: FlowSpec
    root: Node
    reading: Reading
    text: str
    source: str

    def problem(self, message: str, step_id: str | None, *keys: str | int) -> Problem:
        """Return a problem with the value of these keys of a step, or of the flow if it is None.

        A value that the step takes from `defaults` is there. If it is nowhere, the place is that of
        what should hold it.

        Raises:
            UnknownStepError: There is no such step.
        """
        path: NodePath = keys
        if step_id is not None:
            self.flow.named(step_id)  # raises for an unknown one
            path = (*self.reading.steps[base_of(step_id)].path, *keys)
            default = ("defaults", *keys)
            if keys and node_at(self.root, path) is None and node_at(self.root, default):
                path = default
        node = nearest(self.root, path)
        return Problem(message, written(path) or None, node.line, node.column)


FORMATS: Mapping[str, Format] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
"""The formats of files, by the endings of their names."""


def load_flow(
    path: str | os.PathLike[str],
    *,
    read_list: ListReader = not_read,
    params: Mapping[str, str] = MappingProxyType({}),
) -> FlowSpec:
    """Read and check the flow file at `path`, as `read_flow` does; return its flow.

    Raises:
        FlowFileError: It cannot be read, or is not a valid flow; holds every problem (rule 2.7).
    """
    return read_flow(path, read_list=read_list, params=params).flow


def read_flow(
    path: str | os.PathLike[str],
    *,
    read_list: ListReader = not_read,
    params: Mapping[str, str] = MappingProxyType({}),
) -> ReadFlow:
    """Read and check the flow file at `path`: `.yaml`, `.yml` or `.json` (rule 2.1).

    The path `-` is the standard input. A source without a name, such as this or a shell's `<(...)`,
    is JSON if it begins with a brace, else YAML. `read_list` reads the lists of a `foreach` that
    are outside the flow file (rule 10.3); without it such a flow is refused. `params` are the
    values of parameters, only for the paths of these lists: see `FlowSpec.with_params`.

    Raises:
        FlowFileError: It cannot be read, or is not a valid flow; holds every problem (rule 2.7).
    """
    return read_document(path).read_flow(read_list=read_list, params=params)


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read the file at `path`, whose format `read_flow` describes.

    Raises:
        FlowFileError: It cannot be read, or is not one document of its format.
    """
    file = Path(path)
    source = str(file)
    with _errors_of(source):
        data = read_bytes(file)
        format_ = _format_of(file, data)
    return _parsed(data, source, format_)


def _format_of(path: Path, data: bytes) -> Format:
    if opened_by_caller(path) is not None:
        return "json" if data.removeprefix(BOM_UTF8).lstrip().startswith(b"{") else "yaml"
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DocumentError(
            Advised(
                "the name must end in .yaml, .yml or .json",
                "rename the file if it holds a flow; `orchesjob-flow example` prints one",
            )
        )
    return FORMATS[suffix]


def parse_flow(
    data: bytes | str,
    *,
    source: str = "<flow>",
    format: Format = "yaml",  # noqa: A002 - the word that a caller expects
    read_list: ListReader = not_read,
    params: Mapping[str, str] = MappingProxyType({}),
) -> FlowSpec:
    """Read and check the text of a flow file; `source` is what errors call it.

    `read_list` and `params` are those of `read_flow`.

    Raises:
        FlowFileError: It is not a valid flow; holds every problem, by position (rule 2.7).
        ValueError: There is no such format.
    """
    return _parsed(data, source, format).read_flow(read_list=read_list, params=params).flow


def read_text(
    text: str,
    name: str,
    *,
    read_list: ListReader = not_read,
    params: Mapping[str, str] = MappingProxyType({}),
) -> ReadFlow:
    """Do as `read_flow` does with a text that is not a file yet, such as an editor's buffer.

    `name` is the path of the file that it will be: errors call it so, and its ending is the format.

    Raises:
        FlowFileError: It is not a valid flow, or the name has another ending.
    """
    with _errors_of(name):
        format_ = _format_of(Path(name), text.encode(errors="surrogatepass"))
    return _parsed(text, name, format_).read_flow(read_list=read_list, params=params)


def _parsed(data: bytes | str, source: str, format_: Format) -> Document:
    # Importing PyYAML takes longer than most commands take.
    from flow_spec.documents.yaml_document import read_json, read_yaml

    readers = {"yaml": read_yaml, "json": read_json}
    if format_ not in readers:
        raise ValueError(f"the format of a flow file is yaml or json, not {format_!r}")
    with _errors_of(source):
        text = decode(data)
    with _errors_of(source, text):
        return Document(source, text, readers[format_](text))


@contextmanager
def _errors_of(source: str, text: str | None = None) -> Iterator[None]:
    """Make a `DocumentError` the error of this file, with marks in its text if that is known."""
    try:
        yield
    except DocumentError as error:
        problems = (error.problem,)
        marked = with_marks(problems, text) if text else problems
        raise FlowFileError(source, marked) from None


def _refuse_cycle(flow: FlowSpec, reading: Reading) -> None:
    """Add a problem if steps wait for each other (rule 3.6).

    All copies of a step wait alike, so this checks the steps as written.
    """
    from graphlib import CycleError

    as_written = flow.as_written
    try:
        as_written.plan_of(as_written.all_steps)
    except CycleError as error:
        # graphlib lists each step before the one that waits for it, and the first one twice.
        cycle = error.args[1][:0:-1]
        places = reading.steps
        # All are in the same list: no step of `steps` waits for one of `finally`.
        start = min(range(len(cycle)), key=lambda index: places[cycle[index]].path)
        walk = [*cycle[start:], *cycle[:start], cycle[start]]
        first = places[walk[0]]
        message = Advised(
            f"dependency cycle detected: {' -> '.join(walk)}",
            f"remove {walk[1]} from depends_on: or when: of {walk[0]}, or cut another link",
        )
        if len(cycle) == 1:
            message = attrs.evolve(message, fact=f"step {walk[0]} waits for itself")
        Cursor(first.node, first.path, reading).add(message)


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.line or 0, problem.column or 0)


def note_steps(root: Cursor) -> None:
    """Note the steps of a file, and their copies (rules 2.6 and 10.3)."""
    items, last, reading = root.listed(STEPS), root.listed(FINALLY), root.reading
    lists = [item.get(FOREACH) for item in items]
    budget = CopyBudget(MOST_STEPS - lists.count(None) - len(last))
    for item, foreach in zip(items, lists, strict=True):
        if foreach is None:
            _note_step(item)
            continue
        inner = repeated_steps(item)
        for step in inner:
            _note_step(step, item.path)
        reading.blocks[item.path] = note_lists(foreach, inner, budget)
    _note_finally(last, reading)


def _note_step(step: Cursor, block: NodePath | None = None) -> None:
    named = step.get("id")
    if named is not None and named.is_scalar:
        place = StepPlace(step.path, named.node, block)
        step.reading.steps.setdefault(named.text, place)
    listed = dict.fromkeys(item.text for item in step.listed("depends_on"))
    step.reading.depends_on[step.path] = tuple(filter(REFERENCE.fullmatch, listed))


def _note_finally(steps: list[Cursor], reading: Reading) -> None:
    """Note the steps of `finally`.

    One that asks about all of `steps` waits for them as if it named them (rule 10.1), so this
    counts like an alias.
    """
    of_steps = tuple(filter(NAME_LIKE.fullmatch, reading.steps))
    asked = 0
    for step in steps:
        _note_step(step)
        when = step.get("when")
        if when is not None and not step.listed("depends_on") and when.text:
            reading.depends_on[step.path] = of_steps if has_call(when.text) else ()
            asked += len(reading.depends_on[step.path])
            if asked > MAX_VALUES:
                fact = (
                    f"the conditions of finally ask about all steps more than {MAX_VALUES:,} times"
                )
                remedy = "list in depends_on the steps that this one is about"
                when.add(Advised(f"{fact} in all", remedy))
                return
