"""Worker threads: as many at once as the pool is large (rule 5.7)."""

from queue import SimpleQueue

from orchesjob_flow.runner.worker_pool import WorkerPool


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
