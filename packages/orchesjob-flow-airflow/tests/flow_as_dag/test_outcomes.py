"""The outcomes of a flow on Airflow: conditions, exit codes, and the outcome of the run."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG, SKIP = "success", "failed", "skipped"


def test_conditions(airflow: "Airflow") -> None:
    """Conditions see the outcomes of the steps as rules 3.2 and 3.3 define them."""
    run = airflow.run_flow(
        """
flow_id: f
steps:
  - {id: a, command: ["true"]}
  - {id: b, command: ["false"]}
  - {id: c, command: ["true"], when: a && b}
  - {id: d, command: ["true"], when: !a || !b}
  - {id: e, command: ["true"], when: b.failed && c.skipped && !c}
  - {id: g, command: ["true"], when: a.finished && b.finished && c.finished}
  - {id: h, command: ["true"], depends_on: [a, b]}
  - {id: i, command: ["true"], when: any(failed), depends_on: [a, b]}
"""
    )
    states = dict(zip("abcdeghi", [OK, NG, SKIP, OK, OK, OK, SKIP, OK], strict=True))
    assert run == (NG, states)


def test_a_failure_behind_which_all_went_well(airflow: "Airflow") -> None:
    """A failed step fails the run, though the alert behind it succeeded (rule 5.1)."""
    run = airflow.run_flow(
        '{flow_id: f, steps: [{id: a, command: ["false"]}, {id: b, command: ["true"], when: "!a"}]}'
    )
    assert run == (NG, {"a": NG, "b": OK})


def test_an_allowed_failure(airflow: "Airflow") -> None:
    """The run succeeds though a step that may fail has failed (rule 9.12)."""
    run = airflow.run_flow(
        '{flow_id: f, steps: [{id: a, command: ["false"], allow_failure: true}]}'
    )
    assert run == (OK, {"a": NG})


def test_what_has_passed(airflow: "Airflow") -> None:
    """A step that skipped itself has passed; one that a failure skipped has not (rule 3.8)."""
    run = airflow.run_flow(
        """
flow_id: f
steps:
  - {id: a, command: ["false"], allow_failure: true}
  - {id: b, command: ["true"], only_if: ["false"], when: a.passed}
  - {id: c, command: ["true"], only_if: ["false"], when: a}
  - {id: d, command: ["true"], when: b.passed}
  - {id: e, command: ["true"], when: c.passed}
  - {id: g, command: ["true"], when: any(passed) && !all(passed), depends_on: [a, b, c]}
  - foreach: {X: [1, 2]}
    steps:
      - {id: h, command: [sh, -c, 'exit "$X"'], skip_exit_codes: [1], when: d}
  - {id: i, command: ["true"], when: h@1.passed && !h.passed}
"""
    )
    states = {"a": NG, "b": SKIP, "c": SKIP, "d": OK, "e": SKIP, "g": OK}
    assert run == (NG, {**states, "h.1": SKIP, "h.2": NG, "i": OK})


@pytest.mark.parametrize(
    ("code", "fields", "state"),
    [
        (0, "", OK),
        (3, "", NG),
        (3, "success_exit_codes: [3]", OK),
        (0, "success_exit_codes: [3]", NG),
        (4, "skip_exit_codes: [4]", SKIP),
    ],
)
def test_exit_codes(airflow: "Airflow", code: int, fields: str, state: str) -> None:
    """Exit codes succeed, skip or fail as the step says (rule 9.12)."""
    step = f"{{id: a, command: [sh, -c, exit {code}], {fields}}}"
    run = airflow.run_flow(f"{{flow_id: f, steps: [{step}]}}")
    assert run == (NG if state == NG else OK, {"a": state})


def test_a_command_that_is_not_there(
    airflow: "Airflow", capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that cannot be started fails, and the task log says why."""
    run = airflow.run_flow("{flow_id: f, steps: [{id: a, command: [/nonexistent]}]}")
    assert run == (NG, {"a": NG})
    assert "the command could not be started: not found" in capsys.readouterr().out


def test_the_reason_of_a_skip(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """The task log says which outcomes made the condition false (rule 9.4)."""
    airflow.run_flow(
        '{flow_id: f, steps: [{id: a, command: ["false"]}, {id: b, command: [x], when: a}]}'
    )
    assert "`a` is false: a FAILED" in capsys.readouterr().out


def test_variables(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """A command sees its flow's variables, its own, and those of the run (rules 9.12, 9.13)."""
    names = "$A $B $ORCHESJOB_FLOW_ID $ORCHESJOB_FLOW_STEP $ORCHESJOB_FLOW_ATTEMPT"
    run = airflow.run_flow(
        f"""
flow_id: f
env: {{A: one, B: two}}
steps:
  - {{id: a, command: ["false"]}}
  - id: b
    when: !a
    env: {{B: three}}
    command: [sh, -c, 'echo said: {names} [$ORCHESJOB_FLOW_FAILED_STEPS] $ORCHESJOB_FLOW_RUN_KEY']
"""
    )
    assert run == (NG, {"a": NG, "b": OK})
    assert "said: one three f b 1 [a] manual__" in capsys.readouterr().out


def test_output(airflow: "Airflow", capsys: pytest.CaptureFixture[str]) -> None:
    """What a command prints is in the task log, an unfinished last line too."""
    airflow.run_flow(
        "{flow_id: f, steps: [{id: a, command: [sh, -c, 'echo said; echo meant >&2; printf end']}]}"
    )
    lines = capsys.readouterr().out.splitlines()
    said = [line.split("]")[0].split("[")[-1].strip() for line in lines if " said " in line]
    meant = [line.split("]")[0].split("[")[-1].strip() for line in lines if " meant " in line]
    assert (said, meant) == (["info"], ["warning"])
    assert any(" end " in line for line in lines)
