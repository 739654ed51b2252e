"""The trigger, outside a triggerer: what it logs, when it fires, and what a kill does."""

import asyncio
import contextlib
import os
import pkgutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchesjob_flow_airflow.flow_as_task.program import home_variables

if TYPE_CHECKING:
    from flow_as_task.conftest import Blocker, Host
    from orchesjob_flow_airflow.flow_as_task.trigger import FlowRunTrigger


def trigger_for(host: "Host", **changed: Any) -> "FlowRunTrigger":
    from orchesjob_flow_airflow.flow_as_task.trigger import FlowRunTrigger

    program = {"path": host.program, "options": (), "variables": home_variables()}
    given = {
        "program": program,
        "run_key": "k",
        "poll_interval": 0.05,
        "settle_sec": 0.0,
        "memory": {"since": 0.0},
    }
    return FlowRunTrigger(**{**given, **changed})


def fire(trigger: "FlowRunTrigger") -> list[Any]:
    """Run a trigger to its end; return the payloads of its events."""

    async def run() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_it_survives_the_way_to_another_triggerer(host: "Host") -> None:
    """It can be rebuilt from what it is serialized to, which is plain values only."""
    from airflow.sdk.serde import deserialize, serialize

    trigger = trigger_for(host, memory={"since": 1.5, "host": "h", "log": "/l"}, patience_sec=7.0)
    path, arguments = trigger.serialize()
    arrived: Any = deserialize(serialize(arguments))
    again = pkgutil.resolve_name(path)(**arrived)
    assert again.serialize() == trigger.serialize()


def test_it_does_not_fire_too_soon(host: "Host") -> None:
    """Airflow's scheduler has time to notice that the task was deferred."""
    host.start("k", host.write({"id": "a", "command": ["true"]}))
    host.await_run("k", lambda run: run["status"] == "SUCCEEDED")
    began = time.monotonic()
    assert len(fire(trigger_for(host, settle_sec=1.5))) == 1
    assert time.monotonic() - began >= 1.5


def test_it_fires_when_the_runner_is_gone(host: "Host", blocker: "Blocker") -> None:
    """A run that has lost its runner does not leave its task waiting."""
    started = host.start("k", host.write({"id": "a", "command": blocker.command()}))
    blocker.await_arrival()
    os.kill(started["pid"], signal.SIGKILL)
    assert fire(trigger_for(host)) == [{"since": 0.0, "problem": None}]
    assert host.status("k")["status"] == "RUNNING"


def test_it_fires_when_it_cannot_see_the_run(host: "Host", tmp_path: Path) -> None:
    """On another host than the run's it does not wait forever, and passes on the error."""
    elsewhere = {**home_variables(), "ORCHESJOB_FLOW_HOME": str(tmp_path / "elsewhere")}
    program = {"path": host.program, "options": (), "variables": elsewhere}
    host.start("k", host.write({"id": "a", "command": ["true"]}))
    (event,) = fire(trigger_for(host, program=program, patience_sec=0.2))
    assert "so no run is recorded there" in event["problem"]
    missing = {**program, "path": str(tmp_path / "missing")}
    (event,) = fire(trigger_for(host, program=missing, patience_sec=0))
    assert "missing could not be run" in event["problem"]


def test_the_variables_of_the_worker_count(
    host: "Host", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The triggerer sees the worker's database, whatever its own variables say."""
    trigger = trigger_for(host)
    host.start("k", host.write({"id": "a", "command": ["true"]}))
    monkeypatch.setenv("ORCHESJOB_FLOW_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("ORCHESJOB_HOME", str(tmp_path / "elsewhere"))
    assert fire(trigger) == [{"since": 0.0, "problem": None}]


def test_a_kill_outlasts_airflows_patience(host: "Host", blocker: "Blocker") -> None:
    """When the time that Airflow gives to a kill is over, the cancel still completes."""
    host.start("k", host.write({"id": "a", "command": blocker.command()}))
    blocker.await_arrival()

    async def kill() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(trigger_for(host).on_kill(), 0.01)

    asyncio.run(kill())
    assert host.status("k")["status"] == "CANCELLED"


def test_a_triggerer_that_stops_leaves_the_run_alone(host: "Host", blocker: "Blocker") -> None:
    """A restart of the triggerer is no kill: the run continues, and the next triggerer sees it."""
    host.start("k", host.write({"id": "a", "command": blocker.command()}))
    blocker.await_arrival()

    async def stop() -> None:
        trigger = trigger_for(host)
        running = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await trigger.cleanup()

    asyncio.run(stop())
    run = host.status("k")
    assert (run["status"], run["cancel_requested_at"]) == ("RUNNING", None)
    host.call("cancel", "--run-key=k")
    assert fire(trigger_for(host)) == [{"since": 0.0, "problem": None}]
