"""The parameters of a flow as the params of its DAG, and names in words."""

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

FLOW = """
flow_id: f
params:
  CITY: {default: berlin, enum: [berlin, paris], description: the city}
  DAY: {pattern: "[0-9]{2}"}
steps:
  - id: say
    command: [sh, -c, 'echo "said $CITY $DAY $1 in $2 of $3"', x, "${{ CITY }}-${{ DAY }}",
      "${{ FLOW_DIR }}", "${{ RUN_KEY }}"]
"""


def test_what_airflow_is_told(airflow: "Airflow") -> None:
    """Airflow's form asks for the parameters, with what the flow says of each (10.2, 13.4)."""
    airflow.write(FLOW)
    params = airflow.load().params
    city, day = params.get_param("CITY"), params.get_param("DAY")
    assert city.value == "berlin"
    assert city.description == "the city"
    assert city.schema == {"type": ["string", "integer"], "enum": ["berlin", "paris"]}
    assert day.schema == {"type": ["string", "integer"], "pattern": "^(?:[0-9]{2})$"}
    assert not day.has_value


def test_what_the_dag_file_says(airflow: "Airflow") -> None:
    """The DAG file may give defaults, for a schedule, and params of its own (rule 13.4)."""
    airflow.write(FLOW)
    params = airflow.load("'flow.yaml', params={'DAY': '07', 'MINE': 3}").params
    assert {name: params[name] for name in params} == {"CITY": "berlin", "DAY": "07", "MINE": 3}
    assert params.get_param("DAY").schema["pattern"] == "^(?:[0-9]{2})$"


def test_a_param_of_the_dag_file(airflow: "Airflow") -> None:
    """What it does not say comes from the flow; an enum only where text is allowed (13.4)."""
    airflow.write(FLOW)
    airflow_params = """{
        'CITY': Param('paris', type=['null', 'string'], title='Where'),
        'DAY': Param('07', pattern='0[0-9]', description='mine'),
    }"""
    before = "from airflow.sdk import Param"
    params = airflow.load(f"'flow.yaml', params={airflow_params}", before=before).params
    city, day = params.get_param("CITY"), params.get_param("DAY")
    assert (city.value, city.description, day.description) == ("paris", "the city", "mine")
    assert city.schema == {
        "type": ["null", "string"],
        "title": "Where",
        "enum": ["berlin", "paris", None],
    }
    assert day.schema == {"type": ["string", "integer"], "pattern": "0[0-9]"}
    number = airflow.load("'flow.yaml', params={'CITY': Param(7, type='integer')}", before=before)
    assert number.params.get_param("CITY").schema == {"type": "integer"}


def test_a_run(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """Commands see the values of their run in their words and as variables, as pages do (10.2)."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    (airflow.folder / "inner").mkdir()
    airflow.write(FLOW, "inner/flow.yaml")
    run = airflow.load("'inner/flow.yaml'").test(run_conf={"CITY": "paris", "DAY": "08"})
    assert str(run.state) == "success"
    folder = os.path.join(airflow.folder, "inner")  # noqa: PTH118
    assert f"said paris 08 paris-08 in {folder} of {run.run_id}" in capsys.readouterr().out
    (ti,) = (ti for ti in run.get_task_instances() if ti.task_id == "say")
    shown = RenderedTaskInstanceFields.get_templated_fields(ti)
    assert shown is not None
    assert shown["command"][4] == "paris-08"
    assert shown["environment"] == {"CITY": "paris", "DAY": "08"}


@pytest.mark.parametrize(
    ("value", "param", "text"),
    [
        (17, "", "17"),
        (17, "Param(type='integer', maximum=20)", "17"),
        (True, "Param(type='boolean')", "true"),
        (1.5, "Param(type='number')", "1.5"),
        (None, "Param(type=['null', 'string'])", "00"),
        ([1], "Param(type='array')", None),
    ],
)
def test_typed_values(
    airflow: "Airflow",
    capsys: pytest.CaptureFixture[str],
    value: object,
    param: str,
    text: str | None,
) -> None:
    """A param of the DAG file may have a type; the flow gets its value as text (rule 10.2)."""
    airflow.write(
        "{flow_id: f, params: {N: '00'}, steps: [{id: a, command: [echo, 'got ${{ N }}']}]}"
    )
    given = f", params={{'N': {param}}}" if param else ""
    dag = airflow.load(f"'flow.yaml'{given}", before="from airflow.sdk import Param")
    state = str(dag.test(run_conf={"N": value}).state)
    assert state == ("failed" if text is None else "success")
    said = "params.N: must be text or a number, got list" if text is None else f"got {text}"
    assert said in capsys.readouterr().out


def test_a_misspelt_name(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """A name that nobody has declared fails the first task alone, and `finally` tells (10.2)."""
    airflow.write(
        f"{FLOW}  - {{id: after, command: [x], when: say}}\n"
        "finally:\n  - {id: tell, command: [echo, told of], when: say.failed}\n"
    )
    dag = airflow.load("'flow.yaml', params={'DAY': '07', 'MINE': 3}")
    state, steps = airflow.run(dag, {"CITTY": "paris"})
    assert (state, steps) == ("failed", {"say": "failed", "after": "skipped", "tell": "success"})
    assert airflow.tries["after"] == 0
    expected = 'the flow has no parameter "CITTY"; did you mean "CITY"?'
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize(("day", "state"), [("MON", "success"), ("7", "failed")])
def test_a_pattern_with_flags(
    airflow: "Airflow", capsys: pytest.CaptureFixture[str], day: str, state: str
) -> None:
    """A pattern that no JSON Schema can hold is left to the task (rules 10.2, 13.5)."""
    airflow.write(FLOW.replace("[0-9]{2}", "(?ix) [a-z]+"))
    assert str(airflow.load().test(run_conf={"DAY": day}).state) == state
    refused = 'params.DAY: must match "(?ix) [a-z]+" as a whole, got "7"' in capsys.readouterr().out
    assert refused == (state == "failed")
