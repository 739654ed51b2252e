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

from flow_spec import StepSpec
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


def task_settings(step: StepSpec, infrastructure_retries: int) -> dict[str, Any]:
    """Return the arguments of a step's task that stand for the step's retries.

    Airflow counts all tries. The task itself counts those at which its command failed, and sets the
    delay before the next one. Airflow's delay applies only to a try that could not set one. The
    step's time limit is kept by the task too, from the start of its job on.
    """
    return {
        **fault_settings(step.retries + infrastructure_retries),
        "retry_policy": StepRetries(),
        "execution_timeout": None,
    }


def fault_settings(retries: int) -> dict[str, Any]:
    """Return the arguments of a task that is tried again after an infrastructure fault."""
    return {
        "retries": retries,
        "retry_delay": FAULT_DELAY,
        "retry_exponential_backoff": 0.0,
        "max_retry_delay": None,
    }


class Tries:
    """The tries of a task since it was last cleared.

    Attributes:
        number: The number of this try, from 1.
        is_test: Whether `airflow tasks test` runs the task. Then its step runs whatever its
            condition says, and nothing is recorded.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        """Read what the earlier tries have recorded, if there are any."""
        ti, task = context["ti"], context["task"]
        self.is_test = ti.try_number == 0
        self.number: int = max(1, ti.try_number)
        self._xcom = xcom_of_run(context, f"tries_of_{task.task_id}")
        found = read_record(self._xcom) if self.number > 1 else None
        self._record = _Record.first_of(self.number, ti, task)
        if found:
            self._record = self._record._replace(**found)
        if self._record.max_tries != ti.max_tries:
            self._record = self._record.cleared(self.number, ti.max_tries)
        self._record.places[str(self.number)] = self.place
        if not self.is_test:
            self._write()

    @property
    def first(self) -> int:
        """The number of the first of them."""
        return self._record.first

    @property
    def failed(self) -> Sequence[int]:
        """Those at which the command has failed."""
        return self._record.failed

    @property
    def place(self) -> str:
        """The host of this try, and its orchesjob home: another one does not know its job."""
        from orchesjob_client import orchesjob_home

        return f"{gethostname()}:{orchesjob_home(os.environ)}"

    def place_of(self, number: int) -> str | None:
        """Return the place of an earlier try; None if it ended before it could begin anything."""
        return self._record.places.get(str(number))

    @property
    def attempt(self) -> int:
        """The number of this try's attempt: infrastructure faults do not count."""
        return self._record.attempts + 1

    @property
    def open(self) -> Sequence[int]:
        """The earlier tries without a recorded failure; their commands may not have begun."""
        return range(max((self.first - 1, *self.failed)) + 1, self.number)

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
        return max(self._record.passed, default=0)

    def record_passed(self) -> None:
        """Record that `only_if` has let the step run at this try: an attempt, but no failure."""
        self._record = self._record._replace(passed=[*self._record.passed, self.number])
        self._write()

    def record_failure(self) -> None:
        """Record that the command has failed at this try."""
        self._record = self._record._replace(failed=[*self.failed, self.number])
        self._write()

    def record_abort(self, number: int) -> None:
        """Record that Airflow has ended the command of this earlier try, after it had begun."""
        if number not in self._record.aborted:
            self._record = self._record._replace(aborted=[*self._record.aborted, number])
            self._write()

    def _write(self) -> None:
        BaseXCom.set(value=self._record._asdict(), **self._xcom)


class _Record(NamedTuple):
    """What the tries of a task record; the first of them does so before its command begins."""

    max_tries: int
    """One less than the number of the last try that the task may make.

    Airflow raises it when the task is cleared, by the retries of the DAG as it is stored, and the
    DAG file may say something else by now. So a change shows that the task was cleared, but not
    which try was the first one after that.
    """
    first: int
    attempts_before: int
    failed: Sequence[int]
    aborted: Sequence[int]
    """Tries whose command Airflow has ended: attempts that use up no retry."""
    passed: Sequence[int]
    """Tries at which `only_if` has let the step run."""
    places: dict[str, str]
    """Where each try has begun, by its number."""

    @property
    def attempts(self) -> int:
        """How many attempts there were before this try."""
        ended = (*self.failed, *self.aborted, *self.passed)
        return self.attempts_before + len(ended)

    @classmethod
    def first_of(cls, number: int, ti: Any, task: Any) -> Self:
        """Return the record of a task at this try if no command can have begun before it."""
        first = min(max(1, ti.max_tries - task.retries + 1), number)
        return cls(ti.max_tries, first, 0, [], [], [], {})

    def cleared(self, number: int, max_tries: int) -> Self:
        """Return the record at this try, the first one after the task was cleared."""
        return type(self)(max_tries, number, self.attempts + 1, [], [], [], {})


class AttemptKeys(NamedTuple):
    """The keys in orchesjob that concern one attempt: each try of a task has its own.

    With `only_if`, a try has two keys: one for the gate, one for the command (rule 10.8). The id of
    a task contains no colon, so no two attempts share a key.
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
    def of(cls, task: str, tries: Tries, *, has_gate: bool, is_gate: bool) -> Self:
        """Return the keys of an attempt of this try.

        Args:
            task: DAG, run and task, joined by colons.
            tries: The tries of the task.
            has_gate: Whether the step has a gate, `only_if`.
            is_gate: Whether the attempt runs the gate instead of the command.
        """

        def of_try(number: int) -> tuple[str, ...]:
            command = f"{task}:{number}"
            return (f"{command}:only_if", command) if has_gate else (command,)

        place = 0 if is_gate else -1
        this = of_try(tries.number)
        before = [key for number in range(1, tries.number) for key in of_try(number)]
        # Before the gate has let the step run, no try can have begun its command.
        open_tries = [number for number in tries.open if is_gate or number >= tries.passed_at]
        open_keys = {of_try(number)[place]: tries.place_of(number) for number in open_tries}
        return cls(
            own=this[place],
            earlier=(*before, *this[:place]),
            open=tuple(open_keys),
            last=() if open_keys or not before else of_try(tries.number - 1),
            away={key: at for key, at in open_keys.items() if at not in {None, tries.place}},
        )

    @staticmethod
    def try_of(key: str) -> int:
        """Return the number of the try that has this key."""
        return int(key.removesuffix(":only_if").rpartition(":")[2])


def keys_before(context: Mapping[str, Any]) -> Sequence[str]:
    """Return all keys that earlier tries may have, with or without `only_if`."""
    ti = context["ti"]
    tries = [f"{ti.dag_id}:{ti.run_id}:{ti.task_id}:{number}" for number in range(1, ti.try_number)]
    return [key for one in tries for key in (f"{one}:only_if", one)]
