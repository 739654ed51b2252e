"""Which tries of a task count as attempts of its step, and when the next one is due (rule 13.2).

Airflow counts every try, whatever it failed of. A step's retries are for its command. So a task
notes the tries at which the command has failed, and Airflow's other retries are for the machinery.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Self, override

from airflow.sdk import BaseXCom, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException

from orchesjob_flow_airflow.flow_as_dag.dag_run.run_record import place_in_run


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
        """Ask Airflow what the earlier ones have noted, if there are any."""
        ti, task = context["ti"], context["task"]
        self.is_rehearsal = ti.try_number == 0
        """Whether `airflow tasks test` runs the task, which asks for no other and counts no try."""
        self.number: int = max(1, ti.try_number)
        self._place = place_in_run(context, f"tries_of_{task.task_id}")
        recorded = BaseXCom.get_one(**self._place) if self.number > 1 else None
        self._noted = _Noted(**recorded) if recorded else _Noted.without_any(self.number, ti, task)
        if self._noted.max_tries != ti.max_tries:
            self._noted = self._noted.cleared(self.number, ti.max_tries)
        if self._noted._asdict() != recorded and not self.is_rehearsal:
            self._note()

    @property
    def first(self) -> int:
        """The number of the first of them."""
        return self._noted.first

    @property
    def failed(self) -> Sequence[int]:
        """Those at which the command has failed."""
        return self._noted.failed

    @property
    def attempt(self) -> int:
        """The number of this try's attempt: faults of the machinery do not count."""
        return self._noted.attempts_before + 1 + len(self.failed)

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
        self._noted = self._noted._replace(failed=[*self.failed, self.number])
        self._note()

    def _note(self) -> None:
        BaseXCom.set(value=self._noted._asdict(), **self._place)


class _Noted(NamedTuple):
    """What the tries of a task note: the first of them before its command begins."""

    max_tries: int
    """One less than the number of the last try that the task may make.

    Airflow raises it when the task is cleared, by the retries of the DAG as it is stored, and the
    DAG file may say otherwise by now. So a change of it tells that the task was cleared, but not
    which try was the first one after that.
    """
    first: int
    attempts_before: int
    failed: Sequence[int]

    @classmethod
    def without_any(cls, number: int, ti: Any, task: Any) -> Self:
        """Return what is to be noted at this try if no command can have begun before it."""
        first = min(max(1, ti.max_tries - task.retries + 1), number)
        return cls(ti.max_tries, first, 0, [])

    def cleared(self, number: int, max_tries: int) -> Self:
        """Return what is to be noted at this try, the first one after the task was cleared."""
        return type(self)(max_tries, number, self.attempts_before + 1 + len(self.failed), [])
