"""A crowd of runners: their calls of orchesjob wait for places, and they obey (rule 5.11)."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from orchesjob_flow.home.locks import Lock, holder
from orchesjob_flow.home.paths import Home
from support.flow import Flow
from support.orchesjob import FakeOrchesjob
from support.steps import TRUE

SLOTS = 2 * (os.cpu_count() or 1)


@contextmanager
def crowd(flow: Flow) -> Iterator[None]:
    home = Home(flow.database)
    home.prepare()
    with ExitStack() as stack:
        for path in home.slot_files("calls", SLOTS).slots:
            lock = Lock.take(path)
            assert lock is not None
            stack.enter_context(closing(lock))
        yield


def await_queue(flow: Flow) -> None:
    flow.await_true(
        lambda: holder(Home(flow.database).slot_files("calls", SLOTS).queue) is not None
    )


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_a_signal(flow: Flow, fake_orchesjob: FakeOrchesjob, number: signal.Signals) -> None:
    """A runner whose calls wait for their places obeys a signal; nothing begins after it."""
    file = flow.write(TRUE)
    with crowd(flow):
        runner = flow.spawn("start", "--run-key=k", file)
        await_queue(flow)
        runner.send_signal(number)
        assert runner.wait() == 128 + number
    assert fake_orchesjob.calls() == []
    assert flow.start("k", file)["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == ["k:a:1"]


def test_a_cancel(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A cancel keeps nobody waiting for a place, and what had none never begins (rule 5.6)."""
    with crowd(flow):
        runner = flow.spawn("start", "--run-key=k", flow.write(TRUE, {**TRUE, "id": "b"}))
        await_queue(flow)
        assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
        assert runner.wait() == 1
    assert fake_orchesjob.calls() == []


def test_when_the_crowd_is_gone(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """To wait for a place uses up no patience; the time of a call begins when it has one."""
    with crowd(flow):
        runner = flow.spawn("--patience=0", "start", "--run-key=k", flow.write(TRUE))
        await_queue(flow)
        assert flow.status("k")["steps"][0]["status"] == "RUNNING"
        assert fake_orchesjob.calls() == []
    assert runner.wait() == 0
    assert fake_orchesjob.begun() == ["k:a:1"]
