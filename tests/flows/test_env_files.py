"""Files of variables as runs meet them: what a step sees, and that nobody else does (rule 10.4)."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.flow import Flow
from support.gate import Gate

SECRET = uuid4().hex  # unlike that of any other test which runs now
SHOW = ["sh", "-c", 'echo "${A-} ${B-} ${C-} ${D-} ${ORCHESJOB_FLOW_STEP}"']


def output(step: Any) -> str:
    return Path(step["orchesjob_status"]["stdout_file"]).read_text(encoding="utf-8")


def write(flow: Flow, name: str, *lines: str) -> str:
    (flow.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return name


@pytest.mark.integration
def test_what_a_step_sees(real_flow: Flow) -> None:
    """Over the caller's variables lie the flow's file and its `env`, then those of the step."""
    real_flow.environ |= dict.fromkeys("ABCD", "caller")
    write(real_flow, "flow.env", *(f"{name}=flow-file" for name in "BCD"))
    write(real_flow, "step.env", "C=step-file", "D=step-file")
    (real_flow.folder / "elsewhere").mkdir()
    file = real_flow.write(
        {"id": "a", "command": SHOW},
        {"id": "b", "command": SHOW, "env_file": "step.env", "env": {"D": "step"}},
        {"id": "c", "command": SHOW, "env_file": ["step.env"], "working_dir": "elsewhere"},
        env_file="flow.env",
        env={"C": "flow"},
    )
    assert [output(step) for step in real_flow.start("k", file)["steps"]] == [
        "caller flow-file flow flow-file a\n",
        "caller flow-file step-file step b\n",
        "caller flow-file step-file step-file c\n",
    ]


def test_a_file_that_is_missing_or_wrong(flow: Flow) -> None:
    """The attempt fails before anything of it runs, and a retry needs nothing but the file."""
    write(flow, "wrong.env", "A=1", SECRET)
    file = flow.write(
        {"id": "missing", "command": ["touch", "ran"], "env_file": "no.env", "retries": 1},
        {"id": "wrong", "command": ["touch", "ran"], "env_file": "wrong.env"},
        {"id": "after", "command": ["true"], "when": "missing.failed && wrong.failed"},
    )
    answer = flow.run("start", "--run-key=k", file)
    assert answer.returncode == 1
    assert SECRET not in answer.stdout + answer.stderr
    missing, wrong, after = flow.status("k")["steps"]
    path = flow.folder.resolve()
    assert missing["error"] == (
        f"could not be started: env_file {path}/no.env: cannot be read: No such file or directory"
    )
    assert (missing["attempt_no"], after["status"]) == (2, "SUCCEEDED")
    assert wrong["error"].startswith(
        f"could not be started: env_file {path}/wrong.env:2: must be NAME=VALUE, "
    )
    assert not (flow.folder / "ran").exists()
    write(flow, "no.env", "A=1")
    write(flow, "wrong.env", "A=1")
    assert flow.ask("retry", "--run-key=k")["status"] == "SUCCEEDED"
    assert (flow.folder / "ran").exists()


def test_finally_runs_without_the_files_of_the_flow(flow: Flow) -> None:
    """A missing secrets file does not silence the alert, which says what it did without (10.4)."""
    missing = {"path": "no.env", "required": False}
    fields: dict[str, Any] = {
        "env_file": ["shop.env", missing],
        "finally": [
            {"id": "alert", "command": SHOW, "when": "load.failed", "env_file": ["step.env"]},
            {"id": "own", "command": ["true"], "env_file": "own.env"},
        ],
    }
    write(flow, "step.env", "A=step")
    file = flow.write({"id": "load", "command": ["touch", "ran"]}, **fields)
    load, alert, own = flow.start("k", file, code=1)["steps"]
    path = flow.folder.resolve()
    flaw = "cannot be read: No such file or directory"
    note = f"without env_file {path}/shop.env: {flaw}"
    assert (load["status"], load["error"]) == (
        "FAILED",
        f"could not be started: env_file {path}/shop.env: {flaw}",
    )
    assert (alert["status"], alert["error"]) == ("SUCCEEDED", None)
    assert alert["reason"] == f"attempt 1 succeeded; {note}"
    assert output(alert) == "step    alert\n"
    assert own["reason"] == own["error"] == f"could not be started: env_file {path}/own.env: {flaw}"
    table = flow.run("status", "--run-key=k", "--format=table").stdout.splitlines()
    assert [line for line in table if line.startswith("finally: alert") and line.endswith(note)]
    assert not (flow.folder / "ran").exists()


@pytest.mark.integration
def test_a_secret_stays_a_secret(real_flow: Flow, gate: Gate) -> None:
    """No database, log, answer or argument has it; a runner that resumes has it again (10.4)."""
    write(real_flow, "secret.env", f"A={SECRET}")
    check = ["sh", "-c", f'test "${{#A}}" = {len(SECRET)} && exit 7']
    file = real_flow.write(
        {"id": "a", "command": gate.command()},
        {"id": "b", "command": check, "when": "a", "success_exit_codes": [7]},
        env_file="secret.env",
    )
    real_flow.abandon(file, gate)
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if has_secret(path)]
    gate.let_through()
    answer = real_flow.run("start", "--run-key=k", file)
    assert answer.returncode == 0
    shown = [
        real_flow.run(*words).stdout
        for words in (
            ("status", "--run-key=k"),
            ("explain", "--run-key=k"),
            ("graph", "--run-key=k"),
            ("doctor",),
        )
    ]
    assert SECRET not in "".join([answer.stdout, answer.stderr, *shown])
    files = [path for path in real_flow.folder.rglob("*") if path.name != "secret.env"]
    homes = [Path(real_flow.orchesjob.environ["ORCHESJOB_HOME"]).rglob("*")]
    files += [path for home in homes for path in home]
    assert any(path.name.endswith("sqlite3") for path in files)
    assert not [path for path in files if path.is_file() and has_secret(path)]


def has_secret(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        return SECRET.encode() in file.read()
