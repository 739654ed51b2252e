"""Files of cases: what a run of a flow is given, and what must come of it (rule 11.4).

The declared fields of `Case` and `CaseFile` are the schema. Steps and parameters are those of the
flow that is tested, so that flow is read with the parameters of each case. What is wrong with a
flow itself is an error of its own file; everything else is a problem of the file of cases.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from flow_spec.documents.tree import MappingNode, NodePath, ScalarNode, nearest
from flow_spec.errors import (
    Advised,
    FlowFileError,
    Message,
    ParamsError,
    Problem,
    UnknownStepError,
    advised,
    quoted,
)
from flow_spec.fields.kinds import FILE, Kind, OneOf, Schema, Text, line
from flow_spec.fields.reading import Cursor, ListReader, Reading
from flow_spec.fields.records import ListOf, Record, Variables, declared, file_schema
from flow_spec.flow import FlowSpec
from flow_spec.flow_file import CASES, FORMATS, Document, read_document

RUN = "run"
"""The key of `expect` that means the run."""
CANCEL_AT, TIMEOUT_AT = "cancel_at", "timeout_at"
"""The keys of `given` that are not steps."""


CASE_OUTCOMES = ("succeeded", "failed", "skipped")
"""How a step that runs is said to end."""
CASE_PRODUCTS = ("missing",)
"""What is said to become of the files that a step produces."""


@attrs.frozen
class CaseFiles:
    """How a step fails although its command succeeds (rule 10.10)."""

    produces: tuple[str, ...] = declared(
        ListOf(OneOf(CASE_PRODUCTS), "words", "[missing]", min_items=1),
        "What becomes of its files: they are not written.",
        ["missing"],
    )

    def __str__(self) -> str:
        """Write it as the file does."""
        return f"produces: [{', '.join(self.produces)}]"


class OutcomeOrFiles(OneOf):
    """One of the words for the end of a step, or what becomes of the files that it produces."""

    files: Record = Record(CaseFiles, "the end of a step")

    def schema(self) -> Schema:
        """Allow both."""
        return {"anyOf": [super().schema(), self.files.schema()]}

    def _read(self, here: Cursor) -> Any:
        return self.files.read(here) if here.is_mapping else super()._read(here)


STEP_ENDS = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED")
"""The statuses with which a step is expected to end."""
RUN_ENDS = ("SUCCEEDED", "FAILED", "CANCELLED")
"""The statuses with which a run is expected to end."""


STEP_NAME = Text()
"""The id of a step, of a copy, or of all copies of a step; `_report_names` checks it."""


class ByStep(Kind):
    """A mapping of names of steps to one of some words, read as pairs in the order of the file.

    `others` are keys that are not steps, with their kinds.
    """

    word: OneOf
    others: Mapping[str, Kind]
    example: str
    min_items: int = 0

    def schema(self) -> Schema:
        """List the words, and the other keys."""
        return {
            "type": "object",
            "properties": {key: kind.schema() for key, kind in self.others.items()},
            "additionalProperties": self.word.schema(),
            "minProperties": self.min_items,
        }

    def _read(self, here: Cursor) -> tuple[Any, ...] | None:
        if not isinstance(here.node, MappingNode):
            here.must_be(f"a mapping, such as {self.example}")
            return None
        if len(here.node.entries) < self.min_items:
            here.add(f"must not be empty: write a mapping such as {self.example}")
        return tuple(
            (name, self.others.get(name, self.word).read(value))
            for name, _, value in here.entries()
        )


@attrs.frozen(kw_only=True)
class Case:
    """What a run is given, and what must come of it.

    `flow` is the flow with the parameters of the case, and `line` the line on which the case
    begins, if it is known.
    """

    name: str = declared(
        line(255), "What the case shows, in a sentence.", "a failed load sends the alert"
    )
    params: tuple[tuple[str, str], ...] = declared(
        Variables(), "The parameters of the run.", {"DAY": "2026-05-07"}, default=()
    )
    given: tuple[tuple[str, str | CaseFiles], ...] = declared(
        ByStep(
            OutcomeOrFiles(CASE_OUTCOMES),
            {CANCEL_AT: STEP_NAME, TIMEOUT_AT: STEP_NAME},
            "{load: failed}",
        ),
        "How the steps end that do not succeed, and where the run is cancelled or times out.",
        {"load": "failed", "fetch@rome": "skipped"},
        {"export": {"produces": ["missing"]}},
        {"cancel_at": "load"},
        default=(),
    )
    expect: tuple[tuple[str, str], ...] = declared(
        ByStep(
            OneOf(STEP_ENDS), {RUN: OneOf(RUN_ENDS)}, "{alert: SUCCEEDED, run: FAILED}", min_items=1
        ),
        "The statuses with which steps and the run must end; other steps may end in any way.",
        {"alert": "SUCCEEDED", "publish": "SKIPPED", "run": "FAILED"},
    )
    order: tuple[str, ...] = declared(
        ListOf(STEP_NAME, "steps", "[fetch, load]", min_items=1, distinct=True),
        "Steps in order: each must begin after the one before it has ended.",
        ["fetch", "load", "alert"],
        default=(),
    )
    flow: FlowSpec
    line: int

    @property
    def outcomes(self) -> Mapping[str, str | CaseFiles]:
        """The given outcomes, by the ids of steps; that of one copy outranks that of all."""
        all_of: dict[str, str | CaseFiles] = {}
        one_of: dict[str, str | CaseFiles] = {}
        for name, word in self.given:
            if name not in {CANCEL_AT, TIMEOUT_AT}:
                of = all_of if name in self.flow.copies else one_of
                of |= {spec.id: word for spec in self.flow.named(name)}
        return all_of | one_of

    @property
    def cancel_at(self) -> str | None:
        """The step at whose beginning the run is cancelled."""
        return self._place(CANCEL_AT)

    @property
    def timeout_at(self) -> str | None:
        """The step whose command never ends by itself."""
        return self._place(TIMEOUT_AT)

    def _place(self, key: str) -> str | None:
        named = dict(self.given).get(key)
        return named if isinstance(named, str) else None


class _CaseRecord(Record):
    def _made(self, values: dict[str, Any], here: Cursor) -> Any:
        # The flow follows; whether there is one may be a problem of its own.
        return super()._made({**values, "flow": None, "line": here.node.line}, here)


CASE = _CaseRecord(Case, "a case")


@attrs.frozen(kw_only=True)
class CaseFile:
    """A file of cases."""

    flow: str | None = declared(
        FILE,
        "The flow file, taken from the folder of this file. Without it, NAME.test.yaml tests "
        "NAME.yaml.",
        "nightly.yaml",
        default=None,
    )
    cases: tuple[Case, ...] = declared(
        ListOf(CASE, "cases", "[{name: all is well, expect: {run: SUCCEEDED}}]", min_items=1),
        "The cases, each of which is a run of its own.",
        [{"name": "all is well", "expect": {"run": "SUCCEEDED"}}],
    )


CASE_FILE = Record(CaseFile, "a file of cases", foreign=("$schema",))


def cases_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a file of cases, for editors (rule 9.2).

    Only `read_cases` checks names of steps and parameters.
    """
    return file_schema(CASE_FILE, "orchesjob flow cases", "Cases that test a flow.")


@attrs.frozen(eq=False)
class ReadCases:
    """The cases of a file, and the path of the flow file that they test."""

    flow_file: str
    cases: tuple[Case, ...]
    _document: Document

    def error(self, message: Message, case: Case, *keys: str) -> FlowFileError:
        """Return the error that something is wrong with the value of these keys of a case."""
        path: NodePath = (CASES, self.cases.index(case), *keys)
        here = Cursor(nearest(self._document.root, path), path, Reading())
        here.add(message)
        return self._document.error(here.reading.problems)


def read_cases(document: Document, list_reader: Callable[[str], ListReader]) -> ReadCases:
    """Read and check the cases that a document holds.

    `list_reader` takes the path of the flow file and returns what reads its lists (rule 10.3).

    Raises:
        FlowFileError: It does not hold cases, or not valid ones; or the flow file is not valid.
    """
    reading = Reading(document.root)
    root = Cursor(document.root, (), reading)
    if not document.holds_cases:
        remedy = "name the file of its cases, such as nightly.test.yaml for nightly.yaml"
        root.add(Advised("this is a flow file, not a file of cases", remedy))
        raise document.error(reading.problems)
    found: CaseFile | None = CASE_FILE.read(root)
    flow_file = _flow_file(document, root)
    flows: Sequence[FlowSpec] = ()
    items = root.listed(CASES)
    if flow_file is not None:
        flows = _flows_of_cases(items, flow_file, list_reader(flow_file))
    for case, flow in zip(items, flows, strict=False):
        _report_names(case, flow)
    _report_repeated(items)
    if reading.problems or found is None or flow_file is None:
        raise document.error(reading.problems)
    cases = [attrs.evolve(case, flow=flows[place]) for place, case in enumerate(found.cases)]
    return ReadCases(flow_file, tuple(cases), document)


def _flow_file(document: Document, root: Cursor) -> str | None:
    source, folder = Path(document.source), Path(document.folder)
    named = root.get("flow")
    if named is not None and named.text:
        if (folder / named.text).exists():
            return str(folder / named.text)
        named.add(f"no such file: {folder / named.text}")
    elif named is None and source.stem.endswith(".test"):
        name = source.stem.removesuffix(".test")
        beside = [folder / f"{name}{suffix}" for suffix in (source.suffix, *FORMATS)]
        found = next((path for path in beside if path.exists()), None)
        if found is not None:
            return str(found)
        root.add(Advised(f"no such file: {beside[0]}", "name the flow file in the key flow"))
    elif named is None:
        remedy = "or the name NAME.test.yaml beside the flow file NAME.yaml"
        root.add(Advised('a file of cases needs the key "flow"', remedy))
    return None


def _flows_of_cases(
    cases: Sequence[Cursor], flow_file: str, read_list: ListReader
) -> Sequence[FlowSpec]:
    """Return the flow of each case, with its parameters where they are valid.

    Raises:
        FlowFileError: The flow file is not valid.
    """
    document = read_document(flow_file)
    read: dict[frozenset[tuple[str, str]], FlowSpec] = {}
    flows: list[FlowSpec] = []
    for case in cases:
        params = case.get("params") or case.child("params", case.node)
        values = _entries(case.get("params"))
        given = {value.field: value.text for _, value in values if value.is_scalar}
        same = frozenset(given.items())
        if same not in read:  # a long flow takes a while
            read[same] = document.read_flow(read_list=read_list, params=given).flow
        flow = read[same]
        known = {param.name for param in flow.params}
        for key, _ in values:
            if key.text not in known:
                remedy = key.reading.speller.suggestion(key.text, known)
                key.add(advised(f"the flow has no parameter {quoted(key.text)}", remedy))
        try:
            flow = flow.with_params({name: given[name] for name in given.keys() & known})
        except ParamsError as error:
            for problem in error.problems:
                _report_value(problem, params)
        flows.append(flow)
    return flows


def _report_value(problem: Problem, params: Cursor) -> None:
    _, _, name = (problem.path or "").partition("params.")
    if not name:
        params.add(str(problem))
        return
    remedy = f"write params: {{{name}: VALUE}}" if problem.param else None
    place = params.get(name) or params.child(name, params.node)
    place.add(advised(problem.message, remedy))


def _report_names(case: Cursor, flow: FlowSpec) -> None:
    given = [
        value if key.text in {CANCEL_AT, TIMEOUT_AT} else key
        for key, value in _entries(case.get("given"))
    ]
    expect = [key for key, _ in _entries(case.get("expect")) if key.text != RUN]
    for here in (*given, *expect, *case.listed("order")):
        if not here.is_scalar:
            continue
        try:
            flow.named(here.text)
        except UnknownStepError as error:
            remedy = error.details.get("help")
            if here in given and error.suggestion is None:
                suggestion = here.reading.speller.suggestion(here.text, (CANCEL_AT, TIMEOUT_AT))
                remedy = suggestion or remedy
            here.add(advised(f"the flow has no step {quoted(here.text)}", remedy))


def _report_repeated(cases: Iterable[Cursor]) -> None:
    names: set[str] = set()
    for case in cases:
        name = case.get("name")
        if name is not None and name.is_scalar:
            if name.text in names:
                name.add("an earlier case has this name")
            names.add(name.text)


def _entries(here: Cursor | None) -> list[tuple[Cursor, Cursor]]:
    """Return key and value of each entry of a mapping; mistakes in them are reported already."""
    entries = here.node.entries if here and isinstance(here.node, MappingNode) else ()
    return [
        (here.child(key.text, key), here.child(key.text, value))
        for key, value in entries
        if here and isinstance(key, ScalarNode)
    ]
