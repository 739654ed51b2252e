"""Which tries of a task count as attempts of its step, and when the next one is due (rule 13.2).

Airflow counts every try, whatever it failed of. A step's retries are for its command. So a task
notes the tries at which the command has failed, and Airflow's other retries are for the machinery.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, override

from airflow.sdk import BaseXCom, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException


class RetriedFailure(AirflowException):
    """An attempt has failed, and the step has retries left.

    Attributes:
        delay_sec: The delay before the next attempt.
    """

    def __init__(self, cause: str, delay_sec: float) -> None:
        """Say how the attempt failed, and when the next one is due."""
        super().__init__(cause)
        self.delay_sec = delay_sec


class StepRetries(RetryPolicy):
    """Retries after the step's delay; after a fault of the machinery, after Airflow's."""

    @override
    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Tell Airflow what follows from an exception of the task."""
        if isinstance(exception, RetriedFailure):
            return RetryDecision.retry(timedelta(seconds=exception.delay_sec))
        return RetryDecision.default()


class Tries:
    """The tries of a task since it was last cleared."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        """Ask Airflow which of the earlier ones have failed, if there are any.

        `max_tries` is one less than the number of the last try that the task may make. When a task
        is cleared, Airflow raises it, so that the retries are counted from there.
        """
        ti, task = context["ti"], context["task"]
        self.is_rehearsal = ti.try_number == 0
        """Whether `airflow tasks test` runs the task, which asks for no other and counts no try."""
        self.number: int = max(1, ti.try_number)
        self.first: int = ti.max_tries - task.retries + 1
        self._place = {
            "key": f"failed_tries_of_{task.task_id}",
            "dag_id": ti.dag_id,
            "run_id": ti.run_id,
            "task_id": task.task_ids.beginning,
        }
        recorded = BaseXCom.get_one(**self._place) if self.number > self.first else None
        self.failed: Sequence[int] = [number for number in recorded or () if number >= self.first]

    @property
    def attempt(self) -> int:
        """The number of this try's attempt: faults of the machinery do not count."""
        return self.first + len(self.failed)

    @property
    def open(self) -> Sequence[int]:
        """The earlier tries whose commands nobody has seen to fail: they may not have begun."""
        return range(max((self.first - 1, *self.failed)) + 1, self.number)

    @property
    def retries_used(self) -> int:
        """How many of the step's retries have been used up."""
        return len(self.failed)

    def record_failure(self) -> None:
        """Note that the command has failed at this try."""
        BaseXCom.set(value=[*self.failed, self.number], **self._place)
