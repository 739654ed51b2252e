"""The time limit of a run that its tasks keep themselves, because the flow has `finally`.

Airflow's `dagrun_timeout` starts no more task, and none of `finally` either. So each task of a step
ends its job when the run's time is over, and one that begins later runs nothing (rules 9.12, 10.1).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Timer
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from flow_spec import FlowSpec, StepSpec


class RunTimedOut(AirflowSkipException):
    """The run's time is over before a step has ended: as Airflow does it, the step is skipped."""


class Deadline:
    """When a step has to end, if there is such a time.

    Attributes:
        words: What to say when the time is over.
    """

    def __init__(self, context: Mapping[str, Any], flow: FlowSpec, step: StepSpec) -> None:
        """Take the time from the run; the steps of `finally` have as long as they need."""
        self._at: float | None = None
        if flow.finally_ and flow.timeout_sec is not None and step.id not in flow.finally_ids:
            self._at = context["dag_run"].start_date.timestamp() + flow.timeout_sec
        self.words = timeout_words(flow)

    @property
    def remaining_sec(self) -> float:
        """The seconds until then, at least 0; infinity without a deadline."""
        if self._at is None:
            return float("inf")
        return max(0.0, self._at - datetime.now(UTC).timestamp())

    @property
    def is_over(self) -> bool:
        """Whether there is no time left."""
        return self.remaining_sec == 0

    @contextmanager
    def kept_by(self, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` when the time is over, in another thread, unless the block ends before."""
        if self._at is None:
            yield
            return
        timer = Timer(self.remaining_sec, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # it may be about to end what is left


def timeout_words(flow: FlowSpec) -> str:
    """Say that the run took too long."""
    return "" if flow.timeout_sec is None else f"the run timed out after {flow.timeout_sec:g} s"
