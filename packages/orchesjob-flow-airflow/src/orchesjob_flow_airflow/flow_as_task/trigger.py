"""The trigger that waits in Airflow's triggerer for the run of a deferred task.

Airflow stores the path of the class `FlowRunTrigger` and its arguments; a triggerer makes the
trigger from them. Only the worker that defers a task imports this, and the triggerer.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from orchesjob_flow_airflow.flow_as_task.program import (
    PATIENCE_SEC,
    Answer,
    HostRun,
    Program,
    RunWatch,
)

POLL_LIMIT_SEC = 30.0

# However many tasks are deferred, no more calls run at once than there are cores.
_POLLS = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="orchesjob-flow")


class FlowRunTrigger(BaseTrigger):
    """Fires once: when a run has ended, has lost its runner, or cannot be seen.

    It polls `orchesjob-flow status`, so it must run on the host of the run. The event is `memory`
    with one more key, `problem`: why the run cannot be seen, or None.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its arguments, which Airflow passes by name
        self,
        program: dict[str, Any],
        run_key: str,
        poll_interval: float,
        settle_sec: float,
        memory: dict[str, Any],
        patience_sec: float = PATIENCE_SEC,
    ) -> None:
        """Watch the run `run_key`, as the operator's arguments of the same names say.

        `program` holds the fields of a `Program`, and `memory` what the task needs when it
        continues. Transitions are logged from the Unix timestamp in its key `since` on.
        """
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.program = program
        self.run_key = run_key
        self.poll_interval = poll_interval
        self.settle_sec = settle_sec
        self.memory = memory
        self.patience_sec = patience_sec

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class, and the arguments for an equal trigger."""
        names = ("program", "run_key", "poll_interval", "settle_sec", "memory", "patience_sec")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Log each transition of the run; fire when there is nothing more to wait for."""
        watch = RunWatch(self.memory["since"], self.patience_sec)
        settled_at = time.monotonic() + self.settle_sec
        while True:
            for transition in watch.see(await self._poll(), time.monotonic()):
                self.log.info("%s", transition)
            if watch.over:
                break
            await asyncio.sleep(self.poll_interval)
        await asyncio.sleep(max(0.0, settled_at - time.monotonic()))
        event = {**self.memory, "problem": watch.problem}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call] # Airflow's

    async def on_kill(self) -> None:
        """Cancel the run, because the deferred task was cleared or marked.

        Airflow does not call this when a triggerer stops or restarts.
        """
        # In a thread: Airflow waits only for a limited time, and the call continues after that.
        await asyncio.to_thread(self._host_run().cancel)

    async def _poll(self) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_POLLS, self._host_run().status, POLL_LIMIT_SEC)

    def _host_run(self) -> HostRun:
        fields = self.program
        program = Program(fields["path"], tuple(fields["options"]), fields["variables"])
        return HostRun(program, self.run_key, self.log)
