"""The unit of docs/how-to/systemd.md under a real systemd: steps outlive their runner."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.deadlines import EVENT_SEC
from support.files import write_program
from support.flow import Flow
from support.gate import Gate

from .machine import Machine, adapted, documented, folder_of, need

UNITS = "/etc/systemd/system"
OWN = "[Unit]\nDefaultDependencies=no\n"
TARGET = "[Unit]\nDescription=Nothing but what the test starts\nDefaultDependencies=no\n"


def write_units(flow: Flow, flow_file: str) -> Path:
    """Write the documented units with this machine's paths, and a restart without delay."""
    folder = flow.folder / "units"
    folder.mkdir()
    mail = write_program(flow.folder / "mail", f'#!/bin/sh\necho "$@" >>{flow.folder}/alerts\n')
    ours: dict[str, dict[str, object]] = {
        "nightly.service": {
            "User=flows\n": "",
            "StateDirectory=orchesjob\nStateDirectoryMode=0700\n": "",
            "ORCHESJOB_HOME=/var/lib/orchesjob": f"ORCHESJOB_HOME={flow.orchesjob.home}",
            "PATH=/usr/local/bin": f"PATH={folder_of(flow)}",
            "WorkingDirectory=/srv/flows": f"WorkingDirectory={flow.folder}",
            "/srv/flows/nightly.yaml": flow_file,
            "RestartSec=60": "RestartSec=0",
            "[Unit]\n": OWN,
        },
        "nightly.timer": {},
        "flow-failed@.service": {"| mail ": f"| {mail} ", "[Unit]\n": OWN},
    }
    for name, lines in ours.items():
        unit = adapted(documented("systemd.md", "ini", after=f"`{name}`"), lines)
        (folder / name).write_text(unit, encoding="utf-8")
    (folder / "idle.target").write_text(TARGET, encoding="utf-8")
    return folder


class Systemd:
    """A systemd that has been told of the units, and the flow that they run."""

    def __init__(self, flow: Flow, units: Path) -> None:
        self.flow = flow
        mounts = (
            "mount -t tmpfs tmpfs /run",
            "umount -R /sys/fs/cgroup",
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
            f"mount -t tmpfs tmpfs {UNITS}",
            f"cp {shlex.quote(str(units))}/* {UNITS}",
            f"ln -s /dev/null {UNITS}/tmp.mount",  # noqa: S108 - it would cover the test's folder
        )
        self.machine = Machine(
            mounts, "/lib/systemd/systemd", "--system", "--unit=idle.target", "--log-target=null"
        )
        self.flow.await_true(lambda: self.ask("is-active", "idle.target") == "active")

    def ask(self, *words: str) -> str:
        return self.machine.run("systemctl", *words).stdout.strip()

    def run(self) -> Any:
        words = [self.flow.program, "list", "--format=json"]
        environ = {"ORCHESJOB_HOME": str(self.flow.orchesjob.home), "PATH": folder_of(self.flow)}
        runs = json.loads(self.machine.run(*words, env=environ).stdout or '{"runs": []}')["runs"]
        if not runs:
            return None
        words = [self.flow.program, "status", f"--run-key={runs[0]['run_key']}"]
        return json.loads(self.machine.run(*words, env=environ).stdout)

    def main_pid(self) -> str:
        return self.ask("show", "--property=MainPID", "--value", "nightly.service")

    def close(self) -> None:
        self.machine.close()


@pytest.fixture
def systemd(real_flow: Flow, gate: Gate) -> Iterator[Systemd]:
    """A systemd on which the service is started, whose first step is at the gate."""
    file = real_flow.write(
        {"id": "load", "command": gate.command()},
        {"id": "report", "command": ["true"], "when": "load"},
    )
    with closing(Systemd(real_flow, write_units(real_flow, file))) as systemd:
        systemd.ask("start", "--no-block", "nightly.service")
        gate.await_arrival()
        yield systemd


def test_the_units_are_right(real_flow: Flow) -> None:
    """Systemd finds no fault with the units as they are documented."""
    units = write_units(real_flow, "/srv/flows/nightly.yaml")
    files = [str(units / name) for name in ("nightly.service", "nightly.timer")]
    verified = subprocess.run(
        [need("systemd-analyze"), "verify", "--man=no", *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=EVENT_SEC,
    )
    found = [line for line in verified.stderr.splitlines() if "nightly" in line]
    assert (verified.returncode, found) == (0, [])


def ends_well(systemd: Systemd, gate: Gate) -> None:
    """Let the first step end; the run succeeds, and no step of it has run twice."""
    gate.let_through()
    systemd.flow.await_true(lambda: systemd.ask("is-active", "nightly.service") == "inactive")
    run = systemd.run()
    assert run["status"] == "SUCCEEDED"
    assert [len(step["attempts"]) for step in run["steps"]] == [1, 1]


def test_a_killed_runner(systemd: Systemd, gate: Gate) -> None:
    """Systemd replaces a runner that was killed; the step goes on and is not run again."""
    killed = systemd.main_pid()
    systemd.machine.run("kill", "-KILL", killed)
    systemd.flow.await_true(lambda: systemd.main_pid() not in {killed, "0"})
    ends_well(systemd, gate)


def test_a_stop(systemd: Systemd, gate: Gate) -> None:
    """A stop ends the runner and not the steps; the next start goes on with them."""
    systemd.ask("stop", "nightly.service")
    assert systemd.run()["runner"] is None
    systemd.ask("start", "--no-block", "nightly.service")
    systemd.flow.await_true(lambda: systemd.run()["runner"] is not None)
    ends_well(systemd, gate)


def test_a_failed_flow(real_flow: Flow) -> None:
    """Systemd starts the unit of `OnFailure=` once, and does not restart the service."""
    file = real_flow.write({"id": "load", "command": ["false"]})
    with closing(Systemd(real_flow, write_units(real_flow, file))) as systemd:
        systemd.ask("start", "nightly.service")
        alerts = real_flow.folder / "alerts"
        real_flow.await_true(alerts.exists)
        systemd.flow.await_true(
            lambda: systemd.ask("is-active", "flow-failed@nightly.service.service") == "inactive"
        )
        (alert,) = alerts.read_text(encoding="utf-8").splitlines()
        assert alert.startswith("-s nightly.service failed on ")
        assert systemd.ask("is-failed", "nightly.service") == "failed"
        assert systemd.run()["status"] == "FAILED"
