"""The errors of this package.

An error that Airflow is to act upon (fail, retry or skip a task) is one of Airflow's own. The tasks
raise it; what they call raises the errors here.
"""

from collections.abc import Sequence

LONGEST_TASK_ID = 250


class OrchesjobFlowAirflowError(Exception):
    """The base of every error that this package raises by itself."""


class DagIdRefused(OrchesjobFlowAirflowError, ValueError):
    """A flow's id cannot be the id of a DAG.

    Attributes:
        flow_id: The flow's id.
    """

    def __init__(self, flow_id: str) -> None:
        """Name the flow."""
        super().__init__(flow_id)
        self.flow_id = flow_id

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return f"the flow's id {self.flow_id!r} cannot name a DAG; give flow_dag a dag_id"


class GroupIdRefused(OrchesjobFlowAirflowError, ValueError):
    """A flow's id cannot be the id of a group of tasks.

    Attributes:
        flow_id: The flow's id.
    """

    def __init__(self, flow_id: str) -> None:
        """Name the flow."""
        super().__init__(flow_id)
        self.flow_id = flow_id

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"the flow's id {self.flow_id!r} cannot name a group of tasks; "
            "give flow_task_group a group_id"
        )


class TaskIdTooLong(OrchesjobFlowAirflowError, ValueError):
    """The task of a step would have an id that is longer than Airflow allows.

    Attributes:
        step_id: The id of the step, or of a copy of it.
        task_id: What the task would be called.
    """

    def __init__(self, step_id: str, task_id: str) -> None:
        """Name the step and its task."""
        super().__init__(step_id, task_id)
        self.step_id = step_id
        self.task_id = task_id

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"the task of {self.step_id!r} would have an id of {len(self.task_id)} characters, and "
            f"Airflow allows {LONGEST_TASK_ID}; shorten the id of the step, the values of its "
            "foreach, or the id of its group"
        )


class InsideDag(OrchesjobFlowAirflowError, RuntimeError):
    """`flow_dag` was called while another DAG is being made.

    Attributes:
        path: The flow file.
        dag_id: The id of the DAG around the call.
    """

    def __init__(self, path: str, dag_id: str) -> None:
        """Name the flow file, and the DAG around the call."""
        super().__init__(path, dag_id)
        self.path = path
        self.dag_id = dag_id

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"{self.path}: flow_dag makes a DAG of its own, and cannot do that inside the DAG "
            f"{self.dag_id!r}; there, flow_task_group(path) adds the flow as a group of tasks"
        )


class OutsideDag(OrchesjobFlowAirflowError, RuntimeError):
    """`flow_task_group` was called where no DAG is being made.

    Attributes:
        path: The flow file.
    """

    def __init__(self, path: str) -> None:
        """Name the flow file."""
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"{self.path}: flow_task_group adds tasks to a DAG, and there is none around it; "
            "call it inside `with DAG(...)`, or flow_dag(path), which makes a DAG of the flow"
        )


class InsideMappedGroup(OrchesjobFlowAirflowError, RuntimeError):
    """`flow_task_group` was called in a group of tasks that Airflow expands at run time.

    Attributes:
        path: The flow file.
        group_id: The id of the group around the call.
    """

    def __init__(self, path: str, group_id: str) -> None:
        """Name the flow file, and the group around the call."""
        super().__init__(path, group_id)
        self.path = path
        self.group_id = group_id

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"{self.path}: flow_task_group cannot be in the mapped group {self.group_id!r}: its "
            "steps would not know which copies they wait for; call it outside of that group, or "
            "map an OrchesjobFlowOperator, which runs a whole flow as one task"
        )


class ArgumentRefused(OrchesjobFlowAirflowError, ValueError):
    """An argument of a DAG or of its tasks would change the outcome of a flow (rule 13.4).

    Attributes:
        path: The flow file.
        argument: The argument.
        reason: Why it is refused.
    """

    def __init__(self, path: str, argument: str, reason: str) -> None:
        """Name the flow file and the argument, and say why."""
        super().__init__(path, argument, reason)
        self.path = path
        self.argument = argument
        self.reason = reason

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"{self.path}: {self.argument} would change outcomes: {self.reason}; "
            "take it out of the DAG file"
        )


class RetriesRefused(OrchesjobFlowAirflowError, ValueError):
    """`infrastructure_retries` is no number of retries.

    Attributes:
        path: The flow file.
        given: What it is.
    """

    def __init__(self, path: str, given: object) -> None:
        """Name the flow file, and what was given."""
        super().__init__(path, given)
        self.path = path
        self.given = given

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return f"{self.path}: infrastructure_retries must be an integer >= 0, got {self.given!r}"


class FieldRefused(OrchesjobFlowAirflowError, ValueError):
    """A flow has a field that a task for each step cannot obey.

    Attributes:
        path: The flow file.
        field: The name of the field.
        reason: Why tasks cannot do what it says.
        function: What was called to make the tasks.
    """

    def __init__(self, path: str, field: str, reason: str, function: str) -> None:
        """Name the flow file, the field and the function, and say why."""
        super().__init__(path, field, reason, function)
        self.path = path
        self.field = field
        self.reason = reason
        self.function = function

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"{self.path}: {self.function} cannot do what `{self.field}` says: {self.reason}; "
            "OrchesjobFlowOperator runs the whole flow as one task; or take "
            f"`{self.field}` out of the file"
        )


class FlowNotBegun(OrchesjobFlowAirflowError, RuntimeError):
    """A task before the flow's group of tasks has failed, so none of its steps runs."""

    def __str__(self) -> str:
        """Say so."""
        return "the flow did not begin: a task before it failed"


class DefinitionChanged(OrchesjobFlowAirflowError, RuntimeError):
    """A flow file has changed so much that a run cannot go on as it began (rule 13.3).

    Attributes:
        changes: What has changed, in sentences.
    """

    def __init__(self, changes: Sequence[str]) -> None:
        """Take what has changed."""
        super().__init__(changes)
        self.changes = tuple(changes)

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"the flow file has changed since this run began: {'; '.join(self.changes)}; trigger a "
            "new run, or clear this task and those after it, to run them as the file says now"
        )


class RunDirUnusable(OrchesjobFlowAirflowError, RuntimeError):
    """The directory of a run cannot be used on this host (rule 10.6).

    Attributes:
        path: The directory.
        problem: What is wrong with it.
    """

    def __init__(self, path: str, problem: str) -> None:
        """Name the directory, and what is wrong with it."""
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"{self.path}, the directory of the run, {self.problem}; `run_dirs` must name a "
            "folder that all workers see and can write to, as one and the same user"
        )


class AttemptFailed(OrchesjobFlowAirflowError, RuntimeError):
    """An attempt at a step has failed; the message says how.

    Attributes:
        exit_code: The exit code of its command, if it has one.
    """

    def __init__(self, cause: str, exit_code: int | None = None) -> None:
        """Say how."""
        super().__init__(cause)
        self.exit_code = exit_code


class GateFailed(AttemptFailed):
    """An attempt at the gate of a step, `only_if`, has failed (rule 10.8)."""

    def __init__(self, cause: str) -> None:
        """Say how; its exit code is none of the step's command."""
        super().__init__(f"only_if: {cause}")


class NoOutcome(OrchesjobFlowAirflowError, RuntimeError):
    """An attempt has failed without a report that says how; the message does."""


class ForeignJob(OrchesjobFlowAirflowError, RuntimeError):
    """Another command runs or ran under the key of an attempt (rule 5.9).

    Attributes:
        attempt_key: The key.
    """

    def __init__(self, attempt_key: str) -> None:
        """Name the key."""
        super().__init__(attempt_key)
        self.attempt_key = attempt_key

    def __str__(self) -> str:
        """Name the key in a sentence."""
        return f"another command runs or ran under the key {self.attempt_key}"


class ProgramMissing(OrchesjobFlowAirflowError, LookupError):
    """There is no orchesjob-flow on this host.

    Attributes:
        program: The name or path that was looked for.
        origin: Where it came from, or where it was looked for.
    """

    def __init__(self, program: str, origin: str) -> None:
        """Say what was looked for, and where."""
        super().__init__(program, origin)
        self.program = program
        self.origin = origin

    def __str__(self) -> str:
        """Say what is missing and what to do about it."""
        return (
            f"{self.program} ({self.origin}) is not an executable file on this host; install "
            "orchesjob-flow where the task runs, put it on PATH, or name it with `program`"
        )
