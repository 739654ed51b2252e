"""`graph`: the steps in the order in which they can run, as text, Mermaid or Graphviz (rule 9.3).

A rank holds the steps that can run side by side: each comes after everything that it waits for.
"""

import html
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

import click

from flow_spec import (
    FlowSpec,
    StepSpec,
    base_of,
    operands_of,
    read_document,
    shown_product,
    steps_that_never_run,
)
from flow_store import StepStatus
from orchesjob_flow.cli.options import FLOW_FILE, Misused, declare_key_option, param_option
from orchesjob_flow.home import RunHandle, flow_of_run
from orchesjob_flow.launch.inputs import list_reader, read_as_given, tell_empty_lists
from orchesjob_flow.reasons import Copies, counts_text, dependencies_in, urgency
from orchesjob_flow.views import terminal
from orchesjob_flow.views.table import draw_table, steps_in
from orchesjob_flow.views.terminal import (
    cut,
    status_text,
    visible,
    wrapped,
    wrapped_for_stdout,
    write_lines,
)

LONGEST_GATE = 60
LONGEST_TITLE = 120
NEVER = "never runs"
"""The mark of a step that can never run (rule 11.2)."""
NODE_COLOURS = {
    StepStatus.SUCCEEDED: "#c8e6c9",
    StepStatus.FAILED: "#ffcdd2",
    StepStatus.SKIPPED: "#eeeeee",
    StepStatus.RUNNING: "#b3e5fc",
    StepStatus.DELAYED: "#ffecb3",
    StepStatus.CANCELLED: "#ffecb3",
    StepStatus.PENDING: "#ffffff",
}


@click.command()
@declare_key_option("Draw a recorded run, with its steps' statuses.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "mermaid", "dot"]),
    default="text",
    show_default=True,
    help="Text for people, or the source of a Mermaid or Graphviz diagram.",
)
@param_option
@click.argument("flow_file", metavar="[FLOW_FILE]", required=False, type=FLOW_FILE)
def graph(
    output: str, params: dict[str, str], flow_file: str | None, handle: RunHandle | None = None
) -> None:
    """Draw the steps of a flow file, or of a run, in the order in which they can run.

    \b
    Example:
      orchesjob-flow graph nightly.yaml
      orchesjob-flow graph -k nightly-2026-05-07 --format dot > run.dot
    """  # noqa: D301 - click reads \b
    if flow_file is not None and handle is None:
        # `params` are for the paths of lists that a file names (rule 10.3).
        flow = read_as_given(read_document(flow_file), params, list_reader(flow_file)).flow
        tell_empty_lists(flow)
        names = [param.name for param in flow.params]
        if unknown := [name for name in params if name not in names]:
            about = f"its parameters are {', '.join(names)}" if names else "it has no parameters"
            raise Misused(f"the flow has no parameter {unknown[0]!r}", about)
        drawn = _drawn_flow(flow, {})._replace(never=steps_that_never_run(flow))
    elif handle is not None and flow_file is None:
        if params:
            raise Misused(
                "--param is for a flow file, and a run has its values",
                shlex.join(["orchesjob-flow", "graph", "-k", handle.run_key]),
            )
        run = handle.snapshot().run
        statuses = {
            name: one.counts if isinstance(one, Copies) else {one.status: 1}
            for name, one in dependencies_in(run).items()
        }
        drawn = _drawn_flow(flow_of_run(run), statuses)
    else:
        raise Misused(
            "give either a flow file, or a run with -k KEY",
            "orchesjob-flow graph FLOW_FILE  # a recorded run: orchesjob-flow graph -k KEY",
        )
    match output:
        case "mermaid":
            lines = mermaid_lines(drawn)
        case "dot":
            lines = dot_lines(drawn)
        case _:
            stdout = terminal.stdout()
            if (columns := stdout.columns) is not None:
                head = wrapped(f"Flow: {visible(drawn.flow.flow_id)}", columns, indent="  ")
                rows = rows_of(drawn, _when_of, colour=stdout.colour)
                lines = iter([*head, "", *steps_in(columns, rows)])
            else:
                lines = text_lines(drawn)
    write_lines(lines)


class DrawnFlow(NamedTuple):
    """A flow as it is written, so that all copies of a step are one node.

    `copies` holds the number of copies of each step in a `foreach`. For a recorded run, `statuses`
    counts the copies of a step by status. `never` holds the steps that can never run.
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
        return counts_text(counts) if step.id in self.copies else next(iter(counts)).value


def _drawn_flow(flow: FlowSpec, statuses: Mapping[str, Mapping[StepStatus, int]]) -> DrawnFlow:
    copies = {name: len(ids) for name, ids in flow.copies.items()}
    return DrawnFlow(flow.as_written, copies, statuses)


def condition_of(flow: FlowSpec, step: StepSpec) -> str:
    """Say when a step runs."""
    when = f"when {_written_condition(step)}"
    if step.condition is None:
        when = "at the end" if step.id in flow.finally_ids else "at once"
    return f"{when}, {_gate_text(step)}" if step.only_if else when


def _written_condition(step: StepSpec) -> str:
    return " ".join((step.when or "").split())


def _gate_text(step: StepSpec) -> str:
    return cut(f"only if {shlex.join(step.only_if)}", LONGEST_GATE)


def _products_text(step: StepSpec) -> str:
    return cut(visible(", ".join(map(shown_product, step.produces))), LONGEST_GATE)


def _named_ranks(flow: FlowSpec) -> Iterator[tuple[str, tuple[StepSpec, ...]]]:
    for number, steps in enumerate(flow.ranks, start=1):
        yield str(number), steps
    for number, steps in enumerate(flow.finally_ranks, start=1):
        yield ("finally" if number == 1 else f"finally {number}"), steps


def rows_of(
    drawn: DrawnFlow, words: Callable[[FlowSpec, StepSpec], str], *, colour: bool | None
) -> list[tuple[str, ...]]:
    """Return a row for each step below the heads; `words` say when it runs."""
    rows = [("Rank", "Step", *(["Status"] if drawn.statuses else []), "Runs")]
    for name, steps in _named_ranks(drawn.flow):
        for place, step in enumerate(steps):
            status = [_status_cell(drawn, step, colour=colour)] if drawn.statuses else []
            never = f"{NEVER}: " if step.id in drawn.never else ""
            runs = visible(f"{never}{words(drawn.flow, step)}")
            rows.append(("" if place else name, drawn.name(step), *status, runs))
    return rows


def text_lines(drawn: DrawnFlow) -> Iterator[str]:
    """Yield the ranks as a table, with the statuses of a run where there is one."""
    flow = drawn.flow
    yield f"Flow: {visible(flow.flow_id)}"
    if flow.about:
        yield from wrapped_for_stdout([visible(flow.about)], indent="")
    yield ""
    rows = rows_of(drawn, condition_of, colour=None)
    shown = [step for _, steps in _named_ranks(flow) for step in steps]
    for head, cells in (
        ("Waits also for", [_also_waits_for(flow, step) for step in shown]),
        ("Produces", [_products_text(step) for step in shown]),
    ):
        if any(cells):
            rows = [(*row, cell) for row, cell in zip(rows, [head, *cells], strict=True)]
    yield from draw_table(rows)


def _when_of(flow: FlowSpec, step: StepSpec) -> str:
    if step.when is not None:
        more = _also_waits_for(flow, step)
        return f"{condition_of(flow, step)}{f', after {more}' if more else ''}"
    if step.condition is None:
        return condition_of(flow, step)
    when = f"after {', '.join(step.waits_for)}"
    return f"{when}, {_gate_text(step)}" if step.only_if else when


def _status_cell(drawn: DrawnFlow, step: StepSpec, *, colour: bool | None) -> str:
    status = drawn.status(step)
    if step.id in drawn.copies or status is None:
        return drawn.status_words(step) or ""
    return status_text(status, colour=colour)


def _also_waits_for(flow: FlowSpec, step: StepSpec) -> str:
    named = {operand.name for operand in operands_of(step.when)}
    if step.id in flow.finally_ids and step.condition is not None:
        named |= set(step.condition.names)
    return ", ".join(name for name in step.waits_for if name not in named)


def mermaid_lines(drawn: DrawnFlow) -> Iterator[str]:
    """Yield a flowchart for Mermaid, which GitHub and GitLab draw: nodes, edges, and colours."""
    flow = drawn.flow
    nodes = {step.id: f"s{number}" for number, step in enumerate(flow.all_steps)}
    if flow.about:  # quoted for YAML, with no directive of Mermaid in it
        title = quote(cut(visible(flow.about), LONGEST_TITLE)).replace("%", r"\u0025")
        yield from ("---", f"title: {title}", "---")
    yield "flowchart TD"
    for step in flow.steps:
        yield f'    {nodes[step.id]}["{_mermaid_label(drawn, step)}"]'
    if flow.finally_:
        yield "    subgraph finally"
        for step in flow.finally_:
            yield f'        {nodes[step.id]}["{_mermaid_label(drawn, step)}"]'
        yield "    end"
    for step in flow.all_steps:
        yield from (f"    {nodes[name]} --> {nodes[step.id]}" for name in drawn.waits_of(step))
    for status, colour in NODE_COLOURS.items():
        having = (step for step in flow.all_steps if drawn.status(step) is status)
        names = ",".join(nodes[step.id] for step in having)
        if names:
            yield f"    classDef {status.value} fill:{colour},stroke:#555"
            yield f"    class {names} {status.value}"


def _mermaid_label(drawn: DrawnFlow, step: StepSpec) -> str:
    escaped = (html.escape(line, quote=False) for line in label(drawn, step))
    return "<br/>".join(line.replace('"', "&quot;").replace("&", "#") for line in escaped)


def label(drawn: DrawnFlow, step: StepSpec) -> Iterator[str]:
    """Yield a node's lines: the id, the status, the condition if it says more than the edges do."""
    yield drawn.name(step)
    if words := drawn.status_words(step):
        yield words
    if step.id in drawn.never:
        yield NEVER
    if step.when is not None and str(step.condition) not in step.waits_for:
        yield f"when {visible(_written_condition(step))}"
    if step.only_if:
        yield visible(_gate_text(step))
    if step.produces:
        yield f"produces {_products_text(step)}"


def dot_lines(drawn: DrawnFlow) -> Iterator[str]:
    """Yield a graph for Graphviz, its nodes and its edges."""
    flow = drawn.flow
    yield f"digraph {quote(visible(flow.flow_id))} {{"
    if flow.about:
        title = quote("\n".join(wrapped(visible(flow.about), LONGEST_TITLE)))
        yield f'    label={title}; labelloc="t"; fontname="sans-serif"'
    yield '    node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="sans-serif"]'
    for step in flow.steps:
        yield f"    {_dot_node(drawn, step)}"
    if flow.finally_:
        yield '    subgraph cluster_finally { label="finally"; fontname="sans-serif"'
        for step in flow.finally_:
            yield f"        {_dot_node(drawn, step)}"
        yield "    }"
    for step in flow.all_steps:
        yield from (f"    {quote(name)} -> {quote(step.id)}" for name in drawn.waits_of(step))
    yield "}"


def _dot_node(drawn: DrawnFlow, step: StepSpec) -> str:
    unused = StepStatus.SKIPPED if step.id in drawn.never else StepStatus.PENDING
    colour = NODE_COLOURS[drawn.status(step) or unused]
    text = quote("\n".join(label(drawn, step)))
    return f"{quote(step.id)} [label={text}, fillcolor={quote(colour)}]"


def quote(text: str) -> str:
    """Quote a text for Graphviz, which reads what JSON writes."""
    return json.dumps(text, ensure_ascii=False)
