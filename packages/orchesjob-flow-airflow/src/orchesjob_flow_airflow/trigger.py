"""Waits in the triggerer for the end of a run, so that its task holds no worker slot."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from orchesjob_flow_airflow.program import Answer, Program
from orchesjob_flow_airflow.watching import PATIENCE_SEC, Watch

LOOK_LIMIT_SEC = 30.0

# However many tasks are deferred, no more looks are under way at once than there are cores.
_LOOKS = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="orchesjob-flow")


class FlowRunTrigger(BaseTrigger):
    """Fires once: when a run has ended, has been left alone by its runner, or cannot be seen.

    It asks `orchesjob-flow status` again and again, so it has to run on the run's host. The event
    is what `memory` holds, with `problem`: why the run cannot be seen, or None.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its settings, which Airflow gives by their names
        self,
        program: dict[str, Any],
        run_key: str,
        poll_interval: float,
        settle_sec: float,
        memory: dict[str, Any],
        patience: float = PATIENCE_SEC,
    ) -> None:
        """Watch the run `run_key`.

        Args:
            program: A `Program`, by the names of its fields.
            run_key: The run.
            poll_interval: Seconds between two looks.
            settle_sec: For how many seconds not to fire, whatever becomes of the run.
            memory: What the task is to know when it goes on; `since` is the moment, a Unix
                timestamp, from which on transitions are logged.
            patience: For how many seconds looks may fail.
        """
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.program = program
        self.run_key = run_key
        self.poll_interval = poll_interval
        self.settle_sec = settle_sec
        self.memory = memory
        self.patience = patience

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer makes this trigger from."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "program": self.program,
            "run_key": self.run_key,
            "poll_interval": self.poll_interval,
            "settle_sec": self.settle_sec,
            "memory": self.memory,
            "patience": self.patience,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Log each transition of the run; fire when there is nothing more to wait for."""
        watch = Watch(self.memory["since"], self.patience)
        settled_at = time.monotonic() + self.settle_sec
        while True:
            for transition in watch.see(await self._look(), time.monotonic()):
                self.log.info("%s", transition)
            if watch.over:
                break
            await asyncio.sleep(self.poll_interval)
        await asyncio.sleep(max(0.0, settled_at - time.monotonic()))
        event = {**self.memory, "problem": watch.problem}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call] # Airflow's

    async def on_kill(self) -> None:
        """Cancel the run: somebody has cleared the deferred task, or marked it.

        Airflow does not call this when a triggerer stops or restarts.
        """
        # In a thread: Airflow waits for a limited time only, and the call goes on after that.
        cancel = partial(self._program().call, "cancel", f"--run-key={self.run_key}")
        answer = await asyncio.to_thread(cancel)
        if answer.exit_code == 0:
            self.log.info("the task was ended, so run %r was cancelled", self.run_key)
        else:
            error = answer.complaint["error"]
            self.log.error("run %r could not be cancelled: %s", self.run_key, error)

    async def _look(self) -> Answer:
        words = ("status", f"--run-key={self.run_key}")
        look = partial(self._program().call, *words, limit_sec=LOOK_LIMIT_SEC)
        return await asyncio.get_running_loop().run_in_executor(_LOOKS, look)

    def _program(self) -> Program:
        program = self.program
        return Program(program["path"], tuple(program["options"]), program["variables"])
