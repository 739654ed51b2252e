"""Cron starts a run at night, the host reboots in the middle, and another cron line resumes it."""

import os
import signal
import subprocess
from collections import Counter
from typing import Any

import pytest

from support.answers import outcomes
from support.command import Command
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import MARK
from support.processes import await_exit

pytestmark = pytest.mark.integration


def recording(flow: Flow, script: str) -> list[str]:
    """Return the command of a step that records its beginning and then runs a script."""
    return ["sh", "-c", f'echo "$ORCHESJOB_FLOW_STEP" >> {flow.folder}/begun; {script}']


def begun(flow: Flow) -> list[str]:
    """Return the steps that have begun, in that order and as often as they have."""
    return (flow.folder / "begun").read_text(encoding="utf-8").split()


def use_crontab(flow: Flow) -> None:
    """Give the command cron's own environment, and the one variable that the crontab sets.

    Two more are the tests' own: one finds what is left over, the other brings mutants in.
    """
    ours = {MARK, "PYTHONPATH"}
    flow.environ = {
        **{name: text for name, text in flow.environ.items() if name in ours},
        "HOME": str(flow.folder),
        "LOGNAME": "me",
        "PATH": "/usr/bin:/bin",
        "SHELL": "/bin/sh",
        "ORCHESJOB_HOME": str(flow.orchesjob.home),
    }
    flow.home = flow.orchesjob.home
    flow.database = flow.home / "orchesjob-flow.sqlite3"


def cron(flow: Flow, words: str) -> Command:
    """Run a line of the crontab as cron does: no terminal, no session of a user."""
    return Command(
        ["/bin/sh", "-c", f"{flow.program} {words} > /dev/null"],
        cwd=flow.folder,
        env=flow.environ,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_no_mail(*lines: Command) -> None:
    """Wait for lines of the crontab: cron sends no mail about any."""
    for line in lines:
        assert (*line.communicate(), line.returncode) == ("", "", 0)


def is_running(step: Any) -> bool:
    """Tell whether it is recorded which process is the step's command."""
    return bool((step["orchesjob_status"] or {}).get("target_pid"))


def reboot(flow: Flow, run: Any, step: int) -> None:
    """Kill what a reboot kills."""
    job = run["steps"][step]["orchesjob_status"]
    pids = run["runner"]["pid"], job["worker_pid"], job["target_pid"]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        await_exit(pid)
    flow.restart_machine()


def test_a_night_with_a_reboot(real_flow: Flow, gate: Gate) -> None:
    """Cron starts the run once and resumes it after a reboot; no success is repeated (9.8)."""
    use_crontab(real_flow)
    load = recording(real_flow, gate.command()[-1])
    file = real_flow.write(
        {"id": "fetch", "command": recording(real_flow, "true")},
        {"id": "load", "command": load, "when": "fetch", "retries": 1},
        {"id": "report", "command": recording(real_flow, "true"), "when": "load"},
    )
    key = "nightly-2026-05-07"
    nightly = f"start --run-key {key} -d {file}"
    assert_no_mail(cron(real_flow, nightly))
    gate.await_arrival()
    assert_no_mail(
        cron(real_flow, nightly), cron(real_flow, "resume --all")
    )  # ten minutes later, nothing
    run = real_flow.await_status(key, lambda run: is_running(run["steps"][1]))
    reboot(real_flow, run, step=1)

    assert_no_mail(*(cron(real_flow, "resume --all") for _ in range(3)))
    gate.await_arrival()
    gate.let_through()
    run = real_flow.ask("wait", f"--run-key={key}")
    assert outcomes(run) == dict.fromkeys(("fetch", "load", "report"), "SUCCEEDED")
    lost, second = run["steps"][1]["attempts"]
    assert lost["error"].startswith("outcome unknown")
    assert (lost["number"], second["number"], second["status"]) == (1, 2, "SUCCEEDED")
    assert Counter(begun(real_flow)) == {"fetch": 1, "load": 2, "report": 1}

    real_flow.await_status(key, lambda run: run["runner"] is None)
    before = real_flow.database.read_bytes()
    assert_no_mail(cron(real_flow, "resume --all"))
    _, mail = cron(real_flow, nightly).communicate()
    assert f"run {key!r} ended SUCCEEDED" in mail  # cron tells of a line that does no work
    assert real_flow.database.read_bytes() == before
    assert len(begun(real_flow)) == 4
