"""Which steps run again, compared with a search along every path of the graph (rule 9.7)."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from flow_spec import FlowSpec, StepSpec
from flow_store import Run, RunStatus, Step, StepStatus
from orchesjob_flow.engine.reopening import plan_retry

MOST_STEPS = 7
ENDED = [status for status in StepStatus if status.is_terminal]
UNSUCCESSFUL = {StepStatus.FAILED, StepStatus.CANCELLED}
PREDICATES = ("", ".failed", ".skipped", ".finished")

type Graph = Mapping[str, frozenset[str]]
"""What each step waits for."""


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, FlowSpec]:
    """Make up a flow whose steps wait for some others, by `depends_on`, by `when` or by both."""
    ids = draw(
        st.permutations([f"s{number}" for number in range(draw(st.integers(1, MOST_STEPS)))])
    )
    graph: dict[str, frozenset[str]] = {}
    specs = {}
    for place, step_id in enumerate(ids):
        earlier = st.lists(st.sampled_from(ids[:place]), max_size=2, unique=True)
        named, asked = (draw(earlier), draw(earlier)) if place else ([], [])
        parts = [f"!{name}{draw(st.sampled_from(PREDICATES))}" for name in asked]
        specs[step_id] = StepSpec(
            step_id, ("x",), depends_on=tuple(named), when=" && ".join(parts) or None
        )
        graph[step_id] = frozenset((*named, *asked))
    return graph, FlowSpec("f", tuple(specs[step_id] for step_id in sorted(ids)))


def depends(graph: Graph, step_id: str, others: set[str]) -> bool:
    """Tell whether some path leads from a step to one of the others, by trying each path."""
    return any(name in others or depends(graph, name, others) for name in graph[step_id])


def make_run(rows: tuple[Step, ...]) -> Run:
    """Make a run that has ended with these steps, which then waited for nothing."""
    before = FlowSpec("f", tuple(StepSpec(row.step_id, ("x",)) for row in rows))
    return Run(
        run_key="k",
        flow_id="f",
        definition=before.to_json(),
        directory="/",
        flow_dir="/",
        orchesjob_home="/srv/jobs",
        status=RunStatus.FAILED,
        error=None,
        started_at=1.0,
        finished_at=2.0,
        deadline=None,
        revision=1,
        cancel=None,
        steps=rows,
        attempts={},
    )


@settings(max_examples=300, deadline=None)
@given(graphs(), st.data())
def test_what_runs_again(made: tuple[Graph, FlowSpec], data: st.DataObject) -> None:
    """What is named or was unsuccessful, what is new, and, unless `only`, what depends on it."""
    graph, flow = made
    ids = [spec.id for spec in flow.steps]
    recorded = data.draw(st.integers(1, len(ids)))  # the other steps are new in the flow
    statuses = data.draw(st.lists(st.sampled_from(ENDED), min_size=recorded, max_size=recorded))
    rows = tuple(
        Step(place, step_id, status, 1, 0, 0, started_at=1.0)
        for place, (step_id, status) in enumerate(zip(ids, statuses, strict=False))
    )
    named = data.draw(st.lists(st.sampled_from(ids), unique=True))
    only = data.draw(st.booleans())
    run = make_run(rows)

    chosen = set(named) or {row.step_id for row in rows if row.status in UNSUCCESSFUL}
    chosen |= set(ids[recorded:])
    again = {name for name in ids if name in chosen or (not only and depends(graph, name, chosen))}

    plan = plan_retry(run, flow, steps=named, only=only)
    assert {rows[place].step_id for place in plan.resets} == again & set(ids[:recorded])
    assert [name for name, _ in plan.added] == ids[recorded:]
