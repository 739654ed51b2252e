"""`x-airflow` of a step: what its task gets from the flow file, and what is refused (rule 13.4)."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow


def write(airflow: "Airflow", x_airflow: str, *, rest: str = "") -> None:
    airflow.write(
        f"flow_id: f\n{rest}steps:\n  - id: a\n    command: [x]\n    x-airflow: {x_airflow}\n"
    )


def test_arguments(airflow: "Airflow") -> None:
    """What places a task or shows it is its argument (rule 13.4)."""
    given = {
        "queue": "import-hosts",
        "pool": "shop",
        "pool_slots": 2,
        "priority_weight": -10,
        "weight_rule": "absolute",
        "max_active_tis_per_dag": 1,
        "executor": "LocalExecutor",
        "executor_config": {"cpu": 2},
        "owner": "5",
        "task_display_name": "Load the shop",
        "doc_md": "See *there*.",
    }
    write(airflow, f"{json.dumps(given)}\n    description: loads")
    task = airflow.load().task_dict["a"]
    assert {name: getattr(task, name) for name in given} == given


def test_who_wins(airflow: "Airflow") -> None:
    """The step outranks `defaults` of the file, and these `default_args`; null takes out (13.4)."""
    airflow.write(
        "flow_id: f\n"
        "defaults: {x-airflow: {queue: all, pool: all}}\n"
        "steps:\n"
        "  - {id: a, command: [x], x-airflow: {queue: own}}\n"
        "  - {id: b, command: [x], x-airflow: {queue: null}}\n"
    )
    dag = airflow.load("'flow.yaml', default_args={'queue': 'given', 'owner': 'me'}")
    placed = {
        task_id: (dag.task_dict[task_id].queue, dag.task_dict[task_id].pool) for task_id in "ab"
    }
    assert placed == {"a": ("own", "all"), "b": ("given", "all")}
    assert (dag.task_dict["flow.outcome"].queue, dag.task_dict["a"].owner) == ("given", "me")


@pytest.mark.parametrize(
    ("of_b", "place"),
    [
        ("{queue: there, executor: CeleryExecutor}", ("there", "CeleryExecutor")),
        ("{queue: there}", ("there", None)),
        ("{executor: CeleryExecutor}", ("default", "CeleryExecutor")),
        ("{queue: elsewhere}", ("default", None)),
        ("{pool: p}", ("default", None)),
    ],
)
def test_where_the_outcome_is_judged(
    airflow: "Airflow", of_b: str, place: tuple[str, str | None]
) -> None:
    """The last task runs where all steps do: elsewhere it might wait for ever (rule 13.4)."""
    of_a = "{queue: there, executor: CeleryExecutor, pool: p}"
    airflow.write(
        f"flow_id: f\nsteps: [{{id: a, command: [x], x-airflow: {of_a}}}]\n"
        f"finally: [{{id: b, command: [x], x-airflow: {of_b}}}]\n"
    )
    tasks = airflow.load().task_dict
    for task_id in ("flow.outcome", "flow.cancelled"):
        assert (tasks[task_id].queue, tasks[task_id].executor) == place
        assert tasks[task_id].pool == "default_pool"


def test_assets(airflow: "Airflow") -> None:
    """Assets are named by name, by URI, or by what `Asset` takes (rule 13.4)."""
    from airflow.sdk import Asset

    inlets = "[{name: orders, uri: 's3://shop/orders', group: g, extra: {n: 1}}, {uri: 'x://y'}]"
    write(airflow, f"{{outlets: [orders, 's3://shop/a'], inlets: {inlets}}}")
    task = airflow.load().task_dict["a"]
    assert task.outlets == [Asset("orders"), Asset("s3://shop/a")]
    orders = Asset("orders", "s3://shop/orders", group="g", extra={"n": 1})
    assert task.inlets == [orders, Asset(uri="x://y")]


@pytest.mark.parametrize(
    ("given", "place", "message"),
    [
        ("{retries: 3}", "6:26: steps[0].x-airflow.retries", "says that, with `retries`; take it"),
        ("{end_date: 2026-01-01}", "6:27: ", "whether a step runs is for `when` to say"),
        ("{on_failure_callback: f}", "6:38: ", "a flow file has no such argument; there are queue"),
        ("{que: a}", "6:22: steps[0].x-airflow.que", 'argument; did you mean "queue"?'),
        (
            "{Pool-Slots: 1}",
            "6:29: steps[0].x-airflow.Pool-Slots",
            'argument; did you mean "pool_slots"?',
        ),
        ("{queue: 5}", "6:16: steps[0].x-airflow", "Airflow refuses the task: 'queue' for task"),
        (
            "{pool_slots: 0}",
            "6:16: ",
            "Airflow refuses the task: pool slots for a in dag f cannot be",
        ),
        ("{outlets: a}", "6:26: ", "must be a list of assets, such as [s3://shop/orders]"),
        ("{outlets: [{group: g}]}", "6:26: ", "Airflow refuses an asset: Asset() requires"),
        ("{outlets: [{uri: a, url: b}]}", "6:26: ", "Airflow refuses an asset: "),
        ("{queue: '${{ DAY }}'}", "6:24: ", "${{ DAY }} has no value before a run"),
    ],
)
def test_what_is_refused(airflow: "Airflow", given: str, place: str, message: str) -> None:
    """What would change outcomes, and what Airflow cannot use, is an import error (rule 13.4)."""
    write(airflow, given, rest="params: {DAY: today}\n")
    with pytest.raises(ValueError, match="x-airflow") as raised:
        airflow.load()
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{airflow.folder / 'flow.yaml'}:{place}")
    assert message in line


def test_all_at_once(airflow: "Airflow") -> None:
    """All problems are shown, each once, where they are written (rules 2.7 and 13.4)."""
    airflow.write(
        "flow_id: f\n"
        "steps:\n"
        "  - {id: a, command: [x], x-airflow: {retries: 1, que: a}}\n"
        "  - {id: b, command: [x]}\n"
        "defaults:\n"
        "  x-airflow: {poool: shop}\n"
    )
    with pytest.raises(ValueError, match="x-airflow") as raised:
        airflow.load()
    places = [line.split(": ")[1] for line in str(raised.value).splitlines()]
    assert places == [
        "steps[0].x-airflow.retries",
        "steps[0].x-airflow.que",
        "defaults.x-airflow.poool",
    ]
