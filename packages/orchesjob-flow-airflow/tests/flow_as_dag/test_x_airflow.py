"""`x-airflow` of a step: what its task gets from the flow file, and what is refused (rule 13.4)."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow


def write(airflow: "Airflow", x_airflow: str, *, rest: str = "") -> None:
    airflow.write(
        f"flow_id: f\n{rest}steps:\n  - id: a\n    command: [x]\n    x-airflow: {x_airflow}\n"
    )


@pytest.mark.parametrize(
    ("name", "spelled", "value"),
    [
        ("queue", "import-hosts", "import-hosts"),
        ("pool", "shop", "shop"),
        ("pool_slots", "2", 2),
        ("priority_weight", "-10", -10),
        ("weight_rule", "absolute", "absolute"),
        ("max_active_tis_per_dag", "1", 1),
        ("executor", "LocalExecutor", "LocalExecutor"),
        ("executor_config", "{cpu: 2}", {"cpu": 2}),
        ("owner", "shop", "shop"),
        ("owner", "'5'", "5"),
        ("task_display_name", "Load the shop", "Load the shop"),
        ("doc_md", "See *there*.", "See *there*."),
    ],
)
def test_arguments(airflow: "Airflow", name: str, spelled: str, value: object) -> None:
    """What places a task or shows it is its argument (rule 13.4)."""
    write(airflow, f"{{{name}: {spelled}}}")
    assert getattr(airflow.load().task_dict["a"], name) == value


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


def test_the_description_is_the_document_of_a_task(airflow: "Airflow") -> None:
    """`description` documents the task, unless `doc_md` does (rule 13.4)."""
    write(airflow, "{owner: me}\n    description: loads")
    assert airflow.load().task_dict["a"].doc_md == "loads"
    write(airflow, "{doc_md: mine}\n    description: loads")
    assert airflow.load().task_dict["a"].doc_md == "mine"


def test_assets(airflow: "Airflow") -> None:
    """Assets are named by name, by URI, or by what `Asset` takes (rule 13.4)."""
    from airflow.sdk import Asset

    inlets = "[{name: orders, uri: 's3://shop/orders', group: g, extra: {n: 1}}, {uri: 'x://y'}]"
    write(airflow, f"{{outlets: [orders, 's3://shop/a'], inlets: {inlets}}}")
    task = airflow.load().task_dict["a"]
    assert task.outlets == [Asset("orders"), Asset("s3://shop/a")]
    orders = Asset("orders", "s3://shop/orders", group="g", extra={"n": 1})
    assert task.inlets == [orders, Asset(uri="x://y")]


def test_in_a_group(airflow: "Airflow") -> None:
    """The steps of `flow_task_group` have them too (rule 13.4)."""
    write(airflow, "{queue: own}")
    path = airflow.folder / "mine.py"
    path.write_text(
        "from airflow.sdk import DAG\nfrom orchesjob_flow_airflow import flow_task_group\n"
        "with DAG('mine') as dag:\n    flow_task_group('flow.yaml')\n"
    )
    assert airflow.load_file(path).task_dict["f.a"].queue == "own"


IN_THE_FILE = "is refused: the flow file says that, with"


@pytest.mark.parametrize(
    ("given", "place", "message"),
    [
        ("{retries: 3}", "6:26: steps[0].x-airflow.retries", f"{IN_THE_FILE} `retries`"),
        ("{trigger_rule: all_done}", "6:31: steps[0].x-airflow.trigger_rule", "`when`; take it"),
        ("{execution_timeout: 9}", "6:36: ", "with `timeout_sec`; take it out of x-airflow"),
        ("{depends_on_past: false}", "6:34: ", "a step waits for steps of its own run alone"),
        ("{end_date: 2026-01-01}", "6:27: ", "whether a step runs is for `when` to say"),
        ("{do_xcom_push: true}", "6:31: ", "is refused: a step returns nothing to Airflow"),
        ("{on_failure_callback: f}", "6:38: ", "a flow file has no such argument; there are queue"),
        ("{que: a}", "6:22: steps[0].x-airflow.que", 'argument; did you mean "queue"?'),
        (
            "{Pool-Slots: 1}",
            "6:29: steps[0].x-airflow.Pool-Slots",
            'argument; did you mean "pool_slots"?',
        ),
        ("{queue: 5}", "6:16: steps[0].x-airflow", "Airflow refuses the task: 'queue' for task"),
        ("{queue: [a]}", "6:16: ", "Airflow refuses the task: 'queue' for task 'a' expects"),
        (
            "{pool_slots: 0}",
            "6:16: ",
            "Airflow refuses the task: pool slots for a in dag f cannot be",
        ),
        ("{priority_weight: high}", "6:16: ", "Airflow refuses the task: 'priority_weight' for"),
        ("{outlets: a}", "6:26: ", "must be a list of assets, such as [s3://shop/orders]"),
        ("{outlets: [b, 5]}", "6:26: ", "Airflow refuses an asset: "),
        ("{outlets: [{group: g}]}", "6:26: ", "Airflow refuses an asset: Asset() requires"),
        ("{outlets: [{uri: a, url: b}]}", "6:26: ", "Airflow refuses an asset: "),
        ("{outlets: [self]}", "6:26: ", "Airflow refuses an asset: prohibited name for asset"),
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
