"""The directory of a run: in a folder that all workers see, or not at all (rule 10.6)."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import BaseXCom
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from orchesjob_flow_airflow.errors import RunDirUnusable
from orchesjob_flow_airflow.flow_as_dag.run import (
    RunFacts,
    TaskIds,
    make_run_dir,
    recorded_with_run,
    run_dir_of,
)

if TYPE_CHECKING:
    from conftest import Airflow

OK, NG = "success", "failed"

FLOW = """
flow_id: f
steps:
  - id: find
    command: [sh, -c, 'cd $ORCHESJOB_FLOW_RUN_DIR && pwd >> $EXECUTED && echo DISK=sda > disk.env']
  - id: use
    when: find
    command: [sh, -c, 'test "$1 $DISK" = "$ORCHESJOB_FLOW_RUN_DIR sda"', x, "${{ RUN_DIR }}"]
    env_file: "${{ RUN_DIR }}/disk.env"
"""


def test_files_for_each_other(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """Steps find what others have left in their run's directory, and no other run does."""
    (airflow.folder / "runs").mkdir()
    airflow.write(FLOW)
    dag = airflow.load("'flow.yaml', run_dirs='runs'")
    assert [airflow.run(dag) for _ in range(2)] == [(OK, {"find": OK, "use": OK})] * 2
    paths = [Path(line) for line in executed().splitlines()]
    assert sorted((airflow.folder / "runs").iterdir()) == sorted(paths)
    assert len(set(paths)) == 2
    assert [path.stat().st_mode & 0o7777 for path in paths] == [0o700] * 2


def test_a_group_has_its_own(airflow: "Airflow", executed: Callable[[], str]) -> None:
    """Two flows in one DAG have a directory each, as two runs have."""
    airflow.write(FLOW)
    path = airflow.folder / "the_dag.py"
    path.write_text(
        "from airflow.sdk import DAG\nfrom orchesjob_flow_airflow import flow_task_group\n"
        "with DAG('mine') as dag:\n    for name in ('one', 'two'):\n"
        "        flow_task_group('flow.yaml', group_id=name, run_dirs='.')\n",
        encoding="utf-8",
    )
    assert str(airflow.load_file(path).test().state) == OK
    assert len(set(executed().splitlines())) == 2


def test_a_worker_without_the_folder(
    airflow: "Airflow", capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not mounted is not made, and no failure of the step: another worker may have it."""
    airflow.write(FLOW)
    dag = airflow.load("'flow.yaml', run_dirs='/no/such', infrastructure_retries=0")
    assert airflow.run(dag) == (NG, {"find": NG, "use": "skipped"})
    out = capsys.readouterr().out
    assert "InfrastructureFault: infrastructure fault: /no/such/f." in out
    assert (
        ", the directory of the run, cannot be made: No such file or directory; `run_dirs`" in out
    )


# The DAG file is edited after the first step, as `dag.test()` can show it: in the second task.
EDITED = """
def edit(context):
    if context["task"].task_id == "use":
        context["task"].run_dirs = EDIT
"""


@pytest.mark.parametrize(("edit", "outcome"), [("'/elsewhere'", OK), ("None", NG)])
def test_an_edited_dag_file(
    airflow: "Airflow",
    executed: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    edit: str,
    outcome: str,
) -> None:
    """A run keeps the directory with which it began, or fails and says why (rule 13.3)."""
    airflow.write(FLOW)
    arguments = "'flow.yaml', run_dirs='.', default_args={'pre_execute': edit}"
    dag = airflow.load(arguments, before=EDITED.replace("EDIT", edit))
    assert airflow.run(dag) == (outcome, {"find": OK, "use": outcome})
    says_why = "since this run began: the DAG file no longer has `run_dirs`; trigger"
    assert (says_why in capsys.readouterr().out) == (outcome == NG)
    assert executed()


class Recorded:
    """What is recorded with a run, as the tasks of it see that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep it here."""
        self.texts: dict[str, str] = {}
        monkeypatch.setattr(BaseXCom, "get_all", lambda key, **_: list(self._found(key)))
        monkeypatch.setattr(
            BaseXCom, "set", lambda key, value, **_: self.texts.setdefault(key, value)
        )

    def _found(self, key: str) -> Iterator[str]:
        if key in self.texts:
            yield self.texts[key]

    def context(self, **of_run: object) -> dict[str, object]:
        """Return the context of a task, with these facts of the run."""
        return {
            "ti": SimpleNamespace(dag_id="d", run_id="r"),
            "dag_run": SimpleNamespace(**{"clear_number": 0, **of_run}),
            "task": SimpleNamespace(task_ids=TaskIds("")),
        }


def test_when_a_cleared_run_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was cleared tells its commands when it first began, in local time (9.13)."""
    monkeypatch.setenv("TZ", "<+13>-13")
    time.tzset()
    recorded = Recorded(monkeypatch)
    began = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
    for clear_number, start_date in enumerate((began, began + timedelta(hours=5))):
        context = recorded.context(clear_number=clear_number, start_date=start_date)
        assert RunFacts.of(context, "/flows", None).started == "2026-11-28T16:00:00+13:00"
    monkeypatch.undo()
    time.tzset()


def test_tasks_that_record_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose record is refused uses the one that another has just made (rule 13.3)."""
    recorded, other = Recorded(monkeypatch), {"flow_0": "of another task"}

    def refuse(**_: object) -> None:
        recorded.texts |= other
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))

    monkeypatch.setattr(BaseXCom, "set", refuse)
    assert recorded_with_run(recorded.context(), "flow", "ours") == "of another task"
    with pytest.raises(AirflowRuntimeError):
        recorded_with_run(recorded.context(), "another", "ours")


@pytest.mark.parametrize(
    ("ids", "other"),
    [
        (("d", "a/b"), ("d", "a_b")),
        (("d", "a:b"), ("d", "a", "b")),
        (("d.e", "r"), ("d", "e.r")),
        (("é" * 250, "r"), ("é" * 250, "s")),
        (("..", ""), ("..", "..")),
    ],
)
def test_names(ids: tuple[str, ...], other: tuple[str, ...]) -> None:
    """No two runs have one directory, whatever their ids are, and each name is a safe one."""
    names = {Path(run_dir_of("/runs", *found)).relative_to("/runs") for found in (ids, other)}
    assert len(names) == 2
    for name in map(str, names):
        assert name.isascii()
        assert len(name) < 200
        assert not set(name) & set("/: ")


def test_at_once(tmp_path: Path) -> None:
    """Tasks that need the directory at the same moment all find it."""
    for number in range(20):
        path = tmp_path / str(number)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(make_run_dir, [str(path)] * 8))
        assert path.stat().st_mode & 0o7777 == 0o700


def test_something_else_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a file and what belongs to somebody else are refused."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(RunDirUnusable, match="is not a folder; `run_dirs` must name"):
            make_run_dir(str(tmp_path / name))
    make_run_dir(str(tmp_path / "dir"))
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(RunDirUnusable, match=f"another user, with the number {owner};"):
        make_run_dir(str(tmp_path / "dir"))
