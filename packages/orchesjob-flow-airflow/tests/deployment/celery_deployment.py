"""A deployed Airflow with CeleryExecutor, whose workers are started and stopped one by one."""

import signal
import subprocess
from pathlib import Path

from .deployment import DeploymentInParts, kill_session

END_SEC = 20.0


class CeleryDeployment(DeploymentInParts):
    """An Airflow whose tasks run on workers that a test starts."""

    def start_worker(self, name: str, *, jobs: Path | None = None, queues: str = "default") -> None:
        """Start a worker that does one task at a time, and whose commands see its name in WORKER.

        Args:
            name: Its name.
            jobs: The home of its orchesjob; workers with different ones see neither jobs nor
                processes of each other, as if they were on different hosts.
            queues: From where it takes its tasks.
        """
        self.begin(
            name,
            *("celery", "worker", "--celery-hostname", name, "--concurrency", "1"),
            *("--queues", queues, "--skip-serve-logs", "--without-gossip", "--without-mingle"),
            WORKER=name,
            ORCHESJOB_HOME=str(jobs or self.jobs),
        )

    def kill_worker(self, name: str) -> None:
        """Kill all processes of a worker, with those of its task; the detached job runs on."""
        kill_session(self._processes.pop(name))

    def stop_workers(self) -> None:
        """Let all workers finish their tasks and end; kill those that do not."""
        workers = [self._processes.pop(name) for name in self._processes.keys() - set(self.parts)]
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            try:
                worker.wait(END_SEC)
            except subprocess.TimeoutExpired:
                kill_session(worker)
