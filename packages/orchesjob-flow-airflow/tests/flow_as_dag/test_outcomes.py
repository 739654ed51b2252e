"""What commands see on Airflow, and what the task log says.

That outcomes are those of a local run is in `test_equivalence`.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG, SKIP = "success", "failed", "skipped"


def test_variables_and_logs(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """Commands see their variables, and logs have what they print and why steps end (9.4, 9.12)."""
    names = "$A $B $ORCHESJOB_FLOW_ID $ORCHESJOB_FLOW_STEP $ORCHESJOB_FLOW_ATTEMPT"
    run = airflow.run_flow(
        f"""
flow_id: f
env: {{A: one, B: two}}
steps:
  - {{id: a, command: [/nonexistent]}}
  - id: b
    when: !a
    env: {{B: three}}
    command: [sh, -c, 'echo said: {names} [$ORCHESJOB_FLOW_FAILED_STEPS] $ORCHESJOB_FLOW_RUN_KEY']
  - {{id: c, when: !a, command: [sh, -c, 'echo meant >&2; printf end']}}
  - {{id: d, command: [x], when: a}}
"""
    )
    assert run == (NG, {"a": NG, "b": OK, "c": OK, "d": SKIP})
    lines = capsys.readouterr().out.splitlines()
    expected = ("said: one three f b 1 [a] manual__", " meant ", " end ", "`a` is false: a FAILED")
    found = {what: [line for line in lines if what in line] for what in expected}
    levels = [line[0].split("]")[0].split("[")[-1].strip() for line in found.values()]
    assert levels[:3] == ["info", "warning", "info"]
    assert any("the command could not be started: not found" in line for line in lines)
