"""From a flow file to a `FlowSpec`: `load_flow` and `parse_flow`.

The order of things lives here: text, document tree, fields, dependencies; each has its own module.
Only here do problems become a `FlowFileError`.
"""

import os
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import attrs

from flow_spec import messages
from flow_spec.blocks import base_of
from flow_spec.document import Node, node_at, written
from flow_spec.errors import Advised, DocumentError, FlowFileError, Problem
from flow_spec.flow import FLOW, FlowSpec
from flow_spec.lists import ListReader, not_read
from flow_spec.marks import with_marks
from flow_spec.overview import begin_reading
from flow_spec.reading import FINALLY, Reading
from flow_spec.source import decode, opened_by_caller, read_bytes

type Format = Literal["yaml", "json"]


@attrs.frozen(eq=False)
class ReadFlow:
    """A flow together with the file that it was read from: what it says where."""

    flow: FlowSpec
    root: Node
    reading: Reading
    text: str
    is_yaml: bool

    def problem(self, message: str, step_id: str, *keys: str | int) -> Problem:
        """Return a problem with what a step has under these keys, or `defaults` in its stead."""
        path = (*self.reading.steps[base_of(step_id)].path, *keys)
        node = node_at(self.root, path)
        if node is None:
            path = ("defaults", *keys)
            node = node_at(self.root, path) or self.root
        return Problem(message, written(path), node.line, node.column)


_FORMATS: Mapping[str, Format] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}


def load_flow(
    path: str | os.PathLike[str],
    *,
    read_list: ListReader = not_read,
    params: Mapping[str, str] = MappingProxyType({}),
) -> FlowSpec:
    """Read and check the flow file at `path`, as `read_flow` does; return its flow.

    Raises:
        FlowFileError: it cannot be read, or is no valid flow; holds every problem (rule 2.7).
    """
    return read_flow(path, read_list=read_list, params=params).flow


def read_flow(
    path: str | os.PathLike[str],
    *,
    read_list: ListReader = not_read,
    params: Mapping[str, str] = MappingProxyType({}),
) -> ReadFlow:
    """Read and check the flow file at `path`: `.yaml`, `.yml` or `.json`. Rule 2.1.

    The path `-` is the standard input. What has no name of its own, as that and a shell's `<(...)`,
    is JSON if it begins with a brace, else YAML. `read_list` reads the lists of a `foreach` that
    are not in the flow file itself (rule 10.3); without it such a flow is refused. `params` are the
    values that are given to parameters, for the paths of these lists alone: see `bind_params`.

    Raises:
        FlowFileError: it cannot be read, or is no valid flow; holds every problem (rule 2.7).
    """
    file = Path(path)
    source = str(file)
    try:
        data = read_bytes(file)
        format_ = _format_of(file, data)
    except DocumentError as error:
        raise FlowFileError(source, (error.problem,)) from None
    return _parsed(data, source, format_, read_list, params)


def _format_of(path: Path, data: bytes) -> Format:
    if opened_by_caller(path) is not None:
        return "json" if data.removeprefix(BOM_UTF8).lstrip().startswith(b"{") else "yaml"
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise DocumentError(
            Advised(
                "the name must end in .yaml, .yml or .json",
                "rename the file if it holds a flow; `orchesjob-flow example` prints one",
            )
        )
    return _FORMATS[suffix]


def parse_flow(
    data: bytes | str,
    *,
    source: str = "<flow>",
    format: Format = "yaml",  # noqa: A002 - the word that a caller expects
    read_list: ListReader = not_read,
    params: Mapping[str, str] = MappingProxyType({}),
) -> FlowSpec:
    """Read and check the text of a flow file; `source` is what errors call it.

    `read_list` is asked, and `params` are used, as in `load_flow`.

    Raises:
        FlowFileError: it is no valid flow; holds every problem, sorted by position (rule 2.7).
        ValueError: there is no such format.
    """
    return _parsed(data, source, format, read_list, params).flow


def _parsed(
    data: bytes | str,
    source: str,
    format_: Format,
    read_list: ListReader,
    params: Mapping[str, str],
) -> ReadFlow:
    is_yaml = format_ == "yaml"
    try:
        text = decode(data)
    except DocumentError as error:
        raise FlowFileError(source, (error.problem,)) from None
    try:
        reading = begin_reading(root := _document(text, format_), read_list, params)
    except DocumentError as error:
        raise FlowFileError(source, with_marks((error.problem,), text, is_yaml=is_yaml)) from None
    # Nothing is missing from the flow where there is no problem.
    flow: FlowSpec = FLOW.read(root, (), reading)
    reading.report_names()
    if not reading.problems:
        flow = _with_asked_steps_named(flow, reading)
        if reading.names.words and not reading.names.are_filled:
            flow = flow.unfilled()
        _refuse_cycle(flow, reading)
    if reading.problems:
        problems = sorted(reading.problems, key=_position)
        raise FlowFileError(source, with_marks(problems, text, is_yaml=is_yaml))
    return ReadFlow(flow.with_copies(), root, reading, text, is_yaml)


def _document(text: str, format: str) -> Node:  # noqa: A002
    match format:
        case "yaml":
            # PyYAML costs more to import than most commands need altogether.
            from flow_spec.yaml_document import read_yaml

            return read_yaml(text)
        case "json":
            from flow_spec.json_document import read_json

            return read_json(text)
        case _:
            raise ValueError(f"the format of a flow file is yaml or json, not {format!r}")


def _with_asked_steps_named(flow: FlowSpec, reading: Reading) -> FlowSpec:
    """Let the steps of `finally` that ask about all of `steps` name them (rule 10.1)."""
    named = tuple(
        attrs.evolve(step, depends_on=reading.depends_on[FINALLY, position])
        for position, step in enumerate(flow.finally_)
    )
    return attrs.evolve(flow, finally_=named)


def _refuse_cycle(flow: FlowSpec, reading: Reading) -> None:
    """Add a problem if steps wait for each other, worded as in rule 3.6.

    All copies of a step wait alike, so the steps are looked at as they are written.
    """
    from graphlib import CycleError, TopologicalSorter

    waits = {
        step.id: dict.fromkeys(map(base_of, step.waits_for)) for step in flow.as_written.all_steps
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        # graphlib lists each step before the one that waits for it, and the first one twice.
        cycle = error.args[1][:0:-1]
        places = reading.steps
        # All are in the same list: no step of `steps` waits for one of `finally`.
        start = min(range(len(cycle)), key=lambda index: places[cycle[index]].path)
        walk = [*cycle[start:], *cycle[:start], cycle[start]]
        first = places[walk[0]]
        reading.add(messages.cycle(walk), first.path, first.node)


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.line or 0, problem.column or 0)
