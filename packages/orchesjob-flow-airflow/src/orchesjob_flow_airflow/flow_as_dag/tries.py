"""Tries of a task, as Airflow counts them, and what they are for its step (rules 10.8 and 13.2).

Airflow counts every try, whatever it failed of. A step's retries are for its command, so a task
records the tries at which the command failed; Airflow's other retries are for infrastructure
faults. From these records follow the number of an attempt, the delay before the next one, whether
`only_if` is still to run, and the keys under which orchesjob knows the attempts.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from socket import gethostname
from typing import Any, NamedTuple, Self, override

from airflow.sdk import BaseXCom, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException

from orchesjob_flow_airflow.flow_as_dag.run import read_record, xcom_of_run

FAULT_DELAY = timedelta(seconds=30)
"""Between an infrastructure fault and the next try: long enough for an API server to restart."""


class RetriedFailure(AirflowException):
    """An attempt has failed, and the step has retries left.

    Attributes:
        delay_sec: The delay before the next attempt.
    """

    def __init__(self, cause: str, delay_sec: float) -> None:
        """Say how the attempt failed, and when the next one is due."""
        super().__init__(cause)
        self.delay_sec = delay_sec


class InfrastructureFault(AirflowException):
    """A try came to nothing for another reason than its command: it was no attempt (rule 13.2)."""

    def __init__(self, cause: object) -> None:
        """Say what went wrong."""
        super().__init__(f"infrastructure fault: {str(cause) or repr(cause)}")


class StepRetries(RetryPolicy):
    """Retries after the step's delay; after an infrastructure fault, after Airflow's.

    Airflow keeps the reason of each retry with the try before it.
    """

    @override
    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Tell Airflow what follows from an exception of the task."""
        if isinstance(exception, RetriedFailure):
            return RetryDecision.retry(timedelta(seconds=exception.delay_sec), str(exception))
        is_named = isinstance(exception, InfrastructureFault)
        fault = exception if is_named else InfrastructureFault(exception)
        return RetryDecision.retry(reason=str(fault))


def fault_settings(retries: int) -> dict[str, Any]:
    """Return the arguments of a task that is tried again after an infrastructure fault.

    Every argument that affects outcomes is set: the file decides, not `default_args`.
    """
    return {
        "retries": retries,
        "retry_delay": FAULT_DELAY,
        "retry_exponential_backoff": 0.0,
        "max_retry_delay": None,
        "retry_policy": None,
        "execution_timeout": None,
        "depends_on_past": False,
        "wait_for_downstream": False,
        "wait_for_past_depends_before_skipping": False,
    }


class Tries:
    """The tries of a task since it was last cleared; the first of them records them.

    Attributes:
        number: The number of this try, from 1.
        is_test: Whether `airflow tasks test` runs the task. Then its step runs whatever its
            condition says, and nothing is recorded.
        first: The number of the first of them.
        failed: Those at which the command has failed.
        open: The earlier tries without a recorded failure; their commands may not have begun.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        """Read what the earlier tries have recorded, if there are any.

        Airflow raises `max_tries` when the task is cleared, by the retries of the DAG as it is
        stored, and the DAG file may say something else by now. So a change shows that the task was
        cleared, but not which try was the first one after that.
        """
        ti, task = context["ti"], context["task"]
        self.is_test = ti.try_number == 0
        self.number: int = max(1, ti.try_number)
        self._xcom = xcom_of_run(context, f"tries_of_{task.task_id}")
        found = read_record(self._xcom) if self.number > 1 else None
        first = min(max(1, ti.max_tries - task.retries + 1), self.number)
        before = 0
        if found and found["max_tries"] != ti.max_tries:
            before = 1 + self._attempts(found)
            first, found = self.number, None
        self._record: dict[str, Any] = {"max_tries": ti.max_tries, "first": first, "before": before}
        # `aborted`: Airflow has ended the command, an attempt that uses up no retry; `places`:
        # where each try has begun, by its number.
        self._record |= {"failed": [], "aborted": [], "passed": [], "places": {}, **(found or {})}
        self._record["places"][str(self.number)] = self.place
        self.first: int = self._record["first"]
        self.failed: Sequence[int] = self._record["failed"]
        self.open = range(max((self.first - 1, *self.failed)) + 1, self.number)
        self._write()

    @staticmethod
    def _attempts(record: Mapping[str, Any]) -> int:
        ended = sum(len(record.get(kind, ())) for kind in ("failed", "aborted", "passed"))
        return ended + int(record.get("before", 0))

    @property
    def place(self) -> str:
        """The host of this try, and its orchesjob home: another one does not know its job."""
        from orchesjob_client import orchesjob_home

        return f"{gethostname()}:{orchesjob_home(os.environ)}"

    def place_of(self, number: int) -> str | None:
        """Return the place of an earlier try; None if it ended before it could begin anything."""
        place: str | None = self._record["places"].get(str(number))
        return place

    @property
    def attempt(self) -> int:
        """The number of this try's attempt: infrastructure faults do not count."""
        return self._attempts(self._record) + 1

    @property
    def retries_used(self) -> int:
        """How many of the step's retries have been used."""
        return len(self.failed)

    @property
    def passed_at(self) -> int:
        """The last try at which `only_if` let the step run; 0 if it has not since the clearing.

        It runs until it has answered, and a yes is recorded before the command begins. So at 0 no
        command has begun; later it does not run again (rule 10.8).
        """
        return max(self._record["passed"], default=0)

    def record(self, what: str, number: int | None = None) -> None:
        """Record that this try, or an earlier one, has `failed`, was `aborted`, or `passed`."""
        numbers = self._record[what]
        if (number or self.number) not in numbers:
            numbers.append(number or self.number)
            self._write()

    def _write(self) -> None:
        if not self.is_test:
            BaseXCom.set(value=self._record, **self._xcom)


class AttemptKeys(NamedTuple):
    """The keys in orchesjob that concern one attempt: each try of a task has its own.

    A try has two keys: one for `only_if`, if there is one, and one for the command (rule 10.8). The
    id of a task contains no colon, so no two attempts share a key.
    """

    own: str
    earlier: tuple[str, ...]
    """Keys of all attempts before it; it begins once their processes have exited."""
    open: tuple[str, ...]
    """Keys of earlier tries whose outcome is unknown; the attempt takes over their jobs."""
    last: tuple[str, ...]
    """Keys of the try before, if none is open; their jobs should have ended."""
    away: Mapping[str, str] = {}
    """The places of open tries that have begun in another place than this one, by their keys."""

    @classmethod
    def of(cls, task: str, tries: Tries, *, is_gate: bool) -> Self:
        """Return the keys of this try's attempt at `only_if`, or at the command.

        The `task` is DAG, run and task, joined by colons.
        """
        gate, command = cls.of_try(task, tries.number)
        before = cls.before(task, tries.number)
        # Before the gate has let the step run, no try can have begun its command.
        open_tries = [number for number in tries.open if is_gate or number >= tries.passed_at]
        open_keys = {
            cls.of_try(task, number)[0 if is_gate else 1]: tries.place_of(number)
            for number in open_tries
        }
        return cls(
            own=gate if is_gate else command,
            earlier=before if is_gate else (*before, gate),
            open=tuple(open_keys),
            last=() if open_keys else before[-2:],
            away={key: at for key, at in open_keys.items() if at not in {None, tries.place}},
        )

    @staticmethod
    def of_try(task: str, number: int) -> tuple[str, str]:
        """Return both keys of a try."""
        return f"{task}:{number}:only_if", f"{task}:{number}"

    @classmethod
    def before(cls, task: str, number: int) -> tuple[str, ...]:
        """Return all keys that the tries before this one may have."""
        return tuple(key for earlier in range(1, number) for key in cls.of_try(task, earlier))

    @staticmethod
    def try_of(key: str) -> int:
        """Return the number of the try that has this key."""
        return int(key.removesuffix(":only_if").rpartition(":")[2])
