"""What words and variables say of a run, on the way to a process (rules 10.2 and 10.6)."""

import os
import shutil
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate

SHOW = ["printf", "%s\n", "${{ FLOW_DIR }}", "${{ RUN_DIR }}", "${{ RUN_KEY }}", "$${{ X"]
VARIABLES = ["ORCHESJOB_FLOW_DIR", "ORCHESJOB_FLOW_RUN_DIR", "ORCHESJOB_FLOW_STARTED"]
PRINT = ["printenv", *VARIABLES]


def lines(step: Any) -> list[str]:
    path = Path(step["orchesjob_status"]["stdout_file"])
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.integration
def test_what_a_run_tells_its_steps(real_flow: Flow) -> None:
    """Words and variables name the folder of the file, the run's directory, key and beginning."""
    (real_flow.folder / "flows").mkdir()
    file = real_flow.write(
        {"id": "words", "command": SHOW},
        {"id": "vars", "command": PRINT, "when": "words"},
        name="flows/f.json",
    )
    run = real_flow.start("a/b", file)
    folder, directory = str(Path(file).parent), str(real_flow.home / "runs" / "a%2Fb.run")
    began = datetime.fromtimestamp(int(run["started_at"])).astimezone().isoformat()
    assert lines(run["steps"][0]) == [folder, directory, "a/b", "${{ X"]
    assert lines(run["steps"][1]) == [folder, directory, began]
    assert stat.S_IMODE(Path(directory).stat().st_mode) == 0o700
    again = real_flow.ask("retry", "--run-key=a/b", "--step=vars")
    assert again["steps"][1]["attempt_no"] == 2
    assert lines(again["steps"][1]) == [folder, directory, began]


def test_the_beginning_in_local_time(flow: Flow) -> None:
    """It is recorded once, so a retry in another time zone tells the same (rule 9.13)."""
    day = ["sh", "-c", 'echo "$ORCHESJOB_FLOW_STARTED"; echo "${ORCHESJOB_FLOW_STARTED%%T*}"']
    file = flow.write({"id": "a", "command": day})
    flow.environ["TZ"] = "<+13>-13"
    run = flow.start("k", file)
    local = datetime.fromtimestamp(int(run["started_at"]), timezone(timedelta(hours=13)))
    assert lines(run["steps"][0]) == [local.isoformat(), str(local.date())]
    flow.environ["TZ"] = "<+05>-5"
    again = flow.ask("retry", "--run-key=k", "--step=a")
    assert lines(again["steps"][0]) == [local.isoformat(), str(local.date())]


def test_a_flow_without_a_folder(flow: Flow) -> None:
    """What comes from the standard input lies in the directory of `start` (rule 10.2)."""
    file = flow.write({"id": "a", "command": PRINT})
    with Path(file).open(encoding="utf-8") as text:
        assert flow.run("start", "--run-key=k", "-", stdin=text).returncode == 0
    assert lines(flow.status("k")["steps"][0])[0] == str(flow.folder)


def test_a_retry_with_another_file(flow: Flow) -> None:
    """The folder of the flow file is that of the file which the run follows now (rule 10.2)."""
    step = {"id": "a", "command": SHOW}
    flow.start("k", flow.write(step))
    (flow.folder / "new").mkdir()
    file = flow.write(step, name="new/f.json")
    run = flow.ask("retry", "--run-key=k", "--step=a", "--file", file)
    assert lines(run["steps"][0])[0] == str(flow.folder / "new")
    run = flow.ask("retry", "--run-key=k", "--step=a")
    assert lines(run["steps"][0])[0] == str(flow.folder / "new")


def test_a_directory_that_was_removed(flow: Flow, gate: Gate) -> None:
    """A run that goes on gets it back, empty, and says so; one that goes on as it was does not."""
    file = flow.write(
        {"id": "a", "command": gate.command()},
        {"id": "b", "command": ["sh", "-c", 'ls -A "$ORCHESJOB_FLOW_RUN_DIR"'], "when": "a"},
    )
    flow.abandon(file, gate)
    directory = flow.home / "runs" / "k.run"
    directory.rmdir()
    gate.let_through()
    answer = flow.run("start", "--run-key=k", file)
    assert answer.returncode == 0
    assert f"{directory} was gone, with what steps have left there; it is empty" in answer.stderr
    assert directory.is_dir()
    assert "was gone" not in flow.run("retry", "--run-key=k", "--step=b").stderr


def test_prune_removes_the_directory(flow: Flow) -> None:
    """With all that is in it, whatever a step has made of it, and without following a link."""
    (flow.folder / "kept").mkdir()
    (flow.folder / "kept" / "file").touch()
    leave = f'cd "$ORCHESJOB_FLOW_RUN_DIR"; mkdir -p a/b; ln -s "{flow.folder}/kept" a/b/link'
    file = flow.write({"id": "a", "command": ["sh", "-c", f"{leave}; chmod 0 a/b; chmod 500 a"]})
    for key in ("..", "k"):
        flow.start(key, file)
    assert sorted(path.name for path in (flow.home / "runs").iterdir()) == ["...run", "k.run"]
    assert len(flow.ask("prune", "--older-than=0s", "--keep-output")["removed"]) == 2
    assert list((flow.home / "runs").iterdir()) == []
    assert (flow.folder / "kept" / "file").exists()


@pytest.mark.integration
def test_a_folder_that_is_no_text(real_flow: Flow) -> None:
    """The bytes of a folder's name reach word and variable as they are (rule 5.12)."""
    folder = Path(os.fsdecode(os.fsencode(real_flow.folder) + b"/\xff"))
    folder.mkdir()
    test = [
        "sh",
        "-c",
        'test -d "$1" && test "$1" = "$ORCHESJOB_FLOW_DIR"',
        "sh",
        "${{ FLOW_DIR }}",
    ]
    file = folder / "f.json"
    Path(real_flow.write({"id": "a", "command": test})).rename(file)
    assert real_flow.start("k", str(file))["status"] == "SUCCEEDED"
    assert real_flow.ask("retry", "--run-key=k", "--step=a")["status"] == "SUCCEEDED"


def test_bash_is_looked_for_where_the_names_of_a_path_lead(flow: Flow) -> None:
    """A `PATH` may begin in the folder of the flow file (rules 10.2 and 10.4)."""
    (flow.folder / "bin").symlink_to(Path(str(shutil.which("bash"))).parent)
    file = flow.write({"id": "a", "script": "true"}, env={"PATH": "${{ FLOW_DIR }}/bin"})
    assert flow.start("k", file)["status"] == "SUCCEEDED"
