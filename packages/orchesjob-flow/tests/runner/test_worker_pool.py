"""Worker threads: as many at once as the pool is large (rule 5.7)."""

import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue

import pytest

from orchesjob_flow.runner.performer import WorkerPool


def test_a_pool_has_a_limit() -> None:
    """No more jobs are done at once than the pool is large, and all of them are done."""
    started: SimpleQueue[int] = SimpleQueue()
    go_on: SimpleQueue[None] = SimpleQueue()
    pool = WorkerPool(2)

    def job(number: int) -> None:
        started.put(number)
        go_on.get(timeout=10)

    for number in range(5):
        pool.submit(lambda number=number: job(number))  # type: ignore[misc]
    assert {started.get(timeout=10), started.get(timeout=10)} == {0, 1}
    assert started.empty()
    for _ in range(5):
        go_on.put(None)
    assert {started.get(timeout=10) for _ in range(3)} == {2, 3, 4}


NO_MORE_THREADS = """
import resource, threading
from queue import SimpleQueue
from orchesjob_flow.errors import ResourceExhausted
from orchesjob_flow.runner.performer import WorkerPool
from orchesjob_flow.errors import exhaustion_named

threading.stack_size(2**28)
pool, late = WorkerPool(3), WorkerPool(1)
pool.prepare()
pages = int(open("/proc/self/statm").read().split()[0])
before = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**27, before[1]))
done = SimpleQueue()
for number in range(5):
    pool.submit(lambda number=number: done.put(number))
print([done.get(timeout=10) for _ in range(5)])
try:
    with exhaustion_named("cannot start a thread"):
        late.prepare()
except ResourceExhausted as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, before)
late.prepare()
late.submit(lambda: done.put("late"))
print(done.get(timeout=10))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its size from /proc")
def test_no_more_threads() -> None:
    """A pool that has one thread does all jobs with it; one that has none says so (rule 5.7)."""
    ended = subprocess.run(
        [sys.executable, "-c", NO_MORE_THREADS], capture_output=True, text=True, check=True
    )
    jobs, scarcity, late = ended.stdout.splitlines()
    assert jobs == "[0, 1, 2, 3, 4]"
    assert scarcity.startswith("cannot start a thread: no more threads are allowed, ")
    assert late == "late"
