"""`graph`: the steps in the order in which they can run, as text, Mermaid or Graphviz (rule 9.3).

A rank holds the steps that can run side by side: each comes after everything that it waits for.
"""

import html
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from flow_conditions import operands_in
from flow_spec import FlowSpec, StepSpec, base_of, load_flow, steps_that_never_run
from flow_store import Run, StepStatus
from orchesjob_flow.commands.value_lists import lists_here
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.views import streams
from orchesjob_flow.views.definition import Copies, counted, urgency, waited_for
from orchesjob_flow.views.streams import write_result
from orchesjob_flow.views.table import marked, ragged_table
from orchesjob_flow.views.text import cut, visible

LONGEST_GATE = 60
NEVER = "never runs"
"""The mark of a step that can never run (rule 11.2)."""


class Drawing(NamedTuple):
    """What is drawn: a flow as it is written, so that all copies of a step are one node.

    `copies` has how many there are of each step in a `foreach`; `statuses`, of a recorded run, how
    many of a step are in which status. `never` has the steps of a file that can never run.
    """

    flow: FlowSpec
    copies: Mapping[str, int]
    statuses: Mapping[str, Mapping[StepStatus, int]]
    never: Set[str] = frozenset()

    def name(self, step: StepSpec) -> str:
        """Name a step, with the number of its copies if it has some."""
        number = self.copies.get(step.id)
        if number is None:
            return step.id
        return f"{step.id} ({number} {'copy' if number == 1 else 'copies'})"

    def waits_of(self, step: StepSpec) -> Sequence[str]:
        """Name the nodes that a step waits for."""
        return tuple(dict.fromkeys(map(base_of, step.waits_for)))

    def status(self, step: StepSpec) -> StepStatus | None:
        """Return the status of a step, the most urgent one of its copies."""
        return min(self.statuses.get(step.id, ()), key=urgency, default=None)

    def status_words(self, step: StepSpec) -> str | None:
        """Write the status of a step, or how many copies are in which."""
        if not self.statuses:
            return None
        counts = self.statuses[step.id]
        return counted(counts) if step.id in self.copies else next(iter(counts)).value


COLOURS = {
    StepStatus.SUCCEEDED: "#c8e6c9",
    StepStatus.FAILED: "#ffcdd2",
    StepStatus.SKIPPED: "#eeeeee",
    StepStatus.RUNNING: "#b3e5fc",
    StepStatus.DELAYED: "#ffecb3",
    StepStatus.CANCELLED: "#ffecb3",
    StepStatus.PENDING: "#ffffff",
}


def graph(source: RunHandle | str, output: str, params: Mapping[str, str]) -> int:
    """Draw a recorded run or the flow file of this name, as `text`, `mermaid` or `dot`.

    `params` are for the paths of lists that a file names (rule 10.3).
    """
    if isinstance(source, str):
        flow = load_flow(source, read_list=lists_here(source), params=params)
        drawing = drawing_of(flow, {})._replace(never=steps_that_never_run(flow))
    else:
        run = source.snapshot().run
        drawing = drawing_of(FlowSpec.from_json(run.definition), statuses_of(run))
    match output:
        case "mermaid":
            write_result(as_mermaid(drawing))
        case "dot":
            write_result(as_dot(drawing))
        case _:
            write_result(as_text(drawing, colour=streams.stdout().colour))
    return DONE


def drawing_of(flow: FlowSpec, statuses: Mapping[str, Mapping[StepStatus, int]]) -> Drawing:
    """Return what is drawn of a flow."""
    copies = {name: len(ids) for name, ids in flow.copies.items()}
    return Drawing(flow.as_written, copies, statuses)


def statuses_of(run: Run) -> Mapping[str, Mapping[StepStatus, int]]:
    """Count the statuses of the steps, those of all copies of one together."""
    return {
        name: one.counts if isinstance(one, Copies) else {one.status: 1}
        for name, one in waited_for(run).items()
    }


def condition_of(flow: FlowSpec, step: StepSpec) -> str:
    """Say when a step runs."""
    when = f"when {written(step)}"
    if step.condition is None:
        when = "at the end" if step.id in flow.finally_ids else "at once"
    return f"{when}, {gate_of(step)}" if step.only_if else when


def written(step: StepSpec) -> str:
    """Return a condition as it is written, on one line; nothing where there is none."""
    return " ".join((step.when or "").split())


def gate_of(step: StepSpec) -> str:
    """Say what is asked before the command of a step; a long text is cut (rule 10.8)."""
    return cut(f"only if {shlex.join(step.only_if)}", LONGEST_GATE)


def named_ranks(flow: FlowSpec) -> Iterator[tuple[str, tuple[StepSpec, ...]]]:
    """Yield the ranks with their names: numbers, and then those of `finally`."""
    for number, steps in enumerate(flow.ranks, start=1):
        yield str(number), steps
    for number, steps in enumerate(flow.finally_ranks, start=1):
        yield ("finally" if number == 1 else f"finally {number}"), steps


def as_text(drawing: Drawing, *, colour: bool) -> str:
    """Draw the ranks as a table, with the statuses of a run where there is one."""
    flow, has_run = drawing.flow, bool(drawing.statuses)
    rows = []
    for name, steps in named_ranks(flow):
        for place, step in enumerate(steps):
            rank = "" if place else name
            status = [status_cell(drawing, step, colour=colour)] if has_run else []
            never = f"{NEVER}: " if step.id in drawing.never else ""
            runs = never + visible(condition_of(flow, step))
            rows.append((rank, drawing.name(step), *status, runs, also_waits_for(flow, step)))
    columns = ("Rank", "Step", *(["Status"] if has_run else []), "Runs", "Waits also for")
    if not any(row[-1] for row in rows):
        rows, columns = [row[:-1] for row in rows], columns[:-1]
    lines = [f"Flow: {visible(flow.flow_id)}", "", *ragged_table(columns, rows)]
    return "".join(f"{line}\n" for line in lines)


def status_cell(drawing: Drawing, step: StepSpec, *, colour: bool) -> str:
    """Write the status of a step after its mark; of copies, how many are in which."""
    status = drawing.status(step)
    if step.id in drawing.copies or status is None:
        return drawing.status_words(step) or ""
    return marked(status, colour=colour)


def also_waits_for(flow: FlowSpec, step: StepSpec) -> str:
    """Name the waits that are not in the condition; a step of `finally` asks about all others."""
    named = {operand.name for operand in operands_in(step.when or "")}
    if step.id in flow.finally_ids and step.condition is not None:
        named |= set(step.condition.names)
    return ", ".join(name for name in step.waits_for if name not in named)


def as_mermaid(drawing: Drawing) -> str:
    """Write a flowchart for Mermaid, which GitHub and GitLab draw."""
    return "".join(f"{line}\n" for line in mermaid_lines(drawing))


def mermaid_lines(drawing: Drawing) -> Iterator[str]:
    """Yield the nodes, the edges, and the colours."""
    flow = drawing.flow
    nodes = {step.id: f"s{number}" for number, step in enumerate(flow.all_steps)}
    yield "flowchart TD"
    for step in flow.steps:
        yield f'    {nodes[step.id]}["{mermaid_label(drawing, step)}"]'
    if flow.finally_:
        yield "    subgraph finally"
        for step in flow.finally_:
            yield f'        {nodes[step.id]}["{mermaid_label(drawing, step)}"]'
        yield "    end"
    for step in flow.all_steps:
        yield from (f"    {nodes[name]} --> {nodes[step.id]}" for name in drawing.waits_of(step))
    for status, colour in COLOURS.items():
        having = (step for step in flow.all_steps if drawing.status(step) is status)
        names = ",".join(nodes[step.id] for step in having)
        if names:
            yield f"    classDef {status.value} fill:{colour},stroke:#555"
            yield f"    class {names} {status.value}"


def mermaid_label(drawing: Drawing, step: StepSpec) -> str:
    """Write what stands in a node, with nothing in it that Mermaid would interpret."""
    escaped = (html.escape(line, quote=False) for line in label(drawing, step))
    return "<br/>".join(line.replace('"', "&quot;").replace("&", "#") for line in escaped)


def label(drawing: Drawing, step: StepSpec) -> Iterator[str]:
    """Yield a node's lines: the id, the status, the condition if it says more than the edges do."""
    yield drawing.name(step)
    if words := drawing.status_words(step):
        yield words
    if step.id in drawing.never:
        yield NEVER
    if step.when is not None and str(step.condition) not in step.waits_for:
        yield f"when {visible(written(step))}"
    if step.only_if:
        yield visible(gate_of(step))


def as_dot(drawing: Drawing) -> str:
    """Write a graph for Graphviz."""
    return "".join(f"{line}\n" for line in dot_lines(drawing))


def dot_lines(drawing: Drawing) -> Iterator[str]:
    """Yield the graph, its nodes and its edges."""
    flow = drawing.flow
    yield f"digraph {quote(visible(flow.flow_id))} {{"
    yield '    node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="sans-serif"]'
    for step in flow.steps:
        yield f"    {dot_node(drawing, step)}"
    if flow.finally_:
        yield '    subgraph cluster_finally { label="finally"; fontname="sans-serif"'
        for step in flow.finally_:
            yield f"        {dot_node(drawing, step)}"
        yield "    }"
    for step in flow.all_steps:
        yield from (f"    {quote(name)} -> {quote(step.id)}" for name in drawing.waits_of(step))
    yield "}"


def dot_node(drawing: Drawing, step: StepSpec) -> str:
    """Write a node for Graphviz."""
    unused = StepStatus.SKIPPED if step.id in drawing.never else StepStatus.PENDING
    colour = COLOURS[drawing.status(step) or unused]
    text = quote("\n".join(label(drawing, step)))
    return f"{quote(step.id)} [label={text}, fillcolor={quote(colour)}]"


def quote(text: str) -> str:
    """Quote a text for Graphviz, which reads what JSON writes."""
    return json.dumps(text, ensure_ascii=False)
