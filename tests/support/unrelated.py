"""Processes of no run that have got the PIDs of a dead job."""

import subprocess
from typing import Any

from support.orchesjob import Orchesjob
from support.processes import kill_job


class UnrelatedProcesses:
    """Two processes, each the leader of a group of its own, to take the place of a job's."""

    def __init__(self) -> None:
        words = ["sleep", "600"]
        self._processes = [subprocess.Popen(words, start_new_session=True) for _ in range(2)]

    def replace(self, orchesjob: Orchesjob, key: str, job: Any) -> None:
        """Kill worker and command of a job, and write their PIDs into its row."""
        worker, target = self._processes
        orchesjob.plant(key, worker_pid=worker.pid, target_pid=target.pid)
        kill_job(job)

    def assert_spared(self) -> None:
        """Check that no signal was sent to them: the first one would have ended them."""
        assert [process.poll() for process in self._processes] == [None, None]

    def close(self) -> None:
        """End them."""
        for process in self._processes:
            process.kill()
            process.wait()
