"""`graph`: the steps in the order in which they can run, as text, Mermaid or Graphviz (rule 9.3).

A rank holds the steps that can run side by side: each comes after everything that it waits for.
"""

import html
import json
import shlex
from collections.abc import Iterator, Mapping

import tabulate

from flow_spec import FlowSpec, StepSpec, load_flow
from flow_store import StepStatus
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.views import terminal
from orchesjob_flow.views.streams import write_result
from orchesjob_flow.views.table import marked
from orchesjob_flow.views.text import cut, visible

LONGEST_GATE = 60

type Statuses = Mapping[str, StepStatus]

COLOURS = {
    StepStatus.SUCCEEDED: "#c8e6c9",
    StepStatus.FAILED: "#ffcdd2",
    StepStatus.SKIPPED: "#eeeeee",
    StepStatus.RUNNING: "#b3e5fc",
    StepStatus.DELAYED: "#ffecb3",
    StepStatus.CANCELLED: "#ffecb3",
    StepStatus.PENDING: "#ffffff",
}


def graph(source: RunHandle | str, output: str) -> int:
    """Draw a recorded run or the flow file of this name, as `text`, `mermaid` or `dot`."""
    if isinstance(source, str):
        flow, statuses = load_flow(source), {}
    else:
        run = source.snapshot().run
        flow = FlowSpec.from_json(run.definition)
        statuses = {step.step_id: step.status for step in run.steps}
    match output:
        case "mermaid":
            write_result(as_mermaid(flow, statuses))
        case "dot":
            write_result(as_dot(flow, statuses))
        case _:
            write_result(as_text(flow, statuses, colour=terminal.stdout().colour))
    return DONE


def condition_of(flow: FlowSpec, step: StepSpec) -> str:
    """Say when a step runs."""
    when = f"when {step.condition}"
    if step.condition is None:
        when = "at the end" if step.id in flow.finally_ids else "at once"
    return f"{when}, {gate_of(step)}" if step.only_if else when


def gate_of(step: StepSpec) -> str:
    """Say what is asked before the command of a step; a long text is cut (rule 10.8)."""
    return cut(f"only if {shlex.join(step.only_if)}", LONGEST_GATE)


def named_ranks(flow: FlowSpec) -> Iterator[tuple[str, tuple[StepSpec, ...]]]:
    """Yield the ranks with their names: numbers, and then those of `finally`."""
    for number, steps in enumerate(flow.ranks, start=1):
        yield str(number), steps
    for number, steps in enumerate(flow.finally_ranks, start=1):
        yield ("finally" if number == 1 else f"finally {number}"), steps


def as_text(flow: FlowSpec, statuses: Statuses, *, colour: bool) -> str:
    """Draw the ranks as a table, with the statuses of a run where there is one."""
    rows = []
    for name, steps in named_ranks(flow):
        for place, step in enumerate(steps):
            rank = "" if place else name
            status = [marked(statuses[step.id], colour=colour)] if statuses else []
            runs = visible(condition_of(flow, step))
            rows.append((rank, step.id, *status, runs, also_waits_for(step)))
    columns = ("Rank", "Step", *(["Status"] if statuses else []), "Runs", "Waits also for")
    if not any(row[-1] for row in rows):
        rows, columns = [row[:-1] for row in rows], columns[:-1]
    table = tabulate.tabulate(rows, columns, tablefmt="simple", disable_numparse=True)
    lines = [f"Flow: {visible(flow.flow_id)}", "", *table.splitlines()]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def also_waits_for(step: StepSpec) -> str:
    """Name the waits that are not in the condition."""
    named = () if step.condition is None else step.condition.names
    return ", ".join(name for name in step.waits_for if name not in named)


def as_mermaid(flow: FlowSpec, statuses: Statuses) -> str:
    """Write a flowchart for Mermaid, which GitHub and GitLab draw."""
    return "".join(f"{line}\n" for line in mermaid_lines(flow, statuses))


def mermaid_lines(flow: FlowSpec, statuses: Statuses) -> Iterator[str]:
    """Yield the nodes, the edges, and the colours."""
    nodes = {step.id: f"s{number}" for number, step in enumerate(flow.all_steps)}
    yield "flowchart TD"
    for step in flow.steps:
        yield f'    {nodes[step.id]}["{mermaid_label(step, statuses)}"]'
    if flow.finally_:
        yield "    subgraph finally"
        for step in flow.finally_:
            yield f'        {nodes[step.id]}["{mermaid_label(step, statuses)}"]'
        yield "    end"
    for step in flow.all_steps:
        yield from (f"    {nodes[name]} --> {nodes[step.id]}" for name in step.waits_for)
    for status, colour in COLOURS.items():
        having = (step for step in flow.all_steps if statuses.get(step.id) is status)
        names = ",".join(nodes[step.id] for step in having)
        if names:
            yield f"    classDef {status.value} fill:{colour},stroke:#555"
            yield f"    class {names} {status.value}"


def mermaid_label(step: StepSpec, statuses: Statuses) -> str:
    """Write what stands in a node, with nothing in it that Mermaid would interpret."""
    escaped = (html.escape(line, quote=False) for line in label(step, statuses))
    return "<br/>".join(line.replace('"', "&quot;").replace("&", "#") for line in escaped)


def label(step: StepSpec, statuses: Statuses) -> Iterator[str]:
    """Yield a node's lines: the id, the status, the condition if it says more than the edges do."""
    yield step.id
    if statuses:
        yield statuses[step.id].value
    if step.when is not None and str(step.condition) not in step.waits_for:
        yield f"when {visible(str(step.condition))}"
    if step.only_if:
        yield visible(gate_of(step))


def as_dot(flow: FlowSpec, statuses: Statuses) -> str:
    """Write a graph for Graphviz."""
    return "".join(f"{line}\n" for line in dot_lines(flow, statuses))


def dot_lines(flow: FlowSpec, statuses: Statuses) -> Iterator[str]:
    """Yield the graph, its nodes and its edges."""
    yield f"digraph {quote(visible(flow.flow_id))} {{"
    yield '    node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="sans-serif"]'
    for step in flow.steps:
        yield f"    {dot_node(step, statuses)}"
    if flow.finally_:
        yield '    subgraph cluster_finally { label="finally"; fontname="sans-serif"'
        for step in flow.finally_:
            yield f"        {dot_node(step, statuses)}"
        yield "    }"
    for step in flow.all_steps:
        yield from (f"    {quote(name)} -> {quote(step.id)}" for name in step.waits_for)
    yield "}"


def dot_node(step: StepSpec, statuses: Statuses) -> str:
    """Write a node for Graphviz."""
    colour = COLOURS[statuses.get(step.id, StepStatus.PENDING)]
    text = quote("\n".join(label(step, statuses)))
    return f"{quote(step.id)} [label={text}, fillcolor={quote(colour)}]"


def quote(text: str) -> str:
    """Quote a text for Graphviz, which reads what JSON writes."""
    return json.dumps(text, ensure_ascii=False)
