"""The keys under which orchesjob knows the attempts of a task's tries: each try has its own.

Where a step has an `only_if`, a try has two: one for the question, one for the command (rule 10.8).
No task's id has a colon, so no two attempts have one key.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from orchesjob_flow_airflow.flow_as_dag.dag_run.gate import Gate
from orchesjob_flow_airflow.flow_as_dag.dag_run.retries import Tries


class AttemptKeys(NamedTuple):
    """The keys that concern one attempt."""

    own: str
    earlier: tuple[str, ...]
    """Those of all attempts before it, whose processes must be gone before it begins."""
    open: tuple[str, ...]
    """Those of earlier tries with whose jobs it goes on, if they are there: nobody knows how they
    went."""
    last: tuple[str, ...]
    """Those of the try before, if nothing is open: their jobs should have ended."""

    @classmethod
    def of(cls, task: str, tries: Tries, gate: Gate, *, is_gate: bool) -> Self:
        """Return the keys of an attempt of this try.

        Args:
            task: What tells the task of this run from all others.
            tries: The tries of the task.
            gate: What is known of the step's gate.
            is_gate: Whether the gate is asked, and not the command run.
        """

        def of_try(number: int) -> tuple[str, ...]:
            command = f"{task}:{number}"
            return (f"{command}:only_if", command) if gate.is_there else (command,)

        place = 0 if is_gate else -1
        this = of_try(tries.number)
        before = [key for number in range(1, tries.number) for key in of_try(number)]
        # Before the gate has let the step run, no try can have begun its command.
        open_tries = [number for number in tries.open if is_gate or number >= gate.passed_at]
        open_keys = tuple(of_try(number)[place] for number in open_tries)
        return cls(
            own=this[place],
            earlier=(*before, *this[:place]),
            open=open_keys,
            last=() if open_keys or not before else of_try(tries.number - 1),
        )


def keys_before(context: Mapping[str, Any]) -> Sequence[str]:
    """Return all keys that tries before this one may have, whatever their step was then."""
    ti = context["ti"]
    tries = [f"{ti.dag_id}:{ti.run_id}:{ti.task_id}:{number}" for number in range(1, ti.try_number)]
    return [key for one in tries for key in (f"{one}:only_if", one)]
