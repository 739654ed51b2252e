"""Files of variables: read on the worker when an attempt begins, and kept nowhere (rule 10.4)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG = "success", "failed"
SECRET = "correct horse battery staple"  # noqa: S105 - of nobody

FLOW = """
flow_id: f
env_file: all.env
env: {B: flow}
steps:
  - id: a
    command: [sh, -c, 'test "$A $B $C $D" = "all flow one step"']
    env_file: [one.env, two.env]
    env: {D: step}
    working_dir: /
  - id: b
    when: a
    command: [sh, -c, 'test "$A $B$C$D $WORDS" = "all flow correct $REST"']
"""


def test_variables(airflow: "Airflow", tmp_path: Path) -> None:
    """They lie on each other as in a local run, and neither Airflow nor orchesjob keeps them."""
    rest = SECRET.removeprefix("correct ")
    airflow.write(f"A=all\nB=all\nWORDS={SECRET}\nREST={rest}\n", "all.env")
    airflow.write("C=no\nD=one\n", "one.env")
    airflow.write("C=one\n", "two.env")
    assert airflow.run_flow(FLOW) == (OK, {"a": OK, "b": OK})
    kept = [*airflow.folder.parent.rglob("*"), *(tmp_path / "jobs").rglob("*")]
    files = [path for path in kept if path.is_file() and path.name != "all.env"]
    assert len(files) > 5
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_secrets(airflow: "Airflow", monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands see their values, which nobody records (13.4)."""
    monkeypatch.setenv("AIRFLOW_VAR_WORDS", SECRET)
    airflow.write(
        "{flow_id: f, env: {B: flow}, steps: [{id: a, command:"
        ' [sh, -c, \'echo said $A; test "$A $B" = "$C flow"\']}]}'
    )
    secrets = "{'A': '{{ var.value.words }}', 'B': 'no', 'C': '{{ var.value.words }}'}"
    assert airflow.run(airflow.load(f"'flow.yaml', secrets={secrets}")) == (OK, {"a": OK})
    files = [path for path in airflow.folder.parent.rglob("*") if path.is_file()]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("fields", "tries", "cause"),
    [
        ("env_file: no.env, retries: 2", 3, "/no.env: cannot be read: No such file or directory"),
        ("env_file: no.env, retries: 2, retry_exit_codes: [3]", 1, "/no.env: cannot be read: "),
        ("env_file: wrong.env", 1, "/wrong.env:2: must be NAME=VALUE"),
        ("working_dir: missing, retries: 1", 2, "orchesjob start was refused: "),
    ],
)
def test_what_can_never_start(  # noqa: PLR0913, PLR0917 - its cases
    airflow: "Airflow",
    executed: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    fields: str,
    tries: int,
    cause: str,
) -> None:
    """Each attempt fails before anything of it runs, as it does locally (rules 13.2, 13.5).

    The task's log says nothing of what a file holds.
    """
    airflow.write(f"A=1\n{SECRET}\n", "wrong.env")
    step = f"{{id: a, command: [sh, -c, 'echo >> $EXECUTED'], {fields}}}"
    assert airflow.run_flow(f"{{flow_id: f, steps: [{step}]}}") == (NG, {"a": NG})
    assert (airflow.tries["a"], executed()) == (tries, "")
    shown = capsys.readouterr()
    place = f"env_file {airflow.folder}" if cause.startswith("/") else ""
    assert f"could not be started: {place}{cause}" in shown.out
    assert SECRET not in shown.out + shown.err


def test_finally_without_a_file_of_the_flow(
    airflow: "Airflow", executed: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file does not silence the alert, whose log names it; one may be optional (10.4)."""
    alert = "{id: alert, command: [sh, -c, 'echo told >> $EXECUTED'], when: a.failed}"
    files = "[secrets.env, {path: values.env, required: false}]"
    flow = (
        f"flow_id: f\nenv_file: {files}\nsteps: [{{id: a, command: ['true']}}]\nfinally: [{alert}]"
    )
    assert airflow.run_flow(flow) == (NG, {"a": NG, "alert": OK})
    assert executed() == "told\n"
    path = f"{airflow.folder}/secrets.env"
    words = f"the step runs without env_file {path}: cannot be read: No such file or directory"
    assert words in capsys.readouterr().out
