"""Which steps of a run that has ended run again, and which keep their outcome (rule 9.7)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flow_spec import Block, FlowSpec, StepSpec
from flow_store import Attempt, AttemptStatus, Person, Run, RunStatus, Step, StepStatus
from orchesjob_flow.engine.reopening import Settling, plan_retry, plan_settle
from orchesjob_flow.errors import NotReopened

MakeRun = Callable[..., Run]

# get -> load -> report -> archive, an alert, and two steps that were skipped for two reasons
STEPS = (
    StepSpec("get", ("x",)),
    StepSpec("load", ("x",), when="get", retries=3),
    StepSpec("report", ("x",), when="load"),
    StepSpec("archive", ("x",), when="report.finished"),
    StepSpec("alert", ("x",), when="load.failed"),
    StepSpec("unneeded", ("x",), when="!get"),
)
TIDY = FlowSpec(
    "f",
    STEPS[:3],
    finally_=(StepSpec("tidy", ("x",), retries=2), StepSpec("tell", ("x",), when="load.failed")),
)
FLOW = FlowSpec("f", STEPS)
OUTCOMES = "SUCCEEDED FAILED SKIPPED SUCCEEDED SUCCEEDED SKIPPED"


@pytest.fixture
def ended(make_run: MakeRun) -> MakeRun:
    """Make a run of a flow that has FAILED, by the outcomes of its steps."""

    def make(outcomes: str = OUTCOMES, flow: FlowSpec = FLOW) -> Run:
        steps = [
            (Step(position, spec.id, StepStatus(outcome), 1, 0, spec.retries, started_at=1.0), None)
            for position, (spec, outcome) in enumerate(
                zip(flow.all_steps, outcomes.split(), strict=True)
            )
        ]
        return make_run(*steps, status=RunStatus.FAILED, definition=flow.to_json())

    return make


def changed(*replaced: StepSpec, without: str = "", flow_id: str = "f") -> FlowSpec:
    by_id = {step.id: step for step in (*STEPS, *replaced)}
    by_id.pop(without, None)
    return FlowSpec(flow_id, tuple(by_id.values()))


def test_another_definition(ended: MakeRun) -> None:
    """A step that runs again may be any other, and there may be more of them."""
    flow = changed(
        StepSpec("load", ("repaired",), when="get", retries=9),
        StepSpec("archive", ("x",), when="report"),
        StepSpec("more", ("x",), depends_on=("report",), retries=1),
    )
    plan = plan_retry(ended(), flow)
    assert plan.definition == flow.to_json()
    assert plan.resets == {1: 9, 2: 0, 3: 0, 4: 0}
    assert plan.added == [("more", 1)]


def test_values_of_what_is_kept(ended: MakeRun) -> None:
    """Of a kept step, values are recorded that are others now; the last with which it ran (9.7)."""
    run = ended()
    got, *others = run.steps
    run = run._replace(
        params={"DAY": "mon", "SAME": "x", "GONE": "y"},
        steps=(got._replace(ran_with={"MORE": "old"}), *others),
    )
    now = {"DAY": "tue", "SAME": "x", "MORE": "new"}
    flow = attrs.evolve(FLOW, values=tuple(now.items()))
    old = {"DAY": "mon"}
    assert plan_retry(run, flow).ran_with == {0: {**old, "MORE": "old"}, 5: old}


def test_what_a_person_settles(make_run: MakeRun) -> None:
    """The run keeps its parameters; a name of no copies means no step (rules 10.3 and 12.3)."""
    block = Block(("X",), (StepSpec("a", ("x",)),), (), 0)
    flow = FlowSpec("f", (StepSpec("b", ("x",)),), blocks=(block,)).with_copies()
    failed = Step(0, "b", StepStatus.FAILED, 1, 1, 0)
    run = make_run((failed, None), definition=flow.to_json(), params={"DAY": "monday"})
    by_hand = Settling(StepStatus.SUCCEEDED, "by hand", Person("ann", 1000), 50.0)
    with pytest.raises(NotReopened, match="no copies"):
        plan_settle(run, flow, "a", by_hand)
    assert plan_settle(run, flow, "b", by_hand).params == {"DAY": "monday"}


@pytest.mark.parametrize(
    ("flow", "conflict"),
    [
        (changed(StepSpec("get", ("y",))), "'get' keeps its outcome, but its command was changed"),
        (changed(without="alert"), "'alert' was removed"),
        (changed(flow_id="g"), "flow_id was 'f' and is now 'g'"),
    ],
)
def test_conflicts(ended: MakeRun, flow: FlowSpec, conflict: str) -> None:
    """What has happened must have happened in this flow."""
    with pytest.raises(NotReopened, match=conflict):
        plan_retry(ended(), flow)


EXITED = json.dumps({"job_id": "j", "run_key": "daily:x:1", "status": "FAILED", "exit_code": 3})


@pytest.mark.parametrize(
    ("changes", "settled", "is_refused"),
    [
        pytest.param({}, {}, True, id="it has decided"),
        pytest.param({"started_at": None}, {}, False, id="skipped since by a retry"),
        pytest.param({"started_at": None, "attempt_no": 1}, {}, False, id="cancelled since"),
        pytest.param({"attempt_no": 2}, {}, False, id="another one has decided"),
        pytest.param({}, {0: None}, False, id="settled by a person"),
    ],
)
def test_exit_codes_of_an_earlier_attempt(
    make_run: MakeRun, changes: dict[str, Any], settled: dict[int, Any], *, is_refused: bool
) -> None:
    """Only the attempt that decided the outcome of a step can deny it (rules 9.7 and 12.3)."""
    codes = ((3,), (0,))
    before, after = (
        FlowSpec("f", (StepSpec("x", ("x",), success_exit_codes=good), STEPS[0])) for good in codes
    )
    step = Step(0, "x", StepStatus.SKIPPED, 1, 0, 0, started_at=1.0, retry_no=1)._replace(**changes)
    attempt = Attempt(0, 1, AttemptStatus.SUCCEEDED, 1.0, None, "boot", "j", EXITED)
    failed = Step(1, "get", StepStatus.FAILED, 1, 1, 0, started_at=1.0)
    facts = {"status": RunStatus.FAILED, "definition": before.to_json()}
    run = make_run((step, attempt), (failed, None), settled=settled, **facts)
    if is_refused:
        with pytest.raises(NotReopened, match="'x' keeps its outcome, but its exit codes"):
            plan_retry(run, after)
    else:
        assert set(plan_retry(run, after).resets) == {1}


@pytest.fixture
def tidied(ended: MakeRun) -> Run:
    return ended("SUCCEEDED FAILED SKIPPED SUCCEEDED SUCCEEDED", TIDY)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ["load", "report", "tidy", "tell"]),
        ({"steps": ["report"]}, ["report", "tidy", "tell"]),
        ({"steps": ["report"], "only": True}, ["report", "tidy", "tell"]),
        ({"steps": ["tidy"]}, ["tidy", "tell"]),
        ({"steps": ["tidy"], "only": True}, ["tidy"]),
    ],
)
def test_finally_again(tidied: Run, choice: dict[str, object], expected: list[str]) -> None:
    """The run ends once more, so all of it runs again, unless `only` names nothing else (10.1)."""
    plan = plan_retry(tidied, TIDY, **choice)  # type: ignore[arg-type]
    assert [tidied.steps[position].step_id for position in plan.resets] == expected


def test_a_step_that_is_moved_to_the_other_list(tidied: Run) -> None:
    """It is another one there, and does not keep its outcome (rule 10.1)."""
    moved = FlowSpec("f", (*STEPS[1:3], TIDY.finally_[0]), finally_=(STEPS[0], TIDY.finally_[1]))
    plan = plan_retry(tidied, moved, steps=["report"], only=True)
    again = [tidied.steps[position].step_id for position in plan.resets]
    assert again == ["get", "report", "tidy", "tell"]


# Which steps run again, compared with a search along every path of the graph (rule 9.7).

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


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(graphs(), st.data())
def test_what_runs_again(
    make_run: MakeRun, made: tuple[Graph, FlowSpec], data: st.DataObject
) -> None:
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
    before = FlowSpec("f", tuple(StepSpec(row.step_id, ("x",)) for row in rows))
    steps = ((row, None) for row in rows)
    run = make_run(*steps, status=RunStatus.FAILED, definition=before.to_json())

    chosen = set(named) or {row.step_id for row in rows if row.status in UNSUCCESSFUL}
    chosen |= set(ids[recorded:])
    again = {name for name in ids if name in chosen or (not only and depends(graph, name, chosen))}

    plan = plan_retry(run, flow, steps=named, only=only)
    assert {rows[place].step_id for place in plan.resets} == again & set(ids[:recorded])
    assert [name for name, _ in plan.added] == ids[recorded:]
