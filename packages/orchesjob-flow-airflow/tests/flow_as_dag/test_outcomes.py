"""What commands see on Airflow, and what the task log says.

That outcomes are those of a local run is in `test_equivalence`.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG, SKIP = "success", "failed", "skipped"


def test_variables_and_logs(
    airflow: "Airflow", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands see their variables, and logs have what they print and why steps end (9.4, 9.12).

    The directory of a run around the worker is not that of its own (10.6).
    """
    monkeypatch.setenv("ORCHESJOB_FLOW_RUN_DIR", "/of/another/run")
    names = "$A $B $ORCHESJOB_FLOW_ID $ORCHESJOB_FLOW_STEP $ORCHESJOB_FLOW_ATTEMPT"
    of_run = "$ORCHESJOB_FLOW_DIR $ORCHESJOB_FLOW_STARTED ${ORCHESJOB_FLOW_RUN_DIR-none}"
    (airflow.folder / "inner").mkdir()
    airflow.write(
        f"""
flow_id: f
env: {{A: one, B: two}}
steps:
  - {{id: a, command: [/nonexistent]}}
  - id: b
    when: !a
    env: {{B: three}}
    command: [sh, -c, 'echo said: {names} [$ORCHESJOB_FLOW_FAILED_STEPS] $ORCHESJOB_FLOW_RUN_KEY']
  - {{id: c, when: !a, command: [sh, -c, 'echo meant >&2; sleep 0.7; printf end']}}
  - {{id: d, command: [x], when: a}}
  - {{id: e, command: [sh, -c, 'echo "{of_run}"; "$ORCHESJOB_BIN" --version']}}
""",
        "inner/flow.yaml",
    )
    run = airflow.load("'inner/flow.yaml'").test()
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert states | {"a": NG, "b": OK, "c": OK, "d": SKIP, "e": OK} == states
    assert run.start_date is not None
    started = run.start_date.astimezone().isoformat(timespec="seconds")
    lines = capsys.readouterr().out.splitlines()
    assert any(f"{airflow.folder}/inner {started} none" in line for line in lines)
    expected = ("said: one three f b 1 [a] manual__", " meant ", " end ", "`a` is false: a FAILED")
    found = {what: [line for line in lines if what in line] for what in expected}
    levels = [line[0].split("]")[0].split("[")[-1].strip() for line in found.values()]
    assert levels[:3] == ["info", "warning", "info"]
    assert [len(line) for line in found.values()] == [1] * 4
    assert any("the command could not be started: not found" in line for line in lines)
